//! Takes the arguments of a call one after the other.

use std::vec::IntoIter;

use bytes::Bytes;
use cloud_stores::{BareJid, Kind};

use super::Failure;
use crate::etf::{Atom, Term};

/// The arguments of a call that are not taken yet.
#[derive(Debug)]
pub(super) struct Args(IntoIter<Term>);

impl Args {
    /// The operation and the arguments of `{Operation, Argument…}`.
    pub(super) fn of(request: Term) -> Result<(Atom, Self), Kind> {
        let Term::Tuple(terms) = request else {
            return Err(Kind::Invalid);
        };
        let mut terms = terms.into_iter();
        match terms.next() {
            Some(Term::Atom(operation)) => Ok((operation, Self(terms))),
            _ => Err(Kind::Invalid),
        }
    }

    /// The next argument, whatever it is.
    pub(super) fn any(&mut self) -> Result<Term, Failure> {
        self.0
            .next()
            .ok_or_else(|| Failure::invalid("an argument is missing"))
    }

    /// The next argument, which is a binary.
    pub(super) fn bytes(&mut self) -> Result<Bytes, Failure> {
        match self.any()? {
            Term::Binary(bytes) => Ok(bytes),
            _ => Err(Failure::invalid(
                "an argument is not the binary that it should be",
            )),
        }
    }

    /// The next argument, which is a binary in UTF-8.
    pub(super) fn text(&mut self) -> Result<String, Failure> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.into())
            .map_err(|_| Failure::invalid("a binary is not the text in UTF-8 that it should be"))
    }

    /// The next argument, which is a bare JID.
    pub(super) fn jid(&mut self) -> Result<BareJid, Failure> {
        Ok(BareJid::parse(self.text()?)?)
    }

    /// The next argument, which is an integer that a `T` holds.
    pub(super) fn number<T: TryFrom<i64>>(&mut self) -> Result<T, Failure> {
        match self.any()? {
            Term::Int(number) => {
                T::try_from(number).map_err(|_| Failure::invalid("an integer is out of its range"))
            }
            _ => Err(Failure::invalid(
                "an argument is not the integer that it should be",
            )),
        }
    }

    /// The next argument, which is the atom `none` or what `read` takes.
    pub(super) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        match self.0.as_slice().first() {
            Some(Term::Atom(atom)) if atom.as_str() == "none" => {
                self.any()?;
                Ok(None)
            }
            _ => read(self).map(Some),
        }
    }

    /// That there are no more arguments.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        match self.0.next() {
            None => Ok(()),
            Some(_) => Err(Failure::invalid("there is an argument too many")),
        }
    }
}

/// The term of what may not be there.
pub(super) fn or_none(value: Option<Term>) -> Term {
    value.unwrap_or_else(|| Term::atom("none"))
}

/// The answer of an action that gives nothing.
pub(super) fn done() -> Term {
    Term::atom("done")
}

/// The failure of a verb that a store does not have.
pub(super) fn unknown<T>() -> Result<T, Failure> {
    Err(Failure::invalid(
        "the store has no such verb: shims and program are of different versions",
    ))
}
