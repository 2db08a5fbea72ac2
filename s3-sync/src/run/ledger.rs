//! What a run has learnt, in the order of keys.
//!
//! *Problem:* Tasks end in another order than that of their keys, and index and state are written in that order. *Decision:*
//! Every task has a number, and what has ended waits until all before it have. A task that takes long holds up the others only
//! when as many of them wait as [gathering](super::outlet) allows. *Cost:* Those that wait are in memory: some 200 bytes each.

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use crate::record::{Record, Writer};

/// Takes what became of tasks in any order, and writes what is known after them in the order of their keys.
pub(crate) struct Ledger {
    writer: Writer,
    /// The number of the first that has not ended.
    first: u64,
    waiting: VecDeque<Option<Settled>>,
}

/// What is known of a key after its task.
pub(crate) enum Settled {
    /// Nothing that is worth to be kept.
    Nothing,
    /// This.
    Known(Record),
    /// It is moved after all else.
    Last(Record),
    /// It is deleted after all else.
    Delete(Record),
}

impl From<Option<Record>> for Settled {
    fn from(record: Option<Record>) -> Self {
        record.map_or(Self::Nothing, Self::Known)
    }
}

/// What is done after all else, in the order of keys.
pub(crate) struct Later {
    pub(crate) last: Writer,
    pub(crate) deletes: Writer,
}

impl Later {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            last: Writer::new(tempfile::tempfile()?),
            deletes: Writer::new(tempfile::tempfile()?),
        })
    }
}

impl Ledger {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            writer: Writer::new(tempfile::tempfile()?),
            first: 0,
            waiting: VecDeque::new(),
        })
    }

    /// The number of the first task that has not ended.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Notes what became of a task.
    pub(crate) fn settle(
        &mut self,
        number: u64,
        settled: Settled,
        later: &mut Later,
    ) -> io::Result<()> {
        let at = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        if self.waiting.len() <= at {
            self.waiting.resize_with(at + 1, || None);
        }
        self.waiting[at] = Some(settled);
        while let Some(settled) = self.waiting.front_mut().and_then(Option::take) {
            self.waiting.pop_front();
            self.first += 1;
            match settled {
                Settled::Nothing => {}
                Settled::Known(record) => self.writer.add(&record)?,
                Settled::Last(record) => later.last.add(&record)?,
                Settled::Delete(record) => later.deletes.add(&record)?,
            }
        }
        Ok(())
    }

    /// The records, of which the file is at its end.
    pub(crate) fn finish(self) -> io::Result<File> {
        self.writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Reader;

    #[test]
    fn records_are_in_order_whatever_ends_first() {
        let (mut ledger, mut later) = (Ledger::new().unwrap(), Later::new().unwrap());
        let mut numbers: Vec<u64> = (0..1000).collect();
        fastrand::Rng::with_seed(7).shuffle(&mut numbers);
        for number in numbers {
            let record = Record::of_key(&format!("{number:04}"));
            let settled = match number % 4 {
                0 => Settled::Nothing,
                1 => Settled::Known(record),
                2 => Settled::Last(record),
                _ => Settled::Delete(record),
            };
            ledger.settle(number, settled, &mut later).unwrap();
        }
        let files = [ledger.finish(), later.last.finish(), later.deletes.finish()];
        for (file, rest) in files.into_iter().zip(1..) {
            let records = Reader::new(file.unwrap()).unwrap();
            let keys: Vec<String> = records.map(|record| record.key).collect();
            let expected = (0..1000).filter(|n| n % 4 == rest);
            let expected: Vec<String> = expected.map(|n| format!("{n:04}")).collect();
            assert_eq!(keys, expected);
        }
    }
}
