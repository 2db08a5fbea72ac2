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

    /// The arguments that the elements of a tuple are.
    pub(super) fn tuple(term: Term) -> Result<Self, Failure> {
        match term {
            Term::Tuple(terms) => Ok(Self(terms.into_iter())),
            _ => Err(Failure::invalid(
                "an argument is not the tuple that it should be",
            )),
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

    /// The next argument, which is a list.
    pub(super) fn list(&mut self) -> Result<Vec<Term>, Failure> {
        match self.any()? {
            Term::List(terms) => Ok(terms),
            _ => Err(Failure::invalid(
                "an argument is not the list that it should be",
            )),
        }
    }

    /// The next argument, which is an atom.
    pub(super) fn atom(&mut self) -> Result<Atom, Failure> {
        match self.any()? {
            Term::Atom(atom) => Ok(atom),
            _ => Err(Failure::invalid(
                "an argument is not the atom that it should be",
            )),
        }
    }

    /// The next argument, which is `true` or `false`.
    pub(super) fn flag(&mut self) -> Result<bool, Failure> {
        match self.atom()?.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Failure::invalid("an argument is neither true nor false")),
        }
    }

    /// The next argument, which is a list of tuples, each read by `read`, which has to take all of it.
    pub(super) fn tuples<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        self.list()?
            .into_iter()
            .map(|term| {
                let mut fields = Self::tuple(term)?;
                let value = read(&mut fields)?;
                fields.end()?;
                Ok(value)
            })
            .collect()
    }

    /// The next argument, which is a list of binaries in UTF-8.
    pub(super) fn texts(&mut self) -> Result<Vec<String>, Failure> {
        let mut terms = Self(self.list()?.into_iter());
        let mut texts = Vec::new();
        while !terms.0.as_slice().is_empty() {
            texts.push(terms.text()?);
        }
        Ok(texts)
    }

    /// The next argument, which is a list of bare JIDs.
    pub(super) fn jids(&mut self) -> Result<Vec<BareJid>, Failure> {
        let texts = self.texts()?.into_iter();
        Ok(texts.map(BareJid::parse).collect::<Result<_, _>>()?)
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

/// A list of binaries.
pub(super) fn binaries<B: Into<Bytes>>(values: impl IntoIterator<Item = B>) -> Term {
    Term::List(values.into_iter().map(Term::binary).collect())
}

/// The term of a count or of a time. None is so large that it does not fit.
pub(super) fn number(value: impl TryInto<i64>) -> Term {
    Term::Int(value.try_into().unwrap_or(i64::MAX))
}

/// The atom `true` or `false`.
pub(super) fn flag(value: bool) -> Term {
    Term::atom(if value { "true" } else { "false" })
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
