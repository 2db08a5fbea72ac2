//! Names of any length and any characters as parts of keys and of item names.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The most bytes of a part; a longer one is cut.
const MAX_PART: usize = 200;

/// How many bytes of its escaped form are left of a part that is cut.
const HEAD: usize = 150;

/// How many hex digits of a hash stand behind those.
const HASH: usize = 40;

/// The form of an empty name; no other name is a percent sign without digits.
const EMPTY: &str = "%";

/// Percent-encodes all but `A-Z a-z 0-9 @ . _ -`, and a leading dot, since libraries of URLs take `.` and `..` for steps.
/// A name whose encoded form has more than 200 bytes becomes the first 150 of them, `~`, and 40 hex digits of the SHA-256
/// of the name itself: a `~` of a name's own is encoded, so no short name looks so.
pub(crate) fn escape(name: &str) -> String {
    if name.is_empty() {
        return EMPTY.to_owned();
    }
    let mut out = encode(name);
    if out.len() > MAX_PART {
        out.truncate(HEAD);
        out.push('~');
        out.push_str(&hex(name)[..HASH]);
    }
    out
}

/// What the escaped forms of all names begin with that begin with this one; and whether those of no others do.
pub(crate) fn escape_prefix(prefix: &str) -> (String, bool) {
    let mut out = encode(prefix);
    let is_exact = out.len() <= HEAD;
    out.truncate(HEAD);
    (out, is_exact)
}

/// The encoded form of a name, whole.
fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (place, byte) in name.bytes().enumerate() {
        match byte {
            b'.' if place == 0 => out.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'@' | b'.' | b'_' | b'-' => {
                out.push(char::from(byte));
            }
            // Writing into a string does not fail.
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

/// The name that [`escape`] gave this form, if the form has all of it: not for one that was cut, of which the content has
/// the name.
pub(crate) fn unescape(form: &str) -> Option<String> {
    if form == EMPTY {
        return Some(String::new());
    }
    let mut name = Vec::with_capacity(form.len());
    let mut rest = form.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        match first {
            b'~' => return None,
            b'%' => {
                let [high, low, behind @ ..] = rest else {
                    return None;
                };
                rest = behind;
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                let byte = digit(high)? * 16 + digit(low)?;
                name.push(u8::try_from(byte).ok()?);
            }
            byte => name.push(*byte),
        }
    }
    String::from_utf8(name).ok()
}

/// Which of `count` shards an owner's things are in.
pub(crate) fn shard(owner: &str, count: u32) -> u32 {
    let hash = Sha256::digest(owner.as_bytes());
    let head = hash
        .iter()
        .take(8)
        .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    // What is left of a division by a u32 is one.
    u32::try_from(head % u64::from(count.max(1))).unwrap_or_default()
}

/// The SHA-256 of a text, in 64 hex digits.
pub(crate) fn hex(text: &str) -> String {
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        let _infallible = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn short_names_come_back(name in "\\PC{0,22}") {
            let form = escape(&name);
            prop_assert!(form.len() <= MAX_PART && !form.is_empty() && !form.starts_with('.'));
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"@._-%".contains(&b);
            prop_assert!(form.bytes().all(plain), "{}", form);
            prop_assert_eq!(unescape(&form), Some(name));
        }

        #[test]
        fn long_names_are_cut_and_stay_different(name in "[a-c~/]{201,400}", other in "[a-c~/]{201,400}") {
            let form = escape(&name);
            prop_assert_eq!(form.len(), HEAD + 1 + HASH);
            prop_assert_eq!(unescape(&form), None);
            prop_assert_eq!(form == escape(&other), name == other);
        }

        #[test]
        fn prefixes_are_those_of_the_forms(prefix in "[a.%\u{e9}]{0,120}", rest in "[a.%]{0,120}", other in "[a.%]{0,9}") {
            let (form, is_exact) = escape_prefix(&prefix);
            let begins = |name: &str| escape(name).starts_with(&form);
            prop_assert!(begins(&(prefix.clone() + &rest)));
            prop_assert!(!is_exact || begins(&other) == other.starts_with(&prefix));
        }

        #[test]
        fn no_text_breaks_the_way_back(form in "\\PC{0,40}") {
            let _ = unescape(&form);
        }
    }

    #[test]
    fn the_forms_are_these() {
        for (name, form) in [
            ("", "%"),
            ("ann@example.com", "ann@example.com"),
            ("a|b/c~d e%", "a%7Cb%2Fc%7Ed%20e%25"),
            ("..", "%2E."),
            ("a.b_c-d", "a.b_c-d"),
            ("\u{e9}", "%C3%A9"),
        ] {
            assert_eq!(escape(name), form);
            assert_eq!(unescape(form).as_deref(), Some(name));
        }
        assert_eq!(escape(&"a".repeat(200)).len(), 200);
        let cut = format!("{}~{}", "a".repeat(150), &hex(&"a".repeat(201))[..40]);
        assert_eq!(escape(&"a".repeat(201)), cut);
        for form in ["%2", "%zz", "a%", "%ff", "a~b"] {
            assert_eq!(unescape(form), None, "{form}");
        }
    }

    #[test]
    fn a_known_hash_stays() {
        // From `printf ann@example.com | sha256sum`.
        let hash = hex("ann@example.com");
        assert_eq!(&hash[..16], "71d4f55f72fa128d");
        let head = u64::from_str_radix(&hash[..16], 16).unwrap();
        for count in [1, 4, 48] {
            assert_eq!(
                u64::from(shard("ann@example.com", count)),
                head % u64::from(count)
            );
        }
    }

    #[test]
    fn shards_are_used_alike() {
        let mut counts = [0; 4];
        for i in 0..4000 {
            counts[usize::try_from(shard(&format!("u{i}@example.com"), 4)).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
    }
}
