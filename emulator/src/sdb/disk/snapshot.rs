//! Writes the state of all domains into one file, while they change.

use std::fs::{File, remove_file, rename};
use std::io::{self, BufWriter, Write};
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::form::Seal;
use super::record::Record;
use super::{MAGIC, snapshot_path, sync_dir};
use crate::sdb::store::{Change, Domain, Domains, Item, Text};

/// What the name of a snapshot ends with while it is written.
pub(super) const PART: &str = "part";

/// How many items are read in one turn, for which writers wait.
const TURN: usize = 64;

/// The size of what was written, in bytes.
pub(super) fn write(
    dir: &Path,
    generation: u64,
    domains: &Domains,
    closing: &AtomicBool,
) -> io::Result<u64> {
    let path = snapshot_path(dir, generation);
    let part = path.with_extension(PART);
    let written = write_part(&part, domains, closing);
    if written.is_err() {
        // On a full disk it would take the room of the journal. What is left is removed by the next process.
        let _ = remove_file(&part);
    }
    let bytes = written?;
    rename(&part, &path)?;
    sync_dir(dir)?;
    Ok(bytes)
}

fn write_part(part: &Path, domains: &Domains, closing: &AtomicBool) -> io::Result<u64> {
    let mut out = Out {
        file: BufWriter::new(File::create(part)?),
        record: Vec::new(),
        records: 0,
        bytes: MAGIC.len() as u64,
    };
    out.file.write_all(MAGIC)?;
    for domain in domains.all() {
        out.write(&Record::Create(domain.name()))?;
        items(&mut out, &domain, closing)?;
    }
    let records = out.records;
    out.write(&Record::End(records))?;
    let bytes = out.bytes;
    out.file.into_inner()?.sync_all()?;
    Ok(bytes)
}

fn items(out: &mut Out, domain: &Domain, closing: &AtomicBool) -> io::Result<()> {
    let mut last: Option<Text> = None;
    loop {
        if closing.load(Ordering::Relaxed) {
            return Err(io::Error::other("closing"));
        }
        let mut batch = Vec::new();
        {
            let content = domain.read();
            let low = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut end = None;
            for (name, item) in content.range(low, Bound::Unbounded).take(TURN) {
                end = Some(name.clone());
                batch.push((name.to_string(), changes(item)));
            }
            last = end;
        }
        if batch.is_empty() {
            return Ok(());
        }
        out.write(&Record::Put(domain.name(), &batch))?;
    }
}

fn changes(item: &Item) -> Vec<Change> {
    let pairs = item
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let changes = pairs.map(|(name, value)| Change {
        name: name.to_string(),
        value: Some(value.to_string()),
        replace: false,
    });
    changes.collect()
}

struct Out {
    file: BufWriter<File>,
    record: Vec<u8>,
    records: u64,
    bytes: u64,
}

impl Out {
    fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.record.clear();
        record.write(&mut self.record, Seal::Plain, self.bytes);
        self.records += 1;
        self.bytes += self.record.len() as u64;
        self.file.write_all(&self.record)
    }
}
