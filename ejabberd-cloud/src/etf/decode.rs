//! Reads one term from bytes.

use std::fmt;

use bytes::Bytes;

use super::{Atom, MAX_DEPTH, MAX_TERMS, Term, VERSION, tag};

/// Why bytes are no term of the kinds that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DecodeError {
    /// How many bytes had been read.
    pub(crate) at: usize,
    /// What is wrong there.
    pub(crate) what: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

impl std::error::Error for DecodeError {}

/// Reads the one term that `bytes` are. Its binaries share their memory with `bytes`.
///
/// # Errors
///
/// The bytes are no term, or one of a kind that is not read here, or one that is nested deeper than [`MAX_DEPTH`] or
/// has more than [`MAX_TERMS`] terms, or something follows it.
pub(crate) fn decode(bytes: &Bytes) -> Result<Term, DecodeError> {
    let mut input = Input {
        bytes,
        at: 0,
        room: MAX_TERMS,
    };
    if input.byte()? != VERSION {
        return input.wrong("not the external term format");
    }
    let term = input.term(MAX_DEPTH)?;
    if input.at < bytes.len() {
        return input.wrong("more than one term");
    }
    Ok(term)
}

struct Input<'a> {
    bytes: &'a Bytes,
    at: usize,
    /// How many terms may still come.
    room: usize,
}

impl Input<'_> {
    fn wrong<T>(&self, what: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError { at: self.at, what })
    }

    /// The next `count` bytes, if there are as many.
    fn take(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        if count > self.bytes.len() - self.at {
            return self.wrong("a length beyond the end");
        }
        let taken = self.bytes.slice(self.at..self.at + count);
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.bytes[self.at..].first_chunk::<N>() {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => self.wrong("the end within a term"),
        }
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn short(&mut self) -> Result<usize, DecodeError> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    fn long(&mut self) -> Result<usize, DecodeError> {
        let length = self.array().map(u32::from_be_bytes)?;
        // What a smaller machine cannot count is beyond the end in any case.
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// One term, with at most `depth` levels below it.
    fn term(&mut self, depth: usize) -> Result<Term, DecodeError> {
        if self.room == 0 {
            return self.wrong("too many terms");
        }
        self.room -= 1;
        match self.byte()? {
            tag::SMALL_INTEGER => Ok(Term::Int(self.byte()?.into())),
            tag::INTEGER => Ok(Term::Int(i32::from_be_bytes(self.array()?).into())),
            tag::SMALL_BIG => self.big(),
            tag::ATOM => self.short().and_then(|length| self.latin1(length)),
            tag::SMALL_ATOM => self.byte().and_then(|length| self.latin1(length.into())),
            tag::ATOM_UTF8 => self.short().and_then(|length| self.utf8(length)),
            tag::SMALL_ATOM_UTF8 => self.byte().and_then(|length| self.utf8(length.into())),
            tag::BINARY => {
                let length = self.long()?;
                self.take(length).map(Term::Binary)
            }
            tag::NIL => Ok(Term::List(Vec::new())),
            tag::STRING => self.string(),
            tag::LIST => {
                let count = self.long()?;
                let terms = self.terms(count, depth)?;
                if self.byte()? != tag::NIL {
                    return self.wrong("an improper list");
                }
                Ok(Term::List(terms))
            }
            tag::SMALL_TUPLE => {
                let count = self.byte()?.into();
                self.terms(count, depth).map(Term::Tuple)
            }
            tag::LARGE_TUPLE => {
                let count = self.long()?;
                self.terms(count, depth).map(Term::Tuple)
            }
            tag::MAP => self.map(depth),
            _ => self.wrong("a kind of term that is not read here"),
        }
    }

    /// Room for `count` terms one level below `depth`. Each takes at least a byte, so that a count which the rest of
    /// the input cannot have is refused before there is memory for it.
    fn level(&self, count: usize, depth: usize) -> Result<usize, DecodeError> {
        if count > self.bytes.len() - self.at {
            return self.wrong("a length beyond the end");
        }
        if count > self.room {
            return self.wrong("too many terms");
        }
        match depth.checked_sub(1) {
            Some(below) => Ok(below),
            None => self.wrong("nested too deeply"),
        }
    }

    fn terms(&mut self, count: usize, depth: usize) -> Result<Vec<Term>, DecodeError> {
        let below = self.level(count, depth)?;
        let mut terms = Vec::with_capacity(count);
        for _ in 0..count {
            terms.push(self.term(below)?);
        }
        Ok(terms)
    }

    fn map(&mut self, depth: usize) -> Result<Term, DecodeError> {
        let count = self.long()?;
        let below = self.level(count.saturating_mul(2), depth)?;
        let mut pairs = Vec::with_capacity(count);
        for _ in 0..count {
            pairs.push((self.term(below)?, self.term(below)?));
        }
        Ok(Term::Map(pairs))
    }

    /// A list of bytes, which becomes a list of integers, as it is one in Erlang.
    fn string(&mut self) -> Result<Term, DecodeError> {
        let length = self.short()?;
        let bytes = self.take(length)?;
        if length > self.room {
            return self.wrong("too many terms");
        }
        self.room -= length;
        Ok(Term::List(
            bytes.iter().map(|&byte| Term::Int(byte.into())).collect(),
        ))
    }

    /// An integer as its sign and the bytes of its magnitude, the lowest first.
    fn big(&mut self) -> Result<Term, DecodeError> {
        let [length, sign] = self.array()?;
        let digits = self.take(length.into())?;
        let (low, high) = digits.split_at(digits.len().min(8));
        if high.iter().any(|&digit| digit != 0) || sign > 1 {
            return self.wrong("an integer of more than 64 bits");
        }
        let mut magnitude = [0; 8];
        magnitude[..low.len()].copy_from_slice(low);
        let magnitude = i128::from(u64::from_le_bytes(magnitude));
        let value = if sign == 1 { -magnitude } else { magnitude };
        match i64::try_from(value) {
            Ok(value) => Ok(Term::Int(value)),
            Err(_) => self.wrong("an integer of more than 64 bits"),
        }
    }

    fn utf8(&mut self, length: usize) -> Result<Term, DecodeError> {
        match Atom::new(self.take(length)?) {
            Some(atom) => Ok(Term::Atom(atom)),
            None => self.wrong("an atom that is not UTF-8"),
        }
    }

    fn latin1(&mut self, length: usize) -> Result<Term, DecodeError> {
        let name = self.take(length)?;
        let name = match name.is_ascii() {
            true => name,
            // The first 256 characters of Unicode are those of Latin-1.
            false => name
                .iter()
                .map(|&byte| char::from(byte))
                .collect::<String>()
                .into(),
        };
        Ok(Term::Atom(Atom(name)))
    }
}
