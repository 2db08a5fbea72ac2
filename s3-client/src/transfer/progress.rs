//! How far a transfer is: [`Progress`].
//!
//! *Problem:* Parts are done by several tasks at the same time, and nobody may hear of fewer bytes after more.
//! *Decision:* One task tells at a time, without a lock; what others add meanwhile is told by that task when the call
//! comes back. *Cost:* A slow function is called more seldom, and holds up the part whose task calls it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The bytes that are done: of an upload those that the store has confirmed, of a put those that were handed to the
    /// connection, downwards those that were handed to the file. It never falls, and what is sent or fetched again counts once.
    pub bytes: u64,
    /// The bytes that there are in all, when that is known.
    pub total: Option<u64>,
}

/// Who is told of progress.
#[derive(Clone, Default)]
pub(crate) struct Report(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Report {
    pub(crate) fn to(report: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(report)))
    }
}

impl Report {
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Report(yes)"
        } else {
            "Report(no)"
        })
    }
}

/// Counts what is done, and tells of it.
#[derive(Debug)]
pub(crate) struct Meter {
    state: Mutex<MeterState>,
    report: Report,
}

#[derive(Debug)]
struct MeterState {
    done: Progress,
    /// Whether somebody is telling, who will tell of what is added meanwhile.
    telling: bool,
}

impl Meter {
    pub(crate) fn new(report: Report, total: Option<u64>) -> Self {
        Self {
            state: Mutex::new(MeterState {
                done: Progress { bytes: 0, total },
                telling: false,
            }),
            report,
        }
    }

    /// So many bytes more are done.
    pub(crate) fn add(&self, bytes: u64) {
        self.update(|done| done + bytes);
    }

    /// So many bytes are done, unless more are already.
    pub(crate) fn reach(&self, bytes: u64) {
        if bytes > self.bytes() {
            self.update(|done| done.max(bytes));
        }
    }

    fn update(&self, done: impl FnOnce(u64) -> u64) {
        let mut state = self.lock();
        state.done.bytes = done(state.done.bytes);
        let Some(report) = &self.report.0 else {
            return;
        };
        if state.telling {
            return;
        }
        state.telling = true;
        loop {
            let done = state.done;
            drop(state);
            report(done);
            state = self.lock();
            if state.done == done {
                state.telling = false;
                return;
            }
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.lock().done.bytes
    }

    fn lock(&self) -> MutexGuard<'_, MeterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    #[test]
    fn what_is_added_while_it_is_told_is_told_next_and_not_under_the_lock() {
        let meter: Arc<OnceLock<Meter>> = Arc::default();
        let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
        let (inner, list) = (meter.clone(), told.clone());
        let report = Report::to(move |progress| {
            list.lock().unwrap().push(progress);
            if progress.bytes < 30 {
                // It would wait for ever if the meter were locked meanwhile.
                let meter = inner.get().unwrap();
                meter.add(10);
                meter.add(5);
                assert_eq!(meter.bytes(), progress.bytes + 15);
            }
        });
        let meter = meter.get_or_init(|| Meter::new(report, Some(40)));
        meter.add(10);
        meter.add(0);
        meter.reach(40);
        meter.reach(39);
        let told = told.lock().unwrap();
        let bytes: Vec<u64> = told.iter().map(|progress| progress.bytes).collect();
        assert_eq!(bytes, [10, 25, 40, 40]);
        assert!(told.iter().all(|progress| progress.total == Some(40)));
    }
}
