//! Writes one term as bytes.

use std::fmt;

use super::{Term, VERSION, tag};

/// A binary, list, tuple or map with more than 2^32 − 1 bytes or terms, or an atom of more than 65,535 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EncodeError;

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a term with more in it than the external term format can count")
    }
}

impl std::error::Error for EncodeError {}

/// Writes `term` after what is in `out`.
///
/// # Errors
///
/// Something in the term is longer than the format can say. What was written of it stays in `out`.
pub(crate) fn encode(term: &Term, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.push(VERSION);
    write(term, out)
}

fn write(term: &Term, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match term {
        Term::Int(number) => integer(*number, out),
        Term::Atom(atom) => {
            let name = atom.as_str().as_bytes();
            match u8::try_from(name.len()) {
                Ok(length) => out.extend([tag::SMALL_ATOM_UTF8, length]),
                Err(_) => {
                    out.push(tag::ATOM_UTF8);
                    let length = u16::try_from(name.len()).map_err(|_| EncodeError)?;
                    out.extend(length.to_be_bytes());
                }
            }
            out.extend(name);
        }
        Term::Binary(bytes) => {
            count(tag::BINARY, bytes.len(), out)?;
            out.extend_from_slice(bytes);
        }
        Term::Tuple(terms) => {
            match u8::try_from(terms.len()) {
                Ok(arity) => out.extend([tag::SMALL_TUPLE, arity]),
                Err(_) => count(tag::LARGE_TUPLE, terms.len(), out)?,
            }
            terms.iter().try_for_each(|term| write(term, out))?;
        }
        Term::List(terms) => {
            if !terms.is_empty() {
                count(tag::LIST, terms.len(), out)?;
                terms.iter().try_for_each(|term| write(term, out))?;
            }
            out.push(tag::NIL);
        }
        Term::Map(pairs) => {
            count(tag::MAP, pairs.len(), out)?;
            for (key, value) in pairs {
                write(key, out)?;
                write(value, out)?;
            }
        }
    }
    Ok(())
}

fn integer(number: i64, out: &mut Vec<u8>) {
    if let Ok(small) = u8::try_from(number) {
        out.extend([tag::SMALL_INTEGER, small]);
    } else if let Ok(medium) = i32::try_from(number) {
        out.push(tag::INTEGER);
        out.extend(medium.to_be_bytes());
    } else {
        let magnitude = number.unsigned_abs().to_le_bytes();
        let length = magnitude
            .iter()
            .rposition(|&digit| digit != 0)
            .map_or(0, |last| last + 1);
        // At most 8, so that it fits.
        out.extend([tag::SMALL_BIG, length as u8, u8::from(number < 0)]);
        out.extend(&magnitude[..length]);
    }
}

fn count(tag: u8, count: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.push(tag);
    out.extend(u32::try_from(count).map_err(|_| EncodeError)?.to_be_bytes());
    Ok(())
}
