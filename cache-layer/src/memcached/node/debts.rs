//! The deletes that a server is owed, of entries that were changed while it was away, or may have been.
//!
//! *Problem:* A memcached server that was away has missed deletions. *Decision:* A change that failed or was left
//! unanswered owes its key a delete. Owed keys read as absent, and are deleted before the server is used again; beyond
//! a bound the server is emptied. An entry of a stand-in does not outlive the absence of the server that it stands for.
//! Commands that may run only once are pipelined with the others, since sending each alone would cost the throughput: a
//! lost one is owed a delete. *Cost:* Reads of owed keys miss.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::Node;
use crate::memcached::key::WireKey;

/// A write that was sent and not answered can still run when the server comes to it. Its entry is
/// deleted a second time this long after the first delete was answered.
pub(crate) const SECOND_DELETE_AFTER: Duration = Duration::from_secs(1);
/// A task that pays and has not been heard of for this long stands still with its runtime, and
/// another task takes over.
pub(crate) const PAYER_TAKEOVER_AFTER: Duration = Duration::from_secs(60);

/// The deletes that a server is owed. The entries of these keys are not believed before they are deleted. When more
/// keys are owed than fit, nothing that the server has is believed before it has been emptied.
#[derive(Debug)]
pub(crate) struct PendingDeletes {
    most: usize,
    /// Tells whether anything is owed. A caller that reads this takes no lock.
    any: AtomicBool,
    debts: Mutex<Debts>,
}

#[derive(Debug, Default)]
struct Debts {
    keys: HashMap<WireKey, Debt>,
    /// What is owed of the whole server, if it is to be emptied.
    all: Option<WholeServer>,
    /// The number of the task that pays, and when it was last heard of.
    payer: Option<(u64, Instant)>,
    /// The number of the last task that pays.
    payers: u64,
    /// A number that grows with each debt that is added, so that a payment knows what it has paid.
    turn: u64,
}

/// The debt of a whole server.
#[derive(Clone, Copy, Debug)]
struct WholeServer {
    turn: u64,
    /// Whether a write may still run that had no place of its own here.
    doubt: bool,
    /// The server is not to be emptied before this.
    due: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(crate) struct Debt {
    turn: u64,
    /// Whether the write may still run.
    doubt: bool,
    /// The debt is not to be paid before this.
    due: Option<Instant>,
    /// Other servers that have, or may have, got an entry of this key since this one is away.
    pub(crate) stand_ins: Vec<Weak<Node>>,
}

/// What is to be paid at an instant.
#[derive(Debug)]
pub(crate) enum Due {
    Nothing,
    /// Nothing is to be paid before this.
    Later(Instant),
    Keys(Vec<(WireKey, Debt)>),
    Everything,
}

/// How many debts are paid at once.
const MAX_DELETES_AT_ONCE: usize = 256;

impl PendingDeletes {
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

    /// Tells whether anything is owed.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether the entry of this key is not to be believed.
    pub(crate) fn has(&self, key: &WireKey) -> bool {
        self.any() && {
            let debts = self.lock();
            debts.all.is_some() || debts.keys.contains_key(key)
        }
    }

    /// How many keys are owed. Gives nothing when the whole server is.
    pub(crate) fn len(&self) -> Option<usize> {
        let debts = self.lock();
        debts.all.is_none().then_some(debts.keys.len())
    }

    /// Adds a delete of this key. `doubt` says that the write may still run. It says whether there was room for the
    /// key; if there was not, the whole server is owed.
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
            let before = debts.all.is_some_and(|all| all.doubt);
            debts.all = Some(WholeServer {
                turn,
                doubt: doubt || before,
                due: None,
            });
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

    /// What is owed of the whole server, if it is to be emptied.
    pub(crate) fn add_all(&self) {
        let mut debts = self.lock();
        debts.turn += 1;
        let doubt = debts.all.is_some_and(|all| all.doubt);
        debts.all = Some(WholeServer {
            turn: debts.turn,
            doubt,
            due: None,
        });
        self.any.store(true, Ordering::Release);
    }

    /// What is to be paid at this instant.
    pub(crate) fn due(&self, now: Instant) -> Due {
        let debts = self.lock();
        if debts
            .all
            .is_some_and(|all| all.due.is_none_or(|due| due <= now))
        {
            return Due::Everything;
        }
        let ready = |debt: &Debt| debt.due.is_none_or(|due| due <= now);
        let keys = debts.keys.iter().filter(|(_, debt)| ready(debt));
        let keys: Vec<_> = keys
            .take(MAX_DELETES_AT_ONCE)
            .map(|(key, debt)| (key.clone(), debt.clone()))
            .collect();
        if !keys.is_empty() {
            return Due::Keys(keys);
        }
        let all = debts.all.and_then(|all| all.due);
        let each = debts.keys.values().filter_map(|debt| debt.due);
        match each.chain(all).min() {
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
            debt.due = Some(now + SECOND_DELETE_AFTER);
            return;
        }
        debts.keys.remove(key);
        self.settle(&debts);
    }

