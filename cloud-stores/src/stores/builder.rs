//! The settings of stores, and their opening: [`StoresBuilder`].

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use s3_client::Bucket;
use sdb_client::SdbClient;

use super::objects::Body;
use super::{Freshness, Stores, StoresParts};
use crate::error::{Error, Kind, Result};
use crate::layout::{DEFAULT_SHARDS, Layout};

/// The longest time of an action unless it is said.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// The longest time of the opening: Amazon takes some seconds for each domain.
const OPENING: Duration = Duration::from_secs(120);

/// How many domains are made at the same time.
const PARALLEL: usize = 8;

/// What reads may be answered from, where nothing that is written depends on them. Those that a condition of a write
/// depends on are read again past every cache after a conflict in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reads {
    /// They see every write that any node had an answer for.
    #[default]
    Consistent,
    /// They come from the caches of the two clients, which have to be built with one: without, this is as
    /// [`Eventual`](Self::Eventual). What another process has written may be missed for as long as the cache keeps an
    /// entry. Lists and selections are consistent.
    Cached,
    /// SimpleDB answers from any of its copies: cheaper, and what was just written
    /// [may be missed](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/ConsistencySummary.html).
    Eventual,
}

/// Settings of [`Stores`], from [`Stores::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct StoresBuilder {
    bucket: Bucket,
    sdb: SdbClient,
    prefix: String,
    shards: Option<u32>,
    reads: Reads,
    deadline: Duration,
    unquoted_if_match: bool,
}

impl StoresBuilder {
    pub(super) fn new(bucket: Bucket, sdb: SdbClient) -> Self {
        Self {
            bucket,
            sdb,
            prefix: "xmpp".to_owned(),
            shards: None,
            reads: Reads::default(),
            deadline: DEFAULT_DEADLINE,
            unquoted_if_match: false,
        }
    }

    /// What stands before every key (`PREFIX/…`) and every domain's name (`PREFIX-…`): 1 to 64 letters, digits, `_`, `.`
    /// and `-`. Services of different prefixes see nothing of each other. Defaults to `xmpp`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Over how many domains each kind of thing is spread, 1 to 48. The first to open the stores of a prefix fixes this;
    /// for all others a number that is not the same is an error. Defaults to what is fixed, or 4 for the first.
    pub fn shards(mut self, shards: u32) -> Self {
        self.shards = Some(shards);
        self
    }

    /// What reads may be answered from. Defaults to [`Reads::Consistent`].
    pub fn reads(mut self, reads: Reads) -> Self {
        self.reads = reads;
        self
    }

    /// The longest time of an action, all its requests and retries included; one request has half of it. Defaults to 10
    /// seconds.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Whether the entity tag of `If-Match` goes without its quotes, against
    /// [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1): Ceph RGW up to version 16 compares a put's tag
    /// so, and refuses every quoted one. Defaults to no.
    pub fn unquoted_if_match(mut self, yes: bool) -> Self {
        self.unquoted_if_match = yes;
        self
    }

    /// Reads the layout object, or writes it if there is none, and makes the domains that are missing. The bucket has to
    /// be there. May take a minute at Amazon the first time; two requests later on.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for settings that are not legal, and where the number of
    /// [shards](Self::shards) is not the one that is fixed; otherwise as the services fail.
    pub async fn open(self) -> Result<Stores> {
        let about = || format!("layout of {}", self.prefix);
        let opening = tokio::time::timeout(OPENING, Box::pin(self.clone().opened())).await;
        let late = |_| {
            Error::new(
                Kind::Timeout,
                format!("it was not opened within {OPENING:?}"),
            )
        };
        opening
            .unwrap_or_else(|error| Err(late(error)))
            .map_err(|error| error.with_about(about))
    }

    async fn opened(self) -> Result<Stores> {
        if self.deadline.is_zero() {
            return Err(Error::invalid("a deadline of no time at all"));
        }
        let wanted = self.shards;
        let layout = Layout::new(self.prefix, wanted.unwrap_or(DEFAULT_SHARDS))?;
        let stores = |layout: Layout, deadline: Duration| {
            Stores(Arc::new(StoresParts {
                bucket: self.bucket.clone(),
                sdb: self.sdb.clone(),
                layout,
                reads: self.reads,
                deadline,
                unquoted_if_match: self.unquoted_if_match,
            }))
        };
        // Opening has time of its own, and so have its requests.
        let fixed = stores(layout.clone(), OPENING).fix(&layout).await?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != fixed) {
            return Err(Error::invalid(format!(
                "{} says {fixed} shards, and {wanted} were asked for: what is stored cannot be found by another number",
                layout.object()
            )));
        }
        let fixed = Layout::new(layout.prefix(), fixed)?;
        stores(fixed.clone(), OPENING).create_domains().await?;
        Ok(stores(fixed, self.deadline))
    }
}

impl Stores {
    /// The number of shards that is fixed, by this node or by another.
    async fn fix(&self, layout: &Layout) -> Result<u32> {
        let object = layout.object();
        if let Some(there) = self.get_object(&object, Freshness::Newest).await? {
            return Layout::shards_of(&there.body);
        }
        let body = Body::json(layout.to_json());
        match self.put_object_if(&object, body, None).await {
            Err(error) if error.kind() == Kind::Conflict => {
                let there = self.get_object(&object, Freshness::Newest).await?;
                let gone = || Error::new(Kind::Unavailable, "the layout object came and went");
                Layout::shards_of(&there.ok_or_else(gone)?.body)
            }
            written => written.map(|_| layout.shards()),
        }
    }

    async fn create_domains(&self) -> Result<()> {
        let sdb = &self.0.sdb;
        let there: HashSet<String> = sdb.list_domains().names().try_collect().await?;
        let missing = self
            .layout()
            .domains()
            .into_iter()
            .filter(|name| !there.contains(name));
        let missing: Vec<String> = missing.collect();
        let made = stream::iter(missing).map(|name| {
            let create = sdb.domain(name).create();
            async move { create.await }
        });
        let mut made = made.buffer_unordered(PARALLEL);
        while made.try_next().await?.is_some() {}
        Ok(())
    }
}
