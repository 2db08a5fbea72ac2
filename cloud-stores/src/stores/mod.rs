//! What all stores have in common: the two services, the layout, the deadline, and how they are read and written.

mod builder;
mod change;
mod items;
mod objects;
mod settle;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use s3_client::Bucket;
use sdb_client::{Domain, SdbClient};

pub use self::builder::{Reads, StoresBuilder};
pub(crate) use self::change::{Decision, pause};
pub(crate) use self::items::{VERSION, check_item, long, replace_long, version_of};
pub(crate) use self::objects::{Body, Document, Tag, check_document};
use crate::error::{Error, Kind, Result};
use crate::layout::{DomainKind, Layout};

/// The stores of one XMPP service; made by [`Stores::builder`]. Cheap to clone.
#[derive(Clone)]
pub struct Stores(Arc<StoresParts>);

#[derive(Clone)]
struct StoresParts {
    bucket: Bucket,
    sdb: SdbClient,
    layout: Layout,
    reads: Reads,
    deadline: Duration,
    unquoted_if_match: bool,
}

/// How new a read has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It sees every write that was acknowledged before, past all caches: what follows depends on it.
    Newest,
    /// As [`Newest`](Self::Newest), and nothing that is read is kept: it is read once.
    Once,
    /// As the stores are [set](Reads).
    AsSet,
}

impl Stores {
    /// Settings of stores in this bucket, below a prefix, and in domains of this client.
    pub fn builder(bucket: Bucket, sdb: SdbClient) -> StoresBuilder {
        StoresBuilder::new(bucket, sdb)
    }

    /// What all nodes agree on.
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// The longest time of an action, all its requests and retries included.
    pub fn deadline(&self) -> Duration {
        self.0.deadline
    }

    /// Whether reads come from the caches of the clients.
    pub(crate) fn is_cached(&self) -> bool {
        self.0.reads == Reads::Cached
    }

    /// The same stores, read in this way.
    pub(crate) fn reading(&self, reads: Reads) -> Self {
        Self(Arc::new(StoresParts {
            reads,
            ..StoresParts::clone(&self.0)
        }))
    }

    /// Runs an action within the deadline, and says in its error what it was about: `store of owner`.
    pub(crate) async fn action<T>(
        &self,
        store: &'static str,
        owner: &str,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let deadline = self.0.deadline;
        // What an action holds across its requests is large; it is moved once here instead of at every step.
        let done = match tokio::time::timeout(deadline, Box::pin(work)).await {
            Ok(done) => done,
            Err(_) => Err(Error::new(
                Kind::Timeout,
                format!("it was not done within {deadline:?}"),
            )),
        };
        done.map_err(|error| error.with_about(|| format!("{store} of {owner}")))
    }

    /// The longest time of one request: half of that of an action, so that there is time to find out what became of a
    /// write whose answer did not come.
    pub(crate) fn request_time(&self) -> Duration {
        self.0.deadline / 2
    }

    /// The domain that has an owner's things of this kind.
    pub(crate) fn domain(&self, kind: DomainKind, owner: &str) -> Domain {
        self.0.sdb.domain(self.0.layout.domain(kind, owner))
    }

    /// All domains that have things of this kind.
    pub(crate) fn domains(&self, kind: DomainKind) -> Vec<Domain> {
        let names = self.0.layout.domains_of(kind).into_iter();
        names.map(|name| self.0.sdb.domain(name)).collect()
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores")
            .field("bucket", &self.0.bucket.name())
            .field("layout", &self.0.layout)
            .field("reads", &self.0.reads)
            .field("deadline", &self.0.deadline)
            .finish_non_exhaustive()
    }
}
