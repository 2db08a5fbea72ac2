//! What callers get at servers of many shapes, in virtual time.
//!
//! The core of the pool runs as the shell runs it on a runtime with one thread: callers that send one
//! request after another, drivers, and timers take turns on one core, the server has another, and
//! every read, write and request costs time on both ([`cost`]). The server answers the requests of a
//! connection in order, works on them one after another or at once, and some of its answers are late.
//! Where more than some hundreds of requests are under way, each of them costs the pool more.
//!
//! A shape is such a server with its load; there are 96. In each, what the pool has learnt after two
//! seconds is held against every depth that could be set by hand, and against the one of these that
//! a user would choose ([`contest`]). `cargo test` runs 24 of them.
//!
//! `SHAPES=all cargo test --release -p pipeline-pool --lib shapes -- --nocapture` runs all 96 in some
//! minutes and prints them as a table; `SHAPES=5ms` prints those whose names contain that.

mod contest;
mod cost;
mod exchange;
mod figures;
mod plain;
mod pooled;
mod server;
mod simulation;
mod table;

use std::fmt;
use std::time::Duration;

/// How much later a late answer is than the others.
const LATE: Duration = Duration::from_millis(100);

/// A server and its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The time that the server takes for a request, beside what it costs its processor.
    latency_ms: u64,
    /// It works the requests of one connection one after another, and else at once.
    serial: bool,
    /// How many of 100,000 answers are late.
    late_per_100_000: usize,
    /// Callers that send one request after another.
    tasks: usize,
}

impl Shape {
    fn latency(self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }

    /// All shapes.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for latency_ms in [0, 1, 5, 20] {
            for serial in [true, false] {
                for late_per_100_000 in [0, 200, 1000, 5000] {
                    for tasks in [8, 64, 256] {
                        all.push(Self {
                            latency_ms,
                            serial,
                            late_per_100_000,
                            tasks,
                        });
                    }
                }
            }
        }
        all
    }
}

/// Its name: `5ms serial 0.2% 64`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = if self.serial { "serial" } else { "at once" };
        let late = self.late_per_100_000 as f64 / 1000.0;
        let (latency, tasks) = (self.latency_ms, self.tasks);
        write!(f, "{latency}ms {work} {late}% {tasks}")
    }
}
