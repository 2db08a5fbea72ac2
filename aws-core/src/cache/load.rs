//! What is asked of the service when the cache lacks a thing, so that it can be kept.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_layer::Loaded;
use pipeline_pool::{Origin, Request};

use super::cacheable::{Cacheable, Snapshot};
use super::policy::{absence, entry};
use crate::body::Body;
use crate::classify::Idempotency;
use crate::dispatch::{Dispatch, MAX_ERROR};
use crate::error::{Kind, Result, Site};
use crate::operation::{Answer, Attempt, DestinationOf, Operation, Redirect};
use crate::overrides::Overrides;

/// Fetches what an operation answers with, to be kept if it can be.
pub(super) async fn load<O, S>(
    dispatch: Dispatch,
    service: S,
    raw: Raw<O>,
    max: usize,
) -> Result<Loaded<Result<Answer>>>
where
    O: Cacheable,
    S: Deref<Target = O::Service>,
{
    match fetch(&dispatch, &*service, &raw, max).await {
        // Only the request whose time is over fails: others that wait for the same may have more time left.
        Err(error) if error.kind() == Kind::Timeout => Ok(Loaded::Own(Err(error))),
        other => other,
    }
}

async fn fetch<O: Cacheable>(
    dispatch: &Dispatch,
    service: &O::Service,
    raw: &Raw<O>,
    max: usize,
) -> Result<Loaded<Result<Answer>>> {
    let answer = dispatch.call_in_span(service, raw).await?;
    let operation = &*raw.operation;
    let status = answer.head.status();
    let absent = status == 404 && !operation.accepts(status);
    if absent {
        let Answer { head, body, .. } = answer;
        let body = dispatch.in_time(body.bytes(MAX_ERROR)).await?;
        let snapshot = Snapshot { head, body };
        return match operation.is_absence(&snapshot) {
            true => Ok(Loaded::Entry(entry(operation, &snapshot, true))),
            false => Err(absence(service, operation, &snapshot, dispatch.keys())),
        };
    }
    let small = |bytes: u64| bytes <= max as u64;
    let fits = match (answer.body.as_whole(), answer.body.remaining()) {
        (Some(bytes), _) => small(bytes.len() as u64),
        (None, Some(bytes)) => small(bytes),
        (None, None) => false,
    };
    if status != 200 || !fits || !operation.may_be_kept(&answer.head) {
        return Ok(Loaded::Private(Ok(answer)));
    }
    let Answer { head, body, .. } = answer;
    let body = dispatch.in_time(body.bytes(max)).await?;
    let snapshot = Snapshot { head, body };
    let absent = operation.is_absence(&snapshot);
    Ok(Loaded::Entry(entry(operation, &snapshot, absent)))
}

/// An operation whose answer is looked at, so that one that makes no sense is tried again as it is without a cache, and
/// handed on as it came.
pub(super) struct Raw<O> {
    operation: Arc<O>,
    overrides: Overrides,
}

impl<O: Operation> Raw<O> {
    /// The operation, with this time for all its attempts.
    pub(super) fn new(operation: Arc<O>, limit: Duration) -> Self {
        let mut overrides = operation.overrides().cloned().unwrap_or_default();
        overrides.timeout(limit.max(Duration::from_millis(1)));
        Self {
            operation,
            overrides,
        }
    }
}

impl<O: Operation> Operation for Raw<O> {
    type Service = O::Service;
    type Output = Answer;
    const NAME: &'static str = O::NAME;
    const STREAMS: bool = O::STREAMS;

    fn idempotency(&self) -> Idempotency {
        self.operation.idempotency()
    }

    fn origin(&self) -> &Origin {
        self.operation.origin()
    }

    fn resource(&self) -> Option<&Arc<str>> {
        self.operation.resource()
    }

    fn key(&self) -> Option<&str> {
        self.operation.key()
    }

    fn place(&self, service: &Self::Service) -> Option<DestinationOf<O>> {
        self.operation.place(service)
    }

    fn redirect(
        &self,
        service: &Self::Service,
        redirect: &Redirect<'_>,
    ) -> std::result::Result<Option<DestinationOf<O>>, String> {
        self.operation.redirect(service, redirect)
    }

    fn overrides(&self) -> Option<&Overrides> {
        Some(&self.overrides)
    }

    fn request(&self, service: &Self::Service, attempt: &Attempt<'_>) -> Result<Request> {
        self.operation.request(service, attempt)
    }

    fn request_at(
        &self,
        service: &Self::Service,
        attempt: &Attempt<'_>,
        place: &DestinationOf<O>,
    ) -> Result<Request> {
        self.operation.request_at(service, attempt, place)
    }

    fn extra_time(&self) -> Duration {
        self.operation.extra_time()
    }

    fn can_repeat(&self) -> bool {
        self.operation.can_repeat()
    }

    fn repeats_conflicts(&self) -> bool {
        self.operation.repeats_conflicts()
    }

    fn accepts(&self, status: u16) -> bool {
        // That it does not exist is worth keeping.
        self.operation.accepts(status) || (O::STREAMS && status == 404)
    }

    fn max_answer(&self) -> usize {
        self.operation.max_answer()
    }

    fn parse(&self, service: &Self::Service, answer: Answer) -> Result<Answer> {
        let accepted = self.operation.accepts(answer.head.status());
        // A body that streams says nothing yet.
        let body = match answer.body.as_whole() {
            Some(body) => body.clone(),
            None => Bytes::new(),
        };
        if accepted {
            let site = Site::of(&*self.operation, self.operation.origin());
            self.operation.parse(
                service,
                Answer {
                    head: answer.head.clone(),
                    body: Body::new(body.into(), site),
                    // It is no further answer to be counted.
                    cached: true,
                },
            )?;
        }
        Ok(answer)
    }
}
