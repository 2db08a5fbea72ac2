//! What a journal is made of: records with a length and a checksum before them.
//!
//! A record tells what a call did, not what came of it. Each sets or clears pairs whatever they
//! were, so that doing all of them again, on any state that some of them have already led to,
//! leads to the same.

use sha2::{Digest, Sha256};

use super::form::Seal;
use crate::sdb::store::{Batch, Change};

/// Length and checksum, in bytes.
pub(super) const HEAD: usize = 12;
/// More than the largest call can lead to; a longer record is not one.
const PAYLOAD_MAX: usize = 64 << 20;

const CREATE: u8 = 1;
const DELETE: u8 = 2;
const PUT: u8 = 3;
const TAKE: u8 = 4;
const END: u8 = 5;
const FLUSHED: u8 = 6;

/// A record to write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Record<'a> {
    /// A domain came to be.
    Create(&'a str),
    /// A domain went, with all that it held.
    Delete(&'a str),
    Put(&'a str, &'a Batch),
    /// Attributes or items were deleted.
    Take(&'a str, &'a Batch),
    /// A snapshot is whole, and had so many records before this one.
    End(u64),
    /// So many bytes of this file were flushed before this record was written.
    Flushed(u64),
}

/// A record that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Create(String),
    Delete(String),
    Put(String, Vec<(String, Vec<Change>)>),
    Take(String, Vec<(String, Vec<Change>)>),
    End(u64),
    Flushed(u64),
}

impl Record<'_> {
    /// Appends the record with its length and checksum; `place` is where it begins in its file.
    pub(crate) fn write(&self, out: &mut Vec<u8>, seal: Seal, place: u64) {
        let start = out.len();
        out.extend_from_slice(&[0; HEAD]);
        match self {
            Self::Create(domain) => {
                out.push(CREATE);
                text(out, domain);
            }
            Self::Delete(domain) => {
                out.push(DELETE);
                text(out, domain);
            }
            Self::Put(domain, items) => {
                out.push(PUT);
                text(out, domain);
                batch(out, items);
            }
            Self::Take(domain, items) => {
                out.push(TAKE);
                text(out, domain);
                batch(out, items);
            }
            Self::End(records) => {
                out.push(END);
                out.extend_from_slice(&records.to_le_bytes());
            }
            Self::Flushed(bytes) => {
                out.push(FLUSHED);
                out.extend_from_slice(&bytes.to_le_bytes());
            }
        }
        let (head, payload) = out[start..].split_at_mut(HEAD);
        head[..4].copy_from_slice(&length(payload.len()));
        head[4..].copy_from_slice(&checksum(payload, seal, place));
    }
}

fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

fn checksum(payload: &[u8], seal: Seal, place: u64) -> [u8; 8] {
    let mut hash = Sha256::new();
    if let Seal::Salted(salt) = seal {
        hash.update(salt);
        hash.update(place.to_le_bytes());
    }
    hash.update(payload);
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    first
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&length(text.len()));
    out.extend_from_slice(text.as_bytes());
}

fn batch(out: &mut Vec<u8>, items: &Batch) {
    out.extend_from_slice(&length(items.len()));
    for (item, changes) in items {
        text(out, item);
        out.extend_from_slice(&length(changes.len()));
        for change in changes {
            text(out, &change.name);
            let flags = u8::from(change.replace) | u8::from(change.value.is_some()) << 1;
            out.push(flags);
            if let Some(value) = &change.value {
                text(out, value);
            }
        }
    }
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A record, and how many bytes it takes.
    Record(Entry, usize),
    /// The beginning of a record, or nothing.
    Short,
    /// The bytes are something else.
    Bad,
}

