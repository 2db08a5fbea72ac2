//! Writes a whole state into one file, while it changes.

use std::fs::{File, remove_file, rename};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::form::Seal;
use super::frame::{self, Mark, Record};
use super::{MAGIC, State, snapshot_path, sync_dir};

/// What the name of a snapshot ends with while it is written.
pub(super) const PART: &str = "part";

/// The size of what was written, in bytes.
pub(super) fn write<S: State>(
    dir: &Path,
    generation: u64,
    state: &S,
    closing: &AtomicBool,
) -> io::Result<u64> {
    let path = snapshot_path(dir, generation);
    let part = path.with_extension(PART);
    let written = write_part(&part, state, closing);
    if written.is_err() {
        // On a full disk it would take the room of the journal. What is left is removed by the next process.
        let _ = remove_file(&part);
    }
    let bytes = written?;
    rename(&part, &path)?;
    sync_dir(dir)?;
    Ok(bytes)
}

fn write_part<S: State>(part: &Path, state: &S, closing: &AtomicBool) -> io::Result<u64> {
    let mut out = Save {
        closing,
        file: BufWriter::new(File::create(part)?),
        record: Vec::new(),
        records: 0,
        bytes: MAGIC.len() as u64,
    };
    out.file.write_all(MAGIC)?;
    state.save(&mut out)?;
    let records = out.records;
    out.write(&Mark::End(records))?;
    let bytes = out.bytes;
    out.file.into_inner()?.sync_all()?;
    Ok(bytes)
}

/// A snapshot that is being written.
#[derive(Debug)]
pub(crate) struct Save<'a> {
    closing: &'a AtomicBool,
    file: BufWriter<File>,
    record: Vec<u8>,
    records: u64,
    bytes: u64,
}

impl Save<'_> {
    /// Writes one record.
    ///
    /// # Errors
    /// When the disk does not take it, or the emulator is about to end.
    pub(crate) fn write(&mut self, record: &dyn Record) -> io::Result<()> {
        if self.closing.load(Ordering::Relaxed) {
            return Err(io::Error::other("closing"));
        }
        self.record.clear();
        frame::write(&mut self.record, record, Seal::Plain, self.bytes);
        self.records += 1;
        self.bytes += self.record.len() as u64;
        self.file.write_all(&self.record)
    }
}
