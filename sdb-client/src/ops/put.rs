use aws_core::awaitable;
use std::fmt;

use aws_core::operation::Answer;
use aws_core::{Error, Idempotency, Operation, Result};

use crate::domain::Domain;
use crate::idempotency::{self, Row};
use crate::item::Expected;
use crate::limits;
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, Wire, read};

/// A request to write attributes; made by [`Domain::put`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Put {
    domain: Domain,
    item: String,
    pairs: Vec<Pair>,
    expected: Option<Expected>,
    options: Options,
}

#[derive(Clone)]
struct Pair {
    name: String,
    value: String,
    replace: bool,
}

impl Put {
    pub(crate) fn new(domain: Domain, item: String) -> Self {
        Self {
            domain,
            item,
            pairs: Vec::new(),
            expected: None,
            options: Options::default(),
        }
    }

    /// Adds a value to those that the attribute has.
    pub fn add(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.pair(name.into(), value.into(), false)
    }

    /// Sets a value in place of all that the attribute has. Several for one name in one request all stay.
    pub fn replace(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.pair(name.into(), value.into(), true)
    }

    /// Writes only if this holds, else the error [`is_condition_failed`](crate::Error::is_condition_failed).
    /// There is one condition at most: a second takes the place of the first. Sent once.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }

    fn pair(mut self, name: String, value: String, replace: bool) -> Self {
        self.pairs.push(Pair {
            name,
            value,
            replace,
        });
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken or there is nothing to write; otherwise
    /// as sending and the service say.
    pub async fn send(self) -> Result<Usage> {
        limits::item(&self.item)?;
        limits::pairs(self.pairs.len())?;
        if self.pairs.is_empty() {
            return Err(Error::invalid("there is no attribute to write"));
        }
        let mut wire = Wire::about(&self.domain.client, PutAttributes::NAME, &self.domain.name)?;
        wire.options(self.options);
        wire.param("ItemName", self.item);
        for (i, pair) in self.pairs.into_iter().enumerate() {
            limits::attribute(&pair.name)?;
            limits::value(&pair.name, &pair.value)?;
            let n = i + 1;
            wire.param(format!("Attribute.{n}.Name"), pair.name);
            wire.param(format!("Attribute.{n}.Value"), pair.value);
            if pair.replace {
                wire.param(format!("Attribute.{n}.Replace"), "true");
            }
        }
        wire.expected(self.expected.as_ref())?;
        let row = match self.expected {
            Some(_) => idempotency::PUT_ATTRIBUTES_IF,
            None => idempotency::PUT_ATTRIBUTES,
        };
        self.domain.client.call(&PutAttributes { wire, row }).await
    }
}

options!(Put);
awaitable!(Put, Usage);

impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("domain", &self.domain.name)
            .field("item", &self.item)
            .field("pairs", &self.pairs.len())
            .field("expected", &self.expected)
            .finish()
    }
}

struct PutAttributes {
    wire: Wire,
    row: Row,
}

impl Operation for PutAttributes {
    type Output = Usage;
    const NAME: &'static str = idempotency::PUT_ATTRIBUTES.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    fn parse(&self, service: &Sdb, answer: Answer) -> Result<Usage> {
        read(service, &answer, |xml| xml.skip())
    }
}
