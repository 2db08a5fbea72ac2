//! Writing an index as a stream.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{HEAD, line};
use crate::record::Record;

/// Writes the index of these records, which come in the order of their keys. Those without a tag are left out: there is no
/// object that is known to have their content.
pub(crate) fn write(records: impl Iterator<Item = Record>, to: impl Write) -> io::Result<()> {
    let mut out = GzEncoder::new(to, Compression::fast());
    let mut lines = Vec::with_capacity(64 << 10);
    let mut sha = String::new();
    lines.extend_from_slice(HEAD.as_bytes());
    lines.push(b'\n');
    for record in records {
        if record.etag.is_empty() {
            continue;
        }
        line::write(&record, &mut sha, &mut lines)?;
        if lines.len() >= 32 << 10 {
            out.write_all(&lines)?;
            lines.clear();
        }
    }
    out.write_all(&lines)?;
    out.finish()?.flush()
}
