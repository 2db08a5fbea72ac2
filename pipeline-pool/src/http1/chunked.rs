//! Bodies in chunks ([RFC 9112, 7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1)).

use bytes::{Buf, Bytes, BytesMut};

use super::head::violation;
use super::octets::{is_text, is_token};
use crate::error::Error;

/// Bytes that the line of a chunk's size may have, extensions included.
const MAX_LINE: usize = 4 * 1024;
/// Bytes that all extensions in one body may have: they are read for nothing.
const MAX_EXTENSIONS: usize = 16 * 1024;
/// Bytes that all trailer fields together may have.
const MAX_TRAILERS: usize = 16 * 1024;

enum ChunkState {
    Size,
    Data(u64),
    DataEnd,
    Trailers(usize),
}

/// Takes chunks out of the input, which may be cut anywhere.
pub(super) struct Chunked {
    state: ChunkState,
    /// Bytes of extensions so far.
    extensions: usize,
}

pub(super) enum Piece {
    Data(Bytes),
    End,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self {
            state: ChunkState::Size,
            extensions: 0,
        }
    }

    /// The next piece; nothing when more input is needed.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Piece>, Error> {
        loop {
            match &mut self.state {
                ChunkState::Size => {
                    let Some(line) = line(input, MAX_LINE)? else {
                        return Ok(None);
                    };
                    let (n, digits) = size(&input[..line])?;
                    self.extensions += line - digits;
                    if self.extensions > MAX_EXTENSIONS {
                        return Err(violation("its chunk extensions are over the limit"));
                    }
                    input.advance(line + 2);
                    self.state = if n == 0 {
                        ChunkState::Trailers(0)
                    } else {
                        ChunkState::Data(n)
                    };
                }
                ChunkState::Data(left) => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let n = (*left).min(input.len() as u64) as usize;
                    *left -= n as u64;
                    if *left == 0 {
                        self.state = ChunkState::DataEnd;
                    }
                    return Ok(Some(Piece::Data(input.split_to(n).freeze())));
                }
                ChunkState::DataEnd => {
                    let seen = input.len().min(2);
                    if input[..seen] != b"\r\n"[..seen] {
                        return Err(violation("a chunk is longer than its size"));
                    }
                    if seen < 2 {
                        return Ok(None);
                    }
                    input.advance(2);
                    self.state = ChunkState::Size;
                }
                ChunkState::Trailers(total) => {
                    let Some(line) = line(input, MAX_TRAILERS - *total)? else {
                        return Ok(None);
                    };
                    *total += line + 2;
                    if line > 0 && !is_field(&input[..line]) {
                        return Err(violation("a bad trailer field"));
                    }
                    input.advance(line + 2);
                    if line == 0 {
                        return Ok(Some(Piece::End));
                    }
                }
            }
        }
    }
}

/// The length of the line at the front of the input, without its CRLF.
fn line(input: &[u8], max: usize) -> Result<Option<usize>, Error> {
    match memchr::memchr2(b'\n', 0, input) {
        Some(i) if i > 0 && i < max && input[i] == b'\n' && input[i - 1] == b'\r' => {
            match memchr::memchr(b'\r', &input[..i]) {
                Some(cr) if cr == i - 1 => Ok(Some(i - 1)),
                _ => Err(violation("a stray CR in a chunk's line")),
            }
        }
        Some(_) => Err(violation("a bad line end among the chunks")),
        None if input.len() < max => Ok(None),
        None => Err(violation("a chunk's line is over the limit")),
    }
}

/// The size that a chunk's line states, and how many digits state it.
fn size(line: &[u8]) -> Result<(u64, usize), Error> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let blanks = line[digits..].iter().take_while(|&&b| is_blank(b)).count();
    let rest = &line[digits + blanks..];
    // The grammar has blanks before an extension only, but servers pad the size with them too.
    let ends = rest.is_empty() || rest.first() == Some(&b';');
    if digits == 0 || digits > 15 || !ends || !is_text(rest) {
        return Err(violation("a bad chunk size"));
    }
    let n = line[..digits].iter().fold(0, |n, &d| {
        n * 16 + u64::from(char::from(d).to_digit(16).unwrap_or(0))
    });
    Ok((n, digits))
}

fn is_field(line: &[u8]) -> bool {
    let name = line.iter().take_while(|&&b| is_token(b)).count();
    name > 0 && line.get(name) == Some(&b':') && is_text(&line[name..])
}

