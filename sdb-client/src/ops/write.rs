//! Writing and removing, items and domains: [`Domain::put`], [`Domain::delete`], [`Domain::create`] and
//! [`Domain::delete_domain`].

use std::fmt;
use std::marker::PhantomData;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::{Idempotency, Result, awaitable};

use crate::change::{DeleteItem, PutItem};
use crate::client::SdbClient;
use crate::domain::Domain;
use crate::idempotency;
use crate::item::{Attribute, Expected};
use crate::operation::{Call, Changes, SdbOperation};
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, UnsignedRequest, read};

/// A request to change something: an item by a [`PutItem`] ([`Domain::put`], [`Domain::put_item`]) or a [`DeleteItem`]
/// ([`Domain::delete`]), or the domain by [`CreateDomain`] ([`Domain::create`]) or [`DeleteDomain`]
/// ([`Domain::delete_domain`]).
///
/// It is done whole or not at all, and never split: an item holds up to 256 pairs, all pairs of one put end up in it,
/// so what is over the limit of the request is over that of the item too. Pairs that are equal count once.
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Write<C> {
    domain: Domain,
    change: C,
    expected: Option<Expected>,
    options: Options,
}

/// Makes a domain; made by [`Domain::create`].
#[derive(Clone, Debug)]
pub struct CreateDomain(());

/// Removes a domain; made by [`Domain::delete_domain`].
#[derive(Clone, Debug)]
pub struct DeleteDomain(());

impl Domain {
    /// Makes the domain; one that is there already is no error. Takes some seconds at Amazon.
    ///
    /// [CreateDomain](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_CreateDomain.html)
    #[doc(alias("create_domain", "CreateDomain"))]
    pub fn create(&self) -> Write<CreateDomain> {
        Write::new(self.clone(), CreateDomain(()))
    }

    /// Removes the domain **and all its items**; one that is not there is no error.
    ///
    /// [DeleteDomain](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_DeleteDomain.html)
    pub fn delete_domain(&self) -> Write<DeleteDomain> {
        Write::new(self.clone(), DeleteDomain(()))
    }

    /// Writes attributes of an item.
    ///
    /// [PutAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_PutAttributes.html)
    #[doc(alias("put_attributes", "PutAttributes"))]
    pub fn put(&self, item: impl Into<String>) -> Write<PutItem> {
        self.put_item(PutItem::new(item))
    }

    /// Writes what a [`PutItem`] holds into its item.
    ///
    /// [PutAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_PutAttributes.html)
    pub fn put_item(&self, item: PutItem) -> Write<PutItem> {
        Write::new(self.clone(), item)
    }

    /// Removes an item, or some of its attributes; what is not there is no error.
    ///
    /// [DeleteAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_DeleteAttributes.html)
    #[doc(alias("delete_attributes", "DeleteAttributes"))]
    pub fn delete(&self, item: impl Into<String>) -> Write<DeleteItem> {
        Write::new(self.clone(), DeleteItem::new(item))
    }
}

impl Write<PutItem> {
    /// Adds a value to those that the attribute has.
    pub fn add(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change.push(name.into(), value.into(), false);
        self
    }

    /// Sets a value in place of all that the attribute has. Several for one name in one request all stay.
    pub fn replace(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change.push(name.into(), value.into(), true);
        self
    }

    /// [Replaces](Self::replace) by all of these.
    pub fn replace_all(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.change = self.change.replace_all(attributes);
        self
    }

    /// Writes only if this holds, else the error [`is_condition_failed`](crate::Error::is_condition_failed).
    /// There is one condition at most: a second takes the place of the first. Sent once.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }

    /// Sends PutAttributes, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken or there is nothing to write; otherwise
    /// as sending and the service say.
    pub fn send(self) -> impl Future<Output = Result<Usage>> + Send {
        SdbClient::run(ready(self))
    }
}

impl Write<DeleteItem> {
    /// Removes all values of this attribute. Without any attribute or value the whole item goes.
    pub fn attribute(mut self, name: impl Into<String>) -> Self {
        self.change = self.change.attribute(name);
        self
    }

    /// Removes this value of this attribute.
    pub fn value(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change = self.change.value(name, value);
        self
    }

    /// Removes only if this holds, else the error [`is_condition_failed`](crate::Error::is_condition_failed).
    /// There is one condition at most: a second takes the place of the first. Sent once.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = Some(expected);
        self
    }

    /// Sends DeleteAttributes, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the service say.
    pub fn send(self) -> impl Future<Output = Result<Usage>> + Send {
        SdbClient::run(ready(self))
    }
}

