//! The stream of whole lists.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::peer::Peer;
use super::watch::Watch;

/// All members of a cluster, by id, after the first whole list and after each change, as a [`Stream`]; made by
/// [`Watch::into_lists`].
///
/// A reader who is slow gets the latest list and no others. Failures change nothing, and are logged.
#[must_use = "nothing is asked for until the stream is read"]
pub struct Lists {
    watch: Watch,
    /// Of the list that was given last.
    version: Option<u64>,
}

impl Lists {
    pub(super) fn new(watch: Watch) -> Self {
        Self {
            watch,
            version: None,
        }
    }

    /// The next list; nothing after the end of the runtime.
    pub async fn next(&mut self) -> Option<Vec<Peer>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Lists {
    type Item = Vec<Peer>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<Peer>>> {
        let given = self.version;
        let found = self.watch.poll_with(cx, |tracker| {
            let list = tracker.list();
            list.filter(|(version, _)| Some(*version) != given)
        });
        found.map(|found| {
            let (version, list) = found?;
            self.version = Some(version);
            Some(list)
        })
    }
}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lists").field(&self.watch).finish()
    }
}
