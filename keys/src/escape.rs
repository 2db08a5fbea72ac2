//! Names of any bytes as names that every store takes as they are.

/// The name of an empty one; no other name is a percent sign without digits.
const EMPTY: &str = "%";

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Percent-encodes all but letters, digits, `-`, `_`, `~`, and dots behind the first byte: what libraries of URLs take
/// for a step up or down is encoded.
pub(crate) fn escape(name: &[u8]) -> String {
    if name.is_empty() {
        return EMPTY.to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for (place, byte) in name.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                out.push(char::from(*byte));
            }
            b'.' if place > 0 => out.push('.'),
            byte => {
                out.push('%');
                for half in [byte >> 4, byte & 15] {
                    out.push(char::from(DIGITS[usize::from(half)]));
                }
            }
        }
    }
    out
}

/// The name that [`escape`] has written so, if it has.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    if text == EMPTY {
        return Some(Vec::new());
    }
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            name.push(*first);
            continue;
        }
        let [high, low, behind @ ..] = rest else {
            return None;
        };
        rest = behind;
        let digit = |byte: &u8| DIGITS.iter().position(|digit| digit == byte);
        name.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
    }
    // One name has one form.
    (escape(&name) == text).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_come_back_and_are_plain(name: Vec<u8>) {
            let text = escape(&name);
            prop_assert!(!text.is_empty() && !text.starts_with('.'));
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_~.%".contains(&b);
            prop_assert!(text.bytes().all(plain), "{}", text);
            prop_assert_eq!(unescape(&text), Some(name));
        }

        #[test]
        fn no_text_but_its_own_is_a_name(text in "[%/.a-fA-F0-9]{0,6}") {
            if let Some(name) = unescape(&text) {
                prop_assert_eq!(escape(&name), text);
            }
        }
    }

    #[test]
    fn the_forms_are_these() {
        for (name, text) in [
            (&b""[..], "%"),
            (b"%", "%25"),
            (b"a/b c", "a%2Fb%20c"),
            (b".", "%2E"),
            (b"..", "%2E."),
            (b"a.jpg", "a.jpg"),
            (b"azAZ09-_~", "azAZ09-_~"),
            (b"@[`{/:+,", "%40%5B%60%7B%2F%3A%2B%2C"),
            (b"\0\xff", "%00%FF"),
            ("caf\u{e9}".as_bytes(), "caf%C3%A9"),
        ] {
            assert_eq!(escape(name), text);
            assert_eq!(unescape(text).as_deref(), Some(name));
        }
        for text in ["", "%2", "%2f", "%41", "%zz", "a b", "a%"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
