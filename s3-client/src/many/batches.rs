//! Puts objects that are to be removed together into batches that one request can carry.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::bounded::BoxStream;
use crate::config::XmlPart as _;
use crate::list::{ObjectInfo, VersionInfo};

/// The most bytes of a request's document, which some servers (Ceph RGW) bound by 1 MiB.
const MAX_BYTES: usize = 900 << 10;

/// An object, or one version of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ObjectId {
    /// The key of the object.
    pub key: String,
    /// The version; nothing for the current one.
    pub version_id: Option<String>,
}

impl ObjectId {
    /// Names the object of this key.
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            version_id: None,
        }
    }

    /// Names this version of the object, in place of the current one.
    #[must_use]
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version_id = Some(id.into());
        self
    }
}

impl From<&str> for ObjectId {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<String> for ObjectId {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}

impl<K: Into<String>, V: Into<String>> From<(K, V)> for ObjectId {
    fn from((key, version): (K, V)) -> Self {
        Self::new(key).version(version)
    }
}

impl From<ObjectInfo> for ObjectId {
    fn from(object: ObjectInfo) -> Self {
        Self::new(object.key)
    }
}

impl From<VersionInfo> for ObjectId {
    fn from(version: VersionInfo) -> Self {
        Self::new(version.key).version(version.version_id)
    }
}

/// What is sent in one request.
pub(super) enum Batch {
    Many(Vec<ObjectId>),
    /// Its key cannot stand in XML.
    One(ObjectId),
}

/// Puts what comes together, up to a number and a size.
pub(super) struct Batches {
    pub(super) ids: Option<BoxStream<ObjectId>>,
    pub(super) size: usize,
    /// The batch in the making, and the bytes of its document.
    pub(super) next: Option<(Vec<ObjectId>, usize)>,
}

impl Stream for Batches {
    type Item = Batch;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Batch>> {
        let this = &mut *self;
        while let Some(ids) = &mut this.ids {
            let Some(id) = ready!(ids.as_mut().poll_next(cx)) else {
                this.ids = None;
                break;
            };
            let Ok(key) = id.key.write("Key").to_xml() else {
                return Poll::Ready(Some(Batch::One(id)));
            };
            let version = id.version_id.as_ref().map_or(0, |id| id.len() + 32);
            let bytes = key.len() + version + 32;
            let (batch, total) = this.next.get_or_insert_default();
            if *total + bytes > MAX_BYTES && !batch.is_empty() {
                let full = std::mem::replace(batch, vec![id]);
                *total = bytes;
                return Poll::Ready(Some(Batch::Many(full)));
            }
            batch.push(id);
            *total += bytes;
            if batch.len() >= this.size {
                break;
            }
        }
        Poll::Ready(this.next.take().map(|(batch, _)| Batch::Many(batch)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::many::of_iter;
    use std::future::poll_fn;

    async fn batches(
        ids: impl Iterator<Item = String> + Send + 'static,
        size: usize,
    ) -> Vec<Batch> {
        let mut batches = Batches {
            ids: Some(of_iter(ids.map(ObjectId::from))),
            size,
            next: None,
        };
        let mut all = Vec::new();
        while let Some(batch) = poll_fn(|cx| Pin::new(&mut batches).poll_next(cx)).await {
            all.push(batch);
        }
        all
    }

    fn sizes(batches: &[Batch]) -> Vec<usize> {
        let size = |batch: &Batch| match batch {
            Batch::Many(ids) => ids.len(),
            Batch::One(_) => 0,
        };
        batches.iter().map(size).collect()
    }

    #[tokio::test]
    async fn batches_are_bounded() {
        let keys = |n: usize| (0..n).map(|i| i.to_string());
        assert_eq!(sizes(&batches(keys(0), 3).await), Vec::<usize>::new());
        assert_eq!(sizes(&batches(keys(7), 3).await), [3, 3, 1]);
        assert_eq!(sizes(&batches(keys(6), 3).await), [3, 3]);
        // A thousand bytes that each become five.
        let long = (0..500).map(|_| "&".repeat(1000));
        let long = sizes(&batches(long, 1000).await);
        assert_eq!(long.iter().sum::<usize>(), 500);
        assert!(long.iter().all(|n| n * 5000 < MAX_BYTES), "{long:?}");
        let odd = ["a", "b\u{1}", "c"].into_iter().map(str::to_owned);
        assert_eq!(sizes(&batches(odd, 3).await), [0, 2]);
    }
}
