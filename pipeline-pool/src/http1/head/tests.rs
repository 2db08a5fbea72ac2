//! Heads that are taken, heads that are refused, and heads after one another.

use proptest::prelude::*;
use proptest::sample::Index;

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
        b"a: b\r\ncontent-length: 5\r\n ",
        b"a: b\r\n c\r\nconnection:\r\n close",
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
    let fields = |n: usize| field("a: b\r\n".repeat(n).as_bytes().trim_ascii());
    // The bound is on bytes. S3 bounds the metadata of an object by 2 KB, which can be more
    // than a thousand fields, and what can be stored has to be readable.
    let most = (64 * 1024 - "HTTP/1.1 200 OK\r\n\r\n".len()) / "a: b\r\n".len();
    assert!(fields(2048).is_ok() && fields(most).is_ok());
    assert!(fields(most + 1).is_err());

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

/// Whether an independent parser takes it, and every line ends as it should.
fn is_taken_elsewhere(head: &[u8]) -> bool {
    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut response = httparse::Response::new(&mut slots);
    let whole = httparse::Status::Complete(head.len());
    let lines = head.split_inclusive(|&b| b == b'\n');
    response.parse(head) == Ok(whole)
        && response.code.is_some_and(|code| code >= 100)
        && lines.into_iter().all(|line| line.ends_with(b"\r\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn another_parser_takes_and_refuses_the_same(
        status in "(HTTP/1\\.[01] [1-9][0-9]{2}|HTTP/1\\.[0-2] ?[0-9]{2,4})( [ -~\t]{0,12})?",
        fields in prop::collection::vec("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,20}:[ -~\t]{0,70}", 0..12),
        change in prop::option::of((any::<Index>(), any::<u8>(), any::<bool>())),
    ) {
        let mut head = status.into_bytes();
        for field in fields {
            head.extend_from_slice(b"\r\n");
            head.extend_from_slice(field.as_bytes());
        }
        head.extend_from_slice(b"\r\n\r\n");
        if let Some((at, byte, insert)) = change {
            let at = at.index(head.len());
            head.splice(at..at + usize::from(!insert), [byte]);
        }
        let parsed = Heads::default().next(&mut BytesMut::from(&head[..]), 64 * 1024);
        let taken = matches!(&parsed, Ok(Some(parsed)) if parsed.end == head.len());
        let folded = unfold(&mut head);
        prop_assume!(!matches!(folded, Ok(true) | Err(_)));
        prop_assert_eq!(taken, is_taken_elsewhere(&head), "{}", head.escape_ascii());
    }

    /// Heads of the same lines in one form or another, as those of one server are, and heads of other lines between them.
    #[test]
    fn what_came_before_changes_nothing(
        lines in prop::collection::vec(0_usize..LINES.len(), 0..8),
        forms in prop::collection::vec(
            (prop::collection::vec(any::<bool>(), 8), prop::option::weighted(0.1, 0_usize..LINES.len())), 2..6),
        cut in any::<Index>(),
    ) {
        let mut seasoned = Heads::default();
        for (forms, more) in forms {
            let forms = lines.iter().zip(forms).chain(more.iter().map(|line| (line, true)));
            let lines = forms.map(|(line, other)| if other { LINES[*line].1 } else { LINES[*line].0 });
            let wire = head_of(lines);
            let mut input = BytesMut::from(wire.as_bytes());
            let fresh = Heads::default().next(&mut input.clone(), 64 * 1024);
            let mut part = BytesMut::from(&wire.as_bytes()[..cut.index(wire.len())]);
            let early = seasoned.next(&mut part, 64 * 1024);
            let read = match early {
                Ok(None) => seasoned.next(&mut input, 64 * 1024),
                early => early,
            };
            let shown = |read: &Result<_, Error>| read.as_ref().ok().map(|p| format!("{p:?}"));
            prop_assert_eq!(shown(&read), shown(&fresh), "{}", wire.escape_default());
            if read.is_err() {
                break;
            }
        }
    }
}

/// Two forms of a line each.
const LINES: [(&str, &str); 17] = [
    ("a: b", "a: c"),
    ("a: b", "a: bc"),
    ("a: b", "A: b"),
    ("ab: c", "a b: c"),
    ("content-length: 5", "content-length: 6"),
    ("content-length: 5", "Content-length:5"),
    ("transfer-encoding: chunked", "transfer-encoding: gzip"),
    ("x: y", "x: \x7f"),
    ("connection: close", "connection: keep-alive"),
    ("date: now", "date: then"),
    ("date: now", "date:"),
    ("x: y\r\n z", "x: y"),
    ("x: y", "x: y\rz"),
    ("e: 1", "e: 2"),
    ("x: yaaz", "x: y\r\nz"),
    ("x: yaz", "x: y\rz"),
    ("etag: \"1\"", "etag : \"1"),
];

fn head_of<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let lines = lines.into_iter().map(|line| format!("{line}\r\n"));
    format!("HTTP/1.1 200 OK\r\n{}\r\n", lines.collect::<String>())
}

/// Lines that are as long as the one before them, and of the same name or nearly.
#[test]
fn a_line_as_long_as_the_one_before_is_held_to_the_same_rules() {
    let rows = [
        ("x: yaz", "x: ybz", true),
        ("x: yaz", "x: y\tz", true),
        ("x: yaz", "x: y\x7fz", false),
        ("x: yaz", "x: y\rz", false),
        ("x: yaz", "x: y\nz", false),
        ("x: yaaz", "x: y\r\nz", false),
        ("x: yabcz", "x: y\r\na:", true),
        ("x: yaz", "X: yaz", true),
        ("x: yaz", "w: yaz", true),
        ("xy: az", "x : az", false),
        ("content-length: 5", "content-length: x", false),
        ("content-length: 5", "Content-Length: 7", true),
        (
            "transfer-encoding: chunked",
            "transfer-encoding: chunkee",
            false,
        ),
        ("connection: close", "connection: cloze", true),
    ];
    for (before, line, legal) in rows {
        let mut heads = Heads::default();
        let head = head_of(["a: b", before, "c: d"]);
        assert!(
            heads
                .next(&mut BytesMut::from(head.as_bytes()), 1024)
                .unwrap()
                .is_some()
        );
        let head = head_of(["a: b", line, "c: d"]);
        let read = heads.next(&mut BytesMut::from(head.as_bytes()), 1024);
        let fresh = Heads::default().next(&mut BytesMut::from(head.as_bytes()), 1024);
        let name = head.escape_default().to_string();
        assert_eq!(read.is_ok(), legal, "{name}");
        assert_eq!(format!("{read:?}"), format!("{fresh:?}"), "{name}");
    }
}

/// The first head has the one field of framing, and the second one both.
#[test]
fn framing_that_could_be_read_two_ways_is_refused_whatever_came_before() {
    let mut heads = Heads::default();
    for (lines, legal) in [
        (["transfer-encoding: chunked", "content-lengtj: 5"], true),
        (["transfer-encoding: chunked", "content-length: 5"], false),
    ] {
        let head = head_of(lines);
        let read = heads.next(&mut BytesMut::from(head.as_bytes()), 1024);
        assert_eq!(read.is_ok(), legal, "{lines:?}");
    }
}
