//! What was used lately, within a bound.
//!
//! *Problem:* A process keeps what it will be asked for again, and must not grow with everything it was ever asked for.
//! *Decision:* Two maps. What is put or found goes to the young one; when that weighs half of the bound it becomes the old
//! one, and what the old one had is dropped. *Cost:* What is dropped is not always what was used longest ago, and no order
//! has to be kept.

use std::collections::HashMap;
use std::hash::Hash;

/// A map that holds at most `bound` of weight.
pub(crate) struct Recent<K, V> {
    young: HashMap<K, (usize, V)>,
    old: HashMap<K, (usize, V)>,
    weight: usize,
    bound: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> Recent<K, V> {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            weight: 0,
            bound,
        }
    }

    /// What is kept under this key.
    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        if let Some((_, value)) = self.young.get(key) {
            return Some(value.clone());
        }
        let (weight, value) = self.old.remove(key)?;
        self.put(key.clone(), value.clone(), weight);
        Some(value)
    }

    /// Keeps this under the key, if it weighs no more than half of the bound.
    pub(crate) fn put(&mut self, key: K, value: V, weight: usize) {
        let half = self.bound / 2;
        self.remove(&key);
        if weight > half {
            return;
        }
        if self.weight + weight > half {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += weight;
        self.young.insert(key, (weight, value));
    }

    /// Drops what is kept under this key.
    pub(crate) fn remove(&mut self, key: &K) {
        if let Some((weight, _)) = self.young.remove(key) {
            self.weight -= weight;
        }
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_never_lies_and_never_grows(steps in proptest::collection::vec((0..3u8, 0..12u8, 0..8usize), 0..200)) {
            let mut recent = Recent::new(20);
            let mut last: HashMap<u8, usize> = HashMap::new();
            for (step, (what, key, weight)) in steps.into_iter().enumerate() {
                match what {
                    0 => {
                        recent.put(key, step, weight);
                        last.insert(key, step);
                    }
                    1 => {
                        recent.remove(&key);
                        last.remove(&key);
                    }
                    _ => {
                        let found = recent.get(&key);
                        prop_assert!(found.is_none() || found.as_ref() == last.get(&key));
                    }
                }
                let weight = |map: &HashMap<u8, (usize, usize)>| map.values().map(|(w, _)| w).sum::<usize>();
                prop_assert!(weight(&recent.young) <= 10 && weight(&recent.old) <= 10);
                prop_assert_eq!(weight(&recent.young), recent.weight);
            }
        }
    }

    #[test]
    fn what_is_used_stays() {
        let mut recent = Recent::new(8);
        recent.put("kept", 1, 1);
        for i in 0..100 {
            assert_eq!(recent.get(&"kept"), Some(1));
            recent.put("other", i, 1);
            recent.put("more", i, 2);
        }
        recent.put("heavy", 1, 5);
        assert_eq!(recent.get(&"heavy"), None);
    }
}
