//! A transport that meddles with some requests, and lets the others pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_core::transport::{ResponseFuture, Transport};
use bytes::Bytes;
use futures_util::stream;
use pipeline_pool::{Head, HttpPool, Method, Origin, Request, Response, Sent};
use s3_client::Bucket;
use s3_client::request::RetryConfig;

use crate::store::Store;

/// A transport that loses the answers to some requests, or answers them itself.
#[derive(Debug)]
pub(crate) struct Meddler {
    pub(crate) pool: HttpPool,
    which: fn(&Request) -> bool,
    pub(crate) left: Arc<AtomicU32>,
    how: How,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// The store does it, and the answer is lost.
    Lose,
    /// The store hears nothing of it.
    Answer(u16, &'static str),
    /// The same, with success and this entity tag.
    Tag(&'static str),
    /// The store answers, and the body is cut off after this many bytes.
    Cut(usize),
    /// The store answers, and the body goes on for so many bytes.
    Lengthen(usize),
}

impl Meddler {
    pub(crate) fn new(times: u32, which: fn(&Request) -> bool, how: How) -> Self {
        Self {
            pool: HttpPool::builder().build(),
            which,
            left: Arc::new(AtomicU32::new(times)),
            how,
        }
    }
}

impl Transport for Meddler {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        let take = |left: u32| left.checked_sub(1);
        let hit = (self.which)(&request)
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok();
        if !hit {
            return Transport::send(&self.pool, origin, request);
        }
        match self.how {
            How::Answer(status, body) => {
                let head = Head::new(status, []);
                ResponseFuture::ready(Ok(Response::new(head, Bytes::from(body))))
            }
            How::Tag(tag) => {
                let head = Head::new(200, [("etag", tag.as_bytes())]);
                ResponseFuture::ready(Ok(Response::new(head, Bytes::new())))
            }
            How::Cut(len) => {
                let sending = self.pool.send(origin, request);
                ResponseFuture::new(async move {
                    let (head, body) = sending.await?.into_parts();
                    let bytes = body.bytes(64 << 20).await?;
                    let cut = pipeline_pool::Error::new(pipeline_pool::Kind::Closed, "cut");
                    let start = bytes.slice(..len.min(bytes.len()));
                    let items = [Ok(start), Err(cut.with_sent(Sent::All))];
                    let body = pipeline_pool::Body::from_stream(None, stream::iter(items));
                    Ok(Response::new(head, body))
                })
            }
            How::Lengthen(len) => {
                let sending = self.pool.send(origin, request);
                ResponseFuture::new(async move {
                    let (head, body) = sending.await?.into_parts();
                    let whole = body.bytes(64 << 20).await?;
                    let items = [Ok(whole), Ok(Bytes::from(vec![b'x'; len]))];
                    let body = pipeline_pool::Body::from_stream(None, stream::iter(items));
                    Ok(Response::new(head, body))
                })
            }
            How::Lose => {
                let sending = self.pool.send(origin, request);
                ResponseFuture::new(async move {
                    let answered = sending.await?;
                    assert!(answered.status() < 300, "{answered:?}");
                    let lost = pipeline_pool::Error::new(pipeline_pool::Kind::Closed, "lost");
                    Err(lost.with_sent(Sent::All))
                })
            }
        }
    }
}

pub(crate) fn is_complete(request: &Request) -> bool {
    request.method() == Method::Post && request.target().contains("uploadId=")
}

pub(crate) async fn with(store: &Store, bucket: &Bucket, mut meddler: Meddler) -> Bucket {
    meddler.pool = store.pool();
    let retry = RetryConfig::new().random(|| 0.0);
    let client = store
        .builder()
        .transport(meddler)
        .retry(retry)
        .build()
        .expect("a client");
    client.bucket(bucket.name())
}

pub(crate) fn is_copy(request: &Request) -> bool {
    request
        .headers()
        .any(|(name, _)| name == "x-amz-copy-source")
}
