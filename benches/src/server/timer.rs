//! A timer that is exact to some microseconds: tokio's own counts in milliseconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// Sleeps are left to tokio up to this long before the due time, then the core is spun.
const SPIN: Duration = Duration::from_micros(2500);

/// Wakes tasks at given times. Clones share everything.
#[derive(Clone, Default)]
pub(super) struct Timer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    due: BinaryHeap<Reverse<Entry>>,
    /// The running loop, while it sleeps.
    sleeper: Option<Waker>,
}

struct Entry {
    at: Instant,
    waker: Waker,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Timer {
    /// Wakes this waker at that time, once.
    pub(super) fn wake_at(&self, at: Instant, waker: &Waker) {
        let mut state = self.lock();
        state.due.push(Reverse(Entry {
            at,
            waker: waker.clone(),
        }));
        if let Some(sleeper) = state.sleeper.take() {
            sleeper.wake();
        }
    }

    /// Runs the timer; it needs a task of its own.
    pub(super) async fn run(self) {
        loop {
            let now = Instant::now();
            match self.fire(now) {
                // A yielding task polls the sockets in between.
                Some(next) if next < now + SPIN => tokio::task::yield_now().await,
                Some(next) => {
                    let nearly = (next - SPIN).into();
                    tokio::select! {
                        () = tokio::time::sleep_until(nearly) => {}
                        () = self.pushed() => {}
                    }
                }
                None => self.pushed().await,
            }
        }
    }

    /// Wakes all that is due and says when the next one is.
    fn fire(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        state.sleeper = None;
        loop {
            match state.due.peek() {
                Some(Reverse(entry)) if entry.at <= now => {
                    if let Some(Reverse(entry)) = state.due.pop() {
                        entry.waker.wake();
                    }
                }
                next => return next.map(|Reverse(entry)| entry.at),
            }
        }
    }

    /// Resolves when an entry is added. The caller has just seen all of them, on the same thread.
    async fn pushed(&self) {
        let mut first = true;
        poll_fn(|cx| {
            let mut state = self.lock();
            if first {
                first = false;
                state.sleeper = Some(cx.waker().clone());
            }
            if state.sleeper.is_some() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
