//! State that outlives the process: a journal of what was written, and snapshots of it.
//!
//! Both halves that keep something use it, each with a [`State`] and a folder of its own.
//!
//! A folder holds generations. `journal-N` has the writes since generation `N` began, and
//! `snapshot-N` the state of some moment after that. Records can be done again, so a snapshot is
//! taken while writes go on: the journal of its own generation completes it.
//!
//! A journal that is flushed before each answer says so, and how far that was done. What a loss of power leaves
//! behind that may be in pieces, and was never acknowledged.

pub(crate) mod code;
mod form;
pub(crate) mod frame;
mod log;
mod recover;
mod snapshot;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

pub(crate) use self::frame::Record;
pub(crate) use self::log::{Lost, Ticket};
pub(crate) use self::snapshot::Save;

use self::form::Form;
use self::log::{Log, Medium};

/// At the beginning of every snapshot.
const MAGIC: &[u8; 8] = b"sdblog1\n";

/// How long a journal gets before it is folded into a snapshot, unless it is told, in bytes.
pub(crate) const JOURNAL_MAX: u64 = 64 << 20;

/// Where and how a state is kept.
#[derive(Clone, Debug)]
pub(crate) struct DiskOptions {
    pub(crate) dir: PathBuf,
    pub(crate) fsync: bool,
    pub(crate) journal_max: u64,
}

impl DiskOptions {
    /// Where and how a state is kept, if a folder is named.
    ///
    /// # Errors
    /// When something is said of a folder, and none is named; `whose` stands behind the names of the settings.
    pub(crate) fn new(
        dir: Option<PathBuf>,
        fsync: bool,
        journal_max: Option<u64>,
        whose: &str,
    ) -> io::Result<Option<Self>> {
        if dir.is_none() && (fsync || journal_max.is_some()) {
            let text = format!("fsync and journal_max{whose} need a folder: set dir");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(dir.map(|dir| Self {
            dir,
            fsync,
            journal_max: journal_max.unwrap_or(JOURNAL_MAX),
        }))
    }
}

/// What a folder keeps.
///
/// A record sets or clears something whatever it was, so that doing all of them again, on any state that some of them
/// have already led to, leads to the same. It is appended while writers of the same thing are kept out, before the
/// thing is changed: so a snapshot that is taken meanwhile has what was written before its generation began.
pub(crate) trait State: fmt::Debug + Send + Sync + 'static {
    /// A record that was read.
    type Entry;

    /// Reads what was written as a [`Record`], whose first byte is neither 5 nor 6; nothing if it is none.
    fn read(payload: &[u8]) -> Option<Self::Entry>;

    /// Does again what a record tells of.
    fn replay(&self, entry: Self::Entry);

    /// Says whether a snapshot can have such a record, which is one that sets something.
    fn may_be_saved(entry: &Self::Entry) -> bool;

    /// Writes the whole state down, while it changes.
    fn save(&self, to: &mut Save<'_>) -> io::Result<()>;
}

/// Where writes are written down: on a disk, or nowhere.
#[derive(Debug)]
pub(crate) struct Journal<S: State>(Option<Disk<S>>);

#[derive(Debug)]
struct Disk<S: State> {
    inner: Arc<DiskParts>,
    state: Arc<S>,
    folding: Mutex<Option<thread::JoinHandle<()>>>,
}

#[derive(Debug)]
struct DiskParts {
    dir: PathBuf,
    journal_max: u64,
    log: Log,
    generation: AtomicU64,
    /// How long the journal may get before it is folded, in bytes.
    fold_at: AtomicU64,
    /// Whether a fold is under way.
    busy: AtomicBool,
    closing: AtomicBool,
    /// Keeps others out of the folder for as long as it is open.
    _lock: File,
}

impl<S: State> Journal<S> {
    /// Keeps nothing.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Reads a folder into `state`, which is empty, and goes on writing to it.
    pub(crate) fn open(options: &DiskOptions, state: &Arc<S>) -> io::Result<Self> {
        let fsync = options.fsync;
        let dir = &options.dir;
        make_dir(dir).map_err(|error| about(dir, &error))?;
        let lock = lock(dir)?;
        let found = recover::recover(dir, &**state, fsync).map_err(|error| about(dir, &error))?;
        let medium: Arc<dyn Medium> = Arc::new(found.journal);
        let inner = DiskParts {
            dir: dir.clone(),
            journal_max: options.journal_max,
            log: Log::new(medium, found.len, found.form)?,
            generation: AtomicU64::new(found.generation),
            fold_at: AtomicU64::new(options.journal_max),
            busy: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            _lock: lock,
        };
        Ok(Self(Some(Disk {
            inner: Arc::new(inner),
            state: Arc::clone(state),
            folding: Mutex::new(None),
        })))
    }

