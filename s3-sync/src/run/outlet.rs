//! How tasks go from the thread that makes them to those that read files: in batches, and not too far ahead.

use std::collections::HashSet;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::content::SMALL;
use super::task::{Task, TaskStep};
use crate::error::Error;
use crate::tree::{Met, Skipped};

/// How many tasks go together, and with how many bytes of small files.
const BATCH: usize = 64;
const BATCH_BYTES: u64 = 1 << 20;
/// How many tasks may have been begun after one that has not ended.
const MAX_BEGUN: u64 = 32_768;

/// What is told besides tasks.
pub(crate) enum Note {
    Met(Met),
    Warning(String),
    /// The comparison cannot go on.
    Fatal(Error),
    /// All tasks have been made. Whether index and state have what is no more.
    Ended {
        index: bool,
        state: bool,
    },
}

/// Keeps those that make tasks from being too far ahead of those that end.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// The number of the first task that has not ended, or the largest number when the run is over.
    first: Mutex<u64>,
    moved: Condvar,
}

impl Pace {
    pub(crate) fn set(&self, first: u64) {
        let mut place = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        // Not for every task: those that wait are woken when there is room for many.
        if first >= place.saturating_add(1024) {
            *place = first;
            drop(place);
            self.moved.notify_all();
        }
    }

    fn wait(&self, number: u64) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        while number.saturating_sub(*first) > MAX_BEGUN {
            first = self
                .moved
                .wait(first)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Where tasks go.
pub(crate) struct Outlet {
    batches: SyncSender<Vec<Task>>,
    notes: UnboundedSender<Note>,
    pace: Arc<Pace>,
    batch: Vec<Task>,
    bytes: u64,
    number: u64,
    /// The keys of a list that nothing was met of yet; nothing where there is no list.
    unseen: Option<Arc<Mutex<HashSet<String>>>>,
}

impl Outlet {
    pub(crate) fn new(
        batches: SyncSender<Vec<Task>>,
        notes: UnboundedSender<Note>,
        pace: Arc<Pace>,
    ) -> Self {
        Self {
            batches,
            notes,
            pace,
            batch: Vec::with_capacity(BATCH),
            bytes: 0,
            number: 0,
            unseen: None,
        }
    }

    /// Remembers which of these keys nothing is met of.
    pub(crate) fn look_for(&mut self, keys: Option<&HashSet<String>>) {
        self.unseen = keys.map(|keys| Arc::new(Mutex::new(keys.clone())));
    }

    /// Gives a task its number and sends it on; whether anybody takes it.
    pub(crate) fn send(&mut self, mut task: Task) -> bool {
        see(self.unseen.as_deref(), &task.key);
        task.number = self.number;
        self.number += 1;
        if let (Some(file), false) = (&task.file, matches!(task.step, TaskStep::Same)) {
            self.bytes += file.stamp.size.min(SMALL);
        }
        self.batch.push(task);
        if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES {
            return self.flush();
        }
        true
    }

    pub(crate) fn flush(&mut self) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        self.pace.wait(self.number);
        self.bytes = 0;
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.batches.send(batch).is_ok()
    }

    /// A function that tells what a walk meets.
    pub(crate) fn met(&self) -> impl FnMut(Met) + 'static {
        let (notes, unseen) = (self.notes.clone(), self.unseen.clone());
        move |met| {
            // It is said why it is passed over, and no more.
            if let Met::Skipped(skipped) = &met {
                see(unseen.as_deref(), &skipped.key);
            }
            let _nobody_listens = notes.send(Note::Met(met));
        }
    }

    /// Tells of the keys that were to be [looked for](Self::look_for) and that nothing was met of, in their order.
    pub(crate) fn tell_unseen(&self) {
        let Some(unseen) = &self.unseen else { return };
        let mut keys: Vec<String> = lock(unseen).drain().collect();
        keys.sort_unstable();
        for key in keys {
            let reason = "it is in the list of keys, and was found on neither side";
            self.note(Note::Met(Met::Skipped(Skipped { key, reason })));
        }
    }

    /// Tells something besides tasks.
    pub(crate) fn note(&self, note: Note) {
        let _nobody_listens = self.notes.send(note);
    }
}

fn lock(unseen: &Mutex<HashSet<String>>) -> MutexGuard<'_, HashSet<String>> {
    unseen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn see(unseen: Option<&Mutex<HashSet<String>>>, key: &str) {
    if let Some(unseen) = unseen {
        lock(unseen).remove(key);
    }
}
