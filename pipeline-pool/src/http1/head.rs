//! Heads of answers: where they end, and what they say about the framing of what follows.

use std::mem::MaybeUninit;

use bytes::BytesMut;

use crate::error::{Error, Kind};

/// Fields that one head may have.
const MAX_FIELDS: usize = 100;
/// What every head begins with.
const VERSION: &[u8] = b"HTTP/1.";
/// Fields that decide where an answer ends, or whether another may follow it.
const FRAMING: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

/// What a head says that matters for framing.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) status: u16,
    pub(super) http10: bool,
    /// No further answer may be taken from this connection.
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    /// Where the fields begin.
    pub(super) fields: usize,
    /// Where the head ends, its empty line included.
    pub(super) end: usize,
}

/// Looks for one head after another at the front of the input.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// Bytes in which the end of the present head was looked for already.
    scanned: usize,
}

impl Heads {
    /// The head at the front of the input; nothing when its end is not here yet.
    pub(super) fn next(
        &mut self,
        input: &mut BytesMut,
        limit: usize,
    ) -> Result<Option<Parsed>, Error> {
        let seen = input.len().min(VERSION.len());
        if input[..seen] != VERSION[..seen] {
            return Err(violation("it does not begin with HTTP/1"));
        }
        // What has been parsed in vain is parsed again only when its end is here: otherwise a
        // head that comes byte by byte costs the square of its length.
        if self.scanned > 0 && self.end(input, limit)?.is_none() {
            return Ok(None);
        }
        let error = match parse(input) {
            Ok(Some(parsed)) if parsed.end <= limit => {
                self.scanned = 0;
                return Ok(Some(parsed));
            }
            Ok(Some(_)) => return Err(over_limit()),
            Ok(None) => None,
            Err(Fault::Error(error)) => return Err(error),
            Err(Fault::Name(error)) => Some(error),
        };
        let Some(end) = self.end(input, limit)? else {
            return Ok(None);
        };
        self.scanned = 0;
        // Folded lines are rare: they are looked for only when a head is not understood.
        let folded = unfold(&mut input[..end])?;
        match (error, parse(&input[..end])) {
            (_, Ok(Some(parsed))) if folded && parsed.end == end => Ok(Some(parsed)),
            (Some(error), _) | (None, Err(Fault::Error(error) | Fault::Name(error))) => Err(error),
            (None, Ok(_)) => Err(violation("its head ends early")),
        }
    }

    /// Where the head ends, if all of it is here.
    fn end(&mut self, input: &[u8], limit: usize) -> Result<Option<usize>, Error> {
        for i in memchr::memchr_iter(b'\n', &input[self.scanned..]) {
            let line = &input[..=self.scanned + i];
            if !line.ends_with(b"\r\n") {
                return Err(bare_lf());
            }
            if line.ends_with(b"\r\n\r\n") {
                return if line.len() > limit {
                    Err(over_limit())
                } else {
                    Ok(Some(line.len()))
                };
            }
        }
        self.scanned = input.len();
        if input.len() > limit {
            Err(over_limit())
        } else {
            Ok(None)
        }
    }
}

enum Fault {
    /// Where a name was expected there is none, as it is with a folded line.
    Name(Error),
    Error(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn parse(input: &[u8]) -> Result<Option<Parsed>, Fault> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let end = match config.parse_response_with_uninit_headers(&mut response, input, &mut slots) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(cause) => {
            let error = violation("its head is malformed").with_source(cause);
            return Err(match cause {
                httparse::Error::HeaderName => Fault::Name(error),
                _ => Fault::Error(error),
            });
        }
    };
    let status = response.code.unwrap_or(0);
    if !(100..=999).contains(&status) {
        return Err(violation("its status code is out of range").into());
    }
    let at = |field: &httparse::Header<'_>| field.name.as_ptr().addr() - input.as_ptr().addr();
    let mut parsed = Parsed {
        status,
        http10: response.version == Some(0),
        // RFC 9110, 15: a status over 599 is not valid; whoever sends it is not trusted further.
        close: status > 599,
        keep_alive: false,
        length: None,
        chunked: false,
        fields: response.headers.first().map_or(end - 2, at),
        end,
    };
    // httparse also takes lines that end without a carriage return; here they are doubtful. Each
    // line ends right before a field or at the end of the head, so no search is needed.
    let mut crlf = input[..end].ends_with(b"\r\n\r\n");
    for field in response.headers.iter() {
        crlf &= input[..at(field)].ends_with(b"\r\n");
        // Most fields are told apart by the length of their name.
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        match field.name.len() {
            10 if is("connection") => parsed.connection(field.value),
            14 if is("content-length") => parsed.length(field.value)?,
            17 if is("transfer-encoding") => parsed.coding(field.value)?,
            _ => {}
        }
    }
    if !crlf {
        return Err(bare_lf().into());
    }
    if parsed.chunked && parsed.length.is_some() {
        return Err(violation("content-length beside transfer-encoding").into());
    }
    if parsed.chunked && parsed.http10 {
        return Err(violation("transfer-encoding in HTTP/1.0").into());
    }
    Ok(Some(parsed))
}

