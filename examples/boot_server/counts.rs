//! What is asked of the emulator, and which contents go there and back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use emulator::{Emulator, Fault, Rule, Seen};
use s3_sync::Digest;

/// Sums of one step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) requests: u64,
    pub(crate) sent: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) fetched: u64,
    pub(crate) fetched_bytes: u64,
}

/// Counts requests until it is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    step: Step,
    /// The size of each content, by its digest.
    sizes: HashMap<Digest, u64>,
}

impl Counts {
    /// Counts what this emulator is asked from now on.
    pub(crate) fn of(emulator: &Emulator) -> Self {
        let counts = Self::default();
        let told = counts.clone();
        let rule = Rule::new(Fault::none()).when(move |seen| {
            told.add(seen);
            false
        });
        emulator.faults().add(rule);
        counts
    }

    /// Makes a content known, so that its bytes can be counted.
    pub(crate) fn knows(&self, content: &[u8]) {
        let size = content.len() as u64;
        self.inner().sizes.insert(Digest::of(content), size);
    }

    /// What was counted since the last step.
    pub(crate) fn step(&self, name: &'static str) -> Step {
        let mut step = std::mem::take(&mut self.inner().step);
        step.name = name;
        step
    }

    fn add(&self, seen: &Seen) {
        let mut inner = self.inner();
        inner.step.requests += 1;
        let name = seen.key.as_deref().and_then(|key| key.split_once("blobs/"));
        let digest = name.and_then(|(_, name)| name.get(3..)?.parse::<Digest>().ok());
        let Some(digest) = digest else { return };
        let size = inner.sizes.get(&digest).copied().unwrap_or_default();
        match seen.method.as_str() {
            "PUT" => {
                inner.step.sent += 1;
                inner.step.sent_bytes += size;
            }
            "GET" => {
                inner.step.fetched += 1;
                inner.step.fetched_bytes += size;
            }
            _ => {}
        }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
