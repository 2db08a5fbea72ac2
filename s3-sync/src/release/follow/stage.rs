//! Fetching a release into a folder of its own, and giving it its name when it is whole.
//!
//! *Problem:* A node may be killed, or its disk may be full, at any moment, and contents may be wrong here and in the store.
//! *Decision:* Everything happens in `42.tmp`. What a killed follower has left there is kept file by file, where its digest
//! is right, and removed where not. What another release of this node has is linked, and its digest is computed; what lacks is
//! fetched, and its digest is computed while it is written. Then all of it goes to the disk, and a rename gives it its
//! name. *Cost:* Each file of a new release is read once; `syncfs` waits for other writers of the file system, too.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use super::local::{Local, remove, sync};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::release::manifest::{Bounds, FileEntry, Manifest};
use crate::release::pointer::Target;
use crate::release::store::{App, is_missing};
use crate::step::Steps;

/// The largest content that is held in memory.
const SMALL: u64 = 1 << 20;
/// How often the body of a content is asked for again where it was cut.
const RESUMES: u32 = 5;
const PIECE: usize = 256 << 10;

/// How a release is fetched.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) app: App,
    pub(super) local: Arc<Local>,
    pub(super) bounds: Bounds,
    pub(super) concurrency: usize,
    pub(super) fsync: bool,
    pub(super) steps: Steps,
}

/// What it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// How many contents were fetched.
    pub fetched: u64,
    /// How many bytes they had.
    pub fetched_bytes: u64,
    /// How many files were there already, in another release or from an attempt that was cut short.
    pub reused: u64,
}

/// The files that lack one content, by their places in the manifest.
type Missing = BTreeMap<Digest, Vec<usize>>;

