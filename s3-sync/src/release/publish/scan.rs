//! The files of a tree that is to be published, before anything of them is read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::filter::Patterns;
use crate::names::Names;
use crate::release::manifest::odd;

/// A file that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Its path below the root, with `/` between the parts.
    pub(super) path: String,
    /// Where it is.
    pub(super) file: PathBuf,
    pub(super) mode: u32,
}

/// All regular files below a folder whose paths are among these patterns, in the order of the bytes of their paths.
///
/// # Errors
/// When a folder cannot be read, when there is a thing that a release cannot have, and when there is no file.
pub(super) fn scan(root: &Path, patterns: &Patterns) -> Result<Vec<Found>> {
    let mut files = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let failed = |error: &std::io::Error| Error::file("read", &folder, error);
        for entry in fs::read_dir(&folder).map_err(|error| failed(&error))? {
            let entry = entry.map_err(|error| failed(&error))?;
            let file = entry.path();
            let refused =
                |what: &str| Err(Error::new(Kind::Name, file.display().to_string(), what));
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                return refused("its name is not UTF-8, which a path of a release is");
            };
            // It does not follow links.
            let about = entry
                .metadata()
                .map_err(|error| Error::file("read", &file, &error))?;
            let path = format!("{prefix}{name}");
            if about.is_dir() {
                if !patterns.omits_folder(&path) {
                    folders.push((file, format!("{path}/")));
                }
            } else if !patterns.admit(&path) {
                continue;
            } else if about.is_file() {
                if let Some(what) = odd(&path) {
                    return refused(what);
                }
                let mode = about.permissions().mode() & 0o777;
                files.push(Found { path, file, mode });
            } else if about.is_symlink() {
                return refused(
                    "it is a symbolic link, and a release has none: leave it out by --exclude",
                );
            } else {
                return refused("it is no regular file, and a release has no others");
            }
        }
    }
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut names = Names::new();
    for file in &files {
        names.admit(&file.path)?;
    }
    if files.is_empty() {
        let about = root.display().to_string();
        return Err(Error::new(Kind::Guard, about, "there is no file in it"));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn files_are_in_the_order_of_their_paths() {
        let tree = tempfile::tempdir().unwrap();
        for path in ["a/x", "a-b", "a.txt", "a0", "b/c/d"] {
            let file = tree.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, path).unwrap();
        }
        fs::create_dir(tree.path().join("empty")).unwrap();
        let paths = |patterns: &Patterns| -> Vec<String> {
            let found = scan(tree.path(), patterns).unwrap();
            found.into_iter().map(|found| found.path).collect()
        };
        assert_eq!(
            paths(&Patterns::default()),
            ["a-b", "a.txt", "a/x", "a0", "b/c/d"]
        );
        // What is left out may be what a release cannot have.
        std::os::unix::fs::symlink("/etc", tree.path().join("b/out")).unwrap();
        let some = Patterns::default().exclude("out").unwrap();
        let some = some.exclude("a*").unwrap().include("a0").unwrap();
        assert_eq!(paths(&some), ["a0", "b/c/d"]);
    }

    #[test]
    fn a_folder_that_is_left_out_is_not_read() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("good"), "").unwrap();
        fs::create_dir(tree.path().join("cache")).unwrap();
        fs::write(tree.path().join("cache/kept"), "").unwrap();
        // Whoever reads the folder stumbles over this name.
        let odd = std::ffi::OsStr::from_bytes(b"\xff");
        fs::write(tree.path().join("cache").join(odd), "").unwrap();
        let scanned = |patterns: &Patterns| scan(tree.path(), patterns);
        let without = Patterns::default().exclude("/cache/").unwrap();
        assert_eq!(scanned(&without).unwrap().len(), 1);
        // It has to be read where something in it may be taken in again.
        let again = without.include("kept").unwrap();
        assert_eq!(scanned(&again).unwrap_err().kind(), Kind::Name);
        fs::remove_file(tree.path().join("cache").join(odd)).unwrap();
        let found = scanned(&again).unwrap();
        assert_eq!(found.last().unwrap().path, "good");
        assert_eq!(found[0].path, "cache/kept");
    }

    #[test]
    fn what_a_release_cannot_have_is_named() {
        let refused = |make: &dyn Fn(&Path), said: &str| {
            let tree = tempfile::tempdir().unwrap();
            fs::write(tree.path().join("good"), "").unwrap();
            make(tree.path());
            let told = scan(tree.path(), &Patterns::default())
                .unwrap_err()
                .to_string();
            assert!(told.contains(said), "{told}");
        };
        let link = |tree: &Path| std::os::unix::fs::symlink("/etc", tree.join("out")).unwrap();
        refused(&link, "out: it is a symbolic link");
        refused(
            &|tree| fs::write(tree.join("a\nb"), "").unwrap(),
            "control characters",
        );
        let bytes = std::ffi::OsStr::from_bytes(b"\xff");
        refused(
            &|tree| fs::write(tree.join(bytes), "").unwrap(),
            "not UTF-8",
        );
        let socket = |tree: &Path| drop(std::os::unix::net::UnixListener::bind(tree.join("s")));
        refused(&socket, "no regular file");

        let empty = tempfile::tempdir().unwrap();
        fs::create_dir(empty.path().join("folder")).unwrap();
        let told = scan(empty.path(), &Patterns::default()).unwrap_err();
        assert_eq!(told.kind(), Kind::Guard);
        let told = scan(&empty.path().join("gone"), &Patterns::default()).unwrap_err();
        assert!(told.to_string().contains("gone: cannot read it"), "{told}");
    }
}
