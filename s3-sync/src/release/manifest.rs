//! The manifest of a release: which files it has, and what is in them.
//!
//! *Problem:* A node replaces its program by what this document says, so that nothing of it may be believed because it is
//! well-formed. *Decision:* It is one JSON object, one file on a line, whose last line has the SHA-256 of all lines before
//! it: `head -n -1 000042.json | sha256sum` computes it. The pointer has the same digest, so that whoever trusts the pointer
//! knows every byte of every file. [`Manifest::decode`] refuses what is not in order, leaves the tree, sets bits beyond
//! permissions, or has another number than its name; [`Bounds`] are checked before anything is fetched. *Cost:* About 130
//! bytes and a path for each file, and a release has regular files only: no empty folders, no links.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::names::Names;

/// The form of the document.
const FORMAT: u32 = 1;
/// The most bytes of a note.
pub(crate) const MAX_NOTE: usize = 1024;
/// The most bytes of a manifest apart from its files, and of one file's line: a path may have six bytes for each of its
/// 1,024 where it is escaped.
const HEAD_MAX: u64 = 16 << 10;
const LINE_MAX: u64 = 6 * 1024 + 256;
/// The most bytes of a manifest that are held in memory.
const MANIFEST_MAX: u64 = 1 << 30;

/// The files of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The number of the release, 1 or more.
    pub number: u64,
    /// The release that was current when this one was made.
    pub parent: Option<u64>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// What its publisher says of it.
    pub note: String,
    /// A random name of the publishing that made it, by which a publisher knows its own claim again.
    pub id: String,
    /// Its files in the order of the bytes of their paths.
    pub files: Vec<FileEntry>,
}

/// A file of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileEntry {
    /// Its path below the root, with `/` between the parts.
    pub path: String,
    /// The SHA-256 of its content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its permissions: the lowest nine bits of a Unix mode.
    pub mode: u32,
}

/// What a release may have at most, so that a node does not fill its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most files. Defaults to 1,000,000.
    pub max_files: u64,
    /// The most bytes of all files together. Defaults to 100 GiB.
    pub max_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_files: 1_000_000,
            max_bytes: 100 << 30,
        }
    }
}

impl Bounds {
    /// No bounds: for what is read by who publishes it.
    pub(crate) const fn none() -> Self {
        Self {
            max_files: u64::MAX,
            max_bytes: u64::MAX,
        }
    }

    /// The most bytes that a manifest within these bounds can have.
    pub(crate) fn manifest_bytes(&self) -> usize {
        let lines = self.max_files.saturating_mul(LINE_MAX);
        let bytes = lines.saturating_add(HEAD_MAX).min(MANIFEST_MAX);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

/// What differs between two releases: paths in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// Files that are new, or have another content or other permissions.
    pub changed: Vec<String>,
    /// Files that are no longer there.
    pub removed: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestWire<'a> {
    format: u32,
    number: u64,
    parent: Option<u64>,
    created: u64,
    note: String,
    id: String,
    #[serde(skip_serializing, default)]
    files: Vec<WireFile>,
    #[serde(skip_serializing, default, borrow)]
    sha256: &'a str,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFile {
    path: String,
    sha256: String,
    size: u64,
    /// In octal digits, as people write it.
    mode: String,
}

impl Manifest {
    /// The document, and its digest.
    pub(crate) fn encode(&self) -> Result<(Vec<u8>, Digest)> {
        let head = ManifestWire {
            format: FORMAT,
            number: self.number,
            parent: self.parent,
            created: self.created,
            note: self.note.clone(),
            id: self.id.clone(),
            files: Vec::new(),
            sha256: "",
        };
        let mut text = json(&head)?;
        text.pop();
        text.push_str(",\"files\":[");
        for (i, file) in self.files.iter().enumerate() {
            text.push_str(if i == 0 { "\n" } else { ",\n" });
            let mut line = json(&WireFile {
                path: file.path.clone(),
                sha256: file.digest.to_string(),
                size: file.size,
                mode: format!("{:o}", file.mode),
            })?;
            text.push_str(&line);
            line.clear();
        }
        text.push_str("\n],\n");
        let digest = Digest::of(text.as_bytes());
        // Writing to a text cannot fail.
        let _ = writeln!(text, "\"sha256\":\"{digest}\"}}");
        Ok((text.into_bytes(), digest))
    }

