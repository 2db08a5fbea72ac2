//! Percent-encoding as signatures need it: RFC 3986, bytes of UTF-8, uppercase hex.
//!
//! Everything is escaped but the [unreserved characters](https://www.rfc-editor.org/rfc/rfc3986#section-2.3):
//! letters, digits, `-`, `.`, `_` and `~`. A space is `%20`, never `+`.
//!
//! ```
//! use aws_sigv2::escape;
//!
//! assert_eq!(escape::path("a b/c+d~é.txt"), "a%20b/c%2Bd~%C3%A9.txt");
//! assert_eq!(escape::component("a b/c+d~é"), "a%20b%2Fc%2Bd~%C3%A9");
//! ```

const HEX: &[u8; 16] = b"0123456789ABCDEF";

const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

/// Escapes an object key for the path of a request. `/` stays as it is, doubled and trailing ones too.
#[must_use]
pub fn path(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + key.len() / 4);
    push_path(&mut out, key);
    out
}

/// Appends what [`path`] returns.
pub fn push_path(out: &mut String, key: &str) {
    push(out, key, |byte| {
        UNRESERVED[usize::from(byte)] || byte == b'/'
    });
}

/// Escapes one name or value of a query string or form body. `/` is escaped.
#[must_use]
pub fn component(s: &str) -> String {
    let mut out = String::with_capacity(component_len(s));
    push_component(&mut out, s);
    out
}

/// Appends what [`component`] returns.
pub fn push_component(out: &mut String, s: &str) {
    push(out, s, |byte| UNRESERVED[usize::from(byte)]);
}

/// Length in bytes of what [`component`] returns.
pub(crate) fn component_len(s: &str) -> usize {
    s.bytes()
        .map(|byte| if UNRESERVED[usize::from(byte)] { 1 } else { 3 })
        .sum()
}

fn push(out: &mut String, s: &str, plain: impl Fn(u8) -> bool) {
    let bytes = s.as_bytes();
    let mut start = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        if plain(byte) {
            continue;
        }
        // Inside a character there is no run to copy, so no slice cuts one.
        if start < i {
            out.push_str(&s[start..i]);
        }
        out.push('%');
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
        start = i + 1;
    }
    out.push_str(&s[start..]);
}

/// Undoes the escapes of one query name or value, byte by byte, the way servers read a query string: `+` is
/// a space, and a `%` that two hex digits do not follow stands for itself.
pub(crate) fn unescape(s: &str) -> impl Iterator<Item = u8> + '_ {
    let mut rest = s.as_bytes();
    std::iter::from_fn(move || {
        let (&first, tail) = rest.split_first()?;
        if let (b'%', [high, low, after @ ..]) = (first, tail)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            rest = after;
            return Some(high << 4 | low);
        }
        rest = tail;
        Some(if first == b'+' { b' ' } else { first })
    })
}

/// Whether [`unescape`] would change anything.
pub(crate) fn is_escaped(s: &str) -> bool {
    s.bytes().any(|byte| matches!(byte, b'%' | b'+'))
}

/// Whether a byte of this text is below `limit`, which is at most 0x80: `b' '` asks for control characters,
/// `b'!'` for them and blanks. It takes eight bytes at a time, and does not stop at the first.
#[inline]
#[must_use]
pub fn any_below(text: &[u8], limit: u8) -> bool {
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let limits = u64::from_ne_bytes([limit; 8]);
    // A byte below the limit is one without its highest bit that borrows for it.
    let within = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        word.wrapping_sub(limits) & !word & HIGH
    };
    let Some(last) = text.last_chunk() else {
        return text.iter().any(|byte| *byte < limit);
    };
    let words = text.as_chunks().0.iter();
    words.fold(within(last), |found, word| found | within(word)) != 0
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undo(s: &str) -> Vec<u8> {
        unescape(s).collect()
    }

    #[test]
    fn only_unreserved_characters_stay() {
        let all: String = (0..=127_u8).map(char::from).collect();
        let kept: String = component(&all)
            .split('%')
            .enumerate()
            .map(|(i, piece)| if i == 0 { piece } else { &piece[2..] })
            .collect();
        assert_eq!(
            kept,
            "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
        );
        assert_eq!(component_len(&all), component(&all).len());
    }

    #[test]
    fn characters_of_every_width() {
        assert_eq!(component("é"), "%C3%A9");
        assert_eq!(component("aéz€𝄞!"), "a%C3%A9z%E2%82%AC%F0%9D%84%9E%21");
        assert_eq!(component(""), "");
        assert_eq!(path("//a//ü/"), "//a//%C3%BC/");
        assert_eq!(path("x{y}?z#%+ ~"), "x%7By%7D%3Fz%23%25%2B%20~");
    }

    #[test]
    fn a_low_byte_is_found_anywhere() {
        for (limit, low, high) in [
            (b' ', &b"\r\n\t\0\x1f"[..], &b" ~\xc3\xff\x80\x7f"[..]),
            (b'!', b" \r\n\t\0", b"!~\xc3\xff\x80\x7f"),
            (0x80, b"\0\x7f", b"\x80\xff"),
        ] {
            for length in 0..40 {
                let mut text: Vec<u8> = high.iter().copied().cycle().take(length).collect();
                assert!(!any_below(&text, limit), "{limit} {length}");
                for at in 0..length {
                    for byte in low {
                        let was = std::mem::replace(&mut text[at], *byte);
                        assert!(
                            any_below(&text, limit),
                            "{limit} {byte} at {at} of {length}"
                        );
                        text[at] = was;
                    }
                }
            }
        }
    }

    #[test]
    fn unescaping_reads_what_servers_read() {
        assert_eq!(undo("text%2Fplain"), b"text/plain");
        assert_eq!(undo("a+b%20c%2Bd"), b"a b c+d");
        assert_eq!(undo("100%"), b"100%");
        assert_eq!(undo("%zz%4"), b"%zz%4");
        assert_eq!(undo("%ff%C3%a9"), b"\xff\xc3\xa9");
        assert_eq!(undo(&component("~ é/%+")), "~ é/%+".as_bytes());
    }
}