    /// An entry of this key was deleted by a command that was sent at that turn or later. That pays
    /// what was owed then, if no write of it is in doubt.
    pub(crate) fn deleted(&self, key: &WireKey, turn: u64) {
        let mut debts = self.lock();
        let certain = |debt: &Debt| {
            debt.turn <= turn && !debt.doubt && debt.due.is_none() && debt.stand_ins.is_empty()
        };
        if debts.keys.get(key).is_some_and(certain) {
            debts.keys.remove(key);
            self.settle(&debts);
        }
    }

    /// The turn that a payment of everything begins with.
    pub(crate) fn turn(&self) -> u64 {
        self.lock().turn
    }

    /// The turn that a deletion begins with. Gives nothing when nothing is owed that the deletion could pay.
    pub(crate) fn turn_if_any(&self) -> Option<u64> {
        self.any().then(|| self.turn())
    }

    /// All that was owed at that turn was paid. Writes that may still run are paid once more.
    pub(crate) fn paid_all(&self, turn: u64, now: Instant) {
        let mut debts = self.lock();
        debts.all = match debts.all {
            Some(all) if all.turn > turn => Some(all),
            Some(all) if all.doubt => Some(WholeServer {
                doubt: false,
                due: Some(now + SECOND_DELETE_AFTER),
                ..all
            }),
            _ => None,
        };
        debts.keys.retain(|_, debt| {
            if debt.turn <= turn && debt.doubt {
                debt.doubt = false;
                debt.due = Some(now + SECOND_DELETE_AFTER);
            }
            debt.turn > turn || debt.due.is_some() || !debt.stand_ins.is_empty()
        });
        self.settle(&debts);
    }

    fn settle(&self, debts: &Debts) {
        let any = debts.all.is_some() || !debts.keys.is_empty();
        self.any.store(any, Ordering::Release);
    }

    /// Takes the task of paying, under a number. Nobody else gets it until it is
    /// [left](Self::leave_task), or nothing is [heard](Self::hear) of it for too long.
    pub(crate) fn take_task(&self, now: Instant) -> Option<u64> {
        let mut debts = self.lock();
        if let Some((_, heard)) = debts.payer
            && now < heard + PAYER_TAKEOVER_AFTER
        {
            return None;
        }
        debts.payers += 1;
        debts.payer = Some((debts.payers, now));
        Some(debts.payers)
    }

