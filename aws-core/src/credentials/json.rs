//! The strings and numbers of a JSON object ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)): all that answers with keys need.

use std::iter::Peekable;
use std::str::Chars;

/// How deeply values may be nested.
const MAX_DEPTH: u32 = 16;

/// The members of an object whose values are strings, or numbers and words, which are given as they are written, and
/// not null; others are passed over. Nothing if it is no JSON object.
pub(super) fn scalars(text: &[u8]) -> Option<Vec<(String, String)>> {
    let mut reader = Reader(std::str::from_utf8(text).ok()?.chars().peekable());
    let mut found = Vec::new();
    reader.object(0, &mut |name, value| found.push((name, value)))?;
    reader.blanks();
    reader.0.next().is_none().then_some(found)
}

struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    fn blanks(&mut self) {
        while self
            .0
            .next_if(|c| matches!(c, ' ' | '\t' | '\r' | '\n'))
            .is_some()
        {}
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.blanks();
        self.0.next_if_eq(&wanted).map(|_| ())
    }

    fn object(&mut self, depth: u32, found: &mut dyn FnMut(String, String)) -> Option<()> {
        self.expect('{')?;
        if self.expect('}').is_some() {
            return Some(());
        }
        loop {
            self.blanks();
            let name = self.string()?;
            self.expect(':')?;
            if let Some(value) = self.value(depth)? {
                found(name, value);
            }
            if self.expect(',').is_none() {
                return self.expect('}');
            }
        }
    }

    /// The value if it is a scalar.
    fn value(&mut self, depth: u32) -> Option<Option<String>> {
        if depth == MAX_DEPTH {
            return None;
        }
        self.blanks();
        match *self.0.peek()? {
            '"' => return self.string().map(Some),
            '{' => self.object(depth + 1, &mut |_, _| {})?,
            '[' => self.array(depth + 1)?,
            _ => {
                let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
                let mut word = String::new();
                while let Some(c) = self.0.next_if(is_part) {
                    word.push(c);
                }
                let number = || word.parse::<f64>().is_ok_and(f64::is_finite);
                let known = matches!(word.as_str(), "true" | "false" | "null");
                (known || number()).then_some(())?;
                return Some((word != "null").then_some(word));
            }
        }
        Some(None)
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        self.expect('[')?;
        if self.expect(']').is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.expect(',').is_none() {
                return self.expect(']');
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.0.next_if_eq(&'"')?;
        let mut out = String::new();
        loop {
            match self.0.next()? {
                '"' => return Some(out),
                '\\' => out.push(self.escape()?),
                c if c < ' ' => return None,
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.0.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.unit()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                self.0.next_if_eq(&'\\')?;
                self.0.next_if_eq(&'u')?;
                let second = self.unit()?;
                if !(0xdc00..0xe000).contains(&second) {
                    return None;
                }
                return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |unit, _| Some(unit * 16 + self.0.next()?.to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found() {
        let text = "\n{ \"A\" : \"x\\\"\\\\\\/\\n\\u00e9\\ud834\\udd1e\u{e9}\",\t\"n\":-1.5e3,\"b\":true,\"z\":null,\
                    \"o\":{\"A\":\"not this\",\"l\":[1,[],{},\"s\"]},\"B\":\"\"}\r\n";
        let found = scalars(text.as_bytes()).unwrap();
        let expected = [
            ("A", "x\"\\/\n\u{e9}\u{1d11e}\u{e9}"),
            ("n", "-1.5e3"),
            ("b", "true"),
            ("B", ""),
        ];
        assert_eq!(found, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert_eq!(scalars(b"{}"), Some(Vec::new()));
    }

    #[test]
    fn anything_else_is_nothing() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(99), "]".repeat(99));
        for text in [
            "",
            "[]",
            "\"a\"",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":\"b\"",
            "{\"a\":\"b\",}",
            "{a:1}",
            "{\"a\":1}x",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\ud800\\u0041\"}",
            "{\"a\":\"\\udc00\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":tru}",
            "{\"a\":nan}",
            "{\"a\":1-}",
            "<html>",
            &deep,
        ] {
            assert_eq!(scalars(text.as_bytes()), None, "{text}");
        }
        assert_eq!(scalars(b"{\"a\":\"\xff\"}"), None);
    }
}
