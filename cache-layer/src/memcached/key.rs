//! Keys: any bytes, and what stands for them on the wire.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// The longest key that memcached takes, in bytes.
const MAX_KEY: usize = 250;
/// What begins the stored form of a key that cannot be stored as it is.
const ENCODED_PREFIX: &[u8] = b"=b:";
/// What begins the stored form of a key that is too long for any other.
const HASHED_PREFIX: &[u8] = b"=h:";
/// What begins the keys of the pieces of a large value.
const PIECE_PREFIX: &[u8] = b"=p:";

/// The key of an entry: any bytes, of any number.
///
/// memcached itself takes 1 to 250 bytes without blanks and control characters. **A key of that
/// kind is stored as it is**, so that any other client finds it, on the server that the ring gives
/// for those bytes. The others are stored under a text that stands for them, the same over the meta
/// and the classic protocol:
///
/// | key | stored as |
/// |---|---|
/// | 1 to 250 bytes, none a blank, a control character or 0x7f, and not beginning as the forms below | itself |
/// | any other, if the text is not over 250 bytes | `=b:` and its base64url without padding |
/// | all longer ones | `=h:` and the base64url without padding of its SHA-256 |
///
/// An ordinary key that begins with `=b:`, `=h:` or `=p:` is stored in one of the two other forms,
/// so that no two keys share a text unless SHA-256 collides. The ring hashes the text.
///
/// [`binary_keys`](super::MemcachedBuilder::binary_keys) has those with blanks or control characters
/// stored as the very bytes instead, as other clients of the meta protocol do with its `b` flag.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text that is stored for this key: itself, or what stands for it.
    pub fn stored(&self) -> Bytes {
        Bytes::copy_from_slice(&self.wire(false).text)
    }

    /// The key of these bytes, put together.
    pub(crate) fn concat<'a>(parts: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        // Most fit here, and are then copied once more instead of allocated once more.
        let mut short = [0; 256];
        let mut len = 0;
        for part in parts.clone() {
            let Some(place) = short.get_mut(len..len + part.len()) else {
                return Self(parts.flatten().copied().collect());
            };
            place.copy_from_slice(part);
            len += part.len();
        }
        Self(short[..len].into())
    }

    /// What goes over the wire.
    pub(crate) fn into_wire(self, binary: bool) -> WireKey {
        match is_ordinary(&self.0) {
            true => WireKey::plain(self.0),
            false => self.wire(binary),
        }
    }

    /// As [`into_wire`](Self::into_wire), of a copy.
    pub(crate) fn wire(&self, binary: bool) -> WireKey {
        if is_ordinary(&self.0) {
            return WireKey::plain(self.0.clone());
        }
        // What is printable could be the text that stands for another key.
        if binary && !is_printable(&self.0) {
            let text = STANDARD.encode(&self.0);
            if text.len() <= MAX_KEY {
                return WireKey {
                    text: text.into_bytes().into(),
                    raw: Some(self.0.clone()),
                };
            }
        }
        let encoded = ENCODED_PREFIX.len() + self.0.len().saturating_mul(4).div_ceil(3);
        WireKey::plain(match encoded <= MAX_KEY {
            true => form(ENCODED_PREFIX, &self.0),
            false => form(HASHED_PREFIX, &Sha256::digest(&self.0)),
        })
    }
}

/// Whether memcached can store this key as it is, and it stands for no other.
fn is_ordinary(key: &[u8]) -> bool {
    let taken = matches!(
        key.get(..ENCODED_PREFIX.len()),
        Some(ENCODED_PREFIX | HASHED_PREFIX | PIECE_PREFIX)
    );
    (1..=MAX_KEY).contains(&key.len()) && is_printable(key) && !taken
}

fn is_printable(key: &[u8]) -> bool {
    // All of them in any case: a loop without a way out takes many at a time.
    key.iter()
        .fold(true, |all, b| all & (*b > b' ') & (*b != 0x7f))
}

fn form(kind: &[u8], bytes: &[u8]) -> Arc<[u8]> {
    let mut text = kind.to_vec();
    text.extend_from_slice(URL_SAFE_NO_PAD.encode(bytes).as_bytes());
    text.into()
}

/// A key as it stands in a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WireKey {
    pub(crate) text: Arc<[u8]>,
    /// The bytes that the text is the base64 of, where the server is to decode it.
    raw: Option<Arc<[u8]>>,
}

impl WireKey {
    pub(crate) fn plain(text: Arc<[u8]>) -> Self {
        Self { text, raw: None }
    }

