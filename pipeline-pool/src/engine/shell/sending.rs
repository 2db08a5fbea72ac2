//! A request under way, as its caller holds it.
//!
//! The limits on a request's time are kept by the task that serves it, in one timer for all of a
//! connection. Where that task may live in another runtime than the caller, and stand still with
//! it, the caller keeps a timer of its own beside that: no runtime but the one that polls a request
//! is needed to end it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::time::Sleep;

use super::driver::now;
use super::endpoint::Endpoint;
use super::runtimes::{here, tag};
use crate::engine::config::FOREVER;
use crate::engine::core::call::{Caller, Order, Outcome, RuntimeTag};
use crate::engine::core::ticket::{History, Ticket};
use crate::error::{Error, Kind, Sent};
use crate::protocol::{ConnectionId, Protocol};

/// Resolves to the reply; dropping it gives the request up.
pub(crate) struct SendingCall<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    caller: Caller<P>,
    step: Step,
    /// The caller's own timer, where one is needed.
    timer: Option<Pin<Box<Sleep>>>,
}

enum Step {
    Fresh {
        timeout: Option<Duration>,
        deadline: Option<Instant>,
        bound: Option<ConnectionId>,
    },
    /// Handed in from this runtime, and polled in no other so far.
    Waiting(Option<runtime::Id>),
    Done,
}

impl<P: Protocol> SendingCall<P> {
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
            timer: None,
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
        let now = now();
        let config = &self.endpoint.config;
        let deadline = now + timeout.unwrap_or(config.timeout).min(FOREVER);
        let order = Order {
            seq: self.endpoint.next_seq(),
            since: now,
            deadline: earlier.map_or(deadline, |earlier| deadline.min(earlier)),
            bound,
        };
        let ticket = self.caller.hand_in(order, waker);
        self.submit(ticket, now)
    }

    fn submit(&mut self, ticket: Option<Ticket<P>>, now: Instant) -> Result<(), Error> {
        let Some(ticket) = ticket else {
            return Err(done());
        };
        let sent = ticket.history().sent;
        let home = here();
        let submitted = self.endpoint.submit(ticket, home, now);
        if submitted.is_ok() {
            self.step = Step::Waiting(home);
        }
        submitted.map_err(|e| e.with_sent(sent))
    }

    /// What comes of the request, while it is waited for.
    fn poll_waiting(
        &mut self,
        home: Option<runtime::Id>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<P::Reply, Error>> {
        match self.caller.poll(cx) {
            Poll::Ready(Outcome::Done(result)) => {
                self.step = Step::Done;
                return Poll::Ready(result);
            }
            Poll::Ready(Outcome::Again(history, from)) => {
                self.step = Step::Done;
                if let Err(error) = self.again(history, from, cx.waker()) {
                    return Poll::Ready(Err(error));
                }
            }
            Poll::Pending if here() == home => {}
            Poll::Pending => self.step = Step::Waiting(None),
        }
        let elsewhere = matches!(self.step, Step::Waiting(None));
        if !elsewhere && !self.endpoint.is_mixed() {
            return Poll::Pending;
        }
        let late = ready!(self.poll_timer(cx));
        let outcome = self.caller.poll(cx);
        self.abandon();
        match outcome {
            // It came to its end just now.
            Poll::Ready(Outcome::Done(result)) => Poll::Ready(result),
            _ => Poll::Ready(Err(late)),
        }
    }

    /// Hands the request in once more, whose server is gone.
    fn again(
        &mut self,
        mut history: History,
        from: Option<RuntimeTag>,
        waker: &Waker,
    ) -> Result<(), Error> {
        // That another runtime ends says nothing of this one; where the tasks of this one end that
        // would serve it, as where the protocol's code panics, they will do so again.
        if from.is_some() && from == tag(here()) {
            if history.moves >= self.endpoint.config.max_moves {
                return Err(unserved().with_sent(history.sent));
            }
            history.moves += 1;
        }
        let ticket = self.caller.hand_in_again(history, waker);
        self.submit(ticket, now())
    }

    /// Ready when the caller's own clock says that the time is up.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let order = *self.caller.order();
        loop {
            let Some(next) = self.endpoint.limit(&order, now()) else {
                // The request may be anywhere, and has gone out for all that is known here.
                return Poll::Ready(late().with_sent(Sent::Part));
            };
            let next = next.into();
            let timer = match &mut self.timer {
                Some(timer) => {
                    if timer.deadline() != next {
                        timer.as_mut().reset(next);
                    }
                    timer
                }
                // Without a runtime there is no clock to look at.
                None if here().is_none() => return Poll::Pending,
                timer => timer.insert(Box::pin(tokio::time::sleep_until(next))),
            };
            ready!(timer.as_mut().poll(cx));
        }
    }

    /// Wants to hear no more of it.
    fn abandon(&mut self) {
        self.step = Step::Done;
        self.caller.give_up();
        self.endpoint.forget(self.caller.order().seq);
    }
}

impl<P: Protocol> Future for SendingCall<P> {
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
                    Ok(()) if this.endpoint.is_mixed() => this.poll_waiting(here(), cx),
                    // It is woken for whatever comes of it, and that may have been already.
                    Ok(()) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                }
            }
            Step::Waiting(home) => this.poll_waiting(home, cx),
            Step::Done => Poll::Ready(Err(done())),
        }
    }
}

fn late() -> Error {
    let text = "no answer came before the deadline (timeout of the request, or of the pool)";
    Error::new(Kind::Timeout, text)
}

fn unserved() -> Error {
    let text = "the tasks that would serve the request end again and again";
    Error::new(Kind::NoRuntime, text)
}

fn done() -> Error {
    Error::new(Kind::Invalid, "polled after it was done")
}

impl<P: Protocol> Drop for SendingCall<P> {
    fn drop(&mut self) {
        if let Step::Waiting(_) = self.step {
            self.abandon();
        }
    }
}

// The parts that are pinned are pinned on their own.
impl<P: Protocol> Unpin for SendingCall<P> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::Config;
    use crate::engine::core::testing::ask;
    use crate::engine::shell::permits::SharedPermits;
    use crate::engine::shell::testing::endpoint;

    #[tokio::test(start_paused = true)]
    async fn what_the_tasks_of_its_own_runtime_drop_is_handed_in_again_so_often_only() {
        // It stays in the queue, as nothing may be opened.
        let (endpoint, _ends) = endpoint(Config::default(), &SharedPermits::new(0), None);
        let mut sending = SendingCall::new(endpoint.clone(), ask(), None, None);
        let mut poll = || Pin::new(&mut sending).poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_pending());
        for from in [None, here()] {
            for _ in 0..endpoint.config.max_moves {
                endpoint.bounce_all(from);
                assert!(poll().is_pending());
            }
        }
        // That another runtime ends counts for nothing.
        endpoint.bounce_all(None);
        assert!(poll().is_pending());
        endpoint.bounce_all(here());
        let Poll::Ready(Err(error)) = poll() else {
            panic!("it is handed in for ever");
        };
        assert_eq!((error.kind(), error.sent()), (Kind::NoRuntime, Sent::No));
    }
}