impl Parsed {
    fn connection(&mut self, value: &[u8]) {
        if value.eq_ignore_ascii_case(b"keep-alive") {
            self.keep_alive = true;
            return;
        }
        for token in list(value) {
            self.close |= token.eq_ignore_ascii_case(b"close");
            self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Error> {
        if self.length.is_none() {
            self.length = length(value);
            if self.length.is_some() {
                return Ok(());
            }
        }
        // A list of equal lengths is one length; anything else could be framed two ways.
        for value in list(value) {
            let n = length(value).ok_or_else(|| violation("a bad content-length"))?;
            if self.length.is_some_and(|m| m != n) {
                return Err(violation("two different content-lengths"));
            }
            self.length = Some(n);
        }
        Ok(())
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Error> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(violation("an unknown transfer-encoding"));
        }
        self.chunked = true;
        Ok(())
    }
}

fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(<[u8]>::trim_ascii)
}

fn length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0, |n, d| {
        d.is_ascii_digit().then(|| n * 10 + u64::from(d - b'0'))
    })
}

/// Replaces folded line ends by blanks, as
/// [RFC 9112, 5.2](https://www.rfc-editor.org/rfc/rfc9112#section-5.2) asks of a client; says
/// whether there were any. In a field that decides the framing, folding is refused: what is in
/// between may read it otherwise.
fn unfold(head: &mut [u8]) -> Result<bool, Error> {
    let mut found = false;
    let first = memchr::memchr(b'\n', head).map_or(head.len(), |i| i + 1);
    let mut line = first;
    for i in first..head.len().saturating_sub(2) {
        if head[i] != b'\r' || head[i + 1] != b'\n' {
            continue;
        }
        if !matches!(head[i + 2], b' ' | b'\t') {
            line = i + 2;
            continue;
        }
        let name = head[line..i]
            .split(|&b| b == b':')
            .next()
            .unwrap_or_default();
        let name = name.trim_ascii();
        if FRAMING
            .iter()
            .any(|f| name.eq_ignore_ascii_case(f.as_bytes()))
        {
            return Err(violation("a folded line in a field that frames"));
        }
        head[i] = b' ';
        head[i + 1] = b' ';
        found = true;
    }
    Ok(found)
}

pub(super) fn violation(what: &'static str) -> Error {
    Error::new(
        Kind::Protocol,
        format!("the answer breaks HTTP/1.1: {what}"),
    )
}

fn bare_lf() -> Error {
    violation("a line of its head ends without CR")
}

