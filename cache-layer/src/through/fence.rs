//! Who may read a key through the cache, and who may fill it: the rules for the keys of one process.
//!
//! Nothing here waits or touches a socket. The rules are those that the model in the tests goes through in
//! all orders of two processes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::suspects::Suspects;
use crate::memcached::Key;

/// One key of this process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fence<T> {
    /// Writes that are under way.
    writes: u32,
    /// Until then the cache may have what a write has made old, since a deletion was not acknowledged or a
    /// write may still be on its way.
    doubted_until: Option<T>,
    /// The read that others may join, and that may fill.
    flight: Option<u64>,
}

impl<T> Default for Fence<T> {
    fn default() -> Self {
        Self {
            writes: 0,
            doubted_until: None,
            flight: None,
        }
    }
}

/// How a read goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    /// Past the cache, and it fills nothing.
    Past,
    /// It waits for this read, which has begun already.
    Join(u64),
    /// Through the cache, under this number.
    Lead(u64),
}

impl<T: Ord + Copy> Fence<T> {
    /// A read begins; `next` is the number it gets if it leads.
    pub(crate) fn enter(&mut self, now: T, next: u64) -> Admit {
        if !self.trusts(now) {
            return Admit::Past;
        }
        match self.flight {
            Some(flight) => Admit::Join(flight),
            None => {
                self.flight = Some(next);
                Admit::Lead(next)
            }
        }
    }

    /// Whether a read that fills nothing and that nobody joins may believe what the cache has. Writes that begin
    /// meanwhile need not know of it: it began before they ended.
    pub(crate) fn trusts(&self, now: T) -> bool {
        self.writes == 0 && !self.is_doubted(now)
    }

    /// Whether nothing was written since this read began: only then may it fill.
    pub(crate) fn is_current(&self, flight: u64) -> bool {
        self.flight == Some(flight)
    }

    /// A read that leads has ended.
    pub(crate) fn leave(&mut self, flight: u64) {
        if self.is_current(flight) {
            self.flight = None;
        }
    }

    /// A write begins. Reads that begin from now on do not join one that began before.
    pub(crate) fn begin_write(&mut self) {
        self.writes += 1;
        self.flight = None;
    }

    /// A write has ended; what the cache has is doubted until then, if anything.
    pub(crate) fn end_write(&mut self, doubted_until: Option<T>) {
        self.writes = self.writes.saturating_sub(1);
        self.flight = None;
        self.doubted_until = self.doubted_until.max(doubted_until);
    }

    fn is_doubted(&self, now: T) -> bool {
        self.doubted_until.is_some_and(|until| now < until)
    }

    fn is_idle(&self, now: T) -> bool {
        self.flight.is_none() && self.trusts(now)
    }

    /// Whether [`trusts`](Self::trusts) has to be asked.
    fn is_suspect(&self) -> bool {
        self.writes > 0 || self.doubted_until.is_some()
    }
}

/// The fences of all keys that need one.
#[derive(Debug)]
pub(crate) struct Fences<F> {
    keys: HashMap<Key, (Fence<Instant>, Option<F>)>,
    /// Keys that are doubted.
    doubted: usize,
    max_doubted: usize,
    /// Shards of which more keys were doubted than can be remembered.
    shards: HashMap<usize, Instant>,
    /// The keys whose fence is suspect, and whether there are such shards.
    suspects: Arc<Suspects>,
    next: u64,
}

/// How a read goes on, with what those who join wait for.
pub(crate) enum Entered<F> {
    Past,
    Join(F),
    Lead(u64, F),
}

impl<F: Clone> Fences<F> {
    pub(crate) fn new(max_doubted: usize, suspects: Arc<Suspects>) -> Self {
        Self {
            keys: HashMap::new(),
            doubted: 0,
            max_doubted,
            shards: HashMap::new(),
            suspects,
            next: 0,
        }
    }

    fn is_doubted_shard(&mut self, shard: impl FnOnce() -> usize, now: Instant) -> bool {
        if self.shards.is_empty() {
            return false;
        }
        self.shards.retain(|_, until| now < *until);
        self.suspects.set_others(!self.shards.is_empty());
        self.shards.contains_key(&shard())
    }