    /// Writes a record down; on return it outlives the process.
    pub(crate) fn append(&self, record: &dyn Record) -> Result<Ticket, Lost> {
        let Some(disk) = &self.0 else {
            return Ok(Ticket::default());
        };
        let ticket = disk.inner.log.append(record)?;
        disk.fold_if_due();
        Ok(ticket)
    }

    /// The place of the last record.
    pub(crate) fn last(&self) -> Ticket {
        let disk = self.0.as_ref();
        disk.map_or_else(Ticket::default, |disk| disk.inner.log.last())
    }

    /// Returns once a record is as safe as was asked for.
    pub(crate) async fn wait(&self, ticket: Ticket) -> Result<(), Lost> {
        match &self.0 {
            Some(disk) => disk.inner.log.wait(ticket).await,
            None => Ok(()),
        }
    }
}

impl<S: State> Disk<S> {
    fn fold_if_due(&self) {
        let inner = &self.inner;
        if inner.log.len() < inner.fold_at.load(Ordering::Relaxed) {
            return;
        }
        // Held until the thread has its place: a short fold may be over before, and the next must not come in
        // between, or nobody would wait for that one.
        let mut folding = self.folding.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let (inner, state) = (Arc::clone(inner), Arc::clone(&self.state));
        let thread = thread::Builder::new().name("fold".into());
        let spawned = thread.spawn(move || inner.fold(&*state));
        match spawned {
            // The one before is over, or this one would not have begun.
            Ok(thread) => *folding = Some(thread),
            Err(_) => self.inner.busy.store(false, Ordering::Release),
        }
    }
}

impl<S: State> Drop for Disk<S> {
    fn drop(&mut self) {
        self.inner.closing.store(true, Ordering::Relaxed);
        let folding = self.folding.get_mut();
        if let Some(thread) = folding.unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody is left to hear that it panicked; the journal is whole without it.
            let _ = thread.join();
        }
    }
}

impl DiskParts {
    /// Begins a generation, and gives it a snapshot, which makes the older ones superfluous.
    fn fold<S: State>(&self, state: &S) {
        let folded = self.try_fold(state);
        // A fold that failed leaves all generations as they are. A full disk needs a pause.
        let next = match folded {
            Ok(size) => self.journal_max.max(size),
            Err(_) => self.log.len().saturating_add(self.journal_max),
        };
        self.fold_at.store(next, Ordering::Relaxed);
        self.busy.store(false, Ordering::Release);
    }

    /// The size of the new snapshot.
    fn try_fold<S: State>(&self, state: &S) -> io::Result<u64> {
        let generation = self.generation.load(Ordering::Relaxed) + 1;
        let path = journal_path(&self.dir, generation);
        let begun = create(&path, self.log.is_flushed()).and_then(|(journal, form)| {
            sync_dir(&self.dir)?;
            self.log.switch(Arc::new(journal), form)
        });
        if let Err(error) = begun {
            // It would stand in the way of the next try.
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        self.generation.store(generation, Ordering::Relaxed);
        let size = snapshot::write(&self.dir, generation, state, &self.closing)?;
        recover::remove_before(&self.dir, generation)?;
        Ok(size)
    }
}

fn journal_path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("journal-{generation:010}"))
}

fn snapshot_path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("snapshot-{generation:010}"))
}

/// A new journal with its beginning, open for appending.
fn create(path: &Path, fsync: bool) -> io::Result<(File, Form)> {
    let form = Form::new(fsync);
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(path)?;
    Medium::append(&file, &form.head())?;
    file.sync_all()?;
    Ok((file, form))
}

/// Makes names of files outlive a loss of power.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes a folder, and those that it is in, such that they outlive a loss of power.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    let missing = dir.ancestors().take_while(|dir| !dir.exists());
    let missing: Vec<&Path> = missing.filter(|dir| *dir != Path::new("")).collect();
    std::fs::create_dir_all(dir)?;
    for made in missing {
        match made.parent() {
            Some(parent) if parent != Path::new("") => sync_dir(parent)?,
            _ => sync_dir(Path::new("."))?,
        }
    }
    Ok(())
}

fn lock(dir: &Path) -> io::Result<File> {
    let path = dir.join("lock");
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(false).write(true);
    let file = options.open(&path).map_err(|error| about(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            format!("{}: in use by another emulator", dir.display()),
        )),
        Err(std::fs::TryLockError::Error(error)) => Err(about(&path, &error)),
    }
}

pub(crate) fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
