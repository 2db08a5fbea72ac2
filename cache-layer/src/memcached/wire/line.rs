//! Where lines end, and the lines that both protocols have.

use bytes::{Buf, Bytes, BytesMut};
use pipeline_pool::{Error, Kind, Outbox};

use super::{Op, Outcome, Refusal};

/// The longest line that is read: keys have 250 bytes, and the longest statistics some hundreds.
const MAX_LINE: usize = 8 * 1024;
/// How much of a line is quoted in an error.
const MAX_QUOTED: usize = 80;

/// The error of an answer that makes no sense.
pub(crate) fn bad(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Kind::Protocol, text)
}

pub(crate) fn unexpected(line: &[u8]) -> Error {
    // Only the first word is quoted, since a line may hold a key, and what is not a line may be a value.
    let word = line.split(|b| *b == b' ').next().unwrap_or_default();
    let word = word[..word.len().min(16)].escape_ascii();
    bad(format!("an answer that does not belong here: {word}"))
}

/// The bytes of the line that is next, without the two of its end; nothing if that is not here.
pub(crate) fn line_len(input: &[u8]) -> Result<Option<usize>, Error> {
    let Some(end) = memchr::memchr(b'\n', input) else {
        return match input.len() > MAX_LINE {
            true => Err(bad("a line of the answer does not end")),
            false => Ok(None),
        };
    };
    if end > MAX_LINE {
        return Err(bad("a line of the answer does not end"));
    }
    if end == 0 || input[end - 1] != b'\r' {
        return Err(bad("a line of the answer does not end as it should"));
    }
    Ok(Some(end - 1))
}

/// Takes a line without its end, if it is all here.
pub(crate) fn take_line(input: &mut BytesMut) -> Result<Option<Bytes>, Error> {
    let Some(len) = line_len(input)? else {
        return Ok(None);
    };
    let line = input.split_to(len).freeze();
    input.advance(2);
    Ok(Some(line))
}

/// A decimal number without a sign.
pub(crate) fn number<N: TryFrom<u64>>(text: &[u8]) -> Option<N> {
    let digit = |b: &u8| b.is_ascii_digit().then(|| u64::from(b - b'0'));
    let digits = match text.len() {
        // A number of so many digits always fits.
        1..=19 => text
            .iter()
            .try_fold(0, |n: u64, b| Some(n * 10 + digit(b)?)),
        20 => text
            .iter()
            .try_fold(0, |n: u64, b| n.checked_mul(10)?.checked_add(digit(b)?)),
        _ => None,
    };
    N::try_from(digits?).ok()
}

/// What a server says instead of an answer.
///
/// # Errors
/// It fails unless it is known that the server says only this and goes on with the next command.
pub(crate) fn refusal(op: &Op, line: &[u8]) -> Result<Option<Outcome>, Error> {
    if !matches!(line.first(), Some(b'C' | b'E' | b'S')) {
        return Ok(None);
    }
    let is_error = line.starts_with(b"ERROR")
        || line.starts_with(b"CLIENT_ERROR")
        || line.starts_with(b"SERVER_ERROR");
    if !is_error {
        return Ok(None);
    }
    // After these memcached skips the value, and says nothing more of it.
    let refusal = match (op, line) {
        (Op::Store(_), b"SERVER_ERROR object too large for cache") => Refusal::TooLarge,
        (Op::Store(_), b"SERVER_ERROR out of memory storing object") => Refusal::OutOfMemory,
        (Op::Arith(_), b"CLIENT_ERROR cannot increment or decrement non-numeric value") => {
            Refusal::NotNumber
        }
        _ => {
            let quoted = String::from_utf8_lossy(&line[..line.len().min(MAX_QUOTED)]);
            let said = quoted.escape_debug();
            return Err(bad(format!("the server answered {said}")));
        }
    };
    Ok(Some(Outcome::Refused(refusal)))
}

pub(crate) fn exactly(line: &[u8], want: &[u8], outcome: Outcome) -> Result<Outcome, Error> {
    match line == want {
        true => Ok(outcome),
        false => Err(unexpected(line)),
    }
}

pub(crate) fn version(line: &[u8]) -> Result<Outcome, Error> {
    let version = line
        .strip_prefix(b"VERSION ")
        .ok_or_else(|| unexpected(line))?;
    Ok(Outcome::Text(String::from_utf8_lossy(version).into_owned()))
}

/// Gives a name and its value, if the line is one of statistics.
pub(crate) fn stat(line: &[u8]) -> Option<(String, String)> {
    let pair = line.strip_prefix(b"STAT ")?;
    let pair = String::from_utf8_lossy(pair);
    let (name, value) = pair.split_once(' ').unwrap_or((&pair, ""));
    Some((name.to_owned(), value.to_owned()))
}

/// Writes a line of one or two words.
pub(crate) fn words(out: &mut Outbox, first: &[u8], second: &[u8]) {
    out.put(first);
    if !second.is_empty() {
        out.put(b" ");
        out.put(second);
    }
    out.put(b"\r\n");
}