    /// Reads the manifest of the release of this number, and its digest. `key` is what errors name.
    pub(crate) fn decode(key: &str, number: u64, bytes: &[u8]) -> Result<(Self, Digest)> {
        let lie = |what: String| Error::new(Kind::Content, key, what);
        let told = sealed(bytes).ok_or_else(|| lie("its last line has no SHA-256".into()))?;
        let (body, digest) = told;
        if Digest::of(body) != digest {
            return Err(lie("its content is not that of its SHA-256".into()));
        }
        let wire: ManifestWire<'_> = serde_json::from_slice(bytes)
            .map_err(|error| lie(format!("it is no manifest: {error}")))?;
        if wire.format != FORMAT {
            let format = wire.format;
            return Err(lie(format!(
                "it has the form {format}, and {FORMAT} is known here"
            )));
        }
        if wire.number != number {
            let of = wire.number;
            return Err(lie(format!(
                "it is the manifest of release {of}, and not of {number}"
            )));
        }
        if wire.note.len() > MAX_NOTE {
            let bytes = wire.note.len();
            return Err(lie(format!(
                "its note has {bytes} bytes, and {MAX_NOTE} are allowed"
            )));
        }
        if wire.sha256.parse() != Ok(digest) {
            return Err(lie("it has two SHA-256".into()));
        }
        let mut names = Names::new();
        let mut total = 0_u64;
        let mut files = Vec::with_capacity(wire.files.len());
        for file in wire.files {
            let file = file.check().map_err(lie)?;
            names
                .admit(&file.path)
                .map_err(|bad| lie(format!("{bad}")))?;
            total = total
                .checked_add(file.size)
                .ok_or_else(|| lie("its sizes have no sum".into()))?;
            files.push(file);
        }
        let manifest = Self {
            number,
            parent: wire.parent,
            created: wire.created,
            note: wire.note,
            id: wire.id,
            files,
        };
        Ok((manifest, digest))
    }

