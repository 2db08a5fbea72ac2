//! What is stored: files, and objects made of random bytes.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use md5::{Digest, Md5};

use crate::Failure;
use crate::args::Args;
use crate::cpu;

/// The longest key of S3 and the longest item name of SimpleDB, in bytes.
const MAX_NAME: usize = 1024;

/// A file larger than this is no small thing, and every task holds one in memory.
pub(crate) const MAX_SIZE: u64 = 64 << 20;

/// Up to this size a file is read in place: from the page cache that takes less time than handing
/// it to another thread.
const READ_IN_PLACE: u64 = 64 << 10;

/// One thing to store.
pub(crate) struct Thing {
    /// Its path below the folder, as key and item name.
    pub name: String,
    origin: Origin,
}

enum Origin {
    File { path: PathBuf, size: u64 },
    Made { number: u64 },
}

/// A thing's bytes, and what the index says of them.
#[derive(Clone)]
pub(crate) struct Content {
    pub bytes: Bytes,
    pub entry: Entry,
}

/// What is stored beside the bytes, and must come back with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub size: u64,
    /// In hex.
    pub md5: String,
    /// Seconds since 1970.
    pub mtime: u64,
}

/// A file that was not taken, and why.
pub(crate) struct Skipped {
    pub name: String,
    pub reason: String,
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", printable(&self.name), self.reason)
    }
}

/// All things of a run.
pub(crate) struct Source {
    pub things: Vec<Thing>,
    pub skipped: Vec<Skipped>,
    seed: u64,
    made_size: usize,
    made_at: SystemTime,
    max_name: usize,
    /// CPU time of reading, hashing and comparing, in nanoseconds.
    work: AtomicU64,
}

impl Source {
    /// Finds all things, whose keys will have a prefix of so many bytes; files are not read yet.
    pub(crate) fn find(args: &Args, prefix: usize) -> Result<Self, Failure> {
        let mut source = Self {
            things: Vec::new(),
            skipped: Vec::new(),
            seed: args.seed,
            made_size: usize::try_from(args.size).unwrap_or(usize::MAX),
            made_at: SystemTime::now(),
            max_name: MAX_NAME - prefix,
            work: AtomicU64::new(0),
        };
        match (&args.from, args.count) {
            (Some(folder), _) => source.walk(folder, &[])?,
            (None, Some(_)) => {}
            (None, None) => source.project()?,
        }
        let number = args.count.unwrap_or(0) as u64;
        source.things.extend((0..number).map(|number| Thing {
            name: format!("made/{number:07}"),
            origin: Origin::Made { number },
        }));
        if source.things.is_empty() {
            return Err(Failure("there is no file to store".to_owned()));
        }
        Ok(source)
    }