impl Write<CreateDomain> {
    /// Sends CreateDomain, as `.await` does.
    ///
    /// # Errors
    /// `NumberDomainsExceeded`; otherwise as sending and the service say.
    pub fn send(self) -> impl Future<Output = Result<Usage>> + Send {
        SdbClient::run(ready(self))
    }
}

impl Write<DeleteDomain> {
    /// Sends DeleteDomain, as `.await` does.
    ///
    /// # Errors
    /// As sending and the service say.
    pub fn send(self) -> impl Future<Output = Result<Usage>> + Send {
        SdbClient::run(ready(self))
    }
}

impl<C> Write<C> {
    pub(crate) fn new(domain: Domain, change: C) -> Self {
        Self {
            domain,
            change,
            expected: None,
            options: Options::default(),
        }
    }

    pub(crate) fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }
}

/// What is to be sent, and by which client.
fn ready<C: Mutation>(mut write: Write<C>) -> Result<(SdbClient, Call<WriteOperation<C>>)> {
    let checked = write.change.check();
    checked.map_err(|error| write.domain.refused(error, write.change.item()))?;
    let row = match write.expected {
        Some(_) => C::ROW_IF,
        None => C::ROW,
    };
    let mut wire = UnsignedRequest::about(&write.domain.client, row.operation, &write.domain.name)?;
    wire.options(write.options);
    write.change.write(&mut wire, "");
    wire.expected(write.expected.as_ref())?;
    let operation = WriteOperation {
        idempotency: row.idempotency,
        change: PhantomData,
    };
    Ok((write.domain.client, Call::new(wire, operation)))
}

options!(Write<C>, C);
awaitable!(Write<PutItem>, Usage);
awaitable!(Write<DeleteItem>, Usage);
awaitable!(Write<CreateDomain>, Usage);
awaitable!(Write<DeleteDomain>, Usage);

impl<C: fmt::Debug> fmt::Debug for Write<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write")
            .field("domain", &self.domain.name)
            .field("change", &self.change)
            .field("expected", &self.expected)
            .finish()
    }
}

/// This is what one request changes.
pub(crate) trait Mutation: Send + Sync + 'static {
    /// The row of the operation, and that with a condition.
    const ROW: Row;
    const ROW_IF: Row;
    const CHANGES: Changes;

    /// Whether it is within the limits; may leave out what is there twice.
    fn check(&mut self) -> Result<()> {
        Ok(())
    }

    /// The name of the item that it changes.
    fn item(&self) -> Option<&str> {
        None
    }

    /// Its parameters, with this in front of their names.
    fn write(self, wire: &mut UnsignedRequest, prefix: &str);
}

impl Mutation for PutItem {
    const ROW: Row = idempotency::PUT_ATTRIBUTES;
    const ROW_IF: Row = idempotency::PUT_ATTRIBUTES_IF;
    const CHANGES: Changes = Changes::Items;

    fn check(&mut self) -> Result<()> {
        PutItem::check(self)
    }

    fn item(&self) -> Option<&str> {
        Some(self.name())
    }

    fn write(self, wire: &mut UnsignedRequest, prefix: &str) {
        PutItem::write(self, wire, prefix);
    }
}

impl Mutation for DeleteItem {
    const ROW: Row = idempotency::DELETE_ATTRIBUTES;
    const ROW_IF: Row = idempotency::DELETE_ATTRIBUTES_IF;
    const CHANGES: Changes = Changes::Items;

    fn check(&mut self) -> Result<()> {
        DeleteItem::check(self)
    }

    fn item(&self) -> Option<&str> {
        Some(self.name())
    }

    fn write(self, wire: &mut UnsignedRequest, prefix: &str) {
        DeleteItem::write(self, wire, prefix);
    }
}

impl Mutation for CreateDomain {
    const ROW: Row = idempotency::CREATE_DOMAIN;
    const ROW_IF: Row = Self::ROW;
    const CHANGES: Changes = Changes::Nothing;

    fn write(self, _: &mut UnsignedRequest, _: &str) {}
}

impl Mutation for DeleteDomain {
    const ROW: Row = idempotency::DELETE_DOMAIN;
    const ROW_IF: Row = Self::ROW;
    const CHANGES: Changes = Changes::Domain;

    fn write(self, _: &mut UnsignedRequest, _: &str) {}
}

struct WriteOperation<C> {
    idempotency: Idempotency,
    change: PhantomData<fn() -> C>,
}

impl<C: Mutation> SdbOperation for WriteOperation<C> {
    type Request = UnsignedRequest;
    type Output = Usage;
    const ROW: Row = C::ROW;
    const CHANGES: Changes = C::CHANGES;

    fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    fn parse(&self, _: &UnsignedRequest, service: &Sdb, answer: Answer) -> Result<Usage> {
        read(service, &answer, |xml| xml.skip())
    }
}