impl Stage {
    /// Has the release be there whole.
    pub(super) async fn run(&self, target: Target) -> Result<Moved> {
        let number = target.release;
        let manifest = Arc::new(self.manifest(target).await?);
        let (this, files) = (self.clone(), Arc::clone(&manifest));
        let (missing, reused) = blocking(move || this.prepare(&files)).await?;
        let mut moved = Moved {
            reused,
            ..Moved::default()
        };
        let jobs = stream::iter(missing).map(|(digest, places)| {
            let manifest = Arc::clone(&manifest);
            async move { self.fetch(&manifest, digest, &places).await }
        });
        let mut fetched = jobs.buffer_unordered(self.concurrency.max(1));
        let mut failed = None;
        while let Some(bytes) = fetched.next().await {
            match bytes {
                Ok(bytes) => {
                    moved.fetched += 1;
                    moved.fetched_bytes += bytes;
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        drop(fetched);
        let this = self.clone();
        if let Some(error) = failed {
            if error.kind() == Kind::Full {
                // A disk without room is of no use to others, either.
                blocking(move || remove(&this.local.staging(number))).await?;
            }
            return Err(error);
        }
        blocking(move || this.finish(number)).await?;
        Ok(moved)
    }

    /// The manifest that the pointer names, and no other.
    async fn manifest(&self, target: Target) -> Result<Manifest> {
        let Target {
            release,
            manifest: digest,
        } = target;
        let key = self.app.layout.release(release);
        if let Some((here, known)) = self.local.manifest(release) {
            if known == digest {
                here.within(&key, &self.bounds)?;
                return Ok(here);
            }
            if self.local.release(release).is_dir() {
                let about = self.local.release(release).display().to_string();
                let what = "this node has another release of this number: use an empty folder for what was begun anew";
                return Err(Error::new(Kind::Content, about, what));
            }
        }
        let Some((manifest, found, bytes)) = self.app.manifest(release, &self.bounds).await? else {
            return Err(Error::new(
                Kind::Store,
                key,
                "the pointer names it, and it is not there",
            ));
        };
        if found != digest {
            return Err(Error::new(
                Kind::Content,
                key,
                "it is not the manifest that the pointer names",
            ));
        }
        manifest.within(&key, &self.bounds)?;
        let this = self.clone();
        blocking(move || {
            // What is there is of another manifest, or of one that was not kept.
            remove(&this.local.staging(release))?;
            let file = this.local.manifest_file(release);
            this.tell("write", &file);
            this.local.replace(&file, &bytes)
        })
        .await?;
        Ok(manifest)
    }

    /// Makes the folder, keeps and links what is here, and tells which contents lack.
    fn prepare(&self, manifest: &Manifest) -> Result<(Missing, u64)> {
        let (whole, root) = (
            self.local.release(manifest.number),
            self.local.staging(manifest.number),
        );
        if whole.is_dir() {
            // It has its name already. Something may have changed it since, so it is looked at as what is not finished.
            if self.local.linked()? == Some(manifest.number) {
                remove(&root)?;
                return Ok((Missing::new(), manifest.files.len() as u64));
            }
            remove(&root)?;
            self.tell("rename", &whole);
            fs::rename(&whole, &root).map_err(|error| Error::file("rename", &whole, &error))?;
        }
        fs::create_dir_all(&root).map_err(|error| Error::file("make", &root, &error))?;
        let expected: HashMap<&str, &FileEntry> =
            manifest.files.iter().map(|f| (&*f.path, f)).collect();
        let mut kept = HashSet::new();
        clean(&root, "", &expected, &folders(manifest), &mut kept)?;

        let sources = self.sources(manifest.number)?;
        let mut missing = Missing::new();
        for (place, file) in manifest.files.iter().enumerate() {
            if kept.contains(&*file.path) {
                continue;
            }
            let path = root.join(&file.path);
            let folder = path.parent().unwrap_or(&root);
            fs::create_dir_all(folder).map_err(|error| Error::file("make", folder, &error))?;
            let source = sources.get(&(file.digest, file.mode));
            let linked = source.is_some_and(|source| {
                self.tell("link", &path);
                fs::hard_link(source, &path).is_ok() && is_right(&path, file)
            });
            if linked {
                kept.insert(&*file.path);
            } else {
                // A link to what has been changed, which is not written through.
                remove(&path)?;
                missing.entry(file.digest).or_default().push(place);
            }
        }
        Ok((missing, kept.len() as u64))
    }

    /// Where this node has contents, with which permissions: a link has those of the file.
    fn sources(&self, but: u64) -> Result<HashMap<(Digest, u32), PathBuf>> {
        let mut sources = HashMap::new();
        for number in self
            .local
            .releases()?
            .into_iter()
            .filter(|number| *number != but)
        {
            let Some((manifest, _)) = self.local.manifest(number) else {
                continue;
            };
            let root = self.local.release(number);
            for file in manifest.files {
                sources.insert((file.digest, file.mode), root.join(file.path));
            }
        }
        Ok(sources)
    }

    /// Fetches one content to the first file that lacks it, and links or copies it to the others.
    async fn fetch(&self, manifest: &Manifest, digest: Digest, places: &[usize]) -> Result<u64> {
        let root = self.local.staging(manifest.number);
        let files: Vec<FileEntry> = places
            .iter()
            .map(|place| manifest.files[*place].clone())
            .collect();
        let Some(first) = files.first() else {
            return Ok(0);
        };
        let key = self.app.layout.blob(&digest);
        let lie = |what: &str| Error::new(Kind::Content, &key, what);
        let get = self.app.bucket.get(&key).resumes(RESUMES).send().await;
        let object = get.map_err(|error| match is_missing(&error) {
            true => Error::new(
                Kind::Store,
                &key,
                "a manifest names it, and it is not there",
            ),
            false => error.into(),
        })?;
        if object.head.size() != Some(first.size)
            || files.iter().any(|file| file.size != first.size)
        {
            return Err(lie("it has another size than the manifest says"));
        }
        let path = root.join(&first.path);
        self.tell("write", &path);
        let (size, mode) = (first.size, first.mode);
        if size <= SMALL {
            let limit = usize::try_from(size).unwrap_or(usize::MAX);
            let bytes = object.body.bytes(limit).await?;
            if Digest::of(&bytes) != digest {
                return Err(lie("its content is not that of its name"));
            }
            let path = path.clone();
            blocking(move || {
                let mut file = create(&path, mode)?;
                file.write_all(&bytes)
                    .map_err(|error| Error::file("write", &path, &error))
            })
            .await?;
        } else {
            let (mut body, mut hash, mut left) = (object.body, Sha256::new(), size);
            let at = path.clone();
            let mut file = blocking(move || create(&at, mode)).await?;
            while let Some(piece) = body.chunk().await {
                let piece = piece?;
                left = left
                    .checked_sub(piece.len() as u64)
                    .ok_or_else(|| lie("it has another size than the manifest says"))?;
                let at = path.clone();
                (file, hash) = blocking(move || {
                    hash.update(&piece);
                    file.write_all(&piece)
                        .map_err(|error| Error::file("write", &at, &error))?;
                    Ok((file, hash))
                })
                .await?;
            }
            if left > 0 || Digest::from_bytes(hash.finalize().into()) != digest {
                return Err(lie("its content is not that of its name"));
            }
        }
        let this = self.clone();
        blocking(move || {
            for file in &files[1..] {
                this.twin(&path, &root.join(&file.path), file.mode == mode, file.mode)?;
            }
            Ok(size)
        })
        .await
    }

    /// Gives a second file of the release a content that the first has.
    fn twin(&self, from: &Path, to: &Path, same: bool, mode: u32) -> Result<()> {
        self.tell("link", to);
        if same && fs::hard_link(from, to).is_ok() {
            return Ok(());
        }
        let mut target = create(to, mode)?;
        let copied = File::open(from).and_then(|mut source| io::copy(&mut source, &mut target));
        copied
            .map(drop)
            .map_err(|error| Error::file("write", to, &error))
    }

    fn finish(&self, number: u64) -> Result<()> {
        let (from, to) = (self.local.staging(number), self.local.release(number));
        if !from.is_dir() {
            // It is the one that the link names.
            return Ok(());
        }
        if self.fsync {
            self.tell("sync", &from);
            sync_tree(&from)?;
        }
        self.tell("rename", &from);
        fs::rename(&from, &to).map_err(|error| Error::file("rename", &from, &error))?;
        sync(&self.local.root().join("releases"))
    }

    fn tell(&self, what: &'static str, path: &Path) {
        self.steps.tell(what, &path.display().to_string());
    }
}

/// The folders of a release.
fn folders(manifest: &Manifest) -> HashSet<&str> {
    let files = manifest.files.iter().map(|file| &*file.path);
    files
        .flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at]))
        .collect()
}

