use aws_core::awaitable;
use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result};

use crate::batch::{self, Batches, Member};
use crate::change::DeleteItem;
use crate::domain::Domain;
use crate::idempotency;
use crate::limits;
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, Wire, read};

/// A request to remove any number of items; made by [`Domain::batch_delete`].
///
/// It becomes as many requests as are needed, each within SimpleDB's limits: 25 items, 1 MB of encoded form, no
/// item twice. Each request is done whole or not at all; one that fails leaves the others as they are, and
/// [`Batches`] tells which it was. An item that is there more than once is worked in the order given: the
/// second request for it is sent after the first was answered, and not at all if that failed. One item that has too
/// many bytes for any batch goes alone, by DeleteAttributes. The time and the retries that are set are those of
/// each request.
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct BatchDelete {
    domain: Domain,
    items: Vec<DeleteItem>,
    parallel: usize,
    options: Options,
}

impl BatchDelete {
    pub(crate) fn new(domain: Domain) -> Self {
        Self {
            domain,
            items: Vec::new(),
            parallel: batch::PARALLEL,
            options: Options::default(),
        }
    }

    /// Removes this item, or some of its attributes, too.
    pub fn item(mut self, item: impl Into<DeleteItem>) -> Self {
        self.items.push(item.into());
        self
    }

    /// Removes these, too: names of items, or what [`DeleteItem`] says.
    pub fn items(mut self, items: impl IntoIterator<Item = impl Into<DeleteItem>>) -> Self {
        self.items.extend(items.into_iter().map(Into::into));
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

options!(BatchDelete);
awaitable!(BatchDelete, Batches);

impl Member for DeleteItem {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&mut self) -> Result<()> {
        DeleteItem::check(self)
    }

    fn encoded_len(&self) -> usize {
        DeleteItem::encoded_len(self)
    }

    async fn send_alone(self, domain: &Domain, options: &Options) -> Result<Usage> {
        crate::ops::delete::Delete::new(domain.clone(), self)
            .with_options(options.clone())
            .send()
            .await
    }

    async fn send_batch(items: Vec<Self>, domain: &Domain, options: &Options) -> Result<Usage> {
        limits::items(items.len())?;
        let mut wire = Wire::about(&domain.client, BatchDeleteAttributes::NAME, &domain.name)?;
        wire.options(options.clone());
        for (i, item) in items.into_iter().enumerate() {
            item.write(&mut wire, &format!("Item.{}.", i + 1));
        }
        domain.client.call(&BatchDeleteAttributes { wire }).await
    }
}

struct BatchDeleteAttributes {
    wire: Wire,
}

impl Operation for BatchDeleteAttributes {
    type Output = Usage;
    const NAME: &'static str = idempotency::BATCH_DELETE_ATTRIBUTES.operation;

    from_wire!();
    changes_items!();

    fn idempotency(&self) -> Idempotency {
        idempotency::BATCH_DELETE_ATTRIBUTES.idempotency
    }

    fn parse(&self, service: &Sdb, answer: Answer) -> Result<Usage> {
        read(service, &answer, |xml| xml.skip())
    }
}
