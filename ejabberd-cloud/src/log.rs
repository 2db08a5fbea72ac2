//! What the program says, on standard error, which is that of the server that started it.
//!
//! *Problem:* While a store is away, every call fails, hundreds in a second, and a log that repeats it as often fills the
//! disk of a node that keeps nothing else on it. *Decision:* At most [`PER_SECOND`] lines about calls are written in a second,
//! and the next line after a pause says how many were left out. *Cost:* The reasons of those are not known.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cloud_stores::Kind;

/// How many lines about calls there may be in a second.
const PER_SECOND: u32 = 5;

/// Writes a line that is always of interest: a start, an end, a change.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    // A parent that has closed standard error wants to hear nothing.
    let _ = writeln!(std::io::stderr().lock(), "ejabberd-cloud: {text}");
}

/// Says why calls failed, but not too often.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<Budget>);

#[derive(Debug, Default)]
struct Budget {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Failures {
    /// Says why a call failed, unless it is a failure that callers ask for.
    pub(crate) fn note(&self, operation: &str, kind: Kind, why: &str) {
        if matches!(kind, Kind::Conflict | Kind::Exists | Kind::NotFound) {
            return;
        }
        let left_out = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(Instant::now());
        match left_out {
            None => {}
            Some(0) => line(format_args!("{operation}: {why}")),
            Some(count) => line(format_args!(
                "{operation}: {why} ({count} other failures were not told)"
            )),
        }
    }
}

impl Budget {
    /// How many failures were left out before this one; nothing if this one is to be left out, too.
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self
            .since
            .is_none_or(|since| now.duration_since(since) >= Duration::from_secs(1))
        {
            self.since = Some(now);
            self.written = 0;
        }
        if self.written == PER_SECOND {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_lines_a_second_and_the_rest_is_counted() {
        let mut budget = Budget::default();
        let begun = Instant::now();
        for _ in 0..PER_SECOND {
            assert_eq!(budget.take(begun), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(budget.take(begun + Duration::from_millis(999)), None);
        }
        assert_eq!(budget.take(begun + Duration::from_secs(1)), Some(7));
        assert_eq!(budget.take(begun + Duration::from_secs(1)), Some(0));
    }
}
