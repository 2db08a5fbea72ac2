//! What all operations of S3 have in common: how one is told to the dispatcher of `aws-core`.
//!
//! An operation of this crate is a small value that says what its row in the table of
//! [idempotency](crate::idempotency) is, whether it changes an object, and how its answer is read ([`S3Operation`]).
//! Together with the request that was made for it, it is a [`Call`], which is the [`Operation`] that is sent.

use std::sync::Arc;
use std::time::Duration;

use aws_core::dispatch::Dispatch;
use aws_core::idempotency::Row;
use aws_core::operation::{self, Answer, Attempt, Before, Held, Redirect};
use aws_core::{Idempotency, KeyVisibility, Operation, Overrides, Result, RetryConfig};
use pipeline_pool::{Method, Origin, Request};
use tokio::time::Instant;

use crate::bucket::Bucket;
use crate::route::BucketAddress;
use crate::service::S3;
use crate::sign::first::{AskLocation, Entry, MAX_WAIT};
use crate::unsigned::UnsignedRequest;

/// One operation of S3, apart from its request.
pub(crate) trait S3Operation: Send + Sync {
    /// The value that the operation answers with.
    type Output;
    /// Its row in the table of what may be sent twice, which names it too.
    const ROW: Row;
    /// What it changes in the store, which a cache has to know.
    const CHANGES: Changes = Changes::Nothing;
    /// Whether the answer's body is handed on as it comes.
    const STREAMS: bool = false;
    /// Whether it is sent ahead of the others at a store of which nothing is known.
    const GOES_FIRST: bool = false;

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

    /// Reads the answer of the store.
    fn parse(&self, answer: Answer) -> Result<Self::Output>;

    /// Has the body of this output name this key in its errors, where keys are shown. Defaults to an output without a body.
    fn name_key(output: &mut Self::Output, key: Option<String>, keys: KeyVisibility) {
        let _ = (output, key, keys);
    }

    /// The things that it changes in the store. Defaults to what [`CHANGES`](Self::CHANGES) says.
    fn changes<'a>(&'a self, wire: &'a UnsignedRequest) -> operation::Changes<'a> {
        match Self::CHANGES {
            Changes::Nothing => operation::Changes::Nothing,
            Changes::Object => operation::Changes::Keys(wire.key().into_iter().collect()),
            Changes::Bucket => operation::Changes::Anything,
        }
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
    pub(crate) wire: UnsignedRequest,
    pub(crate) operation: O,
}

impl<O: S3Operation> Call<O> {
    pub(crate) fn new(wire: UnsignedRequest, operation: O) -> Self {
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

    fn key(&self) -> Option<&str> {
        self.wire.key()
    }

    fn overrides(&self) -> Option<&Overrides> {
        Some(self.wire.overrides())
    }

    fn request(&self, service: &S3, attempt: &Attempt<'_>) -> Result<Request> {
        self.wire.request(service, attempt)
    }

    fn request_at(
        &self,
        service: &S3,
        attempt: &Attempt<'_>,
        place: &BucketAddress,
    ) -> Result<Request> {
        self.wire.moved(place).request(service, attempt)
    }

    fn place(&self, service: &S3) -> Option<BucketAddress> {
        service.memory.address(self.wire.bucket())
    }

    fn redirect(
        &self,
        service: &S3,
        redirect: &Redirect<'_>,
    ) -> std::result::Result<Option<BucketAddress>, String> {
        service.follow(self.wire.bucket(), redirect)
    }

    fn before<'a>(&'a self, service: &'a S3, dispatch: &'a Dispatch) -> Option<Before<'a>> {
        if O::GOES_FIRST || service.gate.is_open() {
            return None;
        }
        match service.gate.enter() {
            Entry::Open => None,
            Entry::Wait(wait) => Some(Box::pin(async {
                wait.over().await;
                None
            })),
            Entry::First(first) => Some(Box::pin(async {
                let may_ask =
                    || self.wire.is_lost_by_refusal() || service.gate.may_ask(Instant::now());
                if !self.wire.may_be_refused()
                    && may_ask()
                    && let Some(wire) = self.wire.ask_location()
                {
                    ask_ahead(wire, service, dispatch).await;
                    return None;
                }
                Some(Box::new(first) as Held)
            })),
        }
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

    fn parse(&self, service: &S3, answer: Answer) -> Result<O::Output> {
        if !answer.cached {
            service.succeeded();
        }
        self.operation.parse(answer)
    }

    fn changes(&self) -> operation::Changes<'_> {
        self.operation.changes(&self.wire)
    }
}

/// Has it found out how requests about this bucket are signed, as for a request that cannot go first.
pub(crate) async fn find_out(bucket: &Bucket, service: &S3, dispatch: &Dispatch) {
    match service.gate.enter() {
        Entry::Open => {}
        Entry::Wait(wait) => wait.over().await,
        Entry::First(_first) => {
            // What is wrong with the bucket, the request itself says.
            if let Ok(wire) = UnsignedRequest::bucket_root(Method::Get, bucket)
                && let Some(wire) = wire.ask_location()
            {
                ask_ahead(wire, service, dispatch).await;
            }
        }
    }
}

/// Sends a small request, so that the service learns from a refusal how to sign. An answer is all that it is for, so it
/// is not tried twice for the lack of one.
async fn ask_ahead(mut wire: UnsignedRequest, service: &S3, dispatch: &Dispatch) {
    let mut options = Overrides::default();
    options.timeout(MAX_WAIT);
    options.retry(RetryConfig::none());
    wire.options(options);
    // What it answers is of no interest: the request that follows reports what is wrong.
    let _answer = dispatch.call(service, &Call::new(wire, AskLocation)).await;
    service.gate.asked(Instant::now());
}
