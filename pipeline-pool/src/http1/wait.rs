//! The wait for a server to want a body.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// After so many requests in a row without an answer to `Expect` a server is not asked for a while.
const MAX_SILENCES: u8 = 2;
/// How long a server that says nothing is not asked.
const SILENT_SERVER_PAUSE: Duration = Duration::from_secs(60);

/// A body that is held back until the server says that it wants it, or nothing for a while.
pub(crate) struct Wait {
    patience: Duration,
    /// Begun when the head is out, or about to be.
    timer: Option<Pin<Box<Sleep>>>,
    heard: bool,
    /// The request has its answer already: the body does not go out any more.
    refused: bool,
    waker: Option<Waker>,
}

impl Wait {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            timer: None,
            heard: false,
            refused: false,
            waker: None,
        }
    }

    /// Ready when the body may go out: whether the server said so.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.refused {
            return Poll::Pending;
        }
        if self.heard {
            return Poll::Ready(true);
        }
        let patience = self.patience;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Hears that the server has answered without the body.
    pub(crate) fn refuse(&mut self) {
        self.refused = true;
    }

    /// Hears that the server wants the body.
    pub(crate) fn end(&mut self) {
        self.heard = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Whether a server answers `Expect` at all; shared by all connections to it.
///
/// A server may have been silent because it was busy, so it is asked again after a while.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silences(Arc<Mutex<Silent>>);

#[derive(Debug, Default)]
struct Silent {
    /// Requests in a row that it has let wait.
    in_a_row: u8,
    /// Until when it is not asked.
    until: Option<Instant>,
}

impl Silences {
    fn lock(&self) -> MutexGuard<'_, Silent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request may ask now. Of those that come when a pause is over one does, and the
    /// others do not wait with it.
    pub(crate) fn may_ask(&self, now: Instant) -> bool {
        let mut silent = self.lock();
        match silent.until {
            Some(until) if now < until => false,
            Some(_) => {
                silent.until = Some(now + SILENT_SERVER_PAUSE);
                true
            }
            None => true,
        }
    }

    /// Takes note of what came of a request that asked.
    pub(crate) fn note(&self, heard: bool, now: Instant) {
        let mut silent = self.lock();
        if heard {
            *silent = Silent::default();
            return;
        }
        silent.in_a_row = silent.in_a_row.saturating_add(1);
        if silent.in_a_row >= MAX_SILENCES {
            silent.until = Some(now + SILENT_SERVER_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_never_answers_is_asked_now_and_then() {
        let silences = Silences::default();
        let same = silences.clone();
        let start = Instant::now();
        for (heard, asks) in [(false, true), (true, true), (false, true), (false, false)] {
            silences.note(heard, start);
            assert_eq!(same.may_ask(start), asks);
        }
        let last = SILENT_SERVER_PAUSE - Duration::from_nanos(1);
        assert!(!same.may_ask(start + last));
        // One request asks, and those beside it do not.
        let later = start + SILENT_SERVER_PAUSE;
        assert!(same.may_ask(later) && !same.may_ask(later));
        silences.note(false, later);
        assert!(!same.may_ask(later + last) && same.may_ask(later + SILENT_SERVER_PAUSE));
        // A server that answers again is asked by all.
        silences.note(true, later + SILENT_SERVER_PAUSE);
        assert!(
            same.may_ask(later + SILENT_SERVER_PAUSE) && same.may_ask(later + SILENT_SERVER_PAUSE)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends_by_a_word_or_by_time() {
        let start = tokio::time::Instant::now();
        let mut silent = Wait::new(Duration::from_secs(1));
        assert!(!std::future::poll_fn(|cx| silent.poll(cx)).await);
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        let mut told = Wait::new(Duration::from_secs(1));
        told.end();
        assert!(std::future::poll_fn(|cx| told.poll(cx)).await);
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
}
