//! A place in the line of a server, and the turn that it leads to.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep, sleep_until};

use super::gate::Gate;
use super::limiter::{Ended, Ticket, Told};

/// A call that asks for a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// When the call was begun.
    pub(crate) since: Instant,
    pub(crate) deadline: Instant,
    /// Whether the time of the answer can be compared with that of others: no large body, no long work.
    pub(crate) is_usual: bool,
}

/// A place in line, and the future of the turn; nothing if it became too late for that. Dropping it leaves the line.
pub(crate) struct Waiting(Box<InLine>);

struct InLine {
    gate: Arc<Gate>,
    /// Nothing when it is in line no more.
    ticket: Option<Ticket>,
    caller: Caller,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Waiting {
    pub(super) fn new(gate: Arc<Gate>, ticket: Ticket, caller: Caller) -> Self {
        Self(Box::new(InLine {
            gate,
            ticket: Some(ticket),
            caller,
            timer: None,
        }))
    }

    /// What the limiter says now.
    pub(super) fn ask(&mut self) -> Told {
        self.0.told(None)
    }

    /// The turn, once the limiter has given it.
    pub(super) fn turn(&self) -> Turn {
        self.0.turn()
    }
}

impl InLine {
    /// What the limiter says now. A caller that has to wait is woken by `waker`.
    fn told(&mut self, waker: Option<&Waker>) -> Told {
        let Some(ticket) = self.ticket else {
            return Told::Late;
        };
        let now = Instant::now();
        // What is not put in stays out here, and is dropped with nothing locked.
        let mut waker = waker.cloned();
        let (told, _old) = self.gate.change_line(now, |line| {
            let told = line.limiter.ask(ticket, now.into_std());
            let old = match told {
                Told::Wait(_) => waker.take().and_then(|w| line.wakers.insert(ticket, w)),
                Told::Turn | Told::Late => line.wakers.remove(&ticket),
            };
            (told, old)
        });
        if !matches!(told, Told::Wait(_)) {
            self.ticket = None;
        }
        told
    }

    fn turn(&self) -> Turn {
        Turn(Box::new(HeldTurn {
            gate: self.gate.clone(),
            caller: self.caller,
            begun: Instant::now(),
            sent: AtomicBool::new(false),
            ended: false,
        }))
    }
}

impl Future for Waiting {
    type Output = Option<Turn>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Turn>> {
        let line = &mut *self.0;
        loop {
            let until = match line.told(Some(cx.waker())) {
                Told::Turn => return Poll::Ready(Some(line.turn())),
                Told::Late => return Poll::Ready(None),
                Told::Wait(until) => Instant::from_std(until),
            };
            let timer = line
                .timer
                .get_or_insert_with(|| Box::pin(sleep_until(until)));
            timer.as_mut().reset(until);
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else {
            return;
        };
        let now = Instant::now();
        let _waker = self.gate.change_line(now, |line| {
            line.limiter.leave(ticket, now.into_std());
            line.wakers.remove(&ticket)
        });
    }
}

/// The right to send one request. Dropped before that it goes to the next in line; dropped after that, it counts as a
/// caller who did not wait for the answer.
pub(crate) struct Turn(Box<HeldTurn>);

struct HeldTurn {
    gate: Arc<Gate>,
    caller: Caller,
    begun: Instant,
    sent: AtomicBool,
    ended: bool,
}

impl Turn {
    /// Notes that the request is sent.
    pub(crate) fn sent(&self) {
        self.0.sent.store(true, Ordering::Relaxed);
        let now = Instant::now();
        self.0
            .gate
            .change(now, |limiter| limiter.sent(now.into_std()));
    }

    /// Notes how the request has ended.
    pub(crate) fn ended(mut self, ended: Ended) {
        self.0.end(ended);
    }
}

impl HeldTurn {
    fn end(&mut self, ended: Ended) {
        self.ended = true;
        let (now, caller, begun) = (Instant::now(), self.caller, self.begun);
        let sent = *self.sent.get_mut();
        self.gate.change(now, |limiter| {
            if !sent {
                return limiter.give_back();
            }
            let (since, begun, now) = (caller.since.into_std(), begun.into_std(), now.into_std());
            limiter.ended(ended, since, begun, caller.is_usual, now);
        });
    }
}

impl Drop for HeldTurn {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Ended::GaveUp);
        }
    }
}
