//! What a run tells while it goes on, and what it came to.

use std::ops::ControlFlow;

use crate::error::Error;
use crate::plan::price::Price;
use crate::tree::Skipped;

/// What is done with a file or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// A file becomes an object.
    Upload,
    /// An object becomes a file.
    Download,
    /// An object becomes another object, within the store.
    Copy,
    /// What is only in the target is deleted.
    Delete,
}

impl Action {
    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Copy => "copy",
            Self::Delete => "delete",
        }
    }
}

/// Something that happened in a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Something was done; in a dry run, would be.
    Did {
        /// What.
        action: Action,
        /// With which key.
        key: &'a str,
        /// How many bytes it has.
        size: u64,
    },
    /// It is not the same on both sides, or one of them lacks it: told by a run that [verifies](super::Options::verify).
    Differs {
        /// Its key.
        key: &'a str,
        /// In what.
        what: &'a str,
    },
    /// Something failed; the rest goes on.
    Failed(&'a Error),
    /// Something was passed over.
    Skipped(&'a Skipped),
    /// Something is odd, and costs time at most.
    Warning(&'a str),
    /// How far the run is.
    Progress(&'a Report),
}

/// Who is told; it breaks off the run by [`ControlFlow::Break`].
pub(crate) type Listener<'a> = dyn FnMut(Event<'_>) -> ControlFlow<()> + Send + 'a;

/// What a run came to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Files and objects that were looked at on either side.
    pub seen: u64,
    /// Keys that are the same on both sides.
    pub same: u64,
    /// Files and objects that were moved; in a dry run, would be.
    pub moved: u64,
    /// Their bytes; while a run goes on, with those of large files that are not whole yet.
    pub bytes: u64,
    /// What is to be moved, as far as is known.
    pub to_move: u64,
    /// Its bytes, as far as is known.
    pub bytes_to_move: u64,
    /// What was deleted; in a dry run, would be.
    pub deleted: u64,
    /// What is only in the target, and stays.
    pub kept: u64,
    /// What was passed over.
    pub skipped: u64,
    /// Keys that differ, in a run that verifies.
    pub different: u64,
    /// How many failures there were.
    pub failed: u64,
    /// Requests and bytes, as they are paid.
    pub price: Price,
}

impl Report {
    /// Whether the two sides were found level, or have been brought level, without a failure.
    pub fn is_complete(&self) -> bool {
        self.failed == 0 && self.different == 0
    }
}
