//! Heads of answers: where they end, and what they say about the framing of what follows.
//!
//! *Problem:* A map of all header fields costs more than the rest of the parsing, and clients look at
//! three or four of them. *Decision:* A head stays the bytes that came, and fields are looked up in
//! place. The heads of one server are much alike: of a line that is in the same place of the head
//! before only what has changed is examined ([`Lines`]), which takes a quarter off the instructions of
//! a small get. A property test holds a reader with a past against one without. *Cost:* Looking up
//! many fields of one answer costs a search each.

use bytes::BytesMut;

use crate::error::{Error, Kind};
use crate::http1::lines::{Fault, Lines, Parsed, VERSION};

/// Fields that decide where an answer ends, or whether another may follow it.
const FRAMING: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

/// Looks for one head after another at the front of the input.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// Bytes in which the end of the present head was looked for already.
    scanned: usize,
    lines: Lines,
}

impl Heads {
    /// The head at the front of the input; nothing when its end is not here yet.
    pub(crate) fn next(
        &mut self,
        input: &mut BytesMut,
        limit: usize,
    ) -> Result<Option<Parsed>, Error> {
        // What has been parsed in vain is parsed again only when its end is here: otherwise a
        // head that comes byte by byte costs the square of its length.
        if self.scanned > 0 && self.end(input, limit)?.is_none() {
            return Ok(None);
        }
        let read = self.lines.read(input);
        if let Ok(Some(parsed)) = read
            && parsed.end <= limit
        {
            self.scanned = 0;
            return Ok(Some(parsed));
        }
        // Whatever else is wrong with it, this comes first, and before there is a line.
        let seen = input.len().min(VERSION.len());
        if input[..seen] != VERSION[..seen] {
            return Err(violation("it does not begin with HTTP/1"));
        }
        let error = match read {
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
        match (error, self.lines.read(&input[..end])) {
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

pub(crate) fn violation(what: &'static str) -> Error {
    Error::new(
        Kind::Protocol,
        format!("the answer breaks HTTP/1.1: {what}"),
    )
}

pub(super) fn bare_lf() -> Error {
    violation("a line of its head ends without CR")
}

fn over_limit() -> Error {
    violation("its head is over the limit (max_head of the pool)")
}

#[cfg(test)]
mod tests;
