//! Which bytes may stand where in a message: in a token, in the value of a field, in the target of a request.
//!
//! *Problem:* Every byte of every head is looked at, in both directions. *Decision:* Eight bytes are taken at a time, in one
//! word of the processor, without a way out in the middle. The last word overlaps the one before it, so that no byte is left
//! over. *Cost:* The tests are arithmetic on words; the tests of this file hold them against the rule of each single byte.

/// One in each byte of a word.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
/// The highest bit of each byte of a word.
const HIGH: u64 = ONES * 0x80;

/// Whether a byte may stand in a token ([RFC 9110, 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)).
pub(crate) const fn is_token(b: u8) -> bool {
    TOKEN[b as usize]
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 128 {
        table[b] = (b as u8).is_ascii_alphanumeric();
        b += 1;
    }
    let marks = b"!#$%&'*+-.^_`|~";
    let mut i = 0;
    while i < marks.len() {
        table[marks[i] as usize] = true;
        i += 1;
    }
    table
};

/// Whether these bytes may stand in the value of a field: no control character but the tab
/// ([RFC 9110, 5.5](https://www.rfc-editor.org/rfc/rfc9110#section-5.5)).
#[inline]
pub(crate) fn is_text(value: &[u8]) -> bool {
    // The words find tabs too, and those are rare.
    !any(value, |word| below(word, 0x20) | equal(word, 0x7f))
        || value
            .iter()
            .all(|&b| b == b'\t' || (b >= 0x20 && b != 0x7f))
}

/// Whether these bytes may stand in the target of a request: visible ASCII characters, but no `#`
/// ([RFC 9112, 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)).
#[inline]
pub(crate) fn is_target(target: &[u8]) -> bool {
    !any(target, |word| {
        word | below(word, 0x21) | equal(word, b'#') | equal(word, 0x7f)
    })
}

/// Whether the test finds a byte. It marks by its highest bit a byte that it finds; in a word in which it finds none it marks
/// none.
#[inline]
fn any(bytes: &[u8], test: impl Fn(u64) -> u64) -> bool {
    let found = match bytes.last_chunk() {
        Some(last) => {
            let words = bytes.as_chunks().0.iter();
            words.fold(test(u64::from_ne_bytes(*last)), |found, word| {
                found | test(u64::from_ne_bytes(*word))
            })
        }
        None => {
            // A letter is found by no test.
            let mut word = [b'a'; 8];
            word.iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = *from);
            test(u64::from_ne_bytes(word))
        }
    };
    found & HIGH != 0
}

/// Marks a byte of the word if one is below this, which is at most 0x80.
#[inline]
fn below(word: u64, limit: u8) -> u64 {
    // A byte below the limit is one without its highest bit that borrows for it.
    word.wrapping_sub(ONES * u64::from(limit)) & !word
}

/// Marks a byte of the word if one is equal to this.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte, at each place of texts of each length up to three words.
    #[test]
    fn words_say_the_same_as_bytes() {
        let text = |b: u8| b == b'\t' || (b >= 0x20 && b != 0x7f);
        let target = |b: u8| (0x21..0x7f).contains(&b) && b != b'#';
        for len in 0..=24 {
            let mut bytes = vec![b'z'; len];
            assert!(is_text(&bytes) && is_target(&bytes), "{len}");
            for at in 0..len {
                for b in 0..=u8::MAX {
                    bytes[at] = b;
                    assert_eq!(is_text(&bytes), text(b), "{b} at {at} of {len}");
                    assert_eq!(is_target(&bytes), target(b), "{b} at {at} of {len}");
                }
                bytes[at] = b'z';
            }
        }
    }

    #[test]
    fn a_byte_is_found_behind_any_other() {
        for before in 0..=u8::MAX {
            for b in [0, 0x1f, b'\t', b' ', b'#', 0x7f, 0x80, 0xff] {
                let bytes = [before, b, before, b, before, b, before, b, before];
                let text = |b: u8| b == b'\t' || (b >= 0x20 && b != 0x7f);
                let target = |b: u8| (0x21..0x7f).contains(&b) && b != b'#';
                assert_eq!(is_text(&bytes), text(before) && text(b), "{before} {b}");
                assert_eq!(
                    is_target(&bytes),
                    target(before) && target(b),
                    "{before} {b}"
                );
            }
        }
    }

    #[test]
    fn tokens_are_those_of_the_rfc() {
        let marks = b"!#$%&'*+-.^_`|~";
        for b in 0..=u8::MAX {
            assert_eq!(
                is_token(b),
                b.is_ascii_alphanumeric() || marks.contains(&b),
                "{b}"
            );
        }
    }
}
