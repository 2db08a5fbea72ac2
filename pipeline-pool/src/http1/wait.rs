//! The wait for a server to want a body.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Sleep;

/// After so many requests in a row without an answer to `Expect` a server is not asked again.
const ENOUGH: u8 = 2;

/// A body that is held back until the server says that it wants it, or nothing for a while.
pub(crate) struct Wait {
    patience: Duration,
    /// Begun when the head is out, or about to be.
    timer: Option<Pin<Box<Sleep>>>,
    heard: bool,
    waker: Option<Waker>,
}

impl Wait {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            timer: None,
            heard: false,
            waker: None,
        }
    }

    /// Ready when the body may go out: whether the server said so.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
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

    /// Hears that the server wants the body.
    pub(crate) fn end(&mut self) {
        self.heard = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// How many requests in a row a server has let wait; shared by all connections to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silences(Arc<AtomicU8>);

impl Silences {
    /// Whether the server is known to say nothing.
    pub(crate) fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= ENOUGH
    }

    pub(crate) fn note(&self, heard: bool) {
        if heard {
            self.0.store(0, Ordering::Relaxed);
        } else {
            let more = |silences: u8| Some(silences.saturating_add(1));
            let order = Ordering::Relaxed;
            // It always succeeds.
            let _ = self.0.fetch_update(order, order, more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_never_answers_is_known() {
        let silences = Silences::default();
        let same = silences.clone();
        for (heard, known) in [
            (false, false),
            (true, false),
            (false, false),
            (false, true),
            (false, true),
        ] {
            silences.note(heard);
            assert_eq!(same.is_known(), known);
        }
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
