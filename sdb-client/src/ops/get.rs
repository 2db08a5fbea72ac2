//! Reading an item: [`Domain::get`].

use aws_core::cache::{Cacheable, Lookup, Snapshot};
use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::xml::XmlError;
use aws_core::{Result, awaitable};

use crate::client::SdbClient;
use crate::domain::Domain;
use crate::idempotency;
use crate::item::Item;
use crate::limits;
use crate::operation::{Call, SdbOperation, Unsigned as _};
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, UnsignedRequest, attribute, read};

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
    /// The machine hours that the answer cost.
    pub usage: Usage,
}

impl Domain {
    /// Reads an item; one that is not there comes back without attributes.
    ///
    /// [GetAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_GetAttributes.html)
    #[doc(alias("get_attributes", "GetAttributes"))]
    pub fn get(&self, item: impl Into<String>) -> Get {
        Get::new(self.clone(), item.into())
    }
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

    /// Reads only these attributes. Defaults to all.
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

    /// Sends GetAttributes, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the service say.
    pub fn send(self) -> impl Future<Output = Result<Fetched>> + Send {
        SdbClient::read(self.ready())
    }

    /// What is to be sent, and by which client.
    fn ready(self) -> Result<(SdbClient, Call<GetAttributes>)> {
        limits::item(&self.item)
            .and_then(|()| limits::pairs(self.attributes.len()))
            .map_err(|error| self.domain.refused(error, Some(&self.item)))?;
        let mut wire = UnsignedRequest::about(
            &self.domain.client,
            GetAttributes::ROW.operation,
            &self.domain.name,
        )?;
        wire.options(self.options);
        wire.about_item("", self.item);
        let client = self.domain.client;
        // What fills a cache must not be older than the last write that told it.
        #[cfg(feature = "cache")]
        let consistent = self.consistent || client.is_cached();
        #[cfg(not(feature = "cache"))]
        let consistent = self.consistent;
        for (i, name) in self.attributes.iter().enumerate() {
            limits::attribute(name)?;
            wire.param(format!("AttributeName.{}", i + 1), &**name);
        }
        if consistent {
            wire.param("ConsistentRead", "true");
        }
        let operation = GetAttributes {
            past: self.consistent,
            names: self.attributes,
        };
        Ok((client, Call::new(wire, operation)))
    }
}

options!(Get);
awaitable!(Get, Fetched);

struct GetAttributes {
    /// Whether nothing that is kept is new enough.
    past: bool,
    /// The attributes that are asked for; all, if there are none here.
    names: Vec<String>,
}

impl Cacheable for Call<GetAttributes> {
    fn lookup(&self) -> Lookup<'_> {
        match self.request.item() {
            Some(item) if !self.operation.past && self.operation.names.is_empty() => {
                Lookup::Whole(item)
            }
            Some(item) if !self.operation.past => Lookup::Part(item),
            _ => Lookup::Past,
        }
    }

    fn is_absence(&self, snapshot: &Snapshot) -> bool {
        // An item without attributes does not exist.
        let read = crate::wire::read_envelope(&snapshot.body, |xml| {
            while let Some(tag) = xml.child()? {
                if tag.name() == "Attribute" {
                    return Err(XmlError::new("one is enough to know"));
                }
                xml.skip()?;
            }
            Ok(())
        });
        read.is_ok()
    }

    fn cost(&self, snapshot: &Snapshot) -> f64 {
        let usage = crate::wire::read_envelope(&snapshot.body, |xml| xml.skip());
        usage.map_or(0.0, |usage| usage.box_usage)
    }
}

impl SdbOperation for GetAttributes {
    type Request = UnsignedRequest;
    type Output = Fetched;
    const ROW: Row = idempotency::GET_ATTRIBUTES;

    fn parse(&self, wire: &UnsignedRequest, service: &Sdb, answer: Answer) -> Result<Fetched> {
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
        if !self.names.is_empty() {
            // What is kept of an item is all of it.
            let wanted = |name: &str| self.names.iter().any(|n| n == name);
            fetched.item.attributes.retain(|a| wanted(&a.name));
        }
        fetched.item.name = wire.item().unwrap_or_default().to_owned();
        Ok(fetched)
    }
}
