//! Header fields, sorted by name without allocation.

/// Entries kept inline; a request with more of them spills to the heap.
const INLINE: usize = 24;

type Field<'a> = (&'a str, &'a str);

/// The fields that are signed, sorted by their names in lowercase; equal names keep their order.
pub(super) struct Fields<'a> {
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

impl<'a> Fields<'a> {
    pub(super) fn new(fields: impl IntoIterator<Item = Field<'a>>) -> Self {
        let mut sorted = Self {
            inline: [("", ""); INLINE],
            length: 0,
            spill: Vec::new(),
        };
        for (name, value) in fields {
            if !is_unsigned(name) {
                sorted.insert(name, value);
            }
        }
        sorted
    }

    pub(super) fn insert(&mut self, name: &'a str, value: &'a str) {
        let after = |field: &Field<'a>| lower(field.0).gt(lower(name));
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

    /// Writes `name:value` lines, one for each name.
    pub(super) fn push_lines(&self, out: &mut String) {
        let mut last: Option<&str> = None;
        for (name, value) in self.as_slice() {
            match last {
                Some(before) if before.eq_ignore_ascii_case(name) => out.push(','),
                _ => {
                    if last.is_some() {
                        out.push('\n');
                    }
                    push_lower(out, name);
                    out.push(':');
                }
            }
            push_value(out, value);
            last = Some(name);
        }
        if last.is_some() {
            out.push('\n');
        }
    }

    /// Writes the names, separated by this.
    pub(super) fn push_names(&self, out: &mut String, separator: &str) {
        let mut last: Option<&str> = None;
        for (name, _) in self.as_slice() {
            if last.is_some_and(|before| before.eq_ignore_ascii_case(name)) {
                continue;
            }
            if last.is_some() {
                out.push_str(separator);
            }
            push_lower(out, name);
            last = Some(name);
        }
    }
}

fn lower(name: &str) -> impl Iterator<Item = u8> + '_ {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
}

fn push_lower(out: &mut String, name: &str) {
    let start = out.len();
    out.push_str(name);
    if let Some(written) = out.get_mut(start..) {
        written.make_ascii_lowercase();
    }
}

/// Writes a value without surrounding spaces, with runs of spaces as one, and unfolded: no value can add a line.
fn push_value(out: &mut String, value: &str) {
    // Most values have no blank at all. Without an early exit the compiler takes many bytes at a time.
    if !value
        .bytes()
        .fold(false, |found, byte| found | (byte <= b' '))
    {
        out.push_str(value);
        return;
    }
    let value = value.trim_matches([' ', '\r', '\n']);
    let fold = |byte: u8| matches!(byte, b'\r' | b'\n');
    let run = |pair: &[u8]| pair == b"  ";
    if !value.bytes().any(fold) && !value.as_bytes().windows(2).any(run) {
        out.push_str(value);
        return;
    }
    let words = value
        .split([' ', '\r', '\n'])
        .filter(|word| !word.is_empty());
    for (i, word) in words.enumerate() {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(fields: &[(&str, &str)]) -> (String, String) {
        let fields = Fields::new(fields.iter().copied());
        let (mut lines, mut names) = (String::new(), String::new());
        fields.push_lines(&mut lines);
        fields.push_names(&mut names, ";");
        (lines, names)
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
        for count in [0, 1, 23, 24, 25, 60] {
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
