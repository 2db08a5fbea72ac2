//! What is kept under a key, and its form in memcached.
//!
//! | bytes | what |
//! |---|---|
//! | 0..2 | `rc`, so that it is not taken for somebody else's value |
//! | 2 | the version of this form: 1 |
//! | 3 | flags: 1 absent, 2 body compressed by LZ4 |
//! | 4..12 | until when it is fresh, milliseconds since 1970, little-endian as all that follows |
//! | 12..20 | what it cost to fetch, an IEEE 754 double in the caller's unit |
//! | 20..24 | length of the head |
//! | 24..28 | length of the body before compression |
//! | 28..32 | CRC-32 of the key, of the bytes 0..28, of the head and of the body as it is kept |
//! | 32.. | head, then body |
//!
//! *Problem:* A cached object should answer ranges, conditions and heads as the store would. *Decision:* The cache
//! keeps whole answers, and a hit is parsed by the code that parses an answer. Ranges, conditions and heads are worked
//! out where that is exactly what the store would say. An error is always the store's to word. *Cost:* A hit costs the
//! parsing of its head.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};

use crate::memcached::Key;

const ENTRY_MAGIC: [u8; 2] = *b"rc";
const FORM_VERSION: u8 = 1;
const ABSENT_FLAG: u8 = 1;
const LZ4_FLAG: u8 = 2;
const HEADER_LEN: usize = 32;

/// What a read found: an answer of the service, kept as bytes that only the caller understands.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Whether the thing is known not to exist. Such an entry has a time to live of its own.
    pub absent: bool,
    /// What it cost to fetch the answer, in the unit of the caller, for
    /// [`CacheStats::saved`](crate::CacheStats::saved). It is 0 if nothing is known of that.
    pub cost: f64,
    /// What goes before the body, for example a status and header fields.
    pub head: Bytes,
    /// The body of the answer.
    pub body: Bytes,
}

/// An entry as it came from memcached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    pub(crate) entry: Entry,
    /// Until when the entry is fresh, in milliseconds since 1970.
    pub(crate) fresh_until: u64,
}

/// This says how entries are written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Form {
    /// Bodies from this many bytes on are compressed, if that makes them smaller.
    pub(crate) compress_from: Option<usize>,
}

impl Form {
    pub(crate) fn encode(self, key: &Key, entry: &Entry, fresh_until: u64) -> Bytes {
        let packed = self.pack(&entry.body);
        let body = packed.as_deref().unwrap_or(&entry.body);
        let mut flags = 0;
        if entry.absent {
            flags |= ABSENT_FLAG;
        }
        if packed.is_some() {
            flags |= LZ4_FLAG;
        }
        let mut out = BytesMut::with_capacity(HEADER_LEN + entry.head.len() + body.len());
        out.put_slice(&ENTRY_MAGIC);
        out.put_u8(FORM_VERSION);
        out.put_u8(flags);
        out.put_u64_le(fresh_until);
        out.put_f64_le(entry.cost);
        out.put_u32_le(entry.head.len() as u32);
        out.put_u32_le(entry.body.len() as u32);
        let mut sum = crc32fast::Hasher::new();
        sum.update(key.as_bytes());
        sum.update(&out);
        sum.update(&entry.head);
        sum.update(body);
        out.put_u32_le(sum.finalize());
        out.put_slice(&entry.head);
        out.put_slice(body);
        out.freeze()
    }

    fn pack(self, body: &[u8]) -> Option<Vec<u8>> {
        if body.len() < self.compress_from? {
            return None;
        }
        compress(body)
    }
}

#[cfg(feature = "lz4")]
fn compress(body: &[u8]) -> Option<Vec<u8>> {
    let packed = lz4_flex::block::compress(body);
    (packed.len() < body.len()).then_some(packed)
}

/// No setting asks for compression in a build without the feature.
#[cfg(not(feature = "lz4"))]
fn compress(_: &[u8]) -> Option<Vec<u8>> {
    None
}

/// Reads what memcached had under this key. Gives nothing if that is damaged, has another form, or was stored under
/// another key. `max` bounds the bytes that a body unpacks to.
pub(crate) fn decode(key: &Key, value: &Bytes, max: usize) -> Option<Kept> {
    let (fixed, rest) = value.split_at_checked(HEADER_LEN)?;
    if fixed[..2] != ENTRY_MAGIC || fixed[2] != FORM_VERSION {
        return None;
    }
    let word = |at: usize| fixed[at..at + 4].try_into().map(u32::from_le_bytes).ok();
    let long = |at: usize| fixed[at..at + 8].try_into().ok();
    let flags = fixed[3];
    let head = usize::try_from(word(20)?).ok()?;
    let length = usize::try_from(word(24)?).ok()?;
    if head > rest.len() {
        return None;
    }
    let mut sum = crc32fast::Hasher::new();
    sum.update(key.as_bytes());
    sum.update(&fixed[..28]);
    sum.update(rest);
    if Some(sum.finalize()) != word(28) {
        return None;
    }
    let body = value.slice(HEADER_LEN + head..);
    let body = match flags & LZ4_FLAG {
        0 => body,
        _ if length > max => return None,
        _ => unpack(&body, length)?,
    };
    (body.len() == length && flags & !(ABSENT_FLAG | LZ4_FLAG) == 0).then_some(Kept {
        entry: Entry {
            absent: flags & ABSENT_FLAG != 0,
            cost: f64::from_le_bytes(long(12)?),
            head: value.slice(HEADER_LEN..HEADER_LEN + head),
            body,
        },
        fresh_until: u64::from_le_bytes(long(4)?),
    })
}

