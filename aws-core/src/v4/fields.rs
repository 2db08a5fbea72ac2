//! Header fields, sorted by name without allocation.

use aws_sigv2::escape::any_below;
use aws_sigv2::mac::{Sink, is_lower};

/// Entries kept inline; a request with more of them spills to the heap.
const INLINE: usize = 16;

type Field<'a> = (&'a str, &'a str);

/// The fields that are signed, sorted by their names in lowercase; equal names keep their order.
pub(super) struct SignedFields<'a> {
    inline: [Field<'a>; INLINE],
    length: usize,
    spill: Vec<Field<'a>>,
}

/// Fields that proxies change or that the signature itself goes into, by the length of their name.
fn is_unsigned(name: &str) -> bool {
    let word = match name.len() {
        6 => "expect",
        10 if name.as_bytes()[0].eq_ignore_ascii_case(&b'c') => "connection",
        10 => "user-agent",
        13 => "authorization",
        15 => "x-amzn-trace-id",
        17 => "transfer-encoding",
        _ => return false,
    };
    name.eq_ignore_ascii_case(word)
}

impl<'a> SignedFields<'a> {
    pub(super) fn new() -> Self {
        Self {
            inline: [("", ""); INLINE],
            length: 0,
            spill: Vec::new(),
        }
    }

    /// Inserts those of a request that are signed.
    pub(super) fn extend<'f: 'a>(&mut self, fields: impl IntoIterator<Item = Field<'f>>) {
        for (name, value) in fields {
            if !is_unsigned(name) {
                self.insert(name, value);
            }
        }
    }

    pub(super) fn insert(&mut self, name: &'a str, value: &'a str) {
        let after = |field: &Field<'a>| is_after(field.0, name);
        if self.spill.is_empty() && self.length < INLINE {
            let mut at = self.length;
            while at > 0 && after(&self.inline[at - 1]) {
                self.inline[at] = self.inline[at - 1];
                at -= 1;
            }
            self.inline[at] = (name, value);
            self.length += 1;
            return;
        }
        if self.spill.is_empty() {
            self.spill.extend_from_slice(&self.inline);
        }
        let at = self.spill.partition_point(|field| !after(field));
        self.spill.insert(at, (name, value));
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.as_slice()
            .iter()
            .any(|f| f.0.eq_ignore_ascii_case(name))
    }

    pub(super) fn as_slice(&self) -> &[Field<'a>] {
        if self.spill.is_empty() {
            &self.inline[..self.length]
        } else {
            &self.spill
        }
    }

    /// Writes the names, separated by `;`.
    pub(super) fn push_names(&self, out: &mut String) {
        let mut last: Option<&str> = None;
        for (name, _) in self.as_slice() {
            if last.is_some_and(|before| before.eq_ignore_ascii_case(name)) {
                continue;
            }
            if last.is_some() {
                out.push(';');
            }
            if is_lower(name) {
                out.push_str(name);
            } else {
                out.push_str(&name.to_ascii_lowercase());
            }
            last = Some(name);
        }
    }

    /// Writes `name:value` lines, one for each name; `names` is what [`push_names`](Self::push_names) wrote.
    pub(super) fn put_lines<S: Sink>(&self, out: &mut S, names: &str) {
        let mut names = names.as_bytes();
        let mut last: Option<&str> = None;
        for (name, value) in self.as_slice() {
            match last {
                Some(before) if before.eq_ignore_ascii_case(name) => out.put_byte(b','),
                _ => {
                    if last.is_some() {
                        out.put_byte(b'\n');
                        names = &names[1..];
                    }
                    let (lower, rest) = names.split_at(name.len());
                    out.put(lower);
                    out.put_byte(b':');
                    names = rest;
                }
            }
            put_value(out, value);
            last = Some(name);
        }
        if last.is_some() {
            out.put_byte(b'\n');
        }
    }
}

/// Whether a name comes after another, both in lowercase.
fn is_after(name: &str, other: &str) -> bool {
    for (a, b) in name.bytes().zip(other.bytes()) {
        if a != b {
            let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
            if a != b {
                return a > b;
            }
        }
    }
    name.len() > other.len()
}

/// Writes a value without surrounding spaces, with runs of spaces as one, and unfolded: no value can add a line.
fn put_value<S: Sink>(out: &mut S, value: &str) {
    // Most values have no blank at all.
    if !any_below(value.as_bytes(), b'!') {
        out.put(value.as_bytes());
        return;
    }
    let value = value.trim_matches([' ', '\r', '\n']);
    let fold = |byte: u8| matches!(byte, b'\r' | b'\n');
    let run = |pair: &[u8]| pair == b"  ";
    if !value.bytes().any(fold) && !value.as_bytes().windows(2).any(run) {
        out.put(value.as_bytes());
        return;
    }
    let words = value
        .split([' ', '\r', '\n'])
        .filter(|word| !word.is_empty());
    for (i, word) in words.enumerate() {
        if i > 0 {
            out.put_byte(b' ');
        }
        out.put(word.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(fields: &[(&str, &str)]) -> (String, String) {
        let mut sorted = SignedFields::new();
        sorted.extend(fields.iter().copied());
        let (mut lines, mut names) = (Vec::new(), String::new());
        sorted.push_names(&mut names);
        sorted.put_lines(&mut lines, &names);
        (String::from_utf8(lines).unwrap(), names)
    }

    #[test]
    fn names_are_sorted_in_lowercase_and_values_joined() {
        let (text, names) = lines(&[
            ("X-B", "2 "),
            ("x-a", " a   b\tc "),
            ("x-b", "1"),
            ("Authorization", "AWS x"),
            ("Connection", "close"),
            ("User-Agent", "me"),
            ("host", "h"),
            ("x-c", "one\r\n  two"),
        ]);
        assert_eq!(text, "host:h\nx-a:a b\tc\nx-b:2,1\nx-c:one two\n");
        assert_eq!(names, "host;x-a;x-b;x-c");
    }

    #[test]
    fn many_fields_are_sorted_as_few() {
        for count in [0, 1, 15, 16, 17, 60] {
            let names: Vec<String> = (0..count)
                .map(|i| format!("x-{:02}", i * 37 % 61))
                .collect();
            let fields: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
            let (_, sorted) = lines(&fields);
            let mut expected = names.clone();
            expected.sort();
            assert_eq!(sorted, expected.join(";"), "{count}");
        }
    }
}
