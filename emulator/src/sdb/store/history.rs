//! What items were before the last writes, for reads that may see the past.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Item, Text};

/// The most writes that are remembered, whatever their age.
const WRITES_MAX: usize = 4096;

/// Items that differ from what they are now: what each was, or that it was not there.
pub(crate) type Overlay = BTreeMap<Text, Option<Arc<Item>>>;

/// The last writes, oldest first.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Write>);

#[derive(Debug)]
struct Write {
    at: Instant,
    before: Vec<(Text, Option<Arc<Item>>)>,
}

impl History {
    /// Remembers a write for as long as a read may miss it; for no time, forgets all.
    pub(super) fn push(
        &mut self,
        at: Instant,
        age: Duration,
        before: impl FnOnce() -> Vec<(Text, Option<Arc<Item>>)>,
    ) {
        if age.is_zero() {
            self.0.clear();
            return;
        }
        while self.0.len() >= WRITES_MAX || self.0.front().is_some_and(|old| old.is_over(at, age)) {
            self.0.pop_front();
        }
        let before = before();
        self.0.push_back(Write { at, before });
    }

    /// How many writes are younger than `age`.
    pub(super) fn recent(&self, now: Instant, age: Duration) -> usize {
        let recent = self
            .0
            .iter()
            .rev()
            .take_while(|write| !write.is_over(now, age));
        recent.count()
    }

    /// The domain as it was before its last `unseen` writes.
    pub(super) fn past(&self, unseen: usize) -> Overlay {
        let mut overlay = Overlay::new();
        for write in self.0.iter().rev().take(unseen) {
            // An older write knows of an older state.
            overlay.extend(write.before.iter().cloned());
        }
        overlay
    }
}

impl Write {
    fn is_over(&self, now: Instant, age: Duration) -> bool {
        now.saturating_duration_since(self.at) >= age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_bounded_by_age_and_goes_back_by_writes() {
        let mut history = History::default();
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        let age = Duration::from_secs(10);
        let name = Text::from("i");
        let item = Arc::new(Item::new());
        history.push(second(0), age, || vec![(name.clone(), None)]);
        history.push(second(5), age, || {
            vec![(name.clone(), Some(Arc::clone(&item)))]
        });
        assert_eq!(history.recent(second(6), age), 2);
        assert_eq!(history.recent(second(10), age), 1);
        assert_eq!(history.recent(second(15), age), 0);
        assert!(history.past(0).is_empty());
        assert!(history.past(1)[&name].is_some());
        assert!(history.past(2)[&name].is_none());
        history.push(second(20), Duration::ZERO, Vec::new);
        assert_eq!(history.recent(second(20), age), 0);
    }
}
