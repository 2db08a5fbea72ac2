//! Whole objects of any size, several parts at a time.

mod blocks;
#[cfg(feature = "fs")]
mod destination;
#[cfg(feature = "fs")]
mod download;
mod feed;
mod progress;
#[cfg(feature = "fs")]
mod resume_state;
mod sizes;
#[cfg(feature = "fs")]
mod sum;
mod upload;

#[cfg(feature = "fs")]
pub use download::{Download, DownloadFile};
pub(crate) use feed::Feed;
pub use progress::Progress;
pub(crate) use progress::{Meter, Report};
pub use upload::{Upload, Uploaded};

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::sync::oneshot;

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
