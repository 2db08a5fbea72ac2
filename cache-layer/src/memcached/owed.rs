//! Deletes that a server is owed: what was changed while it was away, or may have been.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::key::WireKey;
use super::node::Node;

/// A write that was sent and not answered can still run when the server comes to it. Its entry is
/// deleted a second time this long after the first delete was answered.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);

/// The keys whose entries are not to be believed before they are deleted. Bounded: beyond that the
/// whole server is not to be believed.
#[derive(Debug)]
pub(crate) struct Owed {
    most: usize,
    /// Whether there is anything; so that there being nothing costs nothing.
    any: AtomicBool,
    debts: Mutex<Debts>,
}

#[derive(Debug, Default)]
struct Debts {
    keys: HashMap<WireKey, Debt>,
    /// Everything is owed.
    all: bool,
    /// A task sees to it.
    paying: bool,
    /// Grows with each that is added, so that a payment knows what it paid.
    turn: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Debt {
    turn: u64,
    /// The write may still run.
    doubt: bool,
    /// Not to be paid before this.
    due: Option<Instant>,
    /// Other servers that have, or may have, an entry of this key since this one is away.
    pub(crate) stand_ins: Vec<Weak<Node>>,
}

/// What is to be paid now.
#[derive(Debug)]
pub(crate) enum Due {
    Nothing,
    /// Not before this.
    Later(Instant),
    Keys(Vec<(WireKey, Debt)>),
    Everything,
}

/// As many are paid at once.
const BATCH: usize = 256;

impl Owed {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            any: AtomicBool::new(false),
            debts: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Debts> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything is owed.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether the entry of this key is not to be believed.
    pub(crate) fn has(&self, key: &WireKey) -> bool {
        self.any() && {
            let debts = self.lock();
            debts.all || debts.keys.contains_key(key)
        }
    }

    /// How many keys are owed; nothing when it is all of them.
    pub(crate) fn len(&self) -> Option<usize> {
        let debts = self.lock();
        (!debts.all).then_some(debts.keys.len())
    }

    /// Adds a delete of this key; `doubt` when the write may still run. Says whether there was
    /// room for it: without, everything is owed.
    pub(crate) fn add(&self, key: &WireKey, doubt: bool, stand_in: Option<&Weak<Node>>) -> bool {
        let mut debts = self.lock();
        debts.turn += 1;
        let turn = debts.turn;
        self.any.store(true, Ordering::Release);
        if let Some(debt) = debts.keys.get_mut(key) {
            debt.turn = turn;
            debt.doubt |= doubt;
            debt.due = None;
            if let Some(other) = stand_in
                && !debt.stand_ins.iter().any(|known| known.ptr_eq(other))
            {
                debt.stand_ins.push(other.clone());
            }
            return true;
        }
        if debts.keys.len() >= self.most {
            debts.all = true;
            return false;
        }
        let debt = Debt {
            turn,
            doubt,
            due: None,
            stand_ins: stand_in.into_iter().cloned().collect(),
        };
        debts.keys.insert(key.clone(), debt);
        true
    }

    /// Everything is owed.
    pub(crate) fn add_all(&self) {
        self.lock().all = true;
        self.any.store(true, Ordering::Release);
    }

    /// What is to be paid at this instant.
    pub(crate) fn due(&self, now: Instant) -> Due {
        let debts = self.lock();
        if debts.all {
            return Due::Everything;
        }
        let ready = |debt: &Debt| debt.due.is_none_or(|due| due <= now);
        let keys = debts.keys.iter().filter(|(_, debt)| ready(debt));
        let keys: Vec<_> = keys
            .take(BATCH)
            .map(|(key, debt)| (key.clone(), debt.clone()))
            .collect();
        if !keys.is_empty() {
            return Due::Keys(keys);
        }
        match debts.keys.values().filter_map(|debt| debt.due).min() {
            Some(due) => Due::Later(due),
            None => Due::Nothing,
        }
    }

    /// This debt was paid at this instant.
    pub(crate) fn paid(&self, key: &WireKey, paid: &Debt, now: Instant) {
        let mut debts = self.lock();
        let Some(debt) = debts.keys.get_mut(key) else {
            return;
        };
        if debt.turn != paid.turn {
            return;
        }
        if debt.doubt {
            debt.doubt = false;
            debt.due = Some(now + AGAIN);
            return;
        }
        debts.keys.remove(key);
        self.settle(&debts);
    }

