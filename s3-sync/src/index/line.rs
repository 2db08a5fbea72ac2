//! A line of the index.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Entry;
use crate::digest::Digest;
use crate::record::Record;

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    size: u64,
    #[serde(borrow)]
    etag: Cow<'a, str>,
    #[serde(borrow)]
    sha256: Cow<'a, str>,
    mtime: i64,
    mode: u32,
}

/// Puts the line of a record, with its end, behind what is there.
pub(super) fn write(
    record: &Record,
    sha: &mut String,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    use std::fmt::Write as _;
    sha.clear();
    let _infallible = write!(sha, "{}", record.sha);
    let line = Line {
        key: Cow::Borrowed(&record.key),
        size: record.stamp.size,
        etag: Cow::Borrowed(&record.etag),
        sha256: Cow::Borrowed(sha),
        mtime: record.stamp.mtime,
        mode: record.mode,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.push(b'\n');
    Ok(())
}

/// What a line says; nothing if it is none.
pub(super) fn read(line: &[u8]) -> Option<Entry> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let sha: Digest = line.sha256.parse().ok()?;
    Some(Entry {
        key: line.key.into_owned(),
        size: line.size,
        etag: line.etag.into_owned(),
        sha,
        mtime: line.mtime,
        mode: line.mode & 0o777,
    })
}
