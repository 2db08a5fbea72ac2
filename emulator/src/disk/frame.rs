//! What a journal and a snapshot are made of: records with a length and a checksum before them.

use sha2::{Digest, Sha256};

use super::State;
use super::code::{Coded, Cursor};
use super::form::Seal;

/// Length and checksum, in bytes.
pub(super) const HEAD: usize = 12;
/// More than the largest call can lead to; a longer record is not one.
const PAYLOAD_MAX: usize = 64 << 20;

/// The first bytes of the records that the mechanism itself writes. A state uses others.
const END: u8 = 5;
const FLUSHED: u8 = 6;

/// Something that can be written down as one record.
pub(crate) trait Record {
    /// Appends it; the first byte tells its kind.
    fn encode(&self, out: &mut Vec<u8>);
}

/// What the mechanism itself writes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A snapshot is whole, and had so many records before this one.
    End(u64),
    /// So many bytes of this file were flushed before this record was written.
    Flushed(u64),
}

impl Record for Mark {
    fn encode(&self, out: &mut Vec<u8>) {
        let (kind, number) = match self {
            Self::End(records) => (END, records),
            Self::Flushed(bytes) => (FLUSHED, bytes),
        };
        out.push(kind);
        number.encode(out);
    }
}

/// A record that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<E> {
    /// The record is one of the state.
    State(E),
    /// The record is one of the mechanism.
    Mark(Mark),
}

/// Appends the record with its length and checksum; `place` is where it begins in its file.
pub(super) fn write<R: Record + ?Sized>(out: &mut Vec<u8>, record: &R, seal: Seal, place: u64) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    record.encode(out);
    let (head, payload) = out[start..].split_at_mut(HEAD);
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..].copy_from_slice(&checksum(payload, seal, place));
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

/// Says whether a record of this many bytes can be read back.
pub(super) fn fits(record: usize) -> bool {
    record <= HEAD + PAYLOAD_MAX
}

/// This is what stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<E> {
    /// There is a record, which takes so many bytes.
    Record(Frame<E>, usize),
    /// There is the beginning of a record, or nothing.
    Short,
    /// There is something else.
    Bad,
}

/// Reads what begins at a place of a file.
pub(super) fn read<S: State>(file: &[u8], seal: Seal, place: usize) -> Read<S::Entry> {
    let bytes = file.get(place..).unwrap_or_default();
    let Some((head, rest)) = bytes.split_at_checked(HEAD) else {
        return Read::Short;
    };
    let len = Cursor::new(head).length().unwrap_or(usize::MAX);
    if len > PAYLOAD_MAX {
        return Read::Bad;
    }
    let Some(payload) = rest.get(..len) else {
        return Read::Short;
    };
    if head[4..] != checksum(payload, seal, place as u64) {
        return Read::Bad;
    }
    match frame::<S>(payload) {
        Some(frame) => Read::Record(frame, HEAD + len),
        None => Read::Bad,
    }
}

fn frame<S: State>(payload: &[u8]) -> Option<Frame<S::Entry>> {
    let (kind, rest) = payload.split_first()?;
    let mark = match *kind {
        END => Mark::End,
        FLUSHED => Mark::Flushed,
        _ => return S::read(payload).map(Frame::State),
    };
    let mut cursor = Cursor::new(rest);
    let number = u64::decode(&mut cursor)?;
    cursor.is_empty().then(|| Frame::Mark(mark(number)))
}
