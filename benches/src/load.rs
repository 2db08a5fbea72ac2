//! The closed loop: so many tasks, each with one request at a time, measured after a warm-up.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize};

use crate::BoxError;
use crate::clients::{Client, Session};
use crate::machine::{self, Memory};

/// Threads that record without meeting; further ones share.
const SHARDS: usize = 8;

/// What one run of one client gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Requests that succeeded while it was measured.
    pub requests: u64,
    /// Requests that failed while it was measured or before.
    pub errors: u64,
    /// What the first failure said.
    pub first_error: Option<String>,
    /// How long it was measured, in seconds.
    pub seconds: f64,
    /// Requests per second.
    pub rate: f64,
    /// User and system time of the client's process per request, in microseconds; NaN without any.
    #[serde(deserialize_with = "number_or_nan")]
    pub cpu_us: f64,
    /// Median time of a request, in milliseconds.
    pub p50_ms: f64,
    /// 98 of 100 requests took at most this, in milliseconds.
    pub p98_ms: f64,
    /// 99 of 100 requests took at most this, in milliseconds.
    pub p99_ms: f64,
    /// 999 of 1,000 requests took at most this, in milliseconds.
    pub p999_ms: f64,
    /// The share of requests that took over 50 ms, 0 to 1; NaN without any.
    #[serde(deserialize_with = "number_or_nan")]
    pub over_50ms: f64,
    /// The most memory the client's process ever held, in MiB (VmHWM).
    pub rss_mib: f64,
    /// The most connections open at once, as the server counted; 0 if it does not count.
    pub sockets: u64,
    /// Connections opened in all, as the server counted; 0 if it does not count.
    pub opened: u64,
    /// The most requests in flight on one connection, as the pool says; 0 for others.
    pub deepest: usize,
    /// The depth that the pool has learnt, or was told; 0 for others.
    pub depth: usize,
    /// Requests that left in one write on average while it was measured, as the pool counted; 0 for
    /// others.
    pub per_write: f64,
    /// Requests that the pool sent a second time while it was measured, for each reply; 0 for others.
    pub extra: f64,
}

/// JSON has no NaN: null stands for it.
fn number_or_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

type Begin = Box<dyn FnOnce() + Send>;

/// Where requests are counted and timed.
pub struct Meter {
    stop: AtomicBool,
    recording: AtomicBool,
    /// What to do when the warm-up is over.
    begin: Mutex<Option<Begin>>,
    errors: AtomicU64,
    first_error: Mutex<Option<String>>,
    shards: [Mutex<Shard>; SHARDS],
    body: usize,
    memory: Memory,
}

struct Shard {
    /// Times of requests, in units of 100 ns.
    times: Histogram<u32>,
    over_50ms: u64,
}

