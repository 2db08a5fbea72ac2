//! What waits to be written, by room and day.

use std::collections::BTreeMap;

use super::date::Date;
use super::page::{Entry, LogEvent};
use crate::error::{Error, Result};
use crate::jid::BareJid;

/// The most bytes that wait.
const MAX_WAITING: usize = 16 << 20;

/// Of how many rooms and days it is remembered on which page they are.
const MAX_PAGES_KNOWN: usize = 10_000;

/// What waits, and which pages are full.
#[derive(Default)]
pub(super) struct Buffer {
    waiting: BTreeMap<(BareJid, Date), Vec<Entry>>,
    /// The page of the day, where it is not the first one.
    pages: BTreeMap<(BareJid, Date), u32>,
    bytes: usize,
}

/// The entries of a room on a day.
pub(super) struct Batch {
    pub(super) room: BareJid,
    pub(super) date: Date,
    pub(super) entries: Vec<Entry>,
    /// The page on which the ones before are.
    pub(super) page: u32,
}

impl Buffer {
    pub(super) fn add(&mut self, room: &BareJid, at: u64, event: &LogEvent) -> Result<()> {
        let entry = Entry::new(at, event);
        let bytes = self.bytes + entry.html.len();
        if bytes > MAX_WAITING {
            return Err(Error::too_large(
                "the log that waits",
                bytes,
                "bytes",
                MAX_WAITING,
            ));
        }
        self.bytes = bytes;
        self.waiting
            .entry((room.clone(), Date::of(at)))
            .or_default()
            .push(entry);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.values().map(Vec::len).sum()
    }

    /// All that waits, which waits no longer.
    pub(super) fn take(&mut self) -> Vec<Batch> {
        self.bytes = 0;
        let batch = |((room, date), entries)| {
            let page = self
                .pages
                .get(&(BareJid::clone(&room), date))
                .copied()
                .unwrap_or(1);
            Batch {
                room,
                date,
                entries,
                page,
            }
        };
        std::mem::take(&mut self.waiting)
            .into_iter()
            .map(batch)
            .collect()
    }

    /// Has what could not be written wait again, in front of what came since.
    pub(super) fn give_back(&mut self, batch: Batch) {
        let mut entries = batch.entries;
        self.bytes += entries.iter().map(|entry| entry.html.len()).sum::<usize>();
        let since = self.waiting.entry((batch.room, batch.date)).or_default();
        entries.append(since);
        *since = entries;
    }

    /// Remembers on which page a room is on a day.
    pub(super) fn page_of(&mut self, room: &BareJid, date: Date, page: u32) {
        if page <= 1 {
            return;
        }
        if self.pages.len() >= MAX_PAGES_KNOWN {
            // They are found again by reading one page after another.
            self.pages.clear();
        }
        self.pages.insert((room.clone(), date), page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000_000;

    fn room(name: &str) -> BareJid {
        BareJid::new(name, "h").unwrap()
    }

    fn note(text: &str) -> LogEvent {
        LogEvent::Note {
            text: text.to_owned(),
        }
    }

    #[test]
    fn what_waits_is_in_order_by_room_and_day() {
        let mut buffer = Buffer::default();
        for (name, at, text) in [
            ("b", 1, "1"),
            ("a", DAY, "2"),
            ("a", DAY - 1, "3"),
            ("a", 2, "4"),
        ] {
            buffer.add(&room(name), at, &note(text)).unwrap();
        }
        assert_eq!(buffer.len(), 4);
        buffer.page_of(&room("a"), Date::of(0), 3);
        buffer.page_of(&room("b"), Date::of(0), 1);
        let texts = |batch: &Batch| -> Vec<bool> {
            ["1", "2", "3", "4"]
                .iter()
                .map(|text| {
                    batch
                        .entries
                        .iter()
                        .any(|e| e.html.contains(&format!("<bdi>{text}<")))
                })
                .collect()
        };
        let batches = buffer.take();
        let shown: Vec<_> = batches
            .iter()
            .map(|b| (b.room.as_str(), b.page, texts(b)))
            .collect();
        assert_eq!(
            shown,
            [
                ("a@h", 3, vec![false, false, true, true]),
                ("a@h", 1, vec![false, true, false, false]),
                ("b@h", 1, vec![true, false, false, false]),
            ]
        );
        assert_eq!((buffer.len(), buffer.take().len()), (0, 0));
        // What could not be written comes before what came since.
        buffer.add(&room("b"), 3, &note("5")).unwrap();
        let back = batches.into_iter().last().unwrap();
        let first = back.entries[0].clone();
        buffer.give_back(back);
        let again = buffer.take();
        assert_eq!((again.len(), again[0].entries.len()), (1, 2));
        assert_eq!(again[0].entries[0], first);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut buffer = Buffer::default();
        let long = note(&"x".repeat(16 << 10));
        let mut added = 0;
        let error = loop {
            match buffer.add(&room("a"), 1, &long) {
                Ok(()) => added += 1,
                Err(error) => break error,
            }
        };
        assert!((1000..1024).contains(&added), "{added}");
        assert!(
            error.message().contains("over the limit of 16777216"),
            "{error}"
        );
        let batches = buffer.take();
        buffer.add(&room("a"), 1, &long).unwrap();
        for batch in batches {
            buffer.give_back(batch);
        }
        buffer.add(&room("a"), 1, &long).unwrap_err();
    }
}
