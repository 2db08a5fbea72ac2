//! What time it is, as the server sees it.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sigv2::date::{self, HttpDate};

/// A clock that can be corrected by what servers say; clones share the correction.
#[derive(Clone)]
pub struct Clock(Arc<Offset>);

struct Offset {
    source: Option<Box<dyn Fn() -> SystemTime + Send + Sync>>,
    /// Milliseconds that the server is ahead.
    offset: AtomicI64,
}

impl Clock {
    /// The clock of the operating system.
    pub fn system() -> Self {
        Self(Arc::new(Offset {
            source: None,
            offset: AtomicI64::new(0),
        }))
    }

    /// A clock that asks this function: for tests.
    pub fn from_fn(source: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(Offset {
            source: Some(Box::new(source)),
            offset: AtomicI64::new(0),
        }))
    }

    /// Tells the time, corrected by what servers have said.
    pub fn now(&self) -> SystemTime {
        let local = self.local();
        match self.0.offset.load(Ordering::Relaxed) {
            0 => local,
            ahead @ 1.. => local + Duration::from_millis(ahead.unsigned_abs()),
            behind => local - Duration::from_millis(behind.unsigned_abs()),
        }
    }

    /// The time of this machine, uncorrected: what an expiry given by this machine is compared with.
    pub fn local(&self) -> SystemTime {
        match &self.0.source {
            Some(source) => source(),
            None => SystemTime::now(),
        }
    }

    /// Milliseconds that the server is ahead of this machine; 0 until a server said otherwise.
    pub fn offset_ms(&self) -> i64 {
        self.0.offset.load(Ordering::Relaxed)
    }

    /// Takes over the server's clock, unless it is more than ten years off.
    ///
    /// Returns whether that moved the clock by a second or more.
    pub(crate) fn correct(&self, server: SystemTime) -> bool {
        const MOST: i64 = 10 * 365 * 86_400_000;
        let local = self.local();
        let offset = match server.duration_since(local) {
            Ok(ahead) => millis(ahead),
            Err(behind) => -millis(behind.duration()),
        };
        if offset.abs() > MOST {
            return false;
        }
        let before = self.0.offset.swap(offset, Ordering::Relaxed);
        (before - offset).abs() >= 1000
    }
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("offset_ms", &self.offset_ms())
            .finish_non_exhaustive()
    }
}

/// The time as the `Date` header has it; the text of the last second is kept per thread.
pub fn http_date(time: SystemTime) -> HttpDate {
    thread_local! {
        static LAST: Cell<Option<(u64, HttpDate)>> = const { Cell::new(None) };
    }
    let second = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    match LAST.get() {
        Some((last, text)) if last == second => text,
        _ => {
            let text = date::http(time);
            LAST.set(Some((second, text)));
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_follows_the_server() {
        let local = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let clock = Clock::from_fn(move || local);
        for server in [
            local + Duration::from_secs(3600),
            local - Duration::from_secs(7200),
        ] {
            assert!(clock.correct(server));
            assert_eq!(clock.now(), server);
            assert!(!clock.correct(server), "nothing new");
        }
        assert!(!clock.correct(UNIX_EPOCH));
        assert_eq!(clock.offset_ms(), -7_200_000);
    }

    #[test]
    fn dates_are_those_of_their_second() {
        for second in [0, 1_175_024_202, 1_175_024_202, 1_175_024_203, 5] {
            let time = UNIX_EPOCH + Duration::from_millis(second * 1000 + 999);
            assert_eq!(http_date(time).as_ref(), date::http(time).as_ref());
        }
    }
}
