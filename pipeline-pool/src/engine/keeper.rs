//! Looks after the line when no connection does: time limits, and opening after a pause.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::Instant;

use super::endpoint::Endpoint;
use crate::protocol::Protocol;

/// Waits for the planned instant, tends the line once, and ends; tending plans the next one.
pub(crate) async fn run<P: Protocol>(endpoint: Arc<Endpoint<P>>) {
    let mut guard = Guard {
        endpoint: &endpoint,
        armed: true,
    };
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
struct Guard<'a, P: Protocol> {
    endpoint: &'a Endpoint<P>,
    armed: bool,
}

impl<P: Protocol> Drop for Guard<'_, P> {
    fn drop(&mut self) {
        if self.armed {
            *self.endpoint.keeping() = None;
            self.endpoint.bounce_all();
        }
    }
}
