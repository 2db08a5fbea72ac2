//! The lines of a head, one by one, and what they say about framing.
//!
//! One head of a server is much like the one before. Where all lines are as long as those of the head before, they are compared
//! in place. Otherwise a line that is the same, byte for byte, as the line in its place there needs no second look, and one
//! with the same name needs none at its name.

use super::head::{bare_lf, violation};
use super::octets::{is_text, is_token};
use crate::error::Error;

/// The longest head, in bytes, that the next one is compared with.
const MAX_COMPARED_HEAD: usize = 2048;
/// What every head begins with.
pub(super) const VERSION: &[u8] = b"HTTP/1.";

/// What a head says that matters for framing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parsed {
    pub(crate) status: u16,
    pub(crate) http10: bool,
    /// No further answer may be taken from this connection.
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
    /// The fields begin at this byte.
    pub(crate) fields: usize,
    /// Where the head ends, its empty line included.
    pub(crate) end: usize,
}

pub(super) enum Fault {
    /// Where a name was expected there is none, as it is with a folded line.
    Name(Error),
    Error(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// One line of the head before.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Its bytes, its end included.
    len: usize,
    /// The bytes of the name.
    name: usize,
    frames: Option<Framing>,
}

/// A field that has to do with framing.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Connection,
    Length,
    Coding,
}

/// Reads heads, each in the light of the one before.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The head before; nothing while there is none to compare with.
    text: Vec<u8>,
    lines: Vec<Line>,
    /// What its status line says.
    start: Option<Parsed>,
}

impl Lines {
    /// Reads the head at the front of the input; nothing when its end is not here yet.
    pub(super) fn read(&mut self, input: &[u8]) -> Result<Option<Parsed>, Fault> {
        match self.read_alike(input) {
            Some(parsed) => Ok(Some(parsed)),
            None => self.read_by_line(input),
        }
    }

    /// Reads a head whose lines are as long as those of the head before, and have the same names, as most heads of a server
    /// are. Nothing if this is no such head: what is wrong with it, if anything, is then found line by line.
    fn read_alike(&mut self, input: &[u8]) -> Option<Parsed> {
        let (head, end) = input.split_at_checked(self.text.len())?;
        if head.is_empty() || !end.starts_with(b"\r\n") {
            return None;
        }
        let mut parsed = self.start?;
        let (mut rest, mut before) = (head, &mut self.text[..]);
        for line in &self.lines {
            let (new, old);
            (new, rest) = rest.split_at_checked(line.len)?;
            (old, before) = before.split_at_mut_checked(line.len)?;
            if new != old {
                // The status line has no name, and is not expected to change.
                if line.name == 0 || new[..=line.name] != old[..=line.name] {
                    return None;
                }
                let value = new[line.name + 1..].strip_suffix(b"\r\n")?;
                // A line end within would be no text.
                if !is_text(value) {
                    return None;
                }
                old.copy_from_slice(new);
            }
            if let Some(framing) = line.frames {
                parsed
                    .field(framing, &new[line.name + 1..line.len - 2])
                    .ok()?;
            }
        }
        // The fields that frame are those of the head before, which was not refused for having two.
        parsed.end = head.len() + 2;
        Some(parsed)
    }

