//! Many jobs at once, and what is measured of them.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use crate::Failure;

/// The measures of one kind of request.
pub(crate) struct Tally {
    pub name: &'static str,
    seen: Mutex<Seen>,
}

/// What a tally has seen so far.
#[derive(Clone)]
pub(crate) struct Seen {
    /// From the call to the end of the answer, in microseconds: the wait in the pool's line is in it.
    pub latency: Histogram<u64>,
    /// Payload, both ways.
    pub bytes: u64,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Seen {
    pub(crate) fn new() -> Self {
        // Bounds that the constructor takes: one minute, three digits.
        let latency = Histogram::new_with_max(60_000_000, 3).expect("the bounds are legal");
        Self {
            latency,
            bytes: 0,
            first: None,
            last: None,
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.latency.len()
    }

    /// From the first request's start to the last one's end.
    pub(crate) fn elapsed(&self) -> Duration {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last - first,
            _ => Duration::ZERO,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds.
        let _ = self.latency.add(&other.latency);
        self.bytes += other.bytes;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

impl Tally {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            seen: Mutex::new(Seen::new()),
        }
    }

    /// Awaits one request, and counts it when it succeeds; `bytes` is the payload of its result.
    pub(crate) async fn time<T, E>(
        &self,
        request: impl Future<Output = Result<T, E>>,
        bytes: impl FnOnce(&T) -> u64,
    ) -> Result<T, E> {
        let start = Instant::now();
        let result = request.await?;
        let end = Instant::now();
        let micros = u64::try_from((end - start).as_micros()).unwrap_or(u64::MAX);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.latency.saturating_record(micros);
        seen.bytes += bytes(&result);
        seen.first = Some(seen.first.map_or(start, |first| first.min(start)));
        seen.last = seen.last.max(Some(end));
        Ok(result)
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Runs `work` for each number below `jobs`, on as many tasks as `concurrency` says, under a
/// progress bar that only a terminal shows.
///
/// Returns at the first job that fails; what is under way then is given up.
pub(crate) async fn run<W, F>(
    title: &'static str,
    jobs: usize,
    concurrency: usize,
    work: W,
) -> Result<(), Failure>
where
    W: Fn(usize, ProgressBar) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let bar = ProgressBar::new(jobs as u64)
        .with_message(title)
        .with_style(style());
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..concurrency.min(jobs) {
        let (next, work, bar) = (next.clone(), work.clone(), bar.clone());
        tasks.spawn(async move {
            loop {
                let job = next.fetch_add(1, Ordering::Relaxed);
                if job >= jobs {
                    return Ok(());
                }
                work(job, bar.clone()).await?;
                bar.inc(1);
            }
        });
    }
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        outcome = ended.unwrap_or_else(|error| Err(Failure(format!("{title}: {error}"))));
        if outcome.is_err() {
            break;
        }
    }
    tasks.shutdown().await;
    bar.finish_and_clear();
    outcome
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{msg:<8} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
