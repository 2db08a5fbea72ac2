//! What is known of a file and of the object that it is level with, and files of such records in the order of their keys.
//!
//! *Problem:* A run learns things of any number of files that the next one needs, and must not hold them in memory. *Decision:*
//! Records go to a file as they are learnt, in blocks with a checksum, and are read again as a stream; the local state is such
//! a file, and so is what a run notes until it is done. *Cost:* A record is written twice in a run that changes something.

mod file;
mod form;

use crate::digest::Digest;
use crate::etag::Md5Sum;
use crate::tree::Stamp;

pub(crate) use file::{Reader, Writer};

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) sha: Digest,
    pub(crate) md5: Option<Md5Sum>,
    /// The size and what tells whether the file has been changed.
    pub(crate) stamp: Stamp,
    pub(crate) mode: u32,
    /// The tag of the object, without its quotes; empty if there is none that is known to have this content.
    pub(crate) etag: String,
    /// Whether the file is known to have had this content when it had this stamp, and so the next run need not read it.
    pub(crate) settled: bool,
}

#[cfg(test)]
impl Record {
    /// A record of this key alone.
    pub(crate) fn of_key(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            sha: Digest::of(b""),
            md5: None,
            stamp: Stamp::default(),
            mode: 0,
            etag: String::new(),
            settled: true,
        }
    }
}
