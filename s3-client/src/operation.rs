//! What all operations of S3 have in common: how one is told to the dispatcher of `aws-core`.
//!
//! An operation of this crate is a small value that says what its row in the table of
//! [idempotency](crate::idempotency) is, whether it changes an object, and how its answer is read ([`S3Operation`]).
//! Together with the request that was made for it, it is a [`Call`], which is the [`Operation`] that is sent.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "cache")]
use aws_core::cached::{CacheUse, Kept};
use aws_core::idempotency::Row;
use aws_core::operation::{Answer, Attempt, Redirect};
use aws_core::{Idempotency, Operation, Overrides, Place, Result};
use pipeline_pool::{Origin, Request};

use crate::service::S3;
use crate::wire::Wire;

/// One operation of S3, apart from its request.
pub(crate) trait S3Operation: Send + Sync {
    /// What it answers with.
    type Output;
    /// Its row in the table of what may be sent twice, which names it too.
    const ROW: Row;
    /// What it changes in the store, which a cache has to know.
    #[cfg_attr(
        not(feature = "cache"),
        expect(dead_code, reason = "only a cache has to know it")
    )]
    const CHANGES: Changes = Changes::Nothing;
    /// Whether the answer's body is handed on as it comes.
    const STREAMS: bool = false;

    /// Whether it may be sent twice. Defaults to what [`ROW`](Self::ROW) says.
    fn idempotency(&self) -> Idempotency {
        Self::ROW.idempotency
    }

    /// Whether it may succeed when it is sent again after a refusal for another request that was under way.
    fn repeats_conflicts(&self) -> bool {
        true
    }

    /// Whether an answer of this status is one that [`parse`](Self::parse) reads.
    fn accepts(&self, status: u16) -> bool {
        (200..300).contains(&status)
    }

    /// Reads the answer.
    fn parse(&self, answer: Answer) -> Result<Self::Output>;

    /// What it has to do with the cache. Defaults to what it changes.
    #[cfg(feature = "cache")]
    fn cache<'a>(&'a self, wire: &'a Wire) -> CacheUse<'a> {
        match Self::CHANGES {
            Changes::Nothing => CacheUse::Past,
            Changes::Object => crate::cached::write(wire),
            Changes::Bucket => CacheUse::WriteAll,
        }
    }

    /// The answer to this very request out of what is kept of the whole object.
    #[cfg(feature = "cache")]
    fn out_of(&self, wire: &Wire, kept: Kept) -> Option<Kept> {
        let _ = wire;
        Some(kept)
    }

    /// Whether this answer says that there is no such object.
    #[cfg(feature = "cache")]
    fn is_absence(&self, kept: &Kept) -> bool {
        let _ = kept;
        false
    }

    /// Whether an answer with this head may be kept.
    #[cfg(feature = "cache")]
    fn may_be_kept(&self, head: &pipeline_pool::Head) -> bool {
        let _ = head;
        true
    }

    /// What a read would find now that this has been written, if all of it is known.
    #[cfg(feature = "cache")]
    fn wrote(&self, wire: &Wire, output: &Self::Output) -> Option<Kept> {
        let _ = (wire, output);
        None
    }
}

/// What an operation changes in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    /// It reads, or makes what no read finds yet.
    Nothing,
    /// The object that the request names.
    Object,
    /// Objects of the bucket that the request does not name.
    Bucket,
}

/// An operation with its request, ready to be sent.
pub(crate) struct Call<O> {
    wire: Wire,
    operation: O,
}

impl<O: S3Operation> Call<O> {
    pub(crate) fn new(wire: Wire, operation: O) -> Self {
        Self { wire, operation }
    }
}

impl<O: S3Operation> Operation for Call<O> {
    type Service = S3;
    type Output = O::Output;
    const NAME: &'static str = O::ROW.operation;
    const STREAMS: bool = O::STREAMS;

    fn idempotency(&self) -> Idempotency {
        self.operation.idempotency()
    }

    fn origin(&self) -> &Origin {
        self.wire.origin()
    }

    fn resource(&self) -> Option<&Arc<str>> {
        self.wire.bucket()
    }

    fn key(&self) -> Option<Cow<'_, str>> {
        self.wire.key()
    }

    fn overrides(&self) -> Option<&Overrides> {
        Some(self.wire.overrides())
    }

    fn request(&self, service: &S3, attempt: &Attempt<'_>) -> Result<Request> {
        match attempt.place() {
            None => self.wire.request(service, attempt),
            Some(place) => self.wire.moved(place).request(service, attempt),
        }
    }

    fn place(&self, service: &S3) -> Option<Place> {
        service.redirects.place(self.wire.bucket())
    }

    fn redirect(
        &self,
        service: &S3,
        redirect: &Redirect<'_>,
    ) -> std::result::Result<Option<Place>, String> {
        service.redirects.follow(self.wire.bucket(), redirect)
    }

    fn extra_time(&self) -> Duration {
        self.wire.extra_time()
    }

    fn can_repeat(&self) -> bool {
        self.wire.can_repeat()
    }

    fn repeats_conflicts(&self) -> bool {
        self.operation.repeats_conflicts()
    }

    fn accepts(&self, status: u16) -> bool {
        self.operation.accepts(status)
    }

    fn parse(&self, _: &S3, answer: Answer) -> Result<O::Output> {
        self.operation.parse(answer)
    }

    #[cfg(feature = "cache")]
    fn cache(&self) -> CacheUse<'_> {
        self.operation.cache(&self.wire)
    }

    #[cfg(feature = "cache")]
    fn out_of(&self, kept: Kept) -> Option<Kept> {
        self.operation.out_of(&self.wire, kept)
    }

    #[cfg(feature = "cache")]
    fn is_absence(&self, kept: &Kept) -> bool {
        self.operation.is_absence(kept)
    }

    #[cfg(feature = "cache")]
    fn may_be_kept(&self, head: &pipeline_pool::Head) -> bool {
        self.operation.may_be_kept(head)
    }

    #[cfg(feature = "cache")]
    fn wrote(&self, output: &O::Output) -> Option<Kept> {
        self.operation.wrote(&self.wire, output)
    }
}
