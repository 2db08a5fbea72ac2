use aws_core::awaitable;
use std::fmt;

use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result};

use crate::change::PutItem;
use crate::client::SdbClient;
use crate::domain::Domain;
use crate::idempotency;
use crate::item::{Attribute, Expected};
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, Wire, read};

/// A request to write attributes; made by [`Domain::put`] and [`Domain::put_item`].
///
/// It is never split: an item holds up to 256 pairs, all pairs of one put end up in it, so what is over the
/// limit of the request is over that of the item too. Pairs that are equal count once.
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Put {
    domain: Domain,
    item: PutItem,
    expected: Option<Expected>,
    options: Options,
}

impl Put {
    pub(crate) fn new(domain: Domain, item: PutItem) -> Self {
        Self {
            domain,
            item,
            expected: None,
            options: Options::default(),
        }
    }

    /// Adds a value to those that the attribute has.
    pub fn add(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.item.push(name.into(), value.into(), false);
        self
    }

    /// Sets a value in place of all that the attribute has. Several for one name in one request all stay.
    pub fn replace(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.item.push(name.into(), value.into(), true);
        self
    }

    /// [Replaces](Self::replace) by all of these.
    pub fn replace_all(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.item = self.item.replace_all(attributes);
        self
    }

    /// Writes only if this holds, else the error [`is_condition_failed`](crate::Error::is_condition_failed).
    /// There is one condition at most: a second takes the place of the first. Sent once.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }

    pub(crate) fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken or there is nothing to write; otherwise
    /// as sending and the service say.
    pub fn send(self) -> impl Future<Output = Result<Usage>> + Send {
        SdbClient::run(self.ready())
    }

    /// What is to be sent, and by which client.
    fn ready(mut self) -> Result<(SdbClient, PutAttributes)> {
        self.item.check()?;
        let mut wire = Wire::about(&self.domain.client, PutAttributes::NAME, &self.domain.name)?;
        wire.options(self.options);
        self.item.write(&mut wire, "");
        wire.expected(self.expected.as_ref())?;
        let row = match self.expected {
            Some(_) => &idempotency::PUT_ATTRIBUTES_IF,
            None => &idempotency::PUT_ATTRIBUTES,
        };
        let idempotency = row.idempotency;
        Ok((self.domain.client, PutAttributes { wire, idempotency }))
    }
}

options!(Put);
awaitable!(Put, Usage);

impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put")
            .field("domain", &self.domain.name)
            .field("item", &self.item)
            .field("expected", &self.expected)
            .finish()
    }
}

struct PutAttributes {
    wire: Wire,
    idempotency: Idempotency,
}

impl Operation for PutAttributes {
    type Output = Usage;
    const NAME: &'static str = idempotency::PUT_ATTRIBUTES.operation;

    from_wire!();
    changes_items!();

    fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    fn parse(&self, service: &Sdb, answer: Answer) -> Result<Usage> {
        read(service, &answer, |xml| xml.skip())
    }
}
