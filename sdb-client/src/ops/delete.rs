use aws_core::awaitable;
use std::fmt;

use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result};

use crate::domain::Domain;
use crate::idempotency::{self, Row};
use crate::item::Expected;
use crate::limits;
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, Wire, read};

/// A request to remove an item or some of its attributes; made by [`Domain::delete`].
///
/// Without [`attribute`](Self::attribute) and [`value`](Self::value) the whole item goes.
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Delete {
    domain: Domain,
    item: String,
    pairs: Vec<(String, Option<String>)>,
    expected: Option<Expected>,
    options: Options,
}

impl Delete {
    pub(crate) fn new(domain: Domain, item: String) -> Self {
        Self {
            domain,
            item,
            pairs: Vec::new(),
            expected: None,
            options: Options::default(),
        }
    }

    /// Removes all values of this attribute.
    pub fn attribute(mut self, name: impl Into<String>) -> Self {
        self.pairs.push((name.into(), None));
        self
    }

    /// Removes this value of this attribute.
    pub fn value(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.pairs.push((name.into(), Some(value.into())));
        self
    }

    /// Removes only if this holds, else the error [`is_condition_failed`](crate::Error::is_condition_failed).
    /// There is one condition at most: a second takes the place of the first. Sent once.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the service say.
    pub async fn send(self) -> Result<Usage> {
        limits::item(&self.item)?;
        limits::pairs(self.pairs.len())?;
        let mut wire = Wire::about(
            &self.domain.client,
            DeleteAttributes::NAME,
            &self.domain.name,
        )?;
        wire.options(self.options);
        wire.param("ItemName", self.item);
        for (i, (name, value)) in self.pairs.into_iter().enumerate() {
            limits::attribute(&name)?;
            let n = i + 1;
            if let Some(value) = value {
                limits::value(&name, &value)?;
                wire.param(format!("Attribute.{n}.Value"), value);
            }
            wire.param(format!("Attribute.{n}.Name"), name);
        }
        wire.expected(self.expected.as_ref())?;
        let row = match self.expected {
            Some(_) => idempotency::DELETE_ATTRIBUTES_IF,
            None => idempotency::DELETE_ATTRIBUTES,
        };
        self.domain
            .client
            .call(&DeleteAttributes { wire, row })
            .await
    }
}

options!(Delete);
awaitable!(Delete, Usage);

impl fmt::Debug for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delete")
            .field("domain", &self.domain.name)
            .field("item", &self.item)
            .field("pairs", &self.pairs.len())
            .field("expected", &self.expected)
            .finish()
    }
}

struct DeleteAttributes {
    wire: Wire,
    row: Row,
}

impl Operation for DeleteAttributes {
    type Output = Usage;
    const NAME: &'static str = idempotency::DELETE_ATTRIBUTES.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    fn parse(&self, service: &Sdb, answer: Answer) -> Result<Usage> {
        read(service, &answer, |xml| xml.skip())
    }
}