    pub(crate) fn enter(
        &mut self,
        key: &Key,
        shard: impl FnOnce() -> usize,
        now: Instant,
        flight: impl FnOnce() -> F,
    ) -> Entered<F> {
        if self.is_doubted_shard(shard, now) {
            return Entered::Past;
        }
        self.next += 1;
        if let Some((fence, waited)) = self.keys.get_mut(key) {
            return match (fence.enter(now, self.next), &waited) {
                (Admit::Past, _) => Entered::Past,
                (Admit::Join(_), Some(flight)) => Entered::Join(flight.clone()),
                (Admit::Join(id) | Admit::Lead(id), _) => {
                    let flight = flight();
                    *waited = Some(flight.clone());
                    Entered::Lead(id, flight)
                }
            };
        }
        let mut fence = Fence::default();
        fence.enter(now, self.next);
        let flight = flight();
        self.keys.insert(key.clone(), (fence, Some(flight.clone())));
        Entered::Lead(self.next, flight)
    }

    /// Whether what the cache has of this key may be believed by a read that [fills nothing](Fence::trusts).
    pub(crate) fn trusts(
        &mut self,
        key: &Key,
        shard: impl FnOnce() -> usize,
        now: Instant,
    ) -> bool {
        if self.is_doubted_shard(shard, now) {
            return false;
        }
        let Some((fence, _)) = self.keys.get(key) else {
            return true;
        };
        let trusts = fence.trusts(now);
        if fence.is_idle(now) {
            // Its doubt is over.
            self.remove(key);
        }
        trusts
    }

    pub(crate) fn is_current(&self, key: &Key, id: u64) -> bool {
        self.keys
            .get(key)
            .is_some_and(|(fence, _)| fence.is_current(id))
    }

    pub(crate) fn leave(&mut self, key: &Key, id: u64, now: Instant) {
        if let Some((fence, waited)) = self.keys.get_mut(key)
            && fence.is_current(id)
        {
            fence.leave(id);
            *waited = None;
            if fence.is_idle(now) {
                self.remove(key);
            }
        }
    }

    pub(crate) fn begin_write(&mut self, key: &Key) {
        let place = self.keys.entry(key.clone());
        let (fence, waited) = place.or_insert_with(|| (Fence::default(), None));
        if !fence.is_suspect() {
            self.suspects.add(key);
        }
        fence.begin_write();
        *waited = None;
    }

