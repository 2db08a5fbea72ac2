use aws_core::awaitable;
use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result};

use crate::domain::Domain;
use crate::idempotency;
use crate::item::Item;
use crate::limits;
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, Wire, attribute, read};

/// A request to read an item; made by [`Domain::get`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct Get {
    domain: Domain,
    item: String,
    attributes: Vec<String>,
    consistent: bool,
    options: Options,
}

/// An item that was read.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Fetched {
    /// The item; without attributes if there is none of this name.
    pub item: Item,
    /// What the answer cost.
    pub usage: Usage,
}

impl Get {
    pub(crate) fn new(domain: Domain, item: String) -> Self {
        Self {
            domain,
            item,
            attributes: Vec::new(),
            consistent: false,
            options: Options::default(),
        }
    }

    /// Only these attributes. Defaults to all.
    pub fn attributes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.attributes.extend(names.into_iter().map(Into::into));
        self
    }

    /// Whether every write answered so far must be seen. Defaults to no: what is read may then be old.
    pub fn consistent(mut self, yes: bool) -> Self {
        self.consistent = yes;
        self
    }

    pub(crate) fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the service say.
    pub async fn send(self) -> Result<Fetched> {
        limits::item(&self.item)?;
        limits::pairs(self.attributes.len())?;
        let mut wire = Wire::about(&self.domain.client, GetAttributes::NAME, &self.domain.name)?;
        wire.options(self.options);
        wire.param("ItemName", &*self.item);
        for (i, name) in self.attributes.into_iter().enumerate() {
            limits::attribute(&name)?;
            wire.param(format!("AttributeName.{}", i + 1), name);
        }
        if self.consistent {
            wire.param("ConsistentRead", "true");
        }
        let mut fetched = self.domain.client.call(&GetAttributes { wire }).await?;
        fetched.item.name = self.item;
        Ok(fetched)
    }
}

options!(Get);
awaitable!(Get, Fetched);

struct GetAttributes {
    wire: Wire,
}

impl Operation for GetAttributes {
    type Output = Fetched;
    const NAME: &'static str = idempotency::GET_ATTRIBUTES.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::GET_ATTRIBUTES.idempotency
    }

    fn parse(&self, service: &Sdb, answer: Answer) -> Result<Fetched> {
        let mut fetched = Fetched::default();
        fetched.usage = read(service, &answer, |xml| {
            while let Some(tag) = xml.child()? {
                match tag.name() {
                    "Attribute" => fetched.item.attributes.push(attribute(xml)?),
                    _ => xml.skip()?,
                }
            }
            Ok(())
        })?;
        Ok(fetched)
    }
}
