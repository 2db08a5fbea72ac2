use aws_core::awaitable;
use std::fmt;

use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result};

use crate::change::DeleteItem;
use crate::client::SdbClient;
use crate::domain::Domain;
use crate::idempotency;
use crate::item::Expected;
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, Wire, read};

/// A request to remove an item or some of its attributes; made by [`Domain::delete`].
///
/// Without [`attribute`](Self::attribute) and [`value`](Self::value) the whole item goes. It is done whole or not
/// at all, so one of more than 256 attributes is refused and not split.
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Delete {
    domain: Domain,
    item: DeleteItem,
    expected: Option<Expected>,
    options: Options,
}

impl Delete {
    pub(crate) fn new(domain: Domain, item: DeleteItem) -> Self {
        Self {
            domain,
            item,
            expected: None,
            options: Options::default(),
        }
    }

    /// Removes all values of this attribute.
    pub fn attribute(mut self, name: impl Into<String>) -> Self {
        self.item = self.item.attribute(name);
        self
    }

    /// Removes this value of this attribute.
    pub fn value(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.item = self.item.value(name, value);
        self
    }

    /// Removes only if this holds, else the error [`is_condition_failed`](crate::Error::is_condition_failed).
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
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the service say.
    pub fn send(self) -> impl Future<Output = Result<Usage>> + Send {
        SdbClient::run(self.ready())
    }

    /// What is to be sent, and by which client.
    fn ready(self) -> Result<(SdbClient, DeleteAttributes)> {
        self.item.check()?;
        let mut wire = Wire::about(
            &self.domain.client,
            DeleteAttributes::NAME,
            &self.domain.name,
        )?;
        wire.options(self.options);
        self.item.write(&mut wire, "");
        wire.expected(self.expected.as_ref())?;
        let row = match self.expected {
            Some(_) => &idempotency::DELETE_ATTRIBUTES_IF,
            None => &idempotency::DELETE_ATTRIBUTES,
        };
        let idempotency = row.idempotency;
        Ok((self.domain.client, DeleteAttributes { wire, idempotency }))
    }
}

options!(Delete);
awaitable!(Delete, Usage);

impl fmt::Debug for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delete")
            .field("domain", &self.domain.name)
            .field("item", &self.item)
            .field("expected", &self.expected)
            .finish()
    }
}

struct DeleteAttributes {
    wire: Wire,
    idempotency: Idempotency,
}

impl Operation for DeleteAttributes {
    type Output = Usage;
    const NAME: &'static str = idempotency::DELETE_ATTRIBUTES.operation;

    from_wire!();
    changes_items!();

    fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    fn parse(&self, service: &Sdb, answer: Answer) -> Result<Usage> {
        read(service, &answer, |xml| xml.skip())
    }
}
