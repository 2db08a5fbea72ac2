//! Reads a folder after whatever happened to the process that wrote it.

use std::fs::{File, OpenOptions, read_dir, remove_file};
use std::io::{self, Read as _};
use std::path::Path;

use super::form::{Form, FormStart, Seal};
use super::frame::{Frame, Mark, Read, read};
use super::snapshot::PART;
use super::{MAGIC, State, create, journal_path, snapshot_path, sync_dir};

/// What a folder goes on with.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) generation: u64,
    pub(super) journal: File,
    pub(super) len: u64,
    pub(super) form: Form,
}

/// Reads the newest snapshot and the journals behind it. What was never acknowledged is cut off;
/// anything else that is not as it was written is an error.
///
/// Goes on with a journal that is flushed for each answer, or one that is not.
pub(super) fn recover<S: State>(dir: &Path, state: &S, fsync: bool) -> io::Result<Found> {
    remove_parts(dir)?;
    let (snapshots, mut journals) = generations(dir)?;
    let base = snapshots.last().copied();
    if let Some(generation) = base {
        load_snapshot(&snapshot_path(dir, generation), state)?;
        journals.retain(|journal| *journal >= generation);
    }
    check_gaps(base, &journals)?;
    // One without a record was begun when the process ended, perhaps while it wrote to the one
    // before.
    while let [_, .., last] = *journals.as_slice() {
        let path = journal_path(dir, last);
        let bytes = bytes(&path)?;
        match FormStart::read(&bytes) {
            FormStart::Torn => {}
            FormStart::Whole(form) if bytes.len() == form.len() => {}
            _ => break,
        }
        remove_file(path)?;
        journals.pop();
    }
    let Some(&last) = journals.last() else {
        return begin(dir, base.unwrap_or(0), fsync);
    };
    let mut len = 0;
    let mut form = None;
    for &generation in &journals {
        let path = journal_path(dir, generation);
        let bytes = bytes(&path)?;
        let replayed = replay(&bytes, state);
        (len, form) = replayed.map_err(|error| super::about(&path, &error))?;
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
    let current = form.filter(|form| form.is_current(fsync));
    let empty = form.is_none_or(|form| len == form.len() as u64);
    if current.is_none() && !empty {
        journal.sync_all()?;
        return begin(dir, last + 1, fsync);
    }
    let form = match current {
        Some(form) => form,
        None => {
            let form = Form::new(fsync);
            journal.set_len(0)?;
            super::Medium::append(&journal, &form.head())?;
            len = form.len() as u64;
            form
        }
    };
    journal.sync_all()?;
    Ok(Found {
        generation: last,
        journal,
        len,
        form,
    })
}

/// The journal of a generation that has none.
fn begin(dir: &Path, generation: u64, fsync: bool) -> io::Result<Found> {
    let (journal, form) = create(&journal_path(dir, generation), fsync)?;
    sync_dir(dir)?;
    Ok(Found {
        generation,
        journal,
        len: form.len() as u64,
        form,
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

fn load_snapshot<S: State>(path: &Path, state: &S) -> io::Result<()> {
    let bytes = bytes(path)?;
    let mut at = MAGIC.len();
    if !bytes.starts_with(MAGIC) {
        return Err(damaged(path, 0));
    }
    let mut records = 0;
    loop {
        match read::<S>(&bytes, Seal::Plain, at) {
            Read::Record(Frame::Mark(Mark::End(count)), size)
                if count == records && at + size == bytes.len() =>
            {
                return Ok(());
            }
            Read::Record(Frame::State(entry), size) if S::may_be_saved(&entry) => {
                state.replay(entry);
                records += 1;
                at += size;
            }
            _ => return Err(damaged(path, at as u64)),
        }
    }
}

/// Does again what a journal tells of, and returns where its last whole record ends and what the journal is, unless
/// its making was cut short.
fn replay<S: State>(bytes: &[u8], state: &S) -> io::Result<(u64, Option<Form>)> {
    let invalid = |why: String| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    let form = match FormStart::read(bytes) {
        FormStart::Whole(form) => form,
        FormStart::Torn => return Ok((0, None)),
        FormStart::Damaged => return invalid("damaged at byte 0".to_owned()),
        FormStart::Foreign => return invalid("not a journal".to_owned()),
    };
    let mut at = form.len();
    loop {
        match read::<S>(bytes, form.seal, at) {
            Read::Record(frame, size) => {
                if let Frame::State(entry) = frame {
                    state.replay(entry);
                }
                at += size;
            }
            // A record behind it would be lost, and may have been acknowledged.
            Read::Short | Read::Bad if is_damage::<S>(bytes, at, form) => {
                return invalid(format!("damaged at byte {at}"));
            }
            Read::Short | Read::Bad => return Ok((at as u64, Some(form))),
        }
    }
}

/// Whether what is wrong at a place was acknowledged, so that it cannot be cut off.
///
/// In a journal that is not flushed, that is so if a whole record follows: a process that is killed leaves no holes.
/// In one that is, a loss of power can leave what was not flushed in pieces, whole records behind holes; but nothing
/// was acknowledged behind the first hole unless a later record knows that it was flushed.
pub(super) fn is_damage<S: State>(bytes: &[u8], at: usize, form: Form) -> bool {
    // The length of what stands there is as doubtful as the rest of it.
    (at + 1..bytes.len()).any(|behind| match read::<S>(bytes, form.seal, behind) {
        Read::Record(Frame::Mark(Mark::Flushed(safe)), _) if form.flushed => safe > at as u64,
        Read::Record(..) => !form.flushed,
        Read::Short | Read::Bad => false,
    })
}

fn damaged(path: &Path, at: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{}: damaged at byte {at}", path.display()),
    )
}