    /// The bytes of all files together.
    pub fn bytes(&self) -> u64 {
        // The sum was checked when it was read.
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Whether the release is within these bounds.
    pub(crate) fn within(&self, key: &str, bounds: &Bounds) -> Result<()> {
        let files = self.files.len() as u64;
        let (bytes, max_files, max_bytes) = (self.bytes(), bounds.max_files, bounds.max_bytes);
        let refused = |what: String| Err(Error::new(Kind::Guard, key, what));
        if files > max_files {
            return refused(format!(
                "the release has {files} files, and {max_files} are allowed"
            ));
        }
        if bytes > max_bytes {
            return refused(format!(
                "the release has {bytes} bytes, and {max_bytes} are allowed"
            ));
        }
        Ok(())
    }

    /// What has to change to come from `before` to this one; all files without one before.
    pub fn changes_from(&self, before: Option<&Self>) -> Changes {
        let before = before
            .map(|before| before.files.as_slice())
            .unwrap_or_default();
        let old: BTreeMap<&str, &FileEntry> = before.iter().map(|f| (&*f.path, f)).collect();
        let same = |file: &FileEntry| {
            old.get(&*file.path)
                .is_some_and(|was| was.digest == file.digest && was.mode == file.mode)
        };
        let changed = self.files.iter().filter(|file| !same(file));
        let new: std::collections::BTreeSet<&str> = self.files.iter().map(|f| &*f.path).collect();
        let removed = old.keys().filter(|path| !new.contains(**path));
        Changes {
            changed: changed.map(|file| file.path.clone()).collect(),
            removed: removed.map(|path| (*path).to_owned()).collect(),
        }
    }
}

impl WireFile {
    fn check(self) -> Result<FileEntry, String> {
        let path = self.path.escape_debug();
        let digest = self
            .sha256
            .parse()
            .map_err(|error| format!("{path}: {error}"))?;
        let octal =
            |text: &str| text.bytes().all(|b| (b'0'..=b'7').contains(&b)) && text.len() <= 3;
        let mode = Some(self.mode.as_str())
            .filter(|text| octal(text))
            .and_then(|text| u32::from_str_radix(text, 8).ok())
            .ok_or_else(|| {
                let mode = self.mode.escape_debug();
                format!("{path}: {mode} is no mode: it has three octal digits at most")
            })?;
        if let Some(fault) = odd(&self.path) {
            return Err(format!("{path}: {fault}"));
        }
        Ok(FileEntry {
            path: self.path,
            digest,
            size: self.size,
            mode,
        })
    }
}

/// What is wrong with a path of a release that is a name of a file otherwise: lists of paths have one on a line.
pub(crate) fn odd(path: &str) -> Option<&'static str> {
    path.chars()
        .any(char::is_control)
        .then_some("a path of a release has no control characters")
}

/// The lines before the last, and the digest that the last one has.
fn sealed(bytes: &[u8]) -> Option<(&[u8], Digest)> {
    const BEFORE: &[u8] = b"\"sha256\":\"";
    const AFTER: &[u8] = b"\"}\n";
    let at = bytes.len().checked_sub(BEFORE.len() + 64 + AFTER.len())?;
    let (body, tail) = bytes.split_at(at);
    let digest = tail.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
    let digest = std::str::from_utf8(digest).ok()?.parse().ok()?;
    Some((body, digest))
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(
            Kind::Content,
            "manifest",
            format!("cannot be written: {error}"),
        )
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn file(path: &str, content: &str) -> FileEntry {
        FileEntry {
            path: path.to_owned(),
            digest: Digest::of(content.as_bytes()),
            size: content.len() as u64,
            mode: 0o644,
        }
    }

    pub(crate) fn manifest(number: u64, files: Vec<FileEntry>) -> Manifest {
        Manifest {
            number,
            parent: number.checked_sub(1),
            created: 1_764_533_000,
            note: "a \"note\"".into(),
            id: "id".into(),
            files,
        }
    }

    /// A document with this text in the place of another, and a digest that is right again.
    fn forged(from: &str, to: &str) -> Vec<u8> {
        let good = manifest(42, vec![file("a", "1"), file("b/c", "2")]);
        let (bytes, digest) = good.encode().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (body, _) = text
            .split_once(&format!("\"sha256\":\"{digest}\"}}"))
            .unwrap();
        assert!(body.contains(from), "{from}");
        let body = body.replace(from, to);
        let digest = Digest::of(body.as_bytes());
        format!("{body}\"sha256\":\"{digest}\"}}\n").into_bytes()
    }

    #[test]
    fn a_manifest_is_read_back() {
        let all = [vec![], vec![file("a b/\u{fc}\"", "1"), file("b", "2")]];
        for files in all {
            let manifest = manifest(42, files);
            let (bytes, digest) = manifest.encode().unwrap();
            let read = Manifest::decode("k", 42, &bytes).unwrap();
            assert_eq!(read, (manifest, digest));
            // Any JSON reader takes it, and its last line seals the others.
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(value["sha256"], digest.to_string());
            let text = String::from_utf8(bytes).unwrap();
            let (body, _) = text.trim_end().rsplit_once('\n').unwrap();
            assert_eq!(Digest::of(format!("{body}\n").as_bytes()), digest);
        }
    }

    #[test]
    fn every_flipped_byte_is_seen() {
        let (bytes, digest) = manifest(42, vec![file("a", "1")]).encode().unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            let read = Manifest::decode("k", 42, &bad);
            assert!(read.is_err(), "at {at}: {read:?}");
            assert!(Manifest::decode("k", 42, &bytes[..at]).is_err());
        }
        assert_eq!(Manifest::decode("k", 42, &bytes).unwrap().1, digest);
    }