    pub(crate) fn end_write(
        &mut self,
        key: &Key,
        shard: impl FnOnce() -> usize,
        doubted_until: Option<Instant>,
        now: Instant,
    ) {
        if doubted_until.is_some() && self.doubted >= self.max_doubted {
            self.forget_old(now);
        }
        let full = self.doubted >= self.max_doubted;
        let Some((fence, waited)) = self.keys.get_mut(key) else {
            return;
        };
        let (was, suspect) = (fence.doubted_until.is_some(), fence.is_suspect());
        // What cannot be remembered for a key is for all keys of its shard.
        let whole_shard = full && !was && doubted_until.is_some();
        fence.end_write(doubted_until.filter(|_| !whole_shard));
        *waited = None;
        if suspect && !fence.is_suspect() {
            self.suspects.remove(key);
        }
        self.doubted += usize::from(!was && fence.doubted_until.is_some());
        if fence.is_idle(now) {
            self.remove(key);
        }
        if whole_shard && let Some(until) = doubted_until {
            let shard = self.shards.entry(shard()).or_insert(until);
            *shard = until.max(*shard);
            self.suspects.set_others(true);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some((fence, _)) = self.keys.remove(key) {
            self.doubted -= usize::from(fence.doubted_until.is_some());
            if fence.is_suspect() {
                self.suspects.remove(key);
            }
        }
    }

    fn forget_old(&mut self, now: Instant) {
        let suspects = &self.suspects;
        self.keys.retain(|key, (fence, _)| {
            let suspect = fence.is_suspect();
            if !fence.is_doubted(now) {
                fence.doubted_until = None;
            }
            if suspect && !fence.is_suspect() {
                suspects.remove(key);
            }
            !fence.is_idle(now)
        });
        let doubts = self.keys.values();
        self.doubted = doubts.filter(|(f, _)| f.doubted_until.is_some()).count();
    }

    /// Keys that the cache is not asked for at present.
    pub(crate) fn doubted(&mut self, now: Instant) -> usize {
        self.forget_old(now);
        self.doubted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const TTL: Duration = Duration::from_secs(60);

    fn fences(max_doubted: usize) -> Fences<u32> {
        Fences::new(max_doubted, Arc::new(Suspects::new()))
    }

    fn enter(fences: &mut Fences<u32>, key: &str, now: Instant) -> Entered<u32> {
        fences.enter(&Key::from(key), || key.len(), now, || 7)
    }

    #[test]
    fn a_write_cuts_reads_off_and_lets_none_fill_meanwhile() {
        let (mut fences, now) = (fences(10), Instant::now());
        let key = Key::from("k");
        let Entered::Lead(first, _) = enter(&mut fences, "k", now) else {
            panic!("it leads");
        };
        assert!(matches!(enter(&mut fences, "k", now), Entered::Join(7)));
        assert!(fences.is_current(&key, first));
        fences.begin_write(&key);
        assert!(!fences.is_current(&key, first));
        assert!(matches!(enter(&mut fences, "k", now), Entered::Past));
        fences.end_write(&key, || 0, None, now);
        let Entered::Lead(second, _) = enter(&mut fences, "k", now) else {
            panic!("it leads");
        };
        // The end of the first is not the end of the second.
        fences.leave(&key, first, now);
        assert!(fences.is_current(&key, second));
        fences.leave(&key, second, now);
        assert!(fences.keys.is_empty());
    }

    #[test]
    fn two_writes_at_once_end_with_the_last() {
        let (mut fences, now) = (fences(10), Instant::now());
        let key = Key::from("k");
        fences.begin_write(&key);
        fences.begin_write(&key);
        fences.end_write(&key, || 0, None, now);
        assert!(matches!(enter(&mut fences, "k", now), Entered::Past));
        fences.end_write(&key, || 0, None, now);
        assert!(matches!(enter(&mut fences, "k", now), Entered::Lead(..)));
    }

    #[test]
    fn doubts_end_and_are_bounded() {
        let (mut fences, now) = (fences(2), Instant::now());
        let doubt = |fences: &mut Fences<u32>, key: &str, now: Instant| {
            fences.begin_write(&Key::from(key));
            fences.end_write(&Key::from(key), || key.len(), Some(now + TTL), now);
        };
        doubt(&mut fences, "a", now);
        doubt(&mut fences, "a", now);
        doubt(&mut fences, "b", now);
        assert_eq!(fences.doubted(now), 2);
        assert!(matches!(enter(&mut fences, "c", now), Entered::Lead(..)));
        // One too many: its shard is doubted, all keys of one letter here.
        doubt(&mut fences, "d", now);
        assert_eq!(fences.doubted(now), 2);
        assert!(matches!(enter(&mut fences, "e", now), Entered::Past));
        assert!(matches!(enter(&mut fences, "ff", now), Entered::Lead(..)));
        let later = now + TTL;
        for key in ["a", "b", "d", "e"] {
            assert!(
                matches!(enter(&mut fences, key, later), Entered::Lead(..)),
                "{key}"
            );
        }
        // Room again.
        doubt(&mut fences, "g", later);
        assert!(matches!(enter(&mut fences, "h", later), Entered::Lead(..)));
        assert!(matches!(enter(&mut fences, "g", later), Entered::Past));
    }

    #[test]
    fn reads_without_a_lock_are_warned_for_as_long_as_there_is_need() {
        let (mut fences, now) = (fences(1), Instant::now());
        let (k, l) = (Key::from("k"), Key::from("long"));
        let suspects = fences.suspects.clone();
        let may = |key: &Key| suspects.may_have(key);
        // A flight is no reason.
        let Entered::Lead(flight, _) = enter(&mut fences, "k", now) else {
            panic!("it leads");
        };
        assert!(!may(&k));
        fences.begin_write(&k);
        fences.begin_write(&k);
        fences.leave(&k, flight, now);
        fences.end_write(&k, || 1, None, now);
        assert!(may(&k) && !fences.trusts(&k, || 1, now));
        fences.end_write(&k, || 1, None, now);
        assert!(!may(&k) && fences.trusts(&k, || 1, now));
        // A doubt is one, until somebody sees that it is over.
        fences.begin_write(&k);
        fences.end_write(&k, || 1, Some(now + TTL), now);
        assert!(may(&k) && !fences.trusts(&k, || 1, now) && !may(&l));
        assert!(fences.trusts(&k, || 1, now + TTL) && !may(&k));
        for times in 0..2 {
            fences.begin_write(&k);
            fences.end_write(&k, || 1, Some(now + TTL), now);
            // What has no room makes suspects of all.
            fences.begin_write(&l);
            fences.end_write(&l, || 4, Some(now + TTL), now);
            assert!(may(&Key::from("any")));
            assert!(!fences.trusts(&Key::from("some"), || 4, now));
            assert!(fences.trusts(&Key::from("any"), || 3, now));
            if times == 0 {
                assert_eq!(fences.doubted(now + TTL), 0);
            }
            for key in [&k, &l] {
                assert!(fences.trusts(key, || key.as_bytes().len(), now + TTL));
            }
            assert!(!may(&k) && !may(&l) && !may(&Key::from("any")));
        }
    }
}
