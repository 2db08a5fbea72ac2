//! The first request to a store of which it is not known how it wants requests signed.
//!
//! *Problem:* A program that begins with 64 tasks would have 64 requests refused before it knows better. And a body
//! that can be read only once is lost by a refusal, while the answer to HEAD has no words that tell why it is refused.
//! *Decision:* One request goes first, and the others wait until the store has answered it, for [`MAX_WAIT`] at most;
//! should it fail without an answer they go too, so that an outage does not make them queue. A request that cannot go
//! first has a small one sent ahead, which asks where the bucket is. Where that has told nothing, since the store is busy or
//! answers with an error of something on the way, requests that can be sent again go without one for
//! [`MIN_PAUSE`]. *Cost:* A program that begins with an upload of a
//! stream makes one request more.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_core::Result;
use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::idempotency;
use crate::operation::S3Operation;

/// How long a request waits for another one to be answered, and how long a small one that is sent ahead may take.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(5);

/// How long no small request is sent ahead of one that can be sent again, after one that was answered with nothing to learn
/// from.
pub(crate) const MIN_PAUSE: Duration = Duration::from_secs(5);

/// Lets one request go first as long as nothing is settled; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<GateState>);

#[derive(Debug)]
struct GateState {
    settled: AtomicBool,
    /// The request that goes first; those that wait for it hear of the sender's drop.
    first: Mutex<Option<watch::Sender<()>>>,
    /// When a small request was sent ahead last that has told nothing.
    in_vain: Mutex<Option<Instant>>,
}

/// What a request does that comes to the gate.
pub(crate) enum Entry {
    /// It is sent.
    Open,
    /// It is the first, as long as this lives.
    First(First),
    /// It waits.
    Wait(Wait),
}

impl Gate {
    /// A gate that is open from the beginning, or not.
    pub(crate) fn new(settled: bool) -> Self {
        Self(Arc::new(GateState {
            settled: AtomicBool::new(settled),
            first: Mutex::default(),
            in_vain: Mutex::default(),
        }))
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.settled.load(Ordering::Acquire)
    }

    /// Opens the gate for good, and lets all go who wait.
    pub(crate) fn open(&self) {
        if !self.is_open() {
            self.0.settled.store(true, Ordering::Release);
            drop(self.0.lock().take());
        }
    }

    /// Whether a small request is worth its while at this time.
    pub(crate) fn may_ask(&self, now: Instant) -> bool {
        self.in_vain()
            .is_none_or(|last| now.saturating_duration_since(last) >= MIN_PAUSE)
    }

    /// Notes that a small request has ended at this time, which is in vain if the gate is closed still.
    pub(crate) fn asked(&self, now: Instant) {
        if !self.is_open() {
            *self.in_vain() = Some(now);
        }
    }

    fn in_vain(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0
            .in_vain
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self) -> Entry {
        let mut first = self.0.lock();
        // It is opened before the lock is taken.
        if self.is_open() {
            return Entry::Open;
        }
        match &*first {
            Some(other) => Entry::Wait(Wait(other.subscribe())),
            None => {
                *first = Some(watch::Sender::new(()));
                Entry::First(First(self.clone()))
            }
        }
    }
}

impl GateState {
    fn lock(&self) -> MutexGuard<'_, Option<watch::Sender<()>>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request that goes first. With its end those go who wait for it, whatever became of it.
pub(crate) struct First(Gate);

impl Drop for First {
    fn drop(&mut self) {
        let sender = mem::take(&mut *self.0.0.lock());
        drop(sender);
    }
}

/// The wait for the request that goes first.
pub(crate) struct Wait(watch::Receiver<()>);

impl Wait {
    /// Waits until that one is answered or has ended, for [`MAX_WAIT`] at most.
    pub(crate) async fn over(mut self) {
        // Nothing is ever sent: it is the sender's drop that ends this.
        let _over = timeout(MAX_WAIT, self.0.changed()).await;
    }
}

/// The small request that is sent ahead, whatever its answer: what it teaches, the service has learnt.
pub(crate) struct AskLocation;

impl S3Operation for AskLocation {
    type Output = ();
    const ROW: Row = idempotency::GET_BUCKET_LOCATION;
    const GOES_FIRST: bool = true;

    fn parse(&self, _: Answer) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(gate: &Gate) -> First {
        match gate.enter() {
            Entry::First(first) => first,
            Entry::Open | Entry::Wait(_) => panic!("nobody else goes first"),
        }
    }

    fn wait(gate: &Gate) -> Wait {
        match gate.enter() {
            Entry::Wait(wait) => wait,
            Entry::Open | Entry::First(_) => panic!("another one goes first"),
        }
    }

    /// How long it waits, in milliseconds.
    async fn waits(wait: Wait) -> u128 {
        let begun = Instant::now();
        wait.over().await;
        begun.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn all_go_when_it_is_settled() {
        let gate = Gate::new(false);
        let leader = first(&gate);
        let (one, two) = (wait(&gate), wait(&gate));
        gate.open();
        assert_eq!((waits(one).await, waits(two).await), (0, 0));
        assert!(matches!(gate.enter(), Entry::Open));
        drop(leader);
        assert!(gate.is_open());
        assert!(matches!(Gate::new(true).enter(), Entry::Open));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_in_vain_is_asked_again_after_a_pause() {
        let gate = Gate::new(false);
        let begun = Instant::now();
        assert!(gate.may_ask(begun));
        gate.asked(begun);
        assert!(!gate.may_ask(begun));
        assert!(!gate.may_ask(begun + MIN_PAUSE - Duration::from_millis(1)));
        assert!(gate.may_ask(begun + MIN_PAUSE));
        // One that has settled it was not in vain.
        let gate = Gate::new(false);
        gate.open();
        gate.asked(begun);
        assert!(gate.may_ask(begun));
    }

    #[tokio::test(start_paused = true)]
    async fn all_go_when_the_first_has_failed_and_the_next_is_the_first() {
        let gate = Gate::new(false);
        let leader = first(&gate);
        let other = wait(&gate);
        drop(leader);
        assert_eq!(waits(other).await, 0);
        let leader = first(&gate);
        let other = wait(&gate);
        assert_eq!(waits(other).await, MAX_WAIT.as_millis());
        drop(leader);
    }
}
