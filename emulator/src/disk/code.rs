//! How values are written into records: numbers as little-endian bytes, texts behind their length.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// A value that can be written into a record and read back.
pub(crate) trait Coded: Sized {
    /// Appends the value.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads a value; nothing if what stands there is not one.
    fn decode(cursor: &mut Cursor<'_>) -> Option<Self>;
}

/// What is left of some bytes to read.
#[derive(Debug)]
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    /// Reads the length of what follows, or how many values follow.
    pub(crate) fn length(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }
}

/// Appends the length of what follows, or how many values follow.
pub(crate) fn length(out: &mut Vec<u8>, len: usize) {
    // A record this long is refused before it is written.
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
}

/// Appends a text, as a `String` is written.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

impl Coded for String {
    fn encode(&self, out: &mut Vec<u8>) {
        text(out, self);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let len = cursor.length()?;
        Self::from_utf8(cursor.take(len)?.to_vec()).ok()
    }
}

impl Coded for Bytes {
    fn encode(&self, out: &mut Vec<u8>) {
        length(out, self.len());
        out.extend_from_slice(self);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let len = cursor.length()?;
        cursor.take(len).map(Self::copy_from_slice)
    }
}

impl Coded for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        match cursor.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Coded for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let bytes = cursor.take(8)?.try_into().ok()?;
        Some(Self::from_le_bytes(bytes))
    }
}

impl Coded for i32 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let bytes = cursor.take(4)?.try_into().ok()?;
        Some(Self::from_le_bytes(bytes))
    }
}

impl Coded for SystemTime {
    /// Appends the seconds since 1970, below zero before, and the nanoseconds behind them.
    fn encode(&self, out: &mut Vec<u8>) {
        let (seconds, nanos) = match self.duration_since(Self::UNIX_EPOCH) {
            Ok(since) => (since.as_secs().cast_signed(), since.subsec_nanos()),
            Err(before) => {
                let before = before.duration();
                let seconds = before.as_secs().cast_signed().wrapping_neg();
                match before.subsec_nanos() {
                    0 => (seconds, 0),
                    nanos => (seconds.wrapping_sub(1), 1_000_000_000 - nanos),
                }
            }
        };
        out.extend_from_slice(&seconds.to_le_bytes());
        out.extend_from_slice(&nanos.to_le_bytes());
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let seconds = i64::from_le_bytes(cursor.take(8)?.try_into().ok()?);
        let nanos = u32::from_le_bytes(cursor.take(4)?.try_into().ok()?);
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let second = match seconds < 0 {
            true => Self::UNIX_EPOCH.checked_sub(whole)?,
            false => Self::UNIX_EPOCH.checked_add(whole)?,
        };
        second.checked_add(Duration::from_nanos(u64::from(nanos)))
    }
}

impl<T: Coded> Coded for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        match bool::decode(cursor)? {
            true => T::decode(cursor).map(Some),
            false => Some(None),
        }
    }
}

impl<T: Coded> Coded for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        length(out, self.len());
        for value in self {
            value.encode(out);
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        // Not reserved for: a count is only as good as what follows it.
        (0..cursor.length()?).map(|_| T::decode(cursor)).collect()
    }
}

impl<A: Coded, B: Coded> Coded for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some((A::decode(cursor)?, B::decode(cursor)?))
    }
}

impl<K: Coded + Ord, V: Coded> Coded for BTreeMap<K, V> {
    fn encode(&self, out: &mut Vec<u8>) {
        length(out, self.len());
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Vec::<(K, V)>::decode(cursor).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn back<T: Coded + PartialEq + Debug>(value: &T) {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        let mut cursor = Cursor::new(&bytes);
        assert_eq!(T::decode(&mut cursor).as_ref(), Some(value));
        assert!(cursor.is_empty());
        for cut in 0..bytes.len() {
            assert_eq!(
                T::decode(&mut Cursor::new(&bytes[..cut])),
                None,
                "{value:?}"
            );
        }
    }

    #[test]
    fn values_are_read_back_and_cut_ones_are_none() {
        back(&"é\0".to_owned());
        back(&Bytes::from_static(b"\xff"));
        back(&(true, vec![7_u64, u64::MAX]));
        back(&(Some(-3_i32), None::<bool>));
        back(&BTreeMap::from([
            ("a".to_owned(), 1_u64),
            ("b".to_owned(), 2),
        ]));
        let second = Duration::from_secs(1);
        let part = Duration::from_nanos(900_000_001);
        for time in [second, part, second + part] {
            back(&(SystemTime::UNIX_EPOCH + time));
            back(&(SystemTime::UNIX_EPOCH - time));
        }
        assert_eq!(bool::decode(&mut Cursor::new(&[2])), None);
        assert_eq!(String::decode(&mut Cursor::new(&[1, 0, 0, 0, 0xff])), None);
    }
}
