//! Bodies in chunks ([RFC 9112, 7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1)).

use bytes::{Buf, Bytes, BytesMut};

use super::decode::violation;
use crate::error::Error;

/// Bytes that the line of a chunk's size may have, extensions included.
const MAX_LINE: usize = 4 * 1024;
/// Bytes that all trailer fields together may have.
const MAX_TRAILERS: usize = 16 * 1024;

enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailers(usize),
}

/// Takes chunks out of the input, which may be cut anywhere.
pub(super) struct Chunked(State);

pub(super) enum Piece {
    Data(Bytes),
    End,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self(State::Size)
    }

    /// The next piece; nothing when more input is needed.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Piece>, Error> {
        loop {
            match &mut self.0 {
                State::Size => {
                    let Some(line) = line(input, MAX_LINE)? else {
                        return Ok(None);
                    };
                    let n = size(&input[..line])?;
                    input.advance(line + 2);
                    self.0 = if n == 0 {
                        State::Trailers(0)
                    } else {
                        State::Data(n)
                    };
                }
                State::Data(left) => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let n = (*left).min(input.len() as u64) as usize;
                    *left -= n as u64;
                    if *left == 0 {
                        self.0 = State::DataEnd;
                    }
                    return Ok(Some(Piece::Data(input.split_to(n).freeze())));
                }
                State::DataEnd => {
                    let seen = input.len().min(2);
                    if input[..seen] != b"\r\n"[..seen] {
                        return Err(violation("a chunk is longer than its size"));
                    }
                    if seen < 2 {
                        return Ok(None);
                    }
                    input.advance(2);
                    self.0 = State::Size;
                }
                State::Trailers(total) => {
                    let Some(line) = line(input, MAX_TRAILERS - *total)? else {
                        return Ok(None);
                    };
                    *total += line + 2;
                    let bad = line > 0 && !input[..line].contains(&b':');
                    input.advance(line + 2);
                    if bad || *total > MAX_TRAILERS - 2 {
                        return Err(violation("bad trailer fields"));
                    }
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

fn size(line: &[u8]) -> Result<u64, Error> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let rest = line[digits..].trim_ascii_start();
    if digits == 0 || digits > 15 || !(rest.is_empty() || rest[0] == b';') {
        return Err(violation("a bad chunk size"));
    }
    Ok(line[..digits].iter().fold(0, |n, &d| {
        n * 16 + u64::from(char::from(d).to_digit(16).unwrap_or(0))
    }))
}
