//! Writing and removing any number of items: [`Domain::batch_put`] and [`Domain::batch_delete`].

use std::marker::PhantomData;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::{Result, awaitable};

use super::write::{Mutation, Write};
use crate::batch::{self, Batches, Member};
use crate::change::{DeleteItem, PutItem};
use crate::domain::Domain;
use crate::idempotency;
use crate::limits;
use crate::operation::{Call, Changes, SdbOperation};
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, UnsignedRequest, read};

/// A request to change any number of items, each by a [`PutItem`] ([`Domain::batch_put`]) or a [`DeleteItem`]
/// ([`Domain::batch_delete`]).
///
/// It becomes as many requests as are needed, each within SimpleDB's limits: 25 items, 1 MB of encoded form, no
/// item twice. Each request is done whole or not at all; one that fails leaves the others as they are, and
/// [`Batches`] tells which it was. An item that is there more than once is changed in the order given: the
/// second request for it is sent after the first was answered, and not at all if that failed. One item that has too
/// many bytes for any batch goes alone, by PutAttributes or DeleteAttributes. The time and the retries that are set are
/// those of each request.
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct Batch<M> {
    domain: Domain,
    items: Vec<M>,
    parallel: usize,
    options: Options,
}

impl Domain {
    /// Writes any number of items, up to 25 with each request.
    ///
    /// [BatchPutAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_BatchPutAttributes.html)
    #[doc(alias("batch_put_attributes", "BatchPutAttributes"))]
    pub fn batch_put(&self) -> Batch<PutItem> {
        Batch::new(self.clone())
    }

    /// Removes any number of items, or some of their attributes, up to 25 items with each request.
    ///
    /// [BatchDeleteAttributes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_BatchDeleteAttributes.html)
    #[doc(alias("batch_delete_attributes", "BatchDeleteAttributes"))]
    pub fn batch_delete(&self) -> Batch<DeleteItem> {
        Batch::new(self.clone())
    }
}

impl<M> Batch<M> {
    fn new(domain: Domain) -> Self {
        Self {
            domain,
            items: Vec::new(),
            parallel: batch::PARALLEL,
            options: Options::default(),
        }
    }

    /// Changes this item too. The name of an item is enough for one that is removed whole.
    pub fn item(mut self, item: impl Into<M>) -> Self {
        self.items.push(item.into());
        self
    }

    /// Changes these items too. Names of items are enough for those that are removed whole.
    pub fn items(mut self, items: impl IntoIterator<Item = impl Into<M>>) -> Self {
        self.items.extend(items.into_iter().map(Into::into));
        self
    }

    /// How many requests are under way at the same time, from 1. Defaults to 8.
    pub fn parallel(mut self, requests: usize) -> Self {
        self.parallel = requests;
        self
    }
}

impl Batch<PutItem> {
    /// Sends the items by BatchPutAttributes, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when any item breaks a limit, before anything is sent. What happens
    /// to a batch that was sent is in [`Batches`].
    pub async fn send(self) -> Result<Batches> {
        batch::run(&self.domain, self.items, self.parallel, &self.options).await
    }
}

impl Batch<DeleteItem> {
    /// Sends the items by BatchDeleteAttributes, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when any item breaks a limit, before anything is sent. What happens
    /// to a batch that was sent is in [`Batches`].
    pub async fn send(self) -> Result<Batches> {
        batch::run(&self.domain, self.items, self.parallel, &self.options).await
    }
}

options!(Batch<M>, M);
awaitable!(Batch<PutItem>, Batches);
awaitable!(Batch<DeleteItem>, Batches);

impl Member for PutItem {
    const BATCH: Row = idempotency::BATCH_PUT_ATTRIBUTES;

    fn name(&self) -> &str {
        &self.name
    }

    fn encoded_len(&self) -> usize {
        PutItem::encoded_len(self)
    }

    async fn send_alone(self, domain: &Domain, options: &Options) -> Result<Usage> {
        let write = Write::new(domain.clone(), self);
        write.with_options(options.clone()).send().await
    }
}

impl Member for DeleteItem {
    const BATCH: Row = idempotency::BATCH_DELETE_ATTRIBUTES;

    fn name(&self) -> &str {
        &self.name
    }

    fn encoded_len(&self) -> usize {
        DeleteItem::encoded_len(self)
    }

    async fn send_alone(self, domain: &Domain, options: &Options) -> Result<Usage> {
        let write = Write::new(domain.clone(), self);
        write.with_options(options.clone()).send().await
    }
}

/// Sends several changes at once, all of different items.
pub(crate) async fn send_batch<M: Member>(
    items: Vec<M>,
    domain: &Domain,
    options: &Options,
) -> Result<Usage> {
    limits::items(items.len())?;
    let mut wire = UnsignedRequest::about(&domain.client, M::BATCH.operation, &domain.name)?;
    wire.options(options.clone());
    for (i, item) in items.into_iter().enumerate() {
        item.write(&mut wire, &format!("Item.{}.", i + 1));
    }
    let operation = BatchOperation::<M>(PhantomData);
    domain.client.call(&Call::new(wire, operation)).await
}

struct BatchOperation<M>(PhantomData<fn() -> M>);

impl<M: Member> SdbOperation for BatchOperation<M> {
    type Request = UnsignedRequest;
    type Output = Usage;
    const ROW: Row = M::BATCH;
    const CHANGES: Changes = <M as Mutation>::CHANGES;

    fn parse(&self, _: &UnsignedRequest, service: &Sdb, answer: Answer) -> Result<Usage> {
        read(service, &answer, |xml| xml.skip())
    }
}
