//! Objects from and to files.

mod read;
mod save;
mod temporary;
mod writer;

pub(crate) use read::FilePart;
pub use save::SaveFile;
pub(crate) use temporary::{Temporary, sync_folder};
pub(crate) use writer::BlockWriter;

use std::io;
use std::path::Path;

use aws_core::{Error, Kind};

/// How much is read from a file, or hashed, at a time.
pub(crate) const CHUNK: usize = 256 << 10;

/// A file that could not be read or written.
pub(crate) fn failed(what: &str, path: &Path, cause: io::Error) -> Error {
    Error::new(
        Kind::File,
        format!("cannot {what} {}: {cause}", path.display()),
    )
    .with_told_cause(cause)
}