    fn read_by_line(&mut self, input: &[u8]) -> Result<Option<Parsed>, Fault> {
        // It is put back once a head has been read: what is noted on the way fits no other.
        let text = std::mem::take(&mut self.text);
        if text.is_empty() {
            self.lines.clear();
        }
        let mut changed = text.is_empty();
        // What is left of both, from the beginning of a line on, and how much of it is the same.
        let (mut rest, mut before) = (input, &text[..]);
        let mut same = common(rest, before);
        let mut parsed: Option<Parsed> = None;
        let mut count = 0;
        loop {
            let mut skipped = 0;
            for line in self.lines.get(count..).unwrap_or_default() {
                if line.len > same - skipped {
                    break;
                }
                if skipped == 0 && parsed.is_none() {
                    parsed = self.start;
                } else if let Some(framing) = line.frames
                    && let Some(parsed) = &mut parsed
                {
                    let content = &before[skipped..skipped + line.len - 2];
                    parsed.field(framing, &content[line.name + 1..])?;
                }
                skipped += line.len;
                count += 1;
            }
            (rest, before) = (&rest[skipped..], &before[skipped..]);
            same -= skipped;
            let old = self.lines.get(count).copied();
            // A line that was read ends with its only line feed: there is none in a part of it.
            let Some(end) = memchr::memchr(b'\n', &rest[same..]) else {
                if !changed {
                    self.text = text;
                }
                return Ok(None);
            };
            let (line, after) = rest.split_at(same + end + 1);
            // A line feed alone ends a line too (RFC 9112, 2.2), for those who wish; here it is
            // doubtful.
            let content = line.strip_suffix(b"\r\n").ok_or_else(bare_lf)?;
            rest = after;
            let mut new = Line {
                len: line.len(),
                name: 0,
                frames: None,
            };
            match &mut parsed {
                None => {
                    let start = status_line(content)?;
                    self.start = Some(start);
                    parsed = self.start;
                }
                Some(_) if content.is_empty() => break,
                Some(parsed) => {
                    let fresh = match old.filter(|old| old.name < same) {
                        Some(old) => {
                            (new.name, new.frames) = (old.name, old.frames);
                            // The line end of the one would be no text in the other.
                            same.min(old.len - 2).max(old.name + 1)
                        }
                        None => {
                            (new.name, new.frames) = name(content)?;
                            new.name + 1
                        }
                    };
                    if !is_text(content.get(fresh..).unwrap_or_default()) {
                        return Err(violation("a character of its head is illegal").into());
                    }
                    if let Some(framing) = new.frames {
                        parsed.field(framing, &content[new.name + 1..])?;
                    }
                }
            }
            changed = true;
            match self.lines.get_mut(count) {
                Some(place) => *place = new,
                // A head that is longer is not compared with, however many lines it has.
                None if input.len() - rest.len() <= MAX_COMPARED_HEAD => self.lines.push(new),
                None => {}
            }
            before = &before[old.map_or(0, |old| old.len)..];
            same = common(rest, before);
            count += 1;
        }
        let Some(mut parsed) = parsed else {
            return Ok(None);
        };
        parsed.end = input.len() - rest.len();
        changed |= count != self.lines.len();
        self.lines.truncate(count);
        self.text = text;
        if changed {
            self.text.clear();
            if parsed.end <= MAX_COMPARED_HEAD {
                self.text.extend_from_slice(&input[..parsed.end - 2]);
            }
        }
        if parsed.chunked && parsed.length.is_some() {
            return Err(violation("content-length beside transfer-encoding").into());
        }
        if parsed.chunked && parsed.http10 {
            return Err(violation("transfer-encoding in HTTP/1.0").into());
        }
        Ok(Some(parsed))
    }
}

/// How many bytes at the front of both are the same.
fn common(a: &[u8], b: &[u8]) -> usize {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let blocks = a.as_chunks::<32>().0.iter().zip(b.as_chunks::<32>().0);
    let mut at = 32 * blocks.take_while(|(a, b)| a == b).count();
    let words = a[at..].as_chunks::<8>().0.iter();
    for (a, b) in words.zip(b[at..].as_chunks::<8>().0) {
        let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differ != 0 {
            return at + differ.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let bytes = a[at..].iter().zip(&b[at..]);
    at + bytes.take_while(|(a, b)| a == b).count()
}

/// The bytes of a field's name, and what it has to do with framing.
fn name(line: &[u8]) -> Result<(usize, Option<Framing>), Fault> {
    let colon = line.iter().position(|&b| !is_token(b));
    let Some(colon) = colon.filter(|&i| i > 0 && line[i] == b':') else {
        return Err(Fault::Name(violation("a field of its head has no name")));
    };
    Ok((colon, framing(&line[..colon])))
}

fn framing(name: &[u8]) -> Option<Framing> {
    // Most fields are told apart by the length of their name.
    let (known, framing) = match name.len() {
        10 => ("connection", Framing::Connection),
        14 => ("content-length", Framing::Length),
        17 => ("transfer-encoding", Framing::Coding),
        _ => return None,
    };
    name.eq_ignore_ascii_case(known.as_bytes())
        .then_some(framing)
}

fn status_line(line: &[u8]) -> Result<Parsed, Error> {
    let (minor, status, reason) = match line.strip_prefix(VERSION) {
        Some([minor @ (b'0' | b'1'), b' ', a, b, c]) => (minor, [a, b, c], &[][..]),
        Some([minor @ (b'0' | b'1'), b' ', a, b, c, b' ', rest @ ..]) => (minor, [a, b, c], rest),
        _ => return Err(violation("its status line is malformed")),
    };
    if !status.iter().all(|b| b.is_ascii_digit()) || *status[0] == b'0' {
        return Err(violation("its status code is out of range"));
    }
    if !is_text(reason) {
        return Err(violation("a character of its head is illegal"));
    }
    let status = status
        .iter()
        .fold(0, |n, &&digit| n * 10 + u16::from(digit - b'0'));
    Ok(Parsed {
        status,
        http10: *minor == b'0',
        // RFC 9110, 15: a status over 599 is not valid; whoever sends it is not trusted further.
        close: status > 599,
        keep_alive: false,
        length: None,
        chunked: false,
        fields: line.len() + 2,
        end: 0,
    })
}

/// A value without the blanks around it.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

impl Parsed {
    fn field(&mut self, framing: Framing, value: &[u8]) -> Result<(), Error> {
        let value = trim(value);
        match framing {
            Framing::Connection => self.connection(value),
            Framing::Length => self.length(value)?,
            Framing::Coding => self.coding(value)?,
        }
        Ok(())
    }

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
