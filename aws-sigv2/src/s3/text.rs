//! The string to sign of the S3 scheme.

use super::{S3Request, SECURITY_TOKEN, SubResources, is_link_parameter};
use crate::canonical::{List, split_query};
use crate::escape;
use crate::mac::Sink;

/// The text to sign, as the parts that it is written from.
pub(super) struct Text<'r, 'a, 'c, H> {
    request: &'r S3Request<'a, H>,
    list: &'r SubResources,
    /// The credentials' token, unless the headers hold one.
    token: Option<&'c str>,
    expires: Option<Decimal>,
    md5: &'a str,
    content_type: &'a str,
    date: &'a str,
    has_date: bool,
    /// How many `x-amz-` headers there are, and one of them.
    amz: usize,
    one: (&'a str, &'a str),
}

#[derive(Clone, Copy, Default)]
struct Amz<'t> {
    name: &'t str,
    value: &'t str,
    escaped: bool,
}

impl<'r, 'a, 'c, H> Text<'r, 'a, 'c, H>
where
    H: Clone + IntoIterator<Item = (&'a str, &'a str)>,
{
    #[inline(always)]
    pub(super) fn new(
        request: &'r S3Request<'a, H>,
        list: &'r SubResources,
        token: Option<&'c str>,
        expires: Option<u64>,
    ) -> Self {
        let mut text = Self {
            request,
            list,
            token,
            expires: expires.map(Decimal::of),
            md5: "",
            content_type: "",
            date: "",
            has_date: false,
            amz: 0,
            one: ("", ""),
        };
        for (name, value) in request.headers.clone() {
            text.take(name, value);
        }
        text
    }

    #[inline]
    fn take(&mut self, name: &'a str, value: &'a str) {
        // Of a header that must not repeat, the first counts that is not blank.
        let slot = match name.len() {
            4 if name.eq_ignore_ascii_case("date") => &mut self.date,
            11 if name.eq_ignore_ascii_case("content-md5") => &mut self.md5,
            12 if name.eq_ignore_ascii_case("content-type") => &mut self.content_type,
            _ if is_amz(name) => {
                self.amz += 1;
                self.one = (name, value);
                self.has_date |= name.eq_ignore_ascii_case("x-amz-date");
                if name.eq_ignore_ascii_case(SECURITY_TOKEN) {
                    self.token = None;
                }
                return;
            }
            _ => return,
        };
        if slot.is_empty() {
            *slot = trim(value);
        }
    }

    /// The token to send besides what the request holds.
    pub(super) fn added_token(&self) -> Option<&'c str> {
        self.token
    }

    pub(super) fn readable(&self) -> String {
        let mut text = Vec::new();
        self.write(&mut text);
        String::from_utf8(text)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    pub(super) fn write<S: Sink>(&self, out: &mut S) {
        out.put(self.request.method.as_bytes());
        out.put_byte(b'\n');
        // Most requests have neither of the two.
        if !self.md5.is_empty() {
            put_value(out, self.md5);
        }
        out.put_byte(b'\n');
        if !self.content_type.is_empty() {
            put_value(out, self.content_type);
        }
        out.put_byte(b'\n');
        match &self.expires {
            Some(expires) => out.put(expires.as_str().as_bytes()),
            None if self.has_date => {}
            None => put_value(out, self.date),
        }
        out.put_byte(b'\n');
        // Most requests have one such header or none, and then there is no list to fill and sort.
        match (self.amz, self.token) {
            _ if self.expires.is_some() => self.put_amz(out),
            (0, None) => {}
            (0, Some(token)) => put_header(out, SECURITY_TOKEN, token),
            (1, None) => put_header(out, self.one.0, self.one.1),
            _ => self.put_amz(out),
        }
        if let Some(bucket) = self.request.bucket {
            out.put_byte(b'/');
            out.put(bucket.as_bytes());
        }
        if !self.request.path.starts_with('/') {
            out.put_byte(b'/');
        }
        out.put(self.request.path.as_bytes());
        if !self.request.query.is_empty() {
            self.put_sub_resources(out);
        }
    }

    fn put_amz<S: Sink>(&self, out: &mut S) {
        let mut amz = List::new();
        for (name, value) in self.request.headers.clone() {
            if is_amz(name) {
                amz.push(Amz {
                    name,
                    value,
                    escaped: false,
                });
            }
        }
        if self.expires.is_some() {
            for (name, value) in split_query(self.request.query) {
                if is_amz(name) && !is_link_parameter(name) {
                    amz.push(Amz {
                        name,
                        value: value.unwrap_or_default(),
                        escaped: true,
                    });
                }
            }
        }
        if let Some(token) = self.token {
            amz.push(Amz {
                name: SECURITY_TOKEN,
                value: token,
                escaped: false,
            });
        }
        // The prefix is the same in all.
        amz.sort_by(|a, b| lower(&a.name[6..]).cmp(lower(&b.name[6..])));

        let mut last: Option<&str> = None;
        for header in amz.as_slice() {
            match last {
                Some(name) if name.eq_ignore_ascii_case(header.name) => out.put_byte(b','),
                _ => {
                    if last.is_some() {
                        out.put_byte(b'\n');
                    }
                    out.put_lower(header.name);
                    out.put_byte(b':');
                }
            }
            last = Some(header.name);
            if header.escaped {
                put_unescaped(out, header.value);
            } else {
                put_value(out, header.value);
            }
        }
        if last.is_some() {
            out.put_byte(b'\n');
        }
    }

    fn put_sub_resources<S: Sink>(&self, out: &mut S) {
        let mut signed = List::new();
        for (name, value) in split_query(self.request.query) {
            if let Some(name) = self.list.find(name) {
                signed.push((name, value.unwrap_or_default()));
            }
        }
        signed.sort_by(|a, b| a.0.cmp(b.0));
        for (i, (name, value)) in signed.as_slice().iter().enumerate() {
            out.put_byte(if i == 0 { b'?' } else { b'&' });
            out.put(name.as_bytes());
            if !value.is_empty() {
                out.put_byte(b'=');
                put_unescaped(out, value);
            }
        }
    }
}

