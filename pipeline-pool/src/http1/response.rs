//! An answer: its head as it came, and its body.

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::http1::body::Body;

/// Status and header fields of an answer, kept as the bytes that came.
#[derive(Clone)]
pub struct Head {
    pub(crate) status: u16,
    /// The fields, one a line, without the status line and the empty line.
    pub(crate) fields: Bytes,
}

impl Head {
    /// A head made by hand: for tests, and for transports other than this pool.
    ///
    /// Fields whose name is not a token or whose value has a line break or a NUL are left out.
    pub fn new<'a>(status: u16, headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut fields = BytesMut::new();
        for (name, value) in headers {
            let legal = !name.is_empty() && name.bytes().all(super::octets::is_token);
            if legal && !value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
                fields.extend_from_slice(name.as_bytes());
                fields.extend_from_slice(b": ");
                fields.extend_from_slice(value);
                fields.extend_from_slice(b"\r\n");
            }
        }
        Self {
            status,
            fields: fields.freeze(),
        }
    }

    /// A head of lines as they go on the wire, each with its line end; nothing when one of them is no field.
    pub fn from_lines(status: u16, fields: Bytes) -> Option<Self> {
        let legal = || {
            let mut rest = &fields[..];
            while !rest.is_empty() {
                let end = memchr::memchr(b'\n', rest)?;
                let line = rest[..end].strip_suffix(b"\r")?;
                let name = &line[..memchr::memchr(b':', line)?];
                let token = !name.is_empty() && name.iter().all(|&b| super::octets::is_token(b));
                if !token || memchr::memchr2(b'\r', 0, line).is_some() {
                    return None;
                }
                rest = &rest[end + 1..];
            }
            Some(())
        };
        legal().map(|()| Self { status, fields })
    }

    /// The status code, 200 to 999.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of the first field of this name (any case), if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// All fields in the order they came: names as sent, values without surrounding blanks.
    pub fn headers(&self) -> Headers<'_> {
        Headers { rest: &self.fields }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("Head")
            .field("status", &self.status)
            .field("headers", &names)
            .finish()
    }
}

/// The header fields of a [`Head`], in order; made by [`Head::headers`].
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let end = memchr::memchr(b'\n', self.rest).map_or(self.rest.len(), |i| i + 1);
            let (line, rest) = self.rest.split_at(end);
            self.rest = rest;
            let Some(colon) = memchr::memchr(b':', line) else {
                continue;
            };
            if let Ok(name) = std::str::from_utf8(&line[..colon]) {
                return Some((name, line[colon + 1..].trim_ascii()));
            }
        }
        None
    }
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    head: Head,
    body: Body,
}

impl Response {
    /// An answer made of its parts.
    pub fn new(head: Head, body: impl Into<Body>) -> Self {
        Self {
            head,
            body: body.into(),
        }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The value of the first field of this name (any case), if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Status and fields.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The body: whole when it is small, else a stream.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body to read.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Takes the answer apart.
    pub fn into_parts(self) -> (Head, Body) {
        (self.head, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_any_case() {
        let head = Head::new(
            200,
            [
                ("ETag", b"\"x\"".as_slice()),
                ("bad name", b"x"),
                ("a", b"1\r\n2"),
            ],
        );
        assert_eq!(head.header("etag"), Some("\"x\""));
        assert_eq!(head.headers().count(), 1);
    }

    #[test]
    fn lines_are_fields_or_no_head() {
        let read = |lines: &'static [u8]| Head::from_lines(200, Bytes::from_static(lines));
        let head = read(b"ETag: \"x\"\r\na:b\r\n").unwrap();
        assert_eq!(
            (head.header("etag"), head.header("a")),
            (Some("\"x\""), Some("b"))
        );
        assert_eq!(read(b"").unwrap().headers().count(), 0);
        for lines in [
            &b"a: b"[..],
            b"a: b\n",
            b"a\r\n",
            b": b\r\n",
            b"a b: c\r\n",
            b"a: \0\r\n",
            b"a: b\rc\r\n",
        ] {
            assert!(read(lines).is_none(), "{}", lines.escape_ascii());
        }
    }

    #[test]
    fn blanks_around_values_are_not_part_of_them() {
        let head = Head {
            status: 200,
            fields: Bytes::from_static(b"a:  x y \r\nb:\r\nc: \xff\r\n"),
        };
        assert_eq!(head.header("a"), Some("x y"));
        assert_eq!(head.header("b"), Some(""));
        assert_eq!(head.header("c"), None);
        assert_eq!(head.headers().last(), Some(("c", b"\xff".as_slice())));
    }
}
