//! The part of Erlang's external term format that calls and answers use.
//!
//! The format is described in [Erlang's documentation](https://www.erlang.org/doc/apps/erts/erl_ext_dist.html). This
//! part of it has integers of 64 bits, atoms, tuples, proper lists, binaries and maps. Floats, pids, references, ports,
//! functions, bit strings, improper lists and compressed terms are refused.
//!
//! *Problem:* The bytes come from another program, and a length in them says how much follows. The crates that read
//! the whole format (`eetf` 0.11, `erltf` 0.16) believe such a length before they have seen a byte of it, and go one
//! call deeper for each level of nesting: a thousand bytes end the process for want of memory, two million for want of
//! stack. *Decision:* The dozen tags that are needed are read here, with three limits: a length is compared with what is
//! left of the input, nesting ends at [`MAX_DEPTH`], and a term has at most [`MAX_TERMS`] terms in it. Binaries are
//! slices of the frame that they came in, and are not copied. *Cost:* About 250 lines, which the tests compare with
//! `erltf` and with Erlang itself.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub(crate) use decode::decode;
pub(crate) use encode::encode;

/// How deeply tuples, lists and maps may be nested.
pub(crate) const MAX_DEPTH: usize = 32;
/// How many terms may be in one, at all levels together: what bounds the memory that a decoded term takes.
pub(crate) const MAX_TERMS: usize = 100_000;

/// The first byte of every term in this format.
const VERSION: u8 = 131;

/// The bytes that say what follows.
mod tag {
    pub(super) const SMALL_INTEGER: u8 = 97;
    pub(super) const INTEGER: u8 = 98;
    /// An atom in Latin-1 with two bytes of length, which OTP 25 and older write.
    pub(super) const ATOM: u8 = 100;
    pub(super) const SMALL_TUPLE: u8 = 104;
    pub(super) const LARGE_TUPLE: u8 = 105;
    pub(super) const NIL: u8 = 106;
    /// A list of bytes.
    pub(super) const STRING: u8 = 107;
    pub(super) const LIST: u8 = 108;
    pub(super) const BINARY: u8 = 109;
    pub(super) const SMALL_BIG: u8 = 110;
    /// An atom in Latin-1 with one byte of length.
    pub(super) const SMALL_ATOM: u8 = 115;
    pub(super) const MAP: u8 = 116;
    pub(super) const ATOM_UTF8: u8 = 118;
    pub(super) const SMALL_ATOM_UTF8: u8 = 119;
}

/// An Erlang term of the kinds that calls and answers have.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Term {
    /// An integer. Those that 64 bits with a sign do not hold are refused.
    Int(i64),
    /// A name, such as `ok`.
    Atom(Atom),
    /// A binary, such as `<<"ann">>`.
    Binary(Bytes),
    /// A tuple.
    Tuple(Vec<Term>),
    /// A proper list; Erlang's strings are lists of small integers.
    List(Vec<Term>),
    /// A map, in the order in which it came.
    Map(Vec<(Term, Term)>),
}

impl Term {
    /// The atom of this name.
    pub(crate) fn atom(name: &'static str) -> Self {
        Self::Atom(Atom(Bytes::from_static(name.as_bytes())))
    }

    /// A binary with these bytes.
    pub(crate) fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// Shows the shape of a term and no byte of its binaries, since passwords and messages are among them.
impl std::fmt::Debug for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(number) => write!(f, "{number}"),
            Self::Atom(atom) => f.write_str(atom.as_str()),
            Self::Binary(bytes) => write!(f, "<<{} bytes>>", bytes.len()),
            Self::Tuple(terms) => f.debug_tuple("").field(terms).finish(),
            Self::List(terms) => f.debug_list().entries(terms).finish(),
            Self::Map(pairs) => f
                .debug_map()
                .entries(pairs.iter().map(|(k, v)| (k, v)))
                .finish(),
        }
    }
}

/// The name that an atom is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Atom(Bytes);

impl Atom {
    /// `None` if the bytes are not UTF-8.
    fn new(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).is_ok().then_some(Self(bytes))
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        // Every way to make one has looked that it is UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