/// Removes what is not as the manifest says from a folder that an attempt has left, and notes the files that are.
fn clean<'a>(
    folder: &Path,
    prefix: &str,
    expected: &HashMap<&'a str, &FileEntry>,
    folders: &HashSet<&str>,
    kept: &mut HashSet<&'a str>,
) -> Result<()> {
    let failed = |error: io::Error| Error::file("read", folder, &error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let kind = entry.file_type().map_err(failed)?;
        let name = entry
            .file_name()
            .to_str()
            .map(|name| format!("{prefix}{name}"));
        let known = name
            .as_deref()
            .and_then(|name| expected.get_key_value(name));
        match (kind.is_dir(), &name, known) {
            (true, Some(name), _) if folders.contains(&**name) => {
                clean(&path, &format!("{name}/"), expected, folders, kept)?;
            }
            (false, _, Some((name, file))) if kind.is_file() && is_right(&path, file) => {
                kept.insert(name);
            }
            _ => remove(&path)?,
        }
    }
    Ok(())
}

/// Whether a file has the content and the permissions that the manifest says.
fn is_right(path: &Path, expected: &FileEntry) -> bool {
    let Ok(mut file) = File::open(path) else {
        return false;
    };
    let about = file.metadata();
    let fits = about.is_ok_and(|about| {
        about.len() == expected.size && about.permissions().mode() & 0o7777 == expected.mode
    });
    if !fits {
        return false;
    }
    let (mut hash, mut piece) = (
        Sha256::new(),
        vec![0; PIECE.min(expected.size as usize + 1)],
    );
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Digest::from_bytes(hash.finalize().into()) == expected.digest,
            Ok(n) => hash.update(&piece[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

/// Makes a file that is not there; what is there, a link too, is never written to.
fn create(path: &Path, mode: u32) -> Result<File> {
    let failed = |error: io::Error| Error::file("write", path, &error);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let file = file.map_err(failed)?;
    // Whatever the process takes away from new files.
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(failed)?;
    Ok(file)
}

/// Has all of a tree reach the disk.
#[cfg(target_os = "linux")]
fn sync_tree(root: &Path) -> Result<()> {
    let synced = File::open(root).and_then(|root| Ok(rustix::fs::syncfs(&root)?));
    synced.map_err(|error| Error::file("sync", root, &error))
}

/// Has all of a tree reach the disk.
#[cfg(not(target_os = "linux"))]
fn sync_tree(root: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::file("sync", root, &error);
    for entry in fs::read_dir(root).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match path.is_dir() {
            true => sync_tree(&path)?,
            false => sync(&path)?,
        }
    }
    sync(root)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::new(Kind::File, "", error.to_string())),
    }
}