    /// An entry of this key was deleted, and no write of it is in doubt.
    pub(crate) fn deleted(&self, key: &WireKey) {
        if !self.any() {
            return;
        }
        let mut debts = self.lock();
        let certain = |debt: &Debt| !debt.doubt && debt.due.is_none() && debt.stand_ins.is_empty();
        if debts.keys.get(key).is_some_and(certain) {
            debts.keys.remove(key);
            self.settle(&debts);
        }
    }

    /// The turn that a payment of everything begins with.
    pub(crate) fn turn(&self) -> u64 {
        self.lock().turn
    }

    /// All that was owed at that turn was paid. Writes in doubt are paid again.
    pub(crate) fn paid_all(&self, turn: u64, now: Instant) {
        let mut debts = self.lock();
        debts.all = debts.turn != turn && debts.keys.len() >= self.most;
        debts.keys.retain(|_, debt| {
            if debt.turn <= turn && debt.doubt {
                debt.doubt = false;
                debt.due = Some(now + AGAIN);
            }
            debt.turn > turn || debt.due.is_some() || !debt.stand_ins.is_empty()
        });
        self.settle(&debts);
    }

    fn settle(&self, debts: &Debts) {
        let any = debts.all || !debts.keys.is_empty();
        self.any.store(any, Ordering::Release);
    }

    /// Takes the task of paying; nobody else gets it until the guard is dropped.
    pub(crate) fn take_task(&self) -> bool {
        !std::mem::replace(&mut self.lock().paying, true)
    }

    pub(crate) fn leave_task(&self) {
        self.lock().paying = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memcached::Key;

    fn key(name: &str) -> WireKey {
        Key::from(name).wire(false)
    }

    fn due(owed: &Owed, now: Instant) -> Vec<(WireKey, Debt)> {
        match owed.due(now) {
            Due::Keys(keys) => keys,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_debt_is_paid_once_and_one_in_doubt_twice() {
        let (owed, now) = (Owed::new(10), Instant::now());
        assert!(matches!(owed.due(now), Due::Nothing));
        owed.add(&key("sure"), false, None);
        owed.add(&key("doubt"), true, None);
        assert!(owed.has(&key("sure")) && owed.has(&key("doubt")) && !owed.has(&key("other")));
        for (key, debt) in due(&owed, now) {
            owed.paid(&key, &debt, now);
        }
        assert!(!owed.has(&key("sure")));
        assert!(owed.has(&key("doubt")), "it may still run");
        assert!(matches!(owed.due(now), Due::Later(at) if at == now + AGAIN));
        let keys = due(&owed, now + AGAIN);
        assert_eq!(keys.len(), 1);
        owed.paid(&keys[0].0, &keys[0].1, now + AGAIN);
        assert!(!owed.any());
    }

    #[test]
    fn what_is_added_while_it_is_paid_stays() {
        let (owed, now) = (Owed::new(10), Instant::now());
        owed.add(&key("a"), false, None);
        let keys = due(&owed, now);
        owed.add(&key("a"), true, None);
        owed.paid(&keys[0].0, &keys[0].1, now);
        assert!(owed.has(&key("a")));
        let keys = due(&owed, now);
        owed.deleted(&key("a"));
        assert!(owed.has(&key("a")), "a write is in doubt");
        owed.paid(&keys[0].0, &keys[0].1, now);
        assert!(matches!(owed.due(now), Due::Later(_)));
    }

    #[test]
    fn beyond_the_bound_everything_is_owed() {
        let (owed, now) = (Owed::new(2), Instant::now());
        assert!(owed.add(&key("a"), false, None) && owed.add(&key("b"), true, None));
        assert!(owed.add(&key("a"), false, None), "it has its place");
        assert!(!owed.add(&key("c"), false, None));
        assert!(owed.has(&key("anything")));
        assert_eq!(owed.len(), None);
        assert!(matches!(owed.due(now), Due::Everything));
        let turn = owed.turn();
        owed.paid_all(turn, now);
        assert_eq!(owed.len(), Some(1), "the one in doubt is paid again");
        assert!(owed.has(&key("b")) && !owed.has(&key("a")));
    }

    #[test]
    fn an_answered_delete_pays() {
        let owed = Owed::new(2);
        owed.add(&key("a"), false, None);
        owed.deleted(&key("a"));
        assert!(!owed.any());
        owed.add_all();
        owed.deleted(&key("a"));
        assert!(owed.has(&key("a")));
    }

    #[test]
    fn one_task_pays() {
        let owed = Owed::new(1);
        assert!(owed.take_task());
        assert!(!owed.take_task());
        owed.leave_task();
        assert!(owed.take_task());
    }
}
