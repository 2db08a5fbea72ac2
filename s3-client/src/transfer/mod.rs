//! Whole objects of any size, several parts at a time.

mod blocks;
#[cfg(feature = "fs")]
mod destination;
#[cfg(feature = "fs")]
mod download;
mod feed;
#[cfg(feature = "fs")]
mod resume_state;
mod sizes;
#[cfg(feature = "fs")]
mod sum;
mod upload;

#[cfg(feature = "fs")]
pub use download::{Download, DownloadFile};
pub(crate) use feed::Feed;
pub use upload::{Upload, Uploaded};

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use tokio::sync::oneshot;

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The bytes that are done: upwards those that the store has confirmed, downwards those that were handed to
    /// the file. It never falls.
    pub bytes: u64,
    /// The bytes that there are in all, when that is known.
    pub total: Option<u64>,
}

/// Who is told of progress.
#[derive(Clone, Default)]
pub(crate) struct Report(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Report {
    pub(crate) fn to(report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(report)))
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Report(yes)"
        } else {
            "Report(no)"
        })
    }
}

/// Counts what is done, and tells of it.
#[derive(Debug)]
pub(crate) struct Meter {
    // Told under the lock, so that nobody hears of less after more.
    state: Mutex<Progress>,
    report: Report,
}

impl Meter {
    pub(crate) fn new(report: Report, total: Option<u64>) -> Self {
        Self {
            state: Mutex::new(Progress { bytes: 0, total }),
            report,
        }
    }

    pub(crate) fn add(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes += bytes;
        if let Some(report) = &self.report.0 {
            report(*state);
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
    }
}

/// Tells a task whether somebody still waits for it.
pub(crate) struct CancelOnDrop(oneshot::Receiver<()>);

impl CancelOnDrop {
    /// Holds the task back until what comes with it is dropped.
    pub(crate) fn new() -> (oneshot::Sender<()>, Self) {
        let (holder, held) = oneshot::channel();
        (holder, Self(held))
    }

    /// What the future gives, or nothing once nobody waits for it any more.
    pub(crate) async fn run<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if pin!(&mut self.0).poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            future.as_mut().poll(cx).map(Some)
        })
        .await
    }
}