#[cfg(feature = "lz4")]
fn unpack(packed: &[u8], length: usize) -> Option<Bytes> {
    let body = lz4_flex::block::decompress(packed, length).ok()?;
    Some(body.into())
}

/// A build without the feature takes an entry that a build with it has compressed for a miss.
#[cfg(not(feature = "lz4"))]
fn unpack(_: &[u8], _: usize) -> Option<Bytes> {
    None
}

/// Until when the entry is fresh, in milliseconds since 1970.
pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(head: &[u8], body: &[u8]) -> Entry {
        Entry {
            absent: false,
            cost: 0.25,
            head: Bytes::copy_from_slice(head),
            body: Bytes::copy_from_slice(body),
        }
    }

    #[test]
    fn the_form_is_what_is_written_down() {
        let key = Key::from("k");
        let out = Form::default().encode(&key, &entry(b"hd", b"body"), 0x0102);
        assert_eq!(&out[..4], b"rc\x01\x00");
        assert_eq!(out[4..12], [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(out[12..20], 0.25_f64.to_le_bytes());
        assert_eq!(out[20..28], [2, 0, 0, 0, 4, 0, 0, 0]);
        assert_eq!(&out[32..], b"hdbody");
    }

    #[test]
    fn another_key_or_version_is_a_miss() {
        let key = Key::from("k");
        let out = Form::default().encode(&key, &entry(b"h", b"b"), 1);
        assert!(decode(&key, &out, 100).is_some());
        assert!(decode(&Key::from("l"), &out, 100).is_none());
        for at in 0..4 {
            let mut other = out.to_vec();
            other[at] ^= 0x40;
            assert!(decode(&key, &other.into(), 100).is_none());
        }
    }

    #[cfg(feature = "lz4")]
    #[test]
    fn large_bodies_are_compressed_where_it_helps() {
        let key = Key::from("k");
        let form = Form {
            compress_from: Some(100),
        };
        let long = [b'x'; 5000];
        let out = form.encode(&key, &entry(b"h", &long), 1);
        assert!(out.len() < 200);
        assert_eq!(decode(&key, &out, 5000).unwrap().entry.body, &long[..]);
        // What would unpack to more than is allowed is not unpacked.
        assert!(decode(&key, &out, 4999).is_none());
        assert!(form.encode(&key, &entry(b"h", &long[..99]), 1).len() >= 99);
        let noise: Vec<u8> = (0..200_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        assert!(form.encode(&key, &entry(b"h", &noise), 1).ends_with(&noise));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            head in prop::collection::vec(any::<u8>(), 0..200),
            body in prop::collection::vec(0_u8..4, 0..3000),
            absent: bool, cost in 0.0..1e6, fresh: u64, from in prop::option::of(0_usize..2000),
        ) {
            let key = Key::from("some key");
            let entry = Entry { absent, cost, ..entry(&head, &body) };
            let value = Form { compress_from: from }.encode(&key, &entry, fresh);
            let kept = decode(&key, &value, 4000).unwrap();
            prop_assert_eq!(kept, Kept { entry, fresh_until: fresh });
        }

        #[test]
        fn damage_is_a_miss(
            body in prop::collection::vec(any::<u8>(), 0..100),
            at: prop::sample::Index, bit in 0..8, cut: prop::sample::Index, longer: bool,
        ) {
            let key = Key::from("k");
            let value = Form::default().encode(&key, &entry(b"head", &body), 7);
            let mut bad = value.to_vec();
            bad[at.index(value.len())] ^= 1_u8 << bit;
            prop_assert!(decode(&key, &bad.into(), 4000).is_none());
            prop_assert!(decode(&key, &value.slice(..cut.index(value.len())), 4000).is_none());
            if longer {
                let more = [&value[..], b"x"].concat();
                prop_assert!(decode(&key, &more.into(), 4000).is_none());
            }
        }

        #[test]
        fn any_bytes_are_survived(value in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&Key::from("k"), &value.into(), 4000).is_none());
        }
    }
}
