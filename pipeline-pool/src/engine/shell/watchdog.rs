//! Looks after the queue when no connection does: time limits, and opening after a pause.
//!
//! A watchdog exists only while somebody waits. It sleeps until the next instant at which something
//! is due, tends the queue once, and ends; tending plans the next look.
//!
//! *Problem:* Connections serve the line when they report. While a server refuses all connections there
//! is none that could. *Decision:* One task sleeps until the next deadline of the line or until the end
//! of the pause between attempts. It exists only while there is no connection. *Cost:* None while
//! connections exist.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime;
use tokio::time::Instant;

use super::driver::now;
use super::endpoint::Endpoint;
use super::runtimes::here;
use crate::protocol::Protocol;

/// Waits for the planned instant, tends the queue once, and ends. To be spawned with nothing locked:
/// a runtime that goes down drops it at once.
pub(super) fn run<P: Protocol>(endpoint: Arc<Endpoint<P>>) -> impl Future<Output = ()> + Send {
    // Made now, as the task may never be polled.
    let watchdog = Watchdog {
        endpoint,
        armed: true,
        home: here(),
    };
    watchdog.wait_and_tend()
}

/// Sees to it that nobody waits for a watchdog whose runtime is gone.
struct Watchdog<P: Protocol> {
    endpoint: Arc<Endpoint<P>>,
    armed: bool,
    home: Option<runtime::Id>,
}

impl<P: Protocol> Watchdog<P> {
    async fn wait_and_tend(mut self) {
        let endpoint = self.endpoint.clone();
        loop {
            let planned = *endpoint.next_look();
            let Some(at) = planned.map(Instant::from_std) else {
                break;
            };
            let mut sleep = pin!(tokio::time::sleep_until(at));
            let mut notified = pin!(endpoint.replanned.notified());
            let replanned = poll_fn(|cx| match notified.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => sleep.as_mut().poll(cx).map(|()| false),
            });
            if !replanned.await {
                break;
            }
        }
        self.armed = false;
        *endpoint.next_look() = None;
        endpoint.tend(now());
    }
}

impl<P: Protocol> Drop for Watchdog<P> {
    fn drop(&mut self) {
        if self.armed {
            *self.endpoint.next_look() = None;
            self.endpoint.bounce_all(self.home);
        }
    }
}
