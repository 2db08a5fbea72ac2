//! Reads a folder after whatever happened to the process that wrote it.

use std::fs::{File, OpenOptions, read_dir, remove_file};
use std::io::{self, Read as _};
use std::path::Path;

use super::record::{Entry, Read, read};
use super::snapshot::PART;
use super::{MAGIC, MAGIC_FLUSHED, create, journal_path, magic, snapshot_path, sync_dir};
use crate::sdb::store::Domains;

/// What a folder goes on with.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) generation: u64,
    pub(super) journal: File,
    pub(super) len: u64,
}

/// Reads the newest snapshot and the journals behind it. What was never acknowledged is cut off;
/// anything else that is not as it was written is an error.
///
/// Goes on with a journal that is flushed for each answer, or one that is not.
pub(super) fn recover(dir: &Path, domains: &Domains, fsync: bool) -> io::Result<Found> {
    remove_parts(dir)?;
    let (snapshots, mut journals) = generations(dir)?;
    let base = snapshots.last().copied();
    if let Some(generation) = base {
        load_snapshot(&snapshot_path(dir, generation), domains)?;
        journals.retain(|journal| *journal >= generation);
    }
    check_gaps(base, &journals)?;
    // One without a record was begun when the process ended, perhaps while it wrote to the one
    // before.
    while let [_, .., last] = *journals.as_slice() {
        let path = journal_path(dir, last);
        if path.metadata()?.len() > MAGIC.len() as u64 {
            break;
        }
        remove_file(path)?;
        journals.pop();
    }
    let Some(&last) = journals.last() else {
        return begin(dir, base.unwrap_or(0), fsync);
    };
    let mut len = 0;
    let mut flushed = fsync;
    for &generation in &journals {
        let path = journal_path(dir, generation);
        let bytes = bytes(&path)?;
        len = replay(&bytes, domains).map_err(|error| super::about(&path, &error))?;
        flushed = bytes.starts_with(MAGIC_FLUSHED);
        if generation != last && len < bytes.len() as u64 {
            return Err(damaged(&path, len));
        }
    }
    if let Some(generation) = base {
        // It may be that there was no time left for it.
        remove_before(dir, generation)?;
    }
    let path = journal_path(dir, last);
    let journal = OpenOptions::new().append(true).open(&path)?;
    journal.set_len(len)?;
    let empty = MAGIC.len() as u64;
    if len < empty || len == empty && flushed != fsync {
        journal.set_len(0)?;
        super::Medium::append(&journal, magic(fsync))?;
        (len, flushed) = (empty, fsync);
    }
    journal.sync_all()?;
    if flushed != fsync {
        return begin(dir, last + 1, fsync);
    }
    Ok(Found {
        generation: last,
        journal,
        len,
    })
}

/// The journal of a generation that has none.
fn begin(dir: &Path, generation: u64, fsync: bool) -> io::Result<Found> {
    let journal = create(&journal_path(dir, generation), fsync)?;
    sync_dir(dir)?;
    Ok(Found {
        generation,
        journal,
        len: MAGIC.len() as u64,
    })
}

/// Removes snapshots that were not written to their end; nobody would ever read them.
fn remove_parts(dir: &Path) -> io::Result<()> {
    for entry in read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == PART) {
            remove_file(path)?;
        }
    }
    Ok(())
}

/// The generations that have a snapshot and those that have a journal, in order.
fn generations(dir: &Path) -> io::Result<(Vec<u64>, Vec<u64>)> {
    let (mut snapshots, mut journals) = (Vec::new(), Vec::new());
    for entry in read_dir(dir)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(number) = name.strip_prefix("snapshot-") {
            // One without a number is a part, or nobody knows what.
            snapshots.extend(number.parse::<u64>().ok());
        } else if let Some(number) = name.strip_prefix("journal-") {
            journals.extend(number.parse::<u64>().ok());
        }
    }
    snapshots.sort_unstable();
    journals.sort_unstable();
    Ok((snapshots, journals))
}

fn check_gaps(base: Option<u64>, journals: &[u64]) -> io::Result<()> {
    let first = base.unwrap_or(0);
    for (expected, found) in (first..).zip(journals) {
        if expected != *found {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("journal {expected} is missing"),
            ));
        }
    }
    Ok(())
}

/// Removes what a snapshot of this generation makes superfluous.
pub(super) fn remove_before(dir: &Path, generation: u64) -> io::Result<()> {
    let (snapshots, journals) = generations(dir)?;
    // Snapshots last: without one, its journals would be taken for all there is.
    for old in journals.into_iter().filter(|old| *old < generation) {
        remove_file(journal_path(dir, old))?;
    }
    for old in snapshots.into_iter().filter(|old| *old < generation) {
        remove_file(snapshot_path(dir, old))?;
    }
    sync_dir(dir)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| super::about(path, &error))?;
    Ok(bytes)
}

fn load_snapshot(path: &Path, domains: &Domains) -> io::Result<()> {
    let bytes = bytes(path)?;
    let mut at = MAGIC.len();
    if !bytes.starts_with(MAGIC) {
        return Err(damaged(path, 0));
    }
    let mut records = 0;
    loop {
        match read(&bytes[at..]) {
            Read::Record(Entry::End(count), size)
                if count == records && at + size == bytes.len() =>
            {
                return Ok(());
            }
            Read::Record(entry @ (Entry::Create(_) | Entry::Put(..)), size) => {
                domains.replay(entry);
                records += 1;
                at += size;
            }
            _ => return Err(damaged(path, at as u64)),
        }
    }
}

/// Does again what a journal tells of, and returns where its last whole record ends.
fn replay(bytes: &[u8], domains: &Domains) -> io::Result<u64> {
    let flushed = bytes.starts_with(MAGIC_FLUSHED);
    if !flushed && !bytes.starts_with(MAGIC) {
        // The process may have ended within it, or the power before its bytes were there.
        let begun = |magic: &[u8]| magic.starts_with(bytes);
        let zeros = bytes.len() <= MAGIC.len() && bytes.iter().all(|byte| *byte == 0);
        if begun(MAGIC) || begun(MAGIC_FLUSHED) || zeros {
            return Ok(0);
        }
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a journal"));
    }
    let mut at = MAGIC.len();
    loop {
        match read(&bytes[at..]) {
            Read::Record(entry, size) => {
                domains.replay(entry);
                at += size;
            }
            // A record behind it would be lost, and may have been acknowledged.
            Read::Short | Read::Bad if is_damage(bytes, at, flushed) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("damaged at byte {at}"),
                ));
            }
            Read::Short | Read::Bad => return Ok(at as u64),
        }
    }
}

/// Whether what is wrong at a place was acknowledged, so that it cannot be cut off.
///
/// In a journal that is not flushed, that is so if a whole record follows: a process that is killed leaves no holes.
/// In one that is, a loss of power can leave what was not flushed in pieces, whole records behind holes; but nothing
/// was acknowledged behind the first hole unless a later record knows that it was flushed.
pub(super) fn is_damage(bytes: &[u8], at: usize, flushed: bool) -> bool {
    // The length of what stands there is as doubtful as the rest of it.
    (at + 1..bytes.len()).any(|behind| match read(&bytes[behind..]) {
        Read::Record(Entry::Flushed(safe), _) if flushed => safe > at as u64,
        Read::Record(..) => !flushed,
        Read::Short | Read::Bad => false,
    })
}

fn damaged(path: &Path, at: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{}: damaged at byte {at}", path.display()),
    )
}