/// Writes the line of a header that is not repeated.
fn put_header<S: Sink>(out: &mut S, name: &str, value: &str) {
    out.put_lower(name);
    out.put_byte(b':');
    put_value(out, value);
    out.put_byte(b'\n');
}

/// Writes a query value as servers read it.
fn put_unescaped<S: Sink>(out: &mut S, value: &str) {
    if escape::is_escaped(value) {
        for byte in escape::unescape(value) {
            out.put_byte(byte);
        }
    } else {
        out.put(value.as_bytes());
    }
}

/// Writes a header value without surrounding blanks, and unfolded: a line break with the blanks around it
/// becomes one space, so no value can add a line of its own.
fn put_value<S: Sink>(out: &mut S, value: &str) {
    let value = trim(value);
    // A line break, or another control character.
    if !escape::any_below(value.as_bytes(), b' ') {
        out.put(value.as_bytes());
        return;
    }
    let lines = value
        .split(['\r', '\n'])
        .map(|line| line.trim_matches([' ', '\t']));
    for (i, line) in lines.filter(|line| !line.is_empty()).enumerate() {
        if i > 0 {
            out.put_byte(b' ');
        }
        out.put(line.as_bytes());
    }
}

#[inline]
fn trim(value: &str) -> &str {
    if let ([b'!'..=b'~', ..], [.., b'!'..=b'~']) = (value.as_bytes(), value.as_bytes()) {
        return value;
    }
    value.trim_matches([' ', '\t', '\r', '\n'])
}

#[inline]
fn is_amz(name: &str) -> bool {
    name.as_bytes()
        .get(..6)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"x-amz-"))
}

fn lower(name: &str) -> impl Iterator<Item = u8> + '_ {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
}

/// A number written out without allocation.
pub(super) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    pub(super) fn of(mut number: u64) -> Self {
        let mut digits = [b'0'; 20];
        let mut start = 20;
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { digits, start };
            }
        }
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.start..]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_adds_a_line() {
        for (value, written) in [
            ("a", "a"),
            (" \ta b\t ", "a b"),
            ("a\tb", "a\tb"),
            ("one\r\n  two", "one two"),
            ("one\ntwo\r\n\r\n\tthree\n", "one two three"),
            ("\r\n", ""),
        ] {
            let mut out = Vec::new();
            put_value(&mut out, value);
            assert_eq!(out, written.as_bytes(), "{value:?}");
        }
    }
}