    /// The key of one piece of a large value of this key.
    pub(crate) fn piece(&self, turn: u64, index: usize) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.placed());
        let digest = URL_SAFE_NO_PAD.encode(hash.finalize());
        let text = format!("=p:{digest}:{turn:x}:{index}");
        Self::plain(text.into_bytes().into())
    }

    /// Whether the server is to decode the text.
    pub(crate) fn is_base64(&self) -> bool {
        self.raw.is_some()
    }

    /// What the ring hashes: the key as the server stores it.
    pub(crate) fn placed(&self) -> &[u8] {
        self.raw.as_ref().unwrap_or(&self.text)
    }
}

/// Quoted, with what is not ASCII escaped.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl From<&[u8]> for Key {
    fn from(key: &[u8]) -> Self {
        Self(key.into())
    }
}

impl From<Vec<u8>> for Key {
    fn from(key: Vec<u8>) -> Self {
        Self(key.into())
    }
}

impl From<Bytes> for Key {
    fn from(key: Bytes) -> Self {
        Self::from(&key[..])
    }
}

impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Self::from(key.as_bytes())
    }
}

impl From<String> for Key {
    fn from(key: String) -> Self {
        Self::from(key.into_bytes())
    }
}

impl From<&String> for Key {
    fn from(key: &String) -> Self {
        Self::from(key.as_bytes())
    }
}

impl From<&Self> for Key {
    fn from(key: &Self) -> Self {
        key.clone()
    }
}

impl<const N: usize> From<&[u8; N]> for Key {
    fn from(key: &[u8; N]) -> Self {
        Self(key[..].into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stored(key: impl Into<Key>) -> String {
        String::from_utf8_lossy(&key.into().stored()).into_owned()
    }

    #[test]
    fn ordinary_keys_are_stored_as_they_are() {
        for key in ["a", "photos/2009/cat.jpg", "=", "=b", "=bc", "=x:1", "日本"] {
            assert_eq!(stored(key), key);
        }
        assert_eq!(stored("k".repeat(250)), "k".repeat(250));
        assert_eq!(stored(b"\xff\x80"), String::from_utf8_lossy(b"\xff\x80"));
    }

    #[test]
    fn others_are_encoded_or_hashed() {
        assert_eq!(stored(""), "=b:");
        assert_eq!(stored("a b"), "=b:YSBi");
        assert_eq!(stored("a\r\nb"), "=b:YQ0KYg");
        assert_eq!(stored(b"\x00"), "=b:AA");
        assert_eq!(stored(b"\x7f"), "=b:fw");
        assert_eq!(stored("=b:YSBi"), "=b:PWI6WVNCaQ");
        assert_eq!(stored("=h:x"), "=b:PWg6eA");
        assert_eq!(stored("=p:x"), "=b:PXA6eA");
        // 185 bytes make 247 characters, and with the prefix 250.
        assert_eq!(stored(" ".repeat(185)).len(), 250);
        assert!(stored(" ".repeat(185)).starts_with("=b:"));
        assert_eq!(stored(" ".repeat(186)).len(), 46);
        // printf '%0251d' 0 | sha256sum, in base64url.
        assert!(stored("0".repeat(251)).starts_with("=h:"));
        assert_ne!(stored("0".repeat(251)), stored("0".repeat(252)));
    }

    #[test]
    fn the_server_decodes_only_what_it_is_asked_to() {
        let key = Key::from("a b").wire(true);
        assert_eq!((&key.text[..], key.placed()), (&b"YSBi"[..], &b"a b"[..]));
        assert!(key.is_base64());
        for key in ["ab", "", "=b:", &" ".repeat(188)] {
            assert!(!Key::from(key).wire(true).is_base64());
        }
    }

    #[test]
    fn parts_make_one_key() {
        for lens in [
            &[][..],
            &[0],
            &[3, 0, 4],
            &[200, 56],
            &[200, 57],
            &[1, 1000],
        ] {
            let parts: Vec<Vec<u8>> = lens.iter().map(|len| vec![b'k'; *len]).collect();
            let all = parts.iter().map(|part| &part[..]);
            assert_eq!(Key::concat(all), Key::from(parts.concat()));
        }
    }

    proptest! {
        #[test]
        fn no_two_keys_share_a_text(a: Vec<u8>, b: Vec<u8>, prefix in 0usize..5) {
            let prefix = [&b""[..], ENCODED_PREFIX, HASHED_PREFIX, PIECE_PREFIX, b" "][prefix];
            let a = Key::from([prefix, &a].concat());
            let nested = Key::from(a.stored());
            let b = Key::from(b);
            for other in [b, nested] {
                prop_assert_eq!(a == other, a.stored() == other.stored());
            }
            let text = a.stored();
            prop_assert!((1..=MAX_KEY).contains(&text.len()));
            prop_assert!(text.iter().all(|b| *b > b' ' && *b != 0x7f));
        }
    }
}
