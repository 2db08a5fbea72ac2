//! CPU time and sockets of this process.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::sample::Sample;

/// How often sockets are counted.
const PERIOD: Duration = Duration::from_millis(10);

/// This process before it has spoken to a store.
#[derive(Clone, Copy)]
pub(crate) struct Process {
    /// Its sockets, which are those of the runtime.
    sockets: u64,
}

impl Process {
    pub(crate) fn new() -> Self {
        Self { sockets: sockets() }
    }

    /// Counts from here on.
    pub(crate) fn meter(self) -> Meter {
        Meter::start(self.sockets)
    }
}

/// Counts from its start to its end.
pub(crate) struct Meter {
    start: Instant,
    cpu: Duration,
    /// Sockets that are not counted.
    before: u64,
    ends: Arc<AtomicBool>,
    counter: JoinHandle<(u64, Duration)>,
}

impl Meter {
    fn start(before: u64) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ends);
        let counter = std::thread::spawn(move || {
            let mut most = sockets();
            while !end.load(Ordering::Relaxed) {
                std::thread::park_timeout(PERIOD);
                most = most.max(sockets());
            }
            (most, cpu(ClockId::ThreadCPUTime))
        });
        Self {
            before,
            ends,
            counter,
            cpu: cpu(ClockId::ProcessCPUTime),
            start: Instant::now(),
        }
    }

    /// What this many rows took.
    pub(crate) fn end(self, rows: u64) -> Sample {
        let seconds = self.start.elapsed().as_secs_f64();
        let cpu = cpu(ClockId::ProcessCPUTime).saturating_sub(self.cpu);
        self.ends.store(true, Ordering::Relaxed);
        self.counter.thread().unpark();
        // It does not panic.
        let (most, counting) = self.counter.join().unwrap_or_default();
        Sample {
            rows,
            seconds,
            cpu: cpu.saturating_sub(counting).as_secs_f64(),
            sockets: most.saturating_sub(self.before),
            ..Sample::default()
        }
    }
}

/// The open sockets of this process; none where the system does not tell.
fn sockets() -> u64 {
    let Ok(files) = fs::read_dir("/proc/self/fd") else {
        return 0;
    };
    let targets = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let sockets = targets.filter(|target| {
        target
            .as_os_str()
            .as_encoded_bytes()
            .starts_with(b"socket:")
    });
    sockets.count() as u64
}

fn cpu(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().unwrap_or_default()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn sockets_and_time_are_counted() {
        let meter = Process::new().meter();
        let listeners: Vec<_> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        // Until the counter has looked, which it does at the end too.
        let sample = meter.end(3);
        drop(listeners);
        assert!(sample.sockets >= 3, "{sample:?}");
        assert!(sample.seconds > 0.0 && sample.cpu >= 0.0);
    }
}
