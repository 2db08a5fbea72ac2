//! What became of each message: nobody is believed but who has received it.
//!
//! A message is lost in this account if it was sent and neither arrived nor waits in the store for its receiver. What a
//! server acknowledges (XEP-0198) it has taken over; but until it is in a store or on the wire to its receiver, it is in the
//! memory of a node, and goes with it. A client has receipts (XEP-0184) for that: who has none sends again. Here the ledger
//! stands for them.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

/// All messages of a run.
#[derive(Debug)]
pub(crate) struct Ledger {
    messages: Mutex<Vec<Message>>,
    changes: watch::Sender<u64>,
}

/// One message. Its id is its place in the ledger.
#[derive(Clone, Debug)]
struct Message {
    from: usize,
    to: String,
    begun: Instant,
    sent: u32,
    is_acknowledged: bool,
    is_refused: bool,
    received: u32,
    /// How long it took to arrive the first time.
    took: Option<Duration>,
    by_others: u32,
}

/// What all messages came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) sent: usize,
    pub(crate) received: usize,
    /// Those that arrived more than once.
    pub(crate) twice: usize,
    /// Those that somebody got to whom they were not sent.
    pub(crate) astray: usize,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            messages: Mutex::default(),
            changes: watch::channel(0).0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Message)) {
        let place = usize::try_from(id).unwrap_or(usize::MAX);
        // The lock is free again before anybody is told.
        let changed = self.lock().get_mut(place).map(change);
        if changed.is_some() {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// Notes a message that is about to be sent, and gives its id.
    pub(crate) fn begin(&self, from: usize, to: &str) -> u64 {
        let mut messages = self.lock();
        messages.push(Message {
            from,
            to: to.to_owned(),
            begun: Instant::now(),
            sent: 1,
            is_acknowledged: false,
            is_refused: false,
            received: 0,
            took: None,
            by_others: 0,
        });
        messages.len() as u64 - 1
    }

    /// The server has it.
    pub(crate) fn acknowledged(&self, id: u64) {
        self.change(id, |message| message.is_acknowledged = true);
    }

    /// The server has given it back.
    pub(crate) fn refused(&self, id: u64) {
        self.change(id, |message| message.is_refused = true);
    }

    /// Somebody has got it.
    pub(crate) fn received(&self, id: u64, by: &str) {
        self.change(id, |message| match message.to == by {
            true => {
                message.received += 1;
                message.took.get_or_insert_with(|| message.begun.elapsed());
            }
            false => message.by_others += 1,
        });
    }

    /// It is sent again: to whom.
    pub(crate) fn again(&self, id: u64) -> String {
        let mut to = String::new();
        self.change(id, |message| {
            message.sent += 1;
            message.is_refused = false;
            to.clone_from(&message.to);
        });
        to
    }

    /// Whether the server has it, or its receiver.
    pub(crate) fn is_taken(&self, id: u64) -> bool {
        let id = usize::try_from(id).unwrap_or(usize::MAX);
        let messages = self.lock();
        messages
            .get(id)
            .is_some_and(|message| message.is_acknowledged || message.received > 0)
    }

    /// Tells of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Those that have not arrived, each with its sender, its receiver, and whether the server has acknowledged it.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let messages = self.lock();
        let missing = messages
            .iter()
            .enumerate()
            .filter(|(_, message)| message.received == 0);
        missing
            .map(|(id, message)| Missing {
                id: id as u64,
                from: message.from,
                to: message.to.clone(),
                is_acknowledged: message.is_acknowledged && !message.is_refused,
            })
            .collect()
    }

    /// Waits until all have arrived that are for these people, or nothing has changed for a while.
    pub(crate) async fn settle(&self, people: &HashSet<String>, pause: Duration) {
        let mut changes = self.changes();
        let is_missing = || {
            self.missing()
                .iter()
                .any(|missing| people.contains(&missing.to))
        };
        while is_missing() {
            changes.mark_unchanged();
            if !is_missing() || timeout(pause, changes.changed()).await.is_err() {
                return;
            }
        }
    }

    /// How long those took that were begun from this id on, and have arrived.
    pub(crate) fn times(&self, first: u64) -> Vec<Duration> {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        self.lock()
            .iter()
            .skip(first)
            .filter_map(|message| message.took)
            .collect()
    }

    /// How many there are: the id of the next one.
    pub(crate) fn len(&self) -> u64 {
        self.lock().len() as u64
    }

    pub(crate) fn totals(&self) -> Totals {
        let messages = self.lock();
        let count =
            |holds: fn(&Message) -> bool| messages.iter().filter(|message| holds(message)).count();
        Totals {
            sent: messages.len(),
            received: count(|message| message.received > 0),
            twice: count(|message| message.received > 1),
            astray: count(|message| message.by_others > 0),
        }
    }
}

/// A message that has not arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) id: u64,
    pub(crate) from: usize,
    pub(crate) to: String,
    /// Whether a server has said that it has it, and has not given it back.
    pub(crate) is_acknowledged: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_missing_until_its_receiver_has_it() {
        let ledger = Ledger::new();
        let (one, two) = (ledger.begin(0, "ann"), ledger.begin(1, "bob"));
        ledger.acknowledged(one);
        ledger.received(one, "bob");
        let missing = ledger.missing();
        assert_eq!(
            missing.iter().map(|missing| missing.id).collect::<Vec<_>>(),
            [one, two]
        );
        assert_eq!(
            [missing[0].is_acknowledged, missing[1].is_acknowledged],
            [true, false]
        );
        ledger.received(one, "ann");
        ledger.received(one, "ann");
        assert_eq!(ledger.missing().len(), 1);
        assert!(ledger.is_taken(one) && !ledger.is_taken(two));
        assert_eq!(ledger.again(two), "bob");
        let totals = Totals {
            sent: 2,
            received: 1,
            twice: 1,
            astray: 1,
        };
        assert_eq!(ledger.totals(), totals);
        assert_eq!((ledger.times(one).len(), ledger.times(two).len()), (1, 0));
    }
}
