//! What an operation says of itself so that a cache can answer it.

use bytes::Bytes;
use pipeline_pool::Head;

use crate::operation::Operation;

/// How an operation can be answered from what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// Not at all: it goes past the cache.
    #[default]
    Past,
    /// It asks for the whole thing of this name in its bucket or domain: its own answer is what is kept.
    Whole(&'a str),
    /// It can be answered from what is kept of the thing of this name, and its own answer is not kept.
    Part(&'a str),
}

/// A whole answer, as it is kept.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Status and fields; those of one connection or one request are left out.
    pub head: Head,
    /// The body, whole.
    pub body: Bytes,
}

/// An operation that a cache can answer, or whose success tells what a cache would find.
///
/// All methods have defaults: of an operation that implements none of them nothing is kept.
pub trait Cacheable: Operation {
    /// Header fields of an answer that are of that answer alone, and are not kept: in lower case, besides those that
    /// every service of AWS sends.
    const PASSING_FIELDS: &'static [&'static str] = &[];

    /// What it looks for in the cache. Defaults to nothing.
    fn lookup(&self) -> Lookup<'_> {
        Lookup::Past
    }

    /// The answer to this very request out of what is kept of the whole thing; nothing if only the service knows it.
    /// Defaults to what is kept.
    fn out_of(&self, snapshot: Snapshot) -> Option<Snapshot> {
        Some(snapshot)
    }

    /// Whether this answer says that the thing does not exist. Defaults to no.
    fn is_absence(&self, snapshot: &Snapshot) -> bool {
        let _ = snapshot;
        false
    }

    /// Whether an answer with this head, of status 200, may be kept: it is one of the service's, and not of something
    /// in between. Defaults to yes.
    fn may_be_kept(&self, head: &Head) -> bool {
        let _ = head;
        true
    }

    /// What a read would find now that this has been written, if all of it is known. Defaults to nothing.
    fn wrote(&self, output: &Self::Output) -> Option<Snapshot> {
        let _ = output;
        None
    }

    /// What an answer cost, in the unit that the service bills by beside the number of requests. Defaults to 0.
    fn cost(&self, snapshot: &Snapshot) -> f64 {
        let _ = snapshot;
        0.0
    }
}