thread_local! {
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Meter {
    /// A meter that expects bodies of this many bytes.
    ///
    /// # Errors
    /// When the system does not tell what the process uses.
    pub fn new(body: usize) -> Result<Self, BoxError> {
        // 100 ns to 100 s, to 1 %.
        let times = Histogram::new_with_bounds(1, 1_000_000_000, 2)?;
        let shard = || {
            Mutex::new(Shard {
                times: times.clone(),
                over_50ms: 0,
            })
        };
        Ok(Self {
            stop: AtomicBool::new(false),
            recording: AtomicBool::new(false),
            begin: Mutex::default(),
            errors: AtomicU64::new(0),
            first_error: Mutex::default(),
            shards: std::array::from_fn(|_| shard()),
            body,
            memory: Memory::open()?,
        })
    }

    /// Has this done when the warm-up is over.
    pub fn at_begin(&self, begin: impl FnOnce() + Send + 'static) {
        let mut place = self.begin.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Box::new(begin));
    }

    /// Whether no more requests are wanted.
    pub fn stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Notes a request that took so long and returned so many bytes.
    pub fn done(&self, took: Duration, result: &Result<usize, BoxError>) {
        match result {
            Ok(n) if *n == self.body => {
                if self.recording.load(Relaxed) {
                    let mut shard = self.shard();
                    let units = (took.as_nanos() / 100).try_into().unwrap_or(u64::MAX);
                    shard.times.saturating_record(units);
                    shard.over_50ms += u64::from(took > Duration::from_millis(50));
                }
            }
            Ok(n) => self.fail(&format!("a body of {n} bytes")),
            Err(error) => self.fail(&chain(error.as_ref())),
        }
    }

    fn fail(&self, what: &str) {
        self.errors.fetch_add(1, Relaxed);
        let mut first = self
            .first_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| what.to_owned());
    }

    fn shard(&self) -> MutexGuard<'_, Shard> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let i = SHARD.get().unwrap_or_else(|| {
            let i = NEXT.fetch_add(1, Relaxed) % SHARDS;
            SHARD.set(Some(i));
            i
        });
        self.shards[i]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Warms up, measures, stops. The tasks must be running.
    ///
    /// # Errors
    /// When the system does not tell what the process uses.
    pub async fn measure(&self, warm_up: Duration, time: Duration) -> Result<Sample, BoxError> {
        tokio::time::sleep(warm_up).await;
        let begin = self
            .begin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(begin) = begin {
            begin();
        }
        self.recording.store(true, Relaxed);
        let (start, cpu) = (Instant::now(), machine::cpu_time());
        tokio::time::sleep(time).await;
        self.recording.store(false, Relaxed);
        let (seconds, cpu) = (start.elapsed().as_secs_f64(), machine::cpu_time() - cpu);
        self.stop.store(true, Relaxed);
        self.sample(seconds, cpu)
    }

    /// Measures requests that follow one another, from the beginning of the first to the end of the last; none begins
    /// after the time.
    ///
    /// # Errors
    /// When the system does not tell what the process uses.
    pub async fn one_after_another(
        &self,
        session: &mut impl Session,
        time: Duration,
    ) -> Result<Sample, BoxError> {
        self.recording.store(true, Relaxed);
        let (first, cpu) = (Instant::now(), machine::cpu_time());
        let mut start = first;
        while start - first < time {
            let result = session.get().await;
            let now = Instant::now();
            self.done(now - start, &result);
            start = now;
        }
        self.sample((start - first).as_secs_f64(), machine::cpu_time() - cpu)
    }

    fn sample(&self, seconds: f64, cpu: Duration) -> Result<Sample, BoxError> {
        let mut times = Histogram::<u32>::new_with_bounds(1, 1_000_000_000, 2)?;
        let mut over = 0;
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            times.add(&shard.times)?;
            over += shard.over_50ms;
        }
        let n = times.len();
        let per = |x: f64| if n == 0 { f64::NAN } else { x / n as f64 };
        let ms = |q| times.value_at_quantile(q) as f64 / 1e4;
        let first_error = self
            .first_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(Sample {
            requests: n,
            errors: self.errors.load(Relaxed),
            first_error: first_error.clone(),
            seconds,
            rate: n as f64 / seconds,
            cpu_us: per(cpu.as_secs_f64() * 1e6),
            p50_ms: ms(0.5),
            p98_ms: ms(0.98),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            over_50ms: per(over as f64),
            rss_mib: self.memory.peak_mib()?,
            ..Sample::default()
        })
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// Starts `tasks` tasks that send one request after another until the meter stops.
pub fn spawn<C: Client>(client: &C, tasks: usize, meter: &Arc<Meter>) {
    for _ in 0..tasks {
        let (mut session, meter) = (client.session(), meter.clone());
        tokio::spawn(async move {
            // One reading of the clock a request: the end of one is the start of the next.
            let mut start = Instant::now();
            while !meter.stopped() {
                let result = session.get().await;
                let now = Instant::now();
                meter.done(now - start, &result);
                start = now;
                if result.is_err() {
                    // A client that fails at once would keep the others from the core.
                    tokio::task::yield_now().await;
                }
            }
        });
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_nothing_but_failures_survives_json() {
        let sample = Sample {
            errors: 3,
            cpu_us: f64::NAN,
            over_50ms: f64::NAN,
            ..Sample::default()
        };
        let json = serde_json::to_string(&sample).unwrap();
        let back: Sample = serde_json::from_str(&json).unwrap();
        assert_eq!(back.errors, 3);
        assert!(back.cpu_us.is_nan() && back.over_50ms.is_nan());
    }
}