    /// The files of the project that this program was built from.
    fn project(&mut self) -> Result<(), Failure> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().unwrap_or(here);
        let listed = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(["ls-files", "-z"])
            .stderr(std::process::Stdio::null())
            .output();
        match listed {
            Ok(listed) if listed.status.success() && !listed.stdout.is_empty() => {
                let names = listed.stdout.split(|&byte| byte == 0);
                for name in names.filter(|name| !name.is_empty()) {
                    let relative = path_from(name);
                    self.take(root.join(&relative), &relative);
                }
                Ok(())
            }
            _ => self.walk(root, &[".git", "target"]),
        }
    }

    fn walk(&mut self, root: &Path, except: &[&str]) -> Result<(), Failure> {
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let listed = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let mut entries = match listed {
                Ok(entries) => entries,
                Err(error) if folder == root => {
                    return Err(Failure(format!(
                        "{}: {error}",
                        printable(&root.to_string_lossy())
                    )));
                }
                Err(error) => {
                    self.skip(&relative(root, &folder), error.to_string());
                    continue;
                }
            };
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let path = entry.path();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if !is_folder {
                    let name = relative(root, &path);
                    self.take(path, &name);
                } else if !(folder == root && except.iter().any(|name| entry.file_name() == *name))
                {
                    folders.push(path);
                }
            }
        }
        Ok(())
    }

    /// Takes a file if it is one that can be stored.
    fn take(&mut self, path: PathBuf, relative: &Path) {
        let name = name_of(relative);
        if name.len() > self.max_name {
            let (length, most) = (name.len(), self.max_name);
            let reason = format!("its name has {length} bytes; S3 and SimpleDB leave it {most}");
            return self.skip(relative, reason);
        }
        match fs::symlink_metadata(&path) {
            Ok(meta) if !meta.is_file() => self.skip(relative, "not a regular file".to_owned()),
            Ok(meta) if meta.len() > MAX_SIZE => {
                let reason = format!(
                    "{} bytes; this example takes at most {MAX_SIZE}",
                    meta.len()
                );
                self.skip(relative, reason);
            }
            Ok(meta) => {
                let size = meta.len();
                self.things.push(Thing {
                    name,
                    origin: Origin::File { path, size },
                });
            }
            Err(error) => self.skip(relative, gone_or(&error)),
        }
    }

    fn skip(&mut self, relative: &Path, reason: String) {
        self.skipped.push(Skipped {
            name: name_of(relative),
            reason,
        });
    }

    /// A thing's bytes as they are now.
    pub(crate) async fn read(&self, thing: &Thing) -> Result<Content, Skipped> {
        let read = match &thing.origin {
            Origin::Made { number } => self.count(|| Ok(self.make(*number))),
            Origin::File { path, size } if *size <= READ_IN_PLACE => self.count(|| read_file(path)),
            Origin::File { path, .. } => {
                let path = path.clone();
                let read =
                    tokio::task::spawn_blocking(move || cpu::of_thread(|| read_file(&path))).await;
                read.map_err(io::Error::other).and_then(|(content, spent)| {
                    self.add_work(spent);
                    content
                })
            }
        };
        read.map_err(|error| Skipped {
            name: thing.name.clone(),
            reason: gone_or(&error),
        })
    }

    fn make(&self, number: u64) -> Content {
        // Mixed, as neighbouring seeds give neighbouring beginnings.
        let mut random =
            fastrand::Rng::with_seed(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut bytes = vec![0; self.made_size];
        random.fill(&mut bytes);
        Content::new(bytes, self.made_at)
    }

    /// Does work that is not the client's, and keeps account of it.
    pub(crate) fn count<T>(&self, work: impl FnOnce() -> T) -> T {
        let (result, spent) = cpu::of_thread(work);
        self.add_work(spent);
        result
    }

    fn add_work(&self, spent: Duration) {
        let spent = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.work.fetch_add(spent, Ordering::Relaxed);
    }

    /// CPU time of reading, hashing and comparing so far.
    pub(crate) fn work(&self) -> Duration {
        Duration::from_nanos(self.work.load(Ordering::Relaxed))
    }
}

impl Content {
    fn new(bytes: Vec<u8>, modified: SystemTime) -> Self {
        let since = modified
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            entry: Entry::of(&bytes, since.as_secs()),
            bytes: bytes.into(),
        }
    }
}

impl Entry {
    pub(crate) fn of(bytes: &[u8], mtime: u64) -> Self {
        Self {
            size: bytes.len() as u64,
            md5: md5_of(bytes),
            mtime,
        }
    }
}

/// In hex.
fn md5_of(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(32);
    for byte in Md5::digest(bytes) {
        // Writing to a String does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn read_file(path: &Path) -> io::Result<Content> {
    let modified = fs::metadata(path)?.modified()?;
    Ok(Content::new(fs::read(path)?, modified))
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

fn gone_or(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "vanished".to_owned(),
        _ => error.to_string(),
    }
}

/// A path as text, one to one: bytes that are not UTF-8 become %XX, and % becomes %25.
fn name_of(path: &Path) -> String {
    let mut name = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        name += &chunk.valid().replace('%', "%25");
        for byte in chunk.invalid() {
            // Writing to a String does not fail.
            let _ = write!(name, "%{byte:02X}");
        }
    }
    if cfg!(windows) {
        name.replace('\\', "/")
    } else {
        name
    }
}

#[cfg(unix)]
fn path_from(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path_from(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// A name on one line.
pub(crate) fn printable(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
