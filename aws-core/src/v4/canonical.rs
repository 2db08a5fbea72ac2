//! Path and query as they are signed.

use std::borrow::Cow;

use aws_sigv2::escape;
use aws_sigv2::mac::Sink;

use super::scope::Rules;

/// Writes the path as this service signs it.
pub(super) fn put_path<S: Sink>(out: &mut S, path: &str, rules: Rules) {
    let absolute = if path.starts_with('/') {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(format!("/{path}"))
    };
    let path = if rules.normalize && (absolute.contains("/.") || absolute.contains("//")) {
        Cow::Owned(normalize(&absolute))
    } else {
        absolute
    };
    if rules.escape_again {
        out.put(escape::path(&path).as_bytes());
    } else {
        out.put(path.as_bytes());
    }
}

/// Removes dot segments ([RFC 3986, 5.2.4](https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4)) and empty ones.
fn normalize(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    let open = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    if open || kept.is_empty() {
        out.push('/');
    }
    out
}

/// Writes a query sorted, each name and value escaped anew, each with its `=`.
pub(super) fn put_query<S: Sink>(out: &mut S, query: &str) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = query
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            (canonical(name), canonical(value))
        })
        .collect();
    pairs.sort_unstable();
    for (i, (name, value)) in pairs.iter().enumerate() {
        if i > 0 {
            out.put_byte(b'&');
        }
        out.put(name.as_bytes());
        out.put_byte(b'=');
        out.put(value.as_bytes());
    }
}

/// A name or value as it would be escaped from what it stands for.
fn canonical(sent: &str) -> Cow<'_, str> {
    if is_canonical(sent.as_bytes()) {
        return Cow::Borrowed(sent);
    }
    let bytes = unescape(sent.as_bytes());
    let mut out = String::with_capacity(sent.len() + 8);
    for byte in bytes {
        push_escaped(&mut out, byte);
    }
    Cow::Owned(out)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_canonical(mut bytes: &[u8]) -> bool {
    loop {
        match bytes {
            [] => return true,
            [
                b'%',
                high @ (b'0'..=b'9' | b'A'..=b'F'),
                low @ (b'0'..=b'9' | b'A'..=b'F'),
                rest @ ..,
            ] => {
                if is_unreserved(digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0)) {
                    return false;
                }
                bytes = rest;
            }
            [byte, rest @ ..] if is_unreserved(*byte) => bytes = rest,
            _ => return false,
        }
    }
}

/// Undoes the escapes the way servers read a query: `+` is a space, and a `%` that two hex digits do not follow
/// stands for itself.
fn unescape(mut sent: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(sent.len());
    while let [first, tail @ ..] = sent {
        if let (b'%', [high, low, after @ ..]) = (first, tail)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            out.push(high << 4 | low);
            sent = after;
        } else {
            out.push(if *first == b'+' { b' ' } else { *first });
            sent = tail;
        }
    }
    out
}

fn digit(hex: u8) -> Option<u8> {
    let digit = char::from(hex).to_digit(16)?;
    u8::try_from(digit).ok()
}

fn push_escaped(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if is_unreserved(byte) {
        out.push(char::from(byte));
    } else {
        out.push('%');
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_and_written_anew() {
        let query = |query: &str| {
            let mut out = Vec::new();
            put_query(&mut out, query);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(query("acl"), "acl=");
        assert_eq!(query("b=2&a=1&b=1&&a"), "a=&a=1&b=1&b=2");
        assert_eq!(query("a=b+c%2b%7e%2F/"), "a=b%20c%2B~%2F%2F");
        assert_eq!(query("a=%zz%4&=x"), "=x&a=%25zz%254");
        assert_eq!(query("k=a=b"), "k=a%3Db");
        assert_eq!(query("p=\u{e9}"), "p=%C3%A9");
        // The order is that of the escaped bytes.
        assert_eq!(query("a-b=1&a=2&a%20=3"), "a=2&a%20=3&a-b=1");
    }

    #[test]
    fn paths_lose_what_leads_nowhere() {
        for (path, normal) in [
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/a/../b", "/b"),
            ("/../a", "/a"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("//a//b//", "/a/b/"),
            ("/.a/b.", "/.a/b."),
        ] {
            assert_eq!(normalize(path), normal, "{path}");
        }
    }
}
