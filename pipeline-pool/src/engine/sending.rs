//! A request under way, as its caller holds it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use super::call::{Caller, Order, Outcome};
use super::config::FOREVER;
use super::endpoint::Endpoint;
use super::entry::Entry;
use crate::error::{Error, Kind};
use crate::protocol::{ConnectionId, Protocol};

/// Resolves to the reply; dropping it gives the request up.
pub(crate) struct Sending<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    caller: Caller<P>,
    step: Step,
}

enum Step {
    Fresh {
        timeout: Option<Duration>,
        deadline: Option<Instant>,
        bound: Option<ConnectionId>,
    },
    Waiting,
    Done,
}

impl<P: Protocol> Sending<P> {
    pub(crate) fn new(
        endpoint: Arc<Endpoint<P>>,
        request: P::Request,
        timeout: Option<Duration>,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            caller: Caller::new(request, endpoint.born),
            endpoint,
            step: Step::Fresh {
                timeout,
                deadline,
                bound: None,
            },
        }
    }

    /// Has the request go to this connection or nowhere. To be called before the first poll.
    pub(crate) fn bind(&mut self, connection: ConnectionId) {
        if let Step::Fresh { bound, .. } = &mut self.step {
            *bound = Some(connection);
        }
    }

    /// Bounds the time of the request. To be called before the first poll.
    pub(crate) fn limit(&mut self, limit: Duration) {
        if let Step::Fresh { timeout, .. } = &mut self.step {
            *timeout = Some(limit);
        }
    }

    /// Hands the request in for the first time.
    fn start(
        &mut self,
        timeout: Option<Duration>,
        earlier: Option<Instant>,
        bound: Option<ConnectionId>,
        waker: &Waker,
    ) -> Result<(), Error> {
        let now = tokio::time::Instant::now().into_std();
        let config = &self.endpoint.config;
        let deadline = now + timeout.unwrap_or(config.timeout).min(FOREVER);
        let order = Order {
            seq: self.endpoint.next_seq(),
            wait_until: now + config.wait_timeout,
            deadline: earlier.map_or(deadline, |earlier| deadline.min(earlier)),
            bound,
        };
        let entry = self.caller.hand_in(order, waker);
        self.submit(entry, now)
    }

    fn submit(&mut self, entry: Option<Entry<P>>, now: Instant) -> Result<(), Error> {
        let Some(entry) = entry else {
            return Err(done());
        };
        let sent = entry.trail.sent;
        let submitted = self.endpoint.submit(entry, now);
        if submitted.is_ok() {
            self.step = Step::Waiting;
        }
        submitted.map_err(|e| e.with_sent(sent))
    }
}

impl<P: Protocol> Future for Sending<P> {
    type Output = Result<P::Reply, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match this.step {
            Step::Fresh {
                timeout,
                deadline,
                bound,
            } => {
                this.step = Step::Done;
                match this.start(timeout, deadline, bound, cx.waker()) {
                    // It is woken for whatever comes of it, and that may have been already.
                    Ok(()) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                }
            }
            Step::Waiting => {
                let outcome = ready!(this.caller.poll(cx));
                this.step = Step::Done;
                match outcome {
                    Outcome::Done(result) => Poll::Ready(result),
                    Outcome::Again(mut trail) => {
                        // A runtime without a timer, or a connector that panics, ends every task
                        // that would serve it.
                        if trail.moves >= this.endpoint.config.max_moves {
                            return Poll::Ready(Err(unserved().with_sent(trail.sent)));
                        }
                        trail.moves += 1;
                        let now = tokio::time::Instant::now().into_std();
                        let entry = this.caller.hand_in_again(trail, cx.waker());
                        match this.submit(entry, now) {
                            Ok(()) => Poll::Pending,
                            Err(error) => Poll::Ready(Err(error)),
                        }
                    }
                }
            }
            Step::Done => Poll::Ready(Err(done())),
        }
    }
}

fn unserved() -> Error {
    let text = "the tasks that would serve the request end again and again";
    Error::new(Kind::NoRuntime, text)
}

fn done() -> Error {
    Error::new(Kind::Invalid, "polled after it was done")
}

impl<P: Protocol> Drop for Sending<P> {
    fn drop(&mut self) {
        if let Step::Waiting = self.step {
            self.caller.give_up();
            self.endpoint.forget(self.caller.order().seq);
        }
    }
}

// The parts that are pinned are pinned on their own.
impl<P: Protocol> Unpin for Sending<P> {}
