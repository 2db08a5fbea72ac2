use aws_core::awaitable;
use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result};

use crate::batch::{self, Batches, Member};
use crate::change::PutItem;
use crate::domain::Domain;
use crate::idempotency;
use crate::limits;
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, Wire, read};

/// A request to write any number of items; made by [`Domain::batch_put`].
///
/// It becomes as many requests as are needed, each within SimpleDB's limits: 25 items, 1 MB of encoded form, no
/// item twice. Each request is done whole or not at all; one that fails leaves the others as they are, and
/// [`Batches`] tells which it was. An item that is there more than once is written in the order given: the
/// second write is sent after the first was answered, and not at all if that failed. One item that has too
/// many bytes for any batch goes alone, by PutAttributes. The time and the retries that are set are those of
/// each request.
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct BatchPut {
    domain: Domain,
    items: Vec<PutItem>,
    parallel: usize,
    options: Options,
}

impl BatchPut {
    pub(crate) fn new(domain: Domain) -> Self {
        Self {
            domain,
            items: Vec::new(),
            parallel: batch::PARALLEL,
            options: Options::default(),
        }
    }

    /// Writes this item too.
    pub fn item(mut self, item: PutItem) -> Self {
        self.items.push(item);
        self
    }

    /// Writes these items too.
    pub fn items(mut self, items: impl IntoIterator<Item = PutItem>) -> Self {
        self.items.extend(items);
        self
    }

    /// How many requests are under way at the same time, from 1. Defaults to 8.
    pub fn parallel(mut self, requests: usize) -> Self {
        self.parallel = requests;
        self
    }

    /// Sends them.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when any item breaks a limit, before anything is sent. What happens
    /// to a batch that was sent is in [`Batches`].
    pub async fn send(self) -> Result<Batches> {
        batch::run(&self.domain, self.items, self.parallel, &self.options).await
    }
}

options!(BatchPut);
awaitable!(BatchPut, Batches);

impl Member for PutItem {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&mut self) -> Result<()> {
        PutItem::check(self)
    }

    fn encoded_len(&self) -> usize {
        PutItem::encoded_len(self)
    }

    async fn send_alone(self, domain: &Domain, options: &Options) -> Result<Usage> {
        domain
            .put_item(self)
            .with_options(options.clone())
            .send()
            .await
    }

    async fn send_batch(items: Vec<Self>, domain: &Domain, options: &Options) -> Result<Usage> {
        limits::items(items.len())?;
        let mut wire = Wire::about(&domain.client, BatchPutAttributes::NAME, &domain.name)?;
        wire.options(options.clone());
        for (i, item) in items.into_iter().enumerate() {
            item.write(&mut wire, &format!("Item.{}.", i + 1));
        }
        domain.client.call(&BatchPutAttributes { wire }).await
    }
}

struct BatchPutAttributes {
    wire: Wire,
}

impl Operation for BatchPutAttributes {
    type Output = Usage;
    const NAME: &'static str = idempotency::BATCH_PUT_ATTRIBUTES.operation;

    from_wire!();
    changes_items!();

    fn idempotency(&self) -> Idempotency {
        idempotency::BATCH_PUT_ATTRIBUTES.idempotency
    }

    fn parse(&self, service: &Sdb, answer: Answer) -> Result<Usage> {
        read(service, &answer, |xml| xml.skip())
    }
}