fn is_blank(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, and how many bytes follow it; nothing when the end has not come.
    fn read(wire: &[u8], step: usize) -> Result<Option<(Vec<u8>, usize)>, Error> {
        let mut chunked = Chunked::new();
        let mut input = BytesMut::new();
        let mut body = Vec::new();
        let mut came = 0;
        for part in wire.chunks(step) {
            came += part.len();
            input.extend_from_slice(part);
            loop {
                match chunked.next(&mut input)? {
                    Some(Piece::Data(data)) => body.extend_from_slice(&data),
                    Some(Piece::End) => {
                        return Ok(Some((body, input.len() + wire.len() - came)));
                    }
                    None => break,
                }
            }
        }
        Ok(None)
    }

    #[test]
    fn bodies_are_read_however_they_are_cut() {
        for (wire, body, after) in [
            ("0\r\n\r\n", "", 0),
            ("5\r\nhello\r\n0\r\n\r\n", "hello", 0),
            ("5\r\nhello\r\n0\r\n\r\nHTTP/1.1", "hello", 8),
            ("3\r\na\r\n\r\n0000\r\n\r\n", "a\r\n", 0),
            (
                "00000000000000A\r\n0123456789\r\n1\r\nx\r\n00\r\n\r\n",
                "0123456789x",
                0,
            ),
            ("1;a\r\nx\r\n0;b=c\r\n\r\n", "x", 0),
            ("1 \t;a=\"b; c\"; d \r\nx\r\n0\r\n\r\n", "x", 0),
            ("1;\r\nx\r\n0\r\n\r\n", "x", 0),
            ("1 \r\nx\r\n0\t  \r\n\r\n", "x", 0),
            ("1\r\nx\r\n0\r\na: b\r\ncontent-length: 9\r\n\r\nz", "x", 1),
            ("1\r\nx\r\n0\r\na:\r\n\r\n", "x", 0),
        ] {
            for step in [1, 2, 3, 7, wire.len()] {
                let got = read(wire.as_bytes(), step).unwrap();
                assert_eq!(
                    got,
                    Some((body.as_bytes().to_vec(), after)),
                    "{wire:?} by {step}"
                );
            }
            for cut in 0..wire.len() - after {
                assert_eq!(
                    read(&wire.as_bytes()[..cut], 4096).unwrap(),
                    None,
                    "{wire:?} to {cut}"
                );
            }
        }
    }

    #[test]
    fn what_is_doubtful_is_refused() {
        for wire in [
            "\r\n\r\n",
            "\r\n0\r\n\r\n",
            "x\r\n\r\n",
            "-1\r\nx\r\n0\r\n\r\n",
            "+1\r\nx\r\n0\r\n\r\n",
            "0x1\r\nx\r\n0\r\n\r\n",
            " 1\r\nx\r\n0\r\n\r\n",
            "1 1\r\nx\r\n0\r\n\r\n",
            "1,\r\nx\r\n0\r\n\r\n",
            "1\nx\r\n0\r\n\r\n",
            "1\rx\r\n0\r\n\r\n",
            "1\r\r\nx\r\n0\r\n\r\n",
            "1;a=\"\r\"\r\nx\r\n0\r\n\r\n",
            "1;a=\"\n\"\r\nx\r\n0\r\n\r\n",
            "1;a=\"\r\n\"\r\nx\r\n0\r\n\r\n",
            "1;\0\r\nx\r\n0\r\n\r\n",
            "1;\x7f\r\nx\r\n0\r\n\r\n",
            "1\x0b\r\nx\r\n0\r\n\r\n",
            "1\r\nxx\r\n0\r\n\r\n",
            "1\r\nx\n0\r\n\r\n",
            "1\r\nx0\r\n\r\n",
            // What stands in the place of a chunk's line end is no part of what follows.
            "1\r\nxab0\r\n\r\n",
            "1\r\nx\rb0\r\n\r\n",
            "1\r\nxa\n0\r\n\r\n",
            "1\r\nx\n\r0\r\n\r\n",
            "1000000000000000\r\n",
            "0000000000000000\r\n\r\n",
            "fffffffffffffffff\r\n",
            "0\r\nx\r\n\r\n",
            "0\r\n: x\r\n\r\n",
            "0\r\na : x\r\n\r\n",
            "0\r\n a: x\r\n\r\n",
            "0\r\na: x\r\n b\r\n\r\n",
            "0\r\na: x\n\r\n",
            "0\r\na: \0\r\n\r\n",
            "0\r\n\n",
            "0\n\n",
        ] {
            for step in [1, wire.len()] {
                let refused = read(wire.as_bytes(), step).is_err();
                assert!(refused, "{wire:?} by {step}");
            }
        }
    }

    #[test]
    fn limits_hold() {
        // The numbers themselves, so that a change of a limit is seen.
        let line = |n: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(n));
        let trailer = |n: usize| format!("0\r\na:{}\r\n\r\n", "b".repeat(n));
        let trailers = |n: usize| format!("0\r\n{}\r\n", "a: b\r\n".repeat(n));
        let many = |n: usize| format!("{}0\r\n\r\n", "1;abc\r\nx\r\n".repeat(n));
        for (good, bad) in [
            (line(4096 - 4), line(4096 - 3)),
            (trailer(16_384 - 6), trailer(16_384 - 5)),
            (trailers(16_384 / 6), trailers(16_384 / 6 + 1)),
            (many(16_384 / 4), many(16_384 / 4 + 1)),
        ] {
            for step in [5, 1 << 20] {
                assert!(read(good.as_bytes(), step).unwrap().is_some());
                assert!(read(bad.as_bytes(), step).is_err());
            }
        }
        // What has no end is given up at the limit.
        for (start, limit) in [("1;", MAX_LINE), ("0\r\na:", MAX_TRAILERS + 3)] {
            let endless = format!("{start}{}", "a".repeat(limit - start.len()));
            assert!(read(endless.as_bytes(), 1).is_err());
            assert!(read(&endless.as_bytes()[..limit - 1], 1).unwrap().is_none());
        }
    }
}
