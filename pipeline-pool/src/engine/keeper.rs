//! Looks after the line when no connection does: time limits, and opening after a pause.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::{self, Handle};
use tokio::time::Instant;

use super::endpoint::Endpoint;
use crate::protocol::Protocol;

/// Waits for the planned instant, tends the line once, and ends; tending plans the next one. To be
/// spawned with nothing locked: a runtime that goes down drops it at once.
pub(crate) fn run<P: Protocol>(endpoint: Arc<Endpoint<P>>) -> impl Future<Output = ()> + Send {
    // Made now, as the task may never be polled.
    let guard = Guard {
        endpoint,
        armed: true,
        home: Handle::try_current().ok().map(|handle| handle.id()),
    };
    wait_and_tend(guard)
}

async fn wait_and_tend<P: Protocol>(mut guard: Guard<P>) {
    let endpoint = guard.endpoint.clone();
    loop {
        let planned = *endpoint.keeping();
        let Some(at) = planned.map(Instant::from_std) else {
            break;
        };
        let mut sleep = pin!(tokio::time::sleep_until(at));
        let mut notified = pin!(endpoint.keeper.notified());
        let replanned = poll_fn(|cx| match notified.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending => sleep.as_mut().poll(cx).map(|()| false),
        });
        if !replanned.await {
            break;
        }
    }
    guard.armed = false;
    *endpoint.keeping() = None;
    endpoint.tend(Instant::now().into_std());
}

/// Sees to it that nobody waits for a keeper whose runtime is gone.
struct Guard<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    armed: bool,
    home: Option<runtime::Id>,
}

impl<P: Protocol> Drop for Guard<P> {
    fn drop(&mut self) {
        if self.armed {
            *self.endpoint.keeping() = None;
            self.endpoint.bounce_all(self.home);
        }
    }
}
