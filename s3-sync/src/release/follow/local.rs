//! The folder of a node: whole releases, the link to one of them, and what is remembered.
//!
//! ```text
//! DIR/current -> releases/42     what programs use
//! DIR/releases/42/               a whole release; its name is given by a rename, when all of it is on the disk
//! DIR/releases/42.json           its manifest
//! DIR/releases/43.tmp/           one that is being fetched
//! DIR/releases/39.old/           one that is being removed
//! DIR/.follow/state.json         what the follower remembers
//! DIR/.follow/of                 whose pointer that is: the application, the channel, and where the pointer is kept
//! DIR/.follow/lock               held by the follower
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::core::Memory;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::release::manifest::Manifest;
use crate::release::pointer::{Pointer, Target};

/// A node's folder, which no other follower works on as long as this value lives.
#[derive(Debug)]
pub(super) struct Local {
    root: PathBuf,
    _lock: File,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct NodeState {
    pointer: Option<String>,
    previous: Option<u64>,
    ran: Option<u64>,
    failed: Option<String>,
    bad: BTreeSet<u64>,
}

impl Local {
    /// Makes the folder if it is not there.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let made = |path: &Path| {
            fs::create_dir_all(path).map_err(|error| Error::file("make", path, &error))
        };
        made(&root.join("releases"))?;
        made(&root.join(".follow"))?;
        let path = root.join(".follow/lock");
        let lock = File::create(&path).map_err(|error| Error::file("write", &path, &error))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|cause| match cause {
            Errno::WOULDBLOCK => {
                let what = "another follower is at work in this folder";
                Error::new(Kind::Guard, root.display().to_string(), what)
            }
            cause => Error::file("lock", &path, &cause.into()),
        })?;
        // Absolute, so that commands find it from wherever they run.
        let root = fs::canonicalize(root).map_err(|error| Error::file("read", root, &error))?;
        Ok(Self { root, _lock: lock })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn release(&self, number: u64) -> PathBuf {
        self.root.join(format!("releases/{number}"))
    }

    pub(super) fn staging(&self, number: u64) -> PathBuf {
        self.root.join(format!("releases/{number}.tmp"))
    }

    pub(super) fn manifest_file(&self, number: u64) -> PathBuf {
        self.root.join(format!("releases/{number}.json"))
    }

    /// What is remembered; what is in the link counts, and not what was remembered of it.
    pub(super) fn load(&self) -> Result<Memory> {
        let path = self.root.join(".follow/state.json");
        let state: NodeState = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let what = format!("it is no state of a follower: {error}");
                Error::new(Kind::Content, path.display().to_string(), what)
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => NodeState::default(),
            Err(error) => return Err(Error::file("read", &path, &error)),
        };
        let about = path.display().to_string();
        let known = state
            .pointer
            .map(|text| Pointer::decode(&about, text.as_bytes()))
            .transpose()?;
        let installed = match self.linked()? {
            Some(release) if self.release(release).is_dir() => self
                .manifest(release)
                .map(|(_, manifest)| Target { release, manifest }),
            _ => None,
        };
        Ok(Memory {
            known,
            installed,
            previous: state.previous,
            ran: state.ran,
            failed: state.failed,
            bad: state.bad,
        })
    }

    pub(super) fn save(&self, memory: &Memory) -> Result<()> {
        let state = NodeState {
            pointer: memory.known.as_ref().map(Pointer::encode),
            previous: memory.previous,
            ran: memory.ran,
            failed: memory.failed.clone(),
            bad: memory.bad.clone(),
        };
        let text = serde_json::to_vec(&state).unwrap_or_default();
        self.replace(&self.root.join(".follow/state.json"), &text)
    }

    /// Forgets the move that is known if it is not of this pointer, and writes down which pointer it is of from now on.
    ///
    /// The numbers of moves of two pointers say nothing of each other. The first line is the application: another one has
    /// other releases of the same numbers.
    pub(super) fn adopt(&self, of: &str, memory: &mut Memory) -> Result<()> {
        let path = self.root.join(".follow/of");
        let was = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::file("read", &path, &error)),
        };
        if was == of {
            return Ok(());
        }
        if was.lines().next() != of.lines().next() {
            memory.bad.clear();
            memory.failed = None;
        }
        memory.known = None;
        self.save(memory)?;
        self.replace(&path, of.as_bytes())
    }

    /// The release that the link names.
    pub(super) fn linked(&self) -> Result<Option<u64>> {
        let link = self.root.join("current");
        match fs::read_link(&link) {
            Ok(to) => {
                let number = to.strip_prefix("releases").ok().and_then(Path::to_str);
                Ok(number.and_then(|number| number.parse().ok()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("read the link", &link, &error)),
        }
    }

    /// Has the link name a release that is there, in one step.
    pub(super) fn link(&self, number: u64) -> Result<()> {
        let (link, new) = (self.root.join("current"), self.root.join(".follow/current"));
        let failed = |error: io::Error| Error::file("link", &link, &error);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        std::os::unix::fs::symlink(format!("releases/{number}"), &new).map_err(failed)?;
        fs::rename(&new, &link).map_err(failed)?;
        sync(&self.root)
    }

    /// The manifest of a release of this node, and its digest, if it is there and in order.
    pub(super) fn manifest(&self, number: u64) -> Option<(Manifest, Digest)> {
        let path = self.manifest_file(number);
        let bytes = fs::read(&path).ok()?;
        Manifest::decode(&path.display().to_string(), number, &bytes).ok()
    }

    /// The whole releases that are there.
    pub(super) fn releases(&self) -> Result<Vec<u64>> {
        let mut found: Vec<u64> = self
            .names()?
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        found.sort_unstable();
        Ok(found)
    }

    fn names(&self) -> Result<Vec<String>> {
        let folder = self.root.join("releases");
        let failed = |error: io::Error| Error::file("read", &folder, &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        Ok(names)
    }

    /// Removes all releases but these and the last `keep`, and what was being fetched or removed.
    ///
    /// A release that is to go loses its name first, so that what has the name of a release is whole at every moment.
    pub(super) fn prune(&self, keep: usize, needed: &[u64]) -> Result<()> {
        let releases = self.releases()?;
        let old = releases.len().saturating_sub(keep);
        for number in releases
            .iter()
            .take(old)
            .filter(|number| !needed.contains(number))
        {
            let (from, to) = (
                self.release(*number),
                self.root.join(format!("releases/{number}.old")),
            );
            remove(&to)?;
            fs::rename(&from, &to).map_err(|error| Error::file("rename", &from, &error))?;
        }
        for name in self.names()? {
            let number = name
                .split('.')
                .next()
                .and_then(|number| number.parse().ok());
            let is_left = match name.rsplit_once('.') {
                Some((_, "old")) => true,
                Some((_, "tmp")) => number.is_none_or(|number| !needed.contains(&number)),
                Some((_, "json")) => number.is_some_and(|number: u64| {
                    !self.release(number).is_dir() && !needed.contains(&number)
                }),
                _ => false,
            };
            if is_left {
                remove(&self.root.join("releases").join(name))?;
            }
        }
        Ok(())
    }

    /// Writes a file in one step.
    pub(super) fn replace(&self, path: &Path, content: &[u8]) -> Result<()> {
        let failed = |error: io::Error| Error::file("write", path, &error);
        let new = self.root.join(".follow/new");
        let mut file = File::create(&new).map_err(failed)?;
        file.write_all(content).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&new, path).map_err(failed)?;
        sync(path.parent().unwrap_or(&self.root))
    }
}

/// Removes a file, or a folder with what is in it; it need not be there. Links are not followed.
pub(super) fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::file("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Has the names in a folder reach the disk.
pub(super) fn sync(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| Error::file("sync", folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::manifest::tests::{file, manifest};
    use crate::release::pointer::tests::pointer;

    fn install(local: &Local, number: u64) -> Digest {
        let (bytes, digest) = manifest(number, vec![file("a", "1")]).encode().unwrap();
        local.replace(&local.manifest_file(number), &bytes).unwrap();
        fs::create_dir_all(local.release(number).join("sub")).unwrap();
        digest
    }

    #[test]
    fn what_is_remembered_is_what_was_saved_and_what_the_link_names() {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::open(folder.path()).unwrap();
        assert_eq!(local.load().unwrap(), Memory::default());
        let digest = install(&local, 42);
        local.link(42).unwrap();
        let mut memory = Memory {
            known: Some(pointer(57, 42)),
            installed: Some(Target {
                release: 42,
                manifest: digest,
            }),
            previous: Some(41),
            ran: Some(42),
            failed: Some("no".to_owned()),
            bad: [40].into(),
        };
        local.save(&memory).unwrap();
        assert_eq!(local.load().unwrap(), memory);
        // A link to what is gone, or is nothing of ours, is none.
        install(&local, 43);
        local.link(43).unwrap();
        fs::remove_file(local.manifest_file(43)).unwrap();
        memory.installed = None;
        assert_eq!(local.load().unwrap(), memory);
        fs::remove_file(local.root().join("current")).unwrap();
        std::os::unix::fs::symlink("/etc", local.root().join("current")).unwrap();
        assert_eq!(local.load().unwrap(), memory);
        // A second follower is told so.
        let told = Local::open(folder.path()).unwrap_err().to_string();
        assert!(told.contains("another follower"), "{told}");
        drop(local);
        let again = Local::open(folder.path()).unwrap();
        fs::write(again.root().join(".follow/state.json"), "{").unwrap();
        assert_eq!(again.load().unwrap_err().kind(), Kind::Content);
    }

    #[test]
    fn what_is_known_of_another_pointer_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::open(folder.path()).unwrap();
        let mut kept = Memory {
            known: Some(pointer(57, 42)),
            ran: Some(41),
            bad: [42].into(),
            ..Memory::default()
        };
        for (of, knows, has_bad) in [
            ("app\ncurrent\n", false, false),
            ("app\ncurrent\n", true, true),
            // A release that is bad here is so in each channel, and says nothing of another application.
            ("app\ncurrent@canary\n", false, true),
            ("other\ncurrent@canary\n", false, false),
        ] {
            kept.known = Some(pointer(57, 42));
            kept.bad.insert(42);
            local.save(&kept).unwrap();
            let mut memory = local.load().unwrap();
            local.adopt(of, &mut memory).unwrap();
            assert_eq!(
                (memory.known.is_some(), memory.bad.contains(&42)),
                (knows, has_bad),
                "{of}"
            );
            assert_eq!(local.load().unwrap(), memory);
        }
    }

    #[test]
    fn old_releases_and_leftovers_are_removed_and_what_is_needed_stays() {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::open(folder.path()).unwrap();
        for number in 1..=6 {
            install(&local, number);
        }
        for name in ["7.tmp", "8.tmp", "2.old"] {
            fs::create_dir_all(local.root().join("releases").join(name).join("x")).unwrap();
        }
        local.prune(3, &[2, 8]).unwrap();
        let mut names = local.names().unwrap();
        names.sort_unstable();
        let expected = [
            "2", "2.json", "4", "4.json", "5", "5.json", "6", "6.json", "8.tmp",
        ];
        assert_eq!(names, expected);
        assert_eq!(local.releases().unwrap(), [2, 4, 5, 6]);
    }
}
