//! A request under way, as its caller holds it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::config::FOREVER;
use super::endpoint::Endpoint;
use super::entry::{Entry, Outcome, Ticket};
use crate::error::{Error, Kind, Sent};
use crate::protocol::{ConnectionId, Protocol};

/// Resolves to the reply; dropping it gives the request up.
pub(crate) struct Sending<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    step: Step<P>,
}

enum Step<P: Protocol> {
    Fresh(Fresh<P>),
    Waiting(u64, oneshot::Receiver<Outcome<P>>),
    Done,
}

struct Fresh<P: Protocol> {
    request: P::Request,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    bound: Option<ConnectionId>,
}

impl<P: Protocol> Sending<P> {
    pub(crate) fn new(
        endpoint: Arc<Endpoint<P>>,
        request: P::Request,
        timeout: Option<Duration>,
        deadline: Option<Instant>,
    ) -> Self {
        let step = Step::Fresh(Fresh {
            request,
            timeout,
            deadline,
            bound: None,
        });
        Self { endpoint, step }
    }

    /// Has the request go to this connection or nowhere. To be called before the first poll.
    pub(crate) fn bind(&mut self, connection: ConnectionId) {
        if let Step::Fresh(fresh) = &mut self.step {
            fresh.bound = Some(connection);
        }
    }

    /// Bounds the time of the request. To be called before the first poll.
    pub(crate) fn limit(&mut self, timeout: Duration) {
        if let Step::Fresh(fresh) = &mut self.step {
            fresh.timeout = Some(timeout);
        }
    }

    fn submit(&mut self, request: P::Request, ticket: Ticket, now: Instant) -> Result<(), Error> {
        let (entry, outcome) = Entry::new(request, ticket);
        self.step = Step::Waiting(ticket.seq, outcome);
        let submitted = self.endpoint.submit(entry, now);
        if submitted.is_err() {
            self.step = Step::Done;
        }
        submitted.map_err(|e| e.with_sent(ticket.sent))
    }

    fn start(&mut self, fresh: Fresh<P>) -> Result<(), Error> {
        let now = tokio::time::Instant::now().into_std();
        let config = &self.endpoint.config;
        let timeout = fresh.timeout.unwrap_or(config.timeout).min(FOREVER);
        let mut deadline = now + timeout;
        if let Some(earlier) = fresh.deadline {
            deadline = deadline.min(earlier);
        }
        let ticket = Ticket {
            seq: self.endpoint.next_seq(),
            wait_until: now + config.wait_timeout,
            deadline,
            sent: Sent::No,
            replays: 0,
            moves: 0,
            bound: fresh.bound,
        };
        self.submit(fresh.request, ticket, now)
    }
}

impl<P: Protocol> Future for Sending<P> {
    type Output = Result<P::Reply, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.step {
                Step::Fresh(_) => {
                    let Step::Fresh(fresh) = std::mem::replace(&mut this.step, Step::Done) else {
                        continue;
                    };
                    if let Err(error) = this.start(fresh) {
                        return Poll::Ready(Err(error));
                    }
                }
                Step::Waiting(_, outcome) => {
                    let outcome = ready!(Pin::new(outcome).poll(cx));
                    this.step = Step::Done;
                    match outcome {
                        Ok(Outcome::Done(result)) => return Poll::Ready(result),
                        Ok(Outcome::Again(again)) => {
                            let (request, ticket) = *again;
                            let now = tokio::time::Instant::now().into_std();
                            if let Err(error) = this.submit(request, ticket, now) {
                                return Poll::Ready(Err(error));
                            }
                        }
                        // Every way out tells its caller; this one would be a fault of the engine,
                        // and the request may then have been written.
                        Err(_) => {
                            let error = Error::new(Kind::Closed, "the request was lost");
                            return Poll::Ready(Err(error.with_sent(Sent::Part)));
                        }
                    }
                }
                Step::Done => {
                    let error = Error::new(Kind::Invalid, "polled after it was done");
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

impl<P: Protocol> Drop for Sending<P> {
    fn drop(&mut self) {
        if let Step::Waiting(seq, outcome) = &mut self.step {
            outcome.close();
            self.endpoint.forget(*seq);
        }
    }
}

// The parts that are pinned are pinned on their own.
impl<P: Protocol> Unpin for Sending<P> {}
