//! The index: the object `.s3-sync` beside the objects, which says of each what its content is.
//!
//! *Problem:* A listing says of an object its size, a time and a tag, and a tag is no digest where objects came in parts or are
//! encrypted by a key; to ask for metadata takes a request for each object. *Decision:* One object tells of all of them what
//! their SHA-256 is, as lines of JSON in the order of keys, compressed by gzip. A line counts only if the tag that the listing
//! has is the one in it: then the object is the one that was written when the line was, whatever the tag means. An index that is
//! missing, old, of other keys or damaged costs time and is never wrong by itself. Gzip needs 32 KiB to be read, whatever its
//! writer intended, and any system can show it (`zcat`). *Cost:* One request to read it and one to write it after a change, and
//! trust: who may write the index may say what he wants of objects, as who may write the objects may.

mod line;
mod read;
mod write;

pub(crate) use read::IndexReader;
pub(crate) use write::write;

use crate::digest::Digest;

/// The first line.
const HEAD: &str = "{\"format\":\"s3-sync index 1\"}";
/// The longest line: a key of 1,024 bytes, each of which may need six as JSON, and the rest.
const MAX_LINE: usize = 8 << 10;

/// What the index says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name below the prefix.
    pub(crate) key: String,
    pub(crate) size: u64,
    /// Without its quotes.
    pub(crate) etag: String,
    pub(crate) sha: Digest,
    /// When the file was changed, in nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// The permissions of the file.
    pub(crate) mode: u32,
}
