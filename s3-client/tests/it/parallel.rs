//! How many parts of an upload are under way at a time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use aws_core::transport::{ResponseFuture, Transport};
use bytes::Bytes;
use futures_util::Stream;
use pipeline_pool::{HttpPool, Origin, Request};
use s3_client::Source;
use s3_client::answer::Progress;
use tokio::sync::Semaphore;

use crate::store::Store;
use crate::transfer::MIN;
use crate::upload::is_part;

/// Counts the bytes that were taken from it and are not confirmed.
struct Counted {
    left: usize,
    taken: Arc<AtomicU64>,
    confirmed: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Stream for Counted {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        const PIECE: usize = 64 << 10;
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= PIECE;
        let taken = self.taken.fetch_add(PIECE as u64, Ordering::SeqCst) + PIECE as u64;
        let kept = taken - self.confirmed.load(Ordering::SeqCst);
        self.most.fetch_max(kept, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Bytes::from(vec![7; PIECE]))))
    }
}

#[tokio::test]
async fn no_more_of_a_stream_is_in_memory_than_its_parts() {
    let store = Store::start().await;
    let bucket = store.bucket().await;
    for parallel in [1, 3] {
        let [taken, confirmed, most] = [(); 3].map(|()| Arc::new(AtomicU64::new(0)));
        let counted = Counted {
            left: 20 << 20,
            taken,
            confirmed: confirmed.clone(),
            most: most.clone(),
        };
        let upload = bucket.upload("k", Source::unsized_stream(counted));
        let report = move |progress: Progress| confirmed.store(progress.bytes, Ordering::SeqCst);
        let upload = upload
            .part_size(MIN as u64)
            .parallel(parallel)
            .verify(false)
            .progress(report);
        assert_eq!(upload.await.unwrap().parts(), 4);
        // Half of the last waits until another one is done, and a piece beyond that was taken already.
        let held = if parallel == 1 {
            MIN
        } else {
            parallel * MIN - MIN / 2
        };
        let allowed = (held + (64 << 10)) as u64;
        let most = most.load(Ordering::SeqCst);
        assert!(
            most <= allowed,
            "{most} bytes of at most {allowed} with {parallel}"
        );
        assert!(most >= held as u64, "they are sent at the same time");
    }
}

/// A transport that holds parts back until it is opened, and counts those that are under way.
#[derive(Clone, Debug)]
struct Gate {
    pool: HttpPool,
    open: Arc<Semaphore>,
    under_way: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Transport for Gate {
    fn send(&self, origin: &Origin, request: Request) -> ResponseFuture {
        if !is_part(&request) {
            return Transport::send(&self.pool, origin, request);
        }
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        let (gate, origin) = (self.clone(), origin.clone());
        ResponseFuture::new(async move {
            let _open = gate.open.acquire().await;
            let answer = gate.pool.send(&origin, request).await;
            gate.under_way.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }
}

#[tokio::test]
async fn of_a_stream_one_part_fewer_is_sent_at_a_time() {
    const PARALLEL: usize = 3;
    let store = Store::start().await;
    let plain = store.bucket().await;
    let bytes = Bytes::from(vec![7; 4 * MIN]);
    let cut = bytes.chunks(1 << 20).map(|piece| bytes.slice_ref(piece));
    let taken = Arc::new(AtomicU64::new(0));
    let counted = Counted {
        left: bytes.len(),
        taken: taken.clone(),
        confirmed: Arc::default(),
        most: Arc::default(),
    };
    let streamed = PARALLEL as u64 - 1;
    for (name, source, wanted) in [
        ("bytes", Source::from(bytes.clone()), PARALLEL as u64),
        ("pieces", Source::pieces(cut), PARALLEL as u64),
        ("stream", Source::unsized_stream(counted), streamed),
    ] {
        let gate = Gate {
            pool: store.pool(),
            open: Arc::new(Semaphore::new(0)),
            under_way: Arc::default(),
            most: Arc::default(),
        };
        let client = store.builder().transport(gate.clone()).build().unwrap();
        let bucket = client.bucket(plain.name());
        let upload = bucket.upload(name, source).part_size(MIN as u64);
        let upload = tokio::spawn(upload.parallel(PARALLEL).send());
        while gate.under_way.load(Ordering::SeqCst) < wanted {
            tokio::task::yield_now().await;
        }
        if name == "stream" {
            // Half of the next is there, and no more is taken.
            let held = (PARALLEL * MIN - MIN / 2) as u64;
            while taken.load(Ordering::SeqCst) <= held {
                tokio::task::yield_now().await;
            }
        }
        gate.open.add_permits(PARALLEL);
        assert_eq!(upload.await.unwrap().unwrap().parts(), 4, "{name}");
        assert_eq!(gate.most.load(Ordering::SeqCst), wanted, "{name}");
    }
}