    /// The task of this number goes on; says whether it is still the one that pays.
    pub(crate) fn hear(&self, number: u64, now: Instant) -> bool {
        match &mut self.lock().payer {
            Some((payer, heard)) if *payer == number => {
                *heard = now;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn leave_task(&self, number: u64) {
        let mut debts = self.lock();
        debts.payer = debts.payer.filter(|(payer, _)| *payer != number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memcached::Key;

    fn key(name: &str) -> WireKey {
        Key::from(name).wire(false)
    }

    fn due(owed: &PendingDeletes, now: Instant) -> Vec<(WireKey, Debt)> {
        match owed.due(now) {
            Due::Keys(keys) => keys,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_debt_is_paid_once_and_one_in_doubt_twice() {
        let (owed, now) = (PendingDeletes::new(10), Instant::now());
        assert!(matches!(owed.due(now), Due::Nothing));
        owed.add(&key("sure"), false, None);
        owed.add(&key("doubt"), true, None);
        assert!(owed.has(&key("sure")) && owed.has(&key("doubt")) && !owed.has(&key("other")));
        for (key, debt) in due(&owed, now) {
            owed.paid(&key, &debt, now);
        }
        assert!(!owed.has(&key("sure")));
        assert!(owed.has(&key("doubt")), "it may still run");
        assert!(matches!(owed.due(now), Due::Later(at) if at == now + SECOND_DELETE_AFTER));
        let keys = due(&owed, now + SECOND_DELETE_AFTER);
        assert_eq!(keys.len(), 1);
        owed.paid(&keys[0].0, &keys[0].1, now + SECOND_DELETE_AFTER);
        assert!(!owed.any());
    }

    #[test]
    fn what_is_added_while_it_is_paid_stays() {
        let (owed, now) = (PendingDeletes::new(10), Instant::now());
        owed.add(&key("a"), false, None);
        let keys = due(&owed, now);
        owed.add(&key("a"), true, None);
        owed.paid(&keys[0].0, &keys[0].1, now);
        assert!(owed.has(&key("a")));
        let keys = due(&owed, now);
        owed.deleted(&key("a"), owed.turn());
        assert!(owed.has(&key("a")), "a write is in doubt");
        owed.paid(&keys[0].0, &keys[0].1, now);
        assert!(matches!(owed.due(now), Due::Later(_)));
    }

    #[test]
    fn beyond_the_bound_everything_is_owed() {
        let (owed, now) = (PendingDeletes::new(2), Instant::now());
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
        let owed = PendingDeletes::new(2);
        assert_eq!(owed.turn_if_any(), None);
        owed.add(&key("a"), false, None);
        owed.deleted(&key("a"), owed.turn_if_any().unwrap());
        assert!(!owed.any());
        owed.add_all();
        owed.deleted(&key("a"), owed.turn());
        assert!(owed.has(&key("a")));
    }

    #[test]
    fn a_delete_pays_nothing_that_was_added_after_it_was_sent() {
        let owed = PendingDeletes::new(2);
        owed.add(&key("a"), false, None);
        let turn = owed.turn();
        owed.add(&key("a"), false, None);
        owed.deleted(&key("a"), turn);
        assert!(owed.has(&key("a")));
    }

    #[test]
    fn what_is_added_is_due_at_once_though_the_key_was_paid_lately() {
        let (owed, now) = (PendingDeletes::new(10), Instant::now());
        owed.add(&key("a"), true, None);
        for (key, debt) in due(&owed, now) {
            owed.paid(&key, &debt, now);
        }
        assert!(matches!(owed.due(now), Due::Later(_)));
        owed.add(&key("a"), false, None);
        assert_eq!(due(&owed, now).len(), 1);
    }

    #[test]
    fn what_a_stand_in_has_is_paid_with_the_key_and_in_no_other_way() {
        let (owed, now) = (PendingDeletes::new(1), Instant::now());
        owed.add(&key("a"), false, Some(&Weak::new()));
        owed.deleted(&key("a"), owed.turn());
        assert!(owed.has(&key("a")));
        assert!(!owed.add(&key("b"), false, None));
        owed.paid_all(owed.turn(), now);
        assert!(owed.has(&key("a")) && !owed.has(&key("b")));
        for (key, debt) in due(&owed, now) {
            assert_eq!(debt.stand_ins.len(), 1);
            owed.paid(&key, &debt, now);
        }
        assert!(!owed.any());
    }

    #[test]
    fn emptying_pays_nothing_that_was_added_after_it_was_sent() {
        let (owed, now) = (PendingDeletes::new(1), Instant::now());
        owed.add_all();
        let turn = owed.turn();
        // As when another flush has failed meanwhile.
        owed.add_all();
        owed.paid_all(turn, now);
        assert!(matches!(owed.due(now), Due::Everything));
        let turn = owed.turn();
        owed.add(&key("a"), false, None);
        owed.paid_all(turn, now);
        assert_eq!(owed.len(), Some(1));
        let turn = owed.turn();
        assert!(!owed.add(&key("b"), false, None));
        owed.paid_all(turn, now);
        assert!(matches!(owed.due(now), Due::Everything), "b is owed still");
    }

    #[test]
    fn a_write_in_doubt_that_has_no_place_empties_the_server_twice() {
        let (owed, now) = (PendingDeletes::new(1), Instant::now());
        owed.add(&key("a"), false, None);
        assert!(!owed.add(&key("b"), true, None) && !owed.add(&key("c"), false, None));
        owed.paid_all(owed.turn(), now);
        assert!(owed.has(&key("b")), "it may still run");
        assert!(matches!(owed.due(now), Due::Later(at) if at == now + SECOND_DELETE_AFTER));
        assert!(matches!(
            owed.due(now + SECOND_DELETE_AFTER),
            Due::Everything
        ));
        owed.paid_all(owed.turn(), now + SECOND_DELETE_AFTER);
        assert!(!owed.any());
    }

    #[test]
    fn one_task_pays_until_it_stands_still() {
        let (owed, start) = (PendingDeletes::new(1), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = owed.take_task(start).unwrap();
        assert_eq!(owed.take_task(at(59)), None);
        assert!(owed.hear(first, at(59)));
        assert_eq!(owed.take_task(at(118)), None);
        let second = owed.take_task(at(119)).unwrap();
        // What the first says then is of no account.
        assert!(!owed.hear(first, at(120)));
        owed.leave_task(first);
        assert_eq!(owed.take_task(at(120)), None);
        owed.leave_task(second);
        assert!(owed.take_task(at(120)).is_some());
    }
}