    #[test]
    fn a_manifest_that_lies_is_refused_and_the_lie_named() {
        let digest = Digest::of(b"1").to_string();
        let huge = u64::MAX.to_string();
        let size = "\"size\":1";
        for (from, to, said) in [
            (
                "\"path\":\"a\"",
                "\"path\":\"../a\"",
                "../a: this key is no name",
            ),
            ("\"path\":\"a\"", "\"path\":\"/a\"", "begins with a slash"),
            ("\"path\":\"a\"", "\"path\":\"\"", "empty"),
            (
                "\"path\":\"a\"",
                "\"path\":\"a\\u0000\"",
                "control characters",
            ),
            ("\"path\":\"a\"", "\"path\":\"a\\nb\"", "control characters"),
            ("\"path\":\"a\"", "\"path\":\"b\"", "b is a file"),
            ("\"path\":\"a\"", "\"path\":\"c\"", "does not come after"),
            ("\"path\":\"a\"", "\"path\":\"b/c\"", "does not come after"),
            ("\"mode\":\"644\"", "\"mode\":\"4755\"", "4755 is no mode"),
            ("\"mode\":\"644\"", "\"mode\":\"+64\"", "is no mode"),
            ("\"mode\":\"644\"", "\"mode\":\"\"", "is no mode"),
            (&digest, &digest[1..], "64 hexadecimal digits"),
            (size, &format!("\"size\":{huge}"), "have no sum"),
            (size, "\"size\":-1", "no manifest"),
            ("\"format\":1", "\"format\":2", "the form 2"),
            ("\"number\":42", "\"number\":41", "of release 41"),
            ("\"note\"", "\"nota\"", "no manifest"),
            ("\"id\":", "\"sha256\":\"x\",\"id\":", "duplicate field"),
        ] {
            let read = Manifest::decode("k", 42, &forged(from, to));
            let told = read.unwrap_err();
            assert_eq!(told.kind(), Kind::Content);
            assert!(told.to_string().contains(said), "{to}: {told}");
        }
    }

    #[test]
    fn bounds_are_kept_before_anything_is_fetched() {
        let release = manifest(1, vec![file("a", "123"), file("b", "45")]);
        let within = |max_files, max_bytes| {
            let bounds = Bounds {
                max_files,
                max_bytes,
            };
            release.within("k", &bounds)
        };
        assert!(within(2, 5).is_ok());
        let told = within(1, 5).unwrap_err();
        assert_eq!(
            told.to_string(),
            "k: the release has 2 files, and 1 are allowed"
        );
        assert_eq!(told.kind(), Kind::Guard);
        let told = within(2, 4).unwrap_err();
        assert_eq!(
            told.to_string(),
            "k: the release has 5 bytes, and 4 are allowed"
        );
        let few = Bounds {
            max_files: 2,
            max_bytes: 5,
        };
        assert!(release.encode().unwrap().0.len() < few.manifest_bytes());
        let most = Bounds {
            max_files: u64::MAX,
            max_bytes: u64::MAX,
        };
        assert_eq!(most.manifest_bytes(), 1 << 30);
    }

    #[test]
    fn what_differs_is_told_in_order() {
        let before = manifest(1, vec![file("a", "1"), file("b", "2"), file("c", "3")]);
        let mut chmod = file("c", "3");
        chmod.mode = 0o755;
        let after = manifest(2, vec![file("0", "9"), file("b", "2"), chmod]);
        let changes = after.changes_from(Some(&before));
        assert_eq!(changes.changed, ["0", "c"]);
        assert_eq!(changes.removed, ["a"]);
        assert_eq!(after.changes_from(None).changed, ["0", "b", "c"]);
        assert_eq!(after.changes_from(Some(&after)), Changes::default());
    }
}