/// Reads what begins at a place of a file.
pub(super) fn read(file: &[u8], seal: Seal, place: usize) -> Read {
    let bytes = file.get(place..).unwrap_or_default();
    let Some((head, rest)) = bytes.split_at_checked(HEAD) else {
        return Read::Short;
    };
    let mut cursor = Cursor(head);
    let len = cursor.length().unwrap_or(usize::MAX);
    if len > PAYLOAD_MAX {
        return Read::Bad;
    }
    let Some(payload) = rest.get(..len) else {
        return Read::Short;
    };
    let size = HEAD + len;
    if head[4..] != checksum(payload, seal, place as u64) {
        return Read::Bad;
    }
    let mut cursor = Cursor(payload);
    match cursor.entry() {
        Some(entry) if cursor.0.is_empty() => Read::Record(entry, size),
        _ => Read::Bad,
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn length(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    fn number(&mut self) -> Option<u64> {
        let bytes = self.take(8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    fn text(&mut self) -> Option<String> {
        let len = self.length()?;
        String::from_utf8(self.take(len)?.to_vec()).ok()
    }

    fn batch(&mut self) -> Option<Vec<(String, Vec<Change>)>> {
        // Not reserved for: a count is only as good as what follows it.
        let mut items = Vec::new();
        for _ in 0..self.length()? {
            let item = self.text()?;
            let mut changes = Vec::new();
            for _ in 0..self.length()? {
                let name = self.text()?;
                let flags = self.byte()?;
                let value = match flags & 2 {
                    0 => None,
                    _ => Some(self.text()?),
                };
                changes.push(Change {
                    name,
                    value,
                    replace: flags & 1 != 0,
                });
            }
            items.push((item, changes));
        }
        Some(items)
    }

    fn entry(&mut self) -> Option<Entry> {
        Some(match self.byte()? {
            CREATE => Entry::Create(self.text()?),
            DELETE => Entry::Delete(self.text()?),
            PUT => Entry::Put(self.text()?, self.batch()?),
            TAKE => Entry::Take(self.text()?, self.batch()?),
            END => Entry::End(self.number()?),
            FLUSHED => Entry::Flushed(self.number()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> Vec<(String, Vec<Change>)> {
        let change = |name: &str, value: Option<&str>, replace| Change {
            name: name.into(),
            value: value.map(Into::into),
            replace,
        };
        vec![
            ("i".into(), vec![change("é", Some(""), true)]),
            (
                "j".into(),
                vec![change("a", None, false), change("b", Some("\0"), false)],
            ),
            ("k".into(), vec![]),
        ]
    }

    #[test]
    fn records_are_read_back_and_cut_ones_are_short() {
        let batch = changes();
        let (put, take) = (Record::Put("dom", &batch), Record::Take("dom", &batch));
        let (create, delete) = (Record::Create("dom"), Record::Delete("dom"));
        let entries = [
            (create, Entry::Create("dom".into())),
            (put, Entry::Put("dom".into(), changes())),
            (take, Entry::Take("dom".into(), changes())),
            (delete, Entry::Delete("dom".into())),
            (Record::End(4), Entry::End(4)),
            (Record::Flushed(1 << 40), Entry::Flushed(1 << 40)),
        ];
        for seal in [Seal::Plain, Seal::Salted([7; 16])] {
            let mut bytes = Vec::new();
            for (record, _) in &entries {
                let place = bytes.len() as u64;
                record.write(&mut bytes, seal, place);
            }
            let mut place = 0;
            for (_, entry) in &entries {
                let Read::Record(found, size) = read(&bytes, seal, place) else {
                    panic!("not a record");
                };
                assert_eq!(found, *entry);
                for cut in place..place + size {
                    assert_eq!(read(&bytes[..cut], seal, place), Read::Short);
                }
                place += size;
            }
            assert_eq!(read(&bytes, seal, place), Read::Short);
        }
    }

    #[test]
    fn a_record_is_one_in_its_place_of_its_file_only() {
        let seal = Seal::Salted([7; 16]);
        let mut bytes = vec![0; 5];
        Record::Flushed(9).write(&mut bytes, seal, 5);
        assert!(matches!(read(&bytes, seal, 5), Read::Record(..)));
        assert_eq!(read(&bytes[1..], seal, 4), Read::Bad);
        assert_eq!(read(&bytes, Seal::Salted([8; 16]), 5), Read::Bad);
        assert_eq!(read(&bytes, Seal::Plain, 5), Read::Bad);
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let mut bytes = Vec::new();
        Record::Put("dom", &changes()).write(&mut bytes, Seal::Plain, 0);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                // In the length it may also make the record seem cut.
                let found = read(&wrong, Seal::Plain, 0);
                assert!(matches!(found, Read::Bad | Read::Short), "{at} {bit}");
                assert!(at < 4 || matches!(found, Read::Bad), "{at} {bit}");
            }
        }
    }
}
