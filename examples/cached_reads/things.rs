//! What is stored, and whether what comes back is right.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use tokio::sync::{Mutex, MutexGuard};

/// Bytes that a content begins with: its version, in hex.
const VERSION: usize = 16;

/// The characters of an item's data.
pub(crate) const ITEM: usize = 200;

/// An object or an item, whose content changes from version to version.
#[derive(Debug)]
pub(crate) struct Thing {
    number: u64,
    size: usize,
    /// The last version whose write has begun, and the last whose write has ended.
    begun: AtomicU64,
    ended: AtomicU64,
    /// Held by the one that writes: versions go to the store in order.
    writing: Mutex<()>,
}

/// What a read may find.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since(u64);

/// How a read turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// It is what a write had replaced that ended before the read began.
    Old,
    /// It was never written.
    Wrong,
}

/// The right to write a thing, and the content that is next.
pub(crate) struct Write<'a> {
    thing: &'a Thing,
    version: u64,
    _order: MutexGuard<'a, ()>,
}

impl Thing {
    /// A thing at version 0. Its number decides its content; its size is in bytes.
    pub(crate) fn new(number: u64, size: usize) -> Self {
        Self {
            number,
            size: size.max(VERSION),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            writing: Mutex::new(()),
        }
    }

    /// Its content at a version: printable, so that SimpleDB can have it too.
    pub(crate) fn content(&self, version: u64) -> Vec<u8> {
        let mut content = format!("{version:016x}").into_bytes();
        let mut random = fastrand::Rng::with_seed(self.number << 32 ^ version);
        while content.len() < self.size {
            content.extend_from_slice(format!("{:016x}", random.u64(..)).as_bytes());
        }
        content.truncate(self.size);
        content
    }

    /// To be called before a read begins.
    pub(crate) fn since(&self) -> Since {
        Since(self.ended.load(SeqCst))
    }

    /// Judges what a read has found.
    pub(crate) fn judge(&self, since: Since, found: &[u8]) -> Verdict {
        let begun = self.begun.load(SeqCst);
        let version = found
            .get(..VERSION)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u64::from_str_radix(digits, 16).ok());
        match version {
            Some(version) if version <= begun && self.content(version) == found => {
                match version < since.0 {
                    true => Verdict::Old,
                    false => Verdict::Right,
                }
            }
            _ => Verdict::Wrong,
        }
    }

    /// Begins a write; nothing while another is under way.
    pub(crate) fn write(&self) -> Option<Write<'_>> {
        let order = self.writing.try_lock().ok()?;
        let version = self.begun.fetch_add(1, SeqCst) + 1;
        Some(Write {
            thing: self,
            version,
            _order: order,
        })
    }
}

impl Write<'_> {
    pub(crate) fn content(&self) -> Vec<u8> {
        self.thing.content(self.version)
    }

    /// It was stored.
    pub(crate) fn ended(&self) {
        self.thing.ended.store(self.version, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_right_old_or_wrong() {
        let thing = Thing::new(3, 100);
        let (first, before) = (thing.content(0), thing.since());
        assert_eq!(
            (first.len(), thing.judge(before, &first)),
            (100, Verdict::Right)
        );
        assert_eq!(thing.judge(before, &thing.content(1)), Verdict::Wrong);

        let write = thing.write().unwrap();
        assert!(thing.write().is_none());
        let second = write.content();
        assert_ne!(first, second);
        // While it is under way, a read may find either.
        let during = thing.since();
        assert_eq!(thing.judge(during, &first), Verdict::Right);
        assert_eq!(thing.judge(during, &second), Verdict::Right);
        write.ended();
        drop(write);
        assert_eq!(thing.judge(before, &first), Verdict::Right);
        assert_eq!(thing.judge(thing.since(), &first), Verdict::Old);
        assert_eq!(thing.judge(thing.since(), &second), Verdict::Right);

        let mut damaged = second.clone();
        damaged[50] ^= 1;
        for found in [
            &damaged[..],
            &second[..99],
            b"",
            &Thing::new(4, 100).content(1),
        ] {
            assert_eq!(thing.judge(before, found), Verdict::Wrong);
        }
        assert!(thing.write().is_some());
    }
}