fn over_limit() -> Error {
    violation("its head is over the limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &[u8]) -> Result<Option<Parsed>, Error> {
        let mut input = BytesMut::from(head);
        let all = Heads::default().next(&mut input, 64 * 1024);
        // The same, as it comes byte by byte.
        let mut heads = Heads::default();
        let mut part = BytesMut::new();
        let mut last = Ok(None);
        for &b in head {
            part.extend_from_slice(&[b]);
            last = heads.next(&mut part, 64 * 1024);
            if !matches!(last, Ok(None)) {
                break;
            }
        }
        let shown = |read: &Result<_, Error>| read.as_ref().ok().map(|p| format!("{p:?}"));
        assert_eq!(shown(&all), shown(&last), "{}", head.escape_ascii());
        all
    }

    fn field(lines: &[u8]) -> Result<Option<Parsed>, Error> {
        read(&[b"HTTP/1.1 200 OK\r\n", lines, b"\r\n\r\n"].concat())
    }

    #[test]
    fn what_is_doubtful_is_refused() {
        let lines: &[&[u8]] = &[
            // Framing that could be read two ways.
            b"content-length: 5\r\ntransfer-encoding: chunked",
            b"transfer-encoding: chunked\r\ncontent-length: 5",
            b"transfer-encoding: chunked, chunked",
            b"transfer-encoding: chunked\r\nTransfer-Encoding: chunked",
            b"transfer-encoding: gzip, chunked",
            b"transfer-encoding: chunked, gzip",
            b"transfer-encoding: identity",
            b"transfer-encoding: identity\r\ncontent-length: 5",
            b"transfer-encoding: xchunked",
            b"transfer-encoding: chunked;q=1",
            b"transfer-encoding: \"chunked\"",
            b"transfer-encoding: \xa0chunked",
            b"transfer-encoding:",
            b"transfer-encoding: ,chunked",
            b"content-length: 5\r\ncontent-length: 6",
            b"content-length: 5, 6",
            b"content-length: 5,",
            b"content-length: ,5",
            b"content-length: +5",
            b"content-length: -1",
            b"content-length: 1e3",
            b"content-length: 0x5",
            b"content-length: 5 5",
            b"content-length: 5.0",
            b"content-length: \"5\"",
            b"content-length: 5\xa0",
            b"content-length:",
            b"content-length: 18446744073709551621",
            b"content-length: 9999999999999999999",
            b"content-length: 0000000000000000005",
            // Folded lines where they decide the framing, or where no field is before them.
            b"content-length: 1\r\n 2",
            b"content-length:\r\n 5",
            b"Content-Length: 5\r\n ",
            b"transfer-encoding:\r\n chunked",
            b"transfer-encoding: chunked\r\n\t",
            b"connection: keep-alive,\r\n close",
            b"content-\r\n length: 5",
            b"content-length\r\n : 5",
            b" folded: first",
            b"\tfolded: first",
            b" ",
            // Lines and names.
            b"content-length : 5",
            b"content-length\t: 5",
            b"a b: 5",
            b"a",
            b": x",
            b"a: b\nc: d",
            b"a: b\rc: d",
            b"a: b\r\r\nc: d",
            b"a: b\0c",
            b"a\0: b",
            b"a: b\x0bc",
            b"a: \x7f",
            b"a\x80: b",
            b"a: b\r\n\0: c",
            b"a: b\r\nc: d\n",
            b"a: b\n\r\nc: d",
            b"\na: b",
            b"\ra: b",
        ];
        for line in lines {
            let error = field(line)
                .map(|_| line.escape_ascii().to_string())
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Protocol);
        }
        let heads: &[&[u8]] = &[
            b"HTTP/1.1 099 Low\r\n\r\n",
            b"HTTP/1.1 000 Low\r\n\r\n",
            b"HTTP/1.1 1000 High\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 2x0 OK\r\n\r\n",
            b"HTTP/1.1 -20 OK\r\n\r\n",
            b"HTTP/1.1 \r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
            b"HTTP/1.1  200 OK\r\n\r\n",
            b"HTTP/1.1\t200 OK\r\n\r\n",
            b"HTTP/1.1 200OK\r\n\r\n",
            b"HTTP/1.2 200 OK\r\n\r\n",
            b"HTTP/1.10 200 OK\r\n\r\n",
            b"HTTP/2.0 200 OK\r\n\r\n",
            b"HTTP/0.9 200 OK\r\n\r\n",
            b"http/1.1 200 OK\r\n\r\n",
            b"ICY 200 OK\r\n\r\n",
            b" HTTP/1.1 200 OK\r\n\r\n",
            b"\r\nHTTP/1.1 200 OK\r\n\r\n",
            b"\nHTTP/1.1 200 OK\r\n\r\n",
            b"\0HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 O\rK\r\n\r\n",
            b"HTTP/1.1 200 O\0K\r\n\r\n",
            b"HTTP/1.1 200 OK\n\r\n",
            b"HTTP/1.1 200 OK\n\n",
            b"HTTP/1.1 200 OK\r\n\n",
            b"HTTP/1.1 200\n\r\n\r\n",
            b"HTTP/1.1 200 OK\r\na: b\n\n",
            b"HTTP/1.1 200 OK\r\na: b\n\r\n",
            b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ];
        for head in heads {
            let error = read(head)
                .map(|_| head.escape_ascii().to_string())
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Protocol);
        }
    }

    #[test]
    fn framing_is_read() {
        // Lines; length, chunked, close, keep-alive.
        type Row = (&'static [u8], Option<u64>, bool, bool, bool);
        let rows: &[Row] = &[
            (b"a: b", None, false, false, false),
            (b"content-length: 5", Some(5), false, false, false),
            (b"CONTENT-LENGTH:5", Some(5), false, false, false),
            (b"content-length: \t 5 \t", Some(5), false, false, false),
            (b"content-length: 005", Some(5), false, false, false),
            (b"content-length: 5, 5", Some(5), false, false, false),
            (
                b"content-length: 5\r\nContent-Length: 5",
                Some(5),
                false,
                false,
                false,
            ),
            (
                b"content-length: 999999999999999999",
                Some(999_999_999_999_999_999),
                false,
                false,
                false,
            ),
            (b"transfer-encoding: Chunked", None, true, false, false),
            (b"transfer-encoding:chunked \t", None, true, false, false),
            (b"connection: Close", None, false, true, false),
            (b"connection: keep-alive, close", None, false, true, true),
            (
                b"connection: x\r\nconnection: Keep-Alive",
                None,
                false,
                false,
                true,
            ),
            (b"connection: closed, x-close", None, false, false, false),
            (
                b"a: b\r\n c\r\n\td\r\ncontent-length: 5",
                Some(5),
                false,
                false,
                false,
            ),
            (
                b"a:\r\n b\r\ncontent-length: 5",
                Some(5),
                false,
                false,
                false,
            ),
            (
                b"content-length: 5\r\na: b\r\n  ",
                Some(5),
                false,
                false,
                false,
            ),
            (b"content_length: 5", None, false, false, false),
            (b"x-content-length: 5", None, false, false, false),
        ];
        for (line, length, chunked, close, keep_alive) in rows {
            let parsed = field(line).unwrap().unwrap();
            let got = (
                parsed.length,
                parsed.chunked,
                parsed.close,
                parsed.keep_alive,
            );
            let text = line.escape_ascii();
            assert_eq!(got, (*length, *chunked, *close, *keep_alive), "{text}");
            assert_eq!(parsed.fields, "HTTP/1.1 200 OK\r\n".len(), "{text}");
        }
    }

    #[test]
    fn status_lines_are_read() {
        for (head, status, http10, close) in [
            ("HTTP/1.1 200 OK\r\n\r\n", 200, false, false),
            ("HTTP/1.1 200 \r\n\r\n", 200, false, false),
            ("HTTP/1.1 200\r\n\r\n", 200, false, false),
            ("HTTP/1.0 404 N\u{f6}t\there\r\n\r\n", 404, true, false),
            ("HTTP/1.1 599 x\r\n\r\n", 599, false, false),
            ("HTTP/1.1 600 x\r\n\r\n", 600, false, true),
            ("HTTP/1.1 999 x\r\n\r\n", 999, false, true),
        ] {
            let parsed = read(head.as_bytes()).unwrap().unwrap();
            assert_eq!(
                (parsed.status, parsed.http10, parsed.close),
                (status, http10, close)
            );
            assert_eq!((parsed.fields, parsed.end), (head.len() - 2, head.len()));
        }
    }

    #[test]
    fn limits_hold() {
        let fields = |n: usize| field("a: b\r\n".repeat(n - 1).as_bytes().trim_ascii());
        assert!(fields(MAX_FIELDS + 1).is_ok());
        assert!(fields(MAX_FIELDS + 2).is_err());

        let head = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n";
        let next = |limit| Heads::default().next(&mut BytesMut::from(&head[..]), limit);
        assert!(next(head.len()).unwrap().is_some());
        assert!(next(head.len() - 1).is_err());
        // One without an end is given up as soon as it is over the limit.
        let mut heads = Heads::default();
        let mut input = BytesMut::from(&b"HTTP/1.1 200 "[..]);
        while input.len() < 100 {
            assert!(heads.next(&mut input, 100).unwrap().is_none());
            input.extend_from_slice(b"x");
        }
        assert!(heads.next(&mut input, 100).unwrap().is_none());
        input.extend_from_slice(b"x");
        assert!(heads.next(&mut input, 100).is_err());
    }
}
