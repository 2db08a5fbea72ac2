//! Which keys are names of files inside a folder, and which of them cannot be there together.
//!
//! *Problem:* A key may be any text of up to 1,024 bytes. `../x` or `/x` written as a file would leave the folder, and two
//! keys may be one file: `a` beside `a/b`, or `A` beside `a` on a file system that folds case. *Decision:* [`check`] judges
//! a key alone. [`Names`] judges keys that come in byte order against those before: a file is in the way of a folder of its
//! name only while keys still begin with that name, so that what has to be remembered is never deeper than a key is long.
//! Where a file system folds names, all of them are remembered, as hashes. *Cost:* 32 bytes for each name on such a file
//! system, and nothing elsewhere.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use unicode_normalization::UnicodeNormalization as _;

/// The most bytes of a name between two slashes: what Linux, macOS and the BSDs allow on their usual file systems.
pub const MAX_PART: usize = 255;
/// The most bytes of a key, which is S3's limit.
pub const MAX_KEY: usize = 1024;

/// A key that cannot be the name of a file here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    key: String,
    fault: Fault,
}

/// Why a key cannot be the name of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is empty.
    Empty,
    /// It begins with a slash.
    Absolute,
    /// It has two slashes in a row, or one at its end.
    EmptyPart,
    /// One of its parts is `.` or `..`.
    Dots,
    /// It has a NUL in it.
    Nul,
    /// One of its parts has more than [`MAX_PART`] bytes; this many.
    LongPart(usize),
    /// It has more than [`MAX_KEY`] bytes; this many.
    LongKey(usize),
    /// It lies in a folder that another key is a file of: this one.
    Below(String),
    /// The file system takes it, or a folder on its way, for the name of another key. The part up to there.
    Folds(String),
    /// It does not come after the key before it, which is this one.
    Order(String),
}

impl BadName {
    fn new(key: &str, fault: Fault) -> Self {
        let key = key.to_owned();
        Self { key, fault }
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong with it.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key.escape_debug(), self.fault)
    }
}

impl std::error::Error for BadName {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this key is no name of a file: ")?;
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Absolute => f.write_str("it begins with a slash"),
            Self::EmptyPart => f.write_str("there is nothing before or after one of its slashes"),
            Self::Dots => f.write_str("it has . or .. between slashes"),
            Self::Nul => f.write_str("it has a NUL in it"),
            Self::LongPart(len) => {
                write!(
                    f,
                    "a part of it has {len} bytes, and {MAX_PART} are allowed"
                )
            }
            Self::LongKey(len) => write!(f, "it has {len} bytes, and {MAX_KEY} are allowed"),
            Self::Below(file) => {
                let file = file.escape_debug();
                write!(f, "{file} is a file, and cannot be its folder, too")
            }
            Self::Folds(part) => {
                let part = part.escape_debug();
                write!(f, "to this file system {part} and another key are one name")
            }
            Self::Order(before) => {
                let before = before.escape_debug();
                write!(f, "it does not come after {before} in the order of bytes")
            }
        }
    }
}

/// Whether a key, looked at alone, is the name of a file inside a folder, with `/` between the parts.
///
/// A backslash is an ordinary character on the systems on which this crate runs, as are all that are neither NUL nor a slash.
///
/// # Errors
/// What is wrong with it.
pub fn check(key: &str) -> Result<(), BadName> {
    match fault(key) {
        None => Ok(()),
        Some(fault) => Err(BadName::new(key, fault)),
    }
}

fn fault(key: &str) -> Option<Fault> {
    if key.is_empty() {
        return Some(Fault::Empty);
    }
    if key.len() > MAX_KEY {
        return Some(Fault::LongKey(key.len()));
    }
    if key.starts_with('/') {
        return Some(Fault::Absolute);
    }
    if key.contains('\0') {
        return Some(Fault::Nul);
    }
    key.split('/').find_map(|part| match part {
        "" => Some(Fault::EmptyPart),
        "." | ".." => Some(Fault::Dots),
        _ if part.len() > MAX_PART => Some(Fault::LongPart(part.len())),
        _ => None,
    })
}

/// Judges keys that come in the order of their bytes: each alone, and against those that came before.
#[derive(Debug, Default)]
pub struct Names {
    last: String,
    /// Each begins with the one before it, and `last` with all of them.
    open: Vec<String>,
    folded: Option<Folded>,
}

impl Names {
    /// For a file system on which names are the same only if their bytes are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the file system takes names for one that differ in case or in how their characters are composed, as macOS
    /// does. Defaults to no.
    #[must_use]
    pub fn folding(mut self, yes: bool) -> Self {
        self.folded = yes.then(Folded::default);
        self
    }

    /// Takes the next key.
    ///
    /// # Errors
    /// When it is no name of a file, or cannot be one beside those before it. What came before still counts, and the next
    /// key can be taken.
    pub fn admit(&mut self, key: &str) -> Result<(), BadName> {
        check(key)?;
        if !self.last.is_empty() && key <= self.last.as_str() {
            return Err(BadName::new(key, Fault::Order(self.last.clone())));
        }
        while self
            .open
            .last()
            .is_some_and(|file| !key.starts_with(file.as_str()))
        {
            self.open.pop();
        }
        self.last.clear();
        self.last.push_str(key);
        let below = |file: &&String| key.as_bytes().get(file.len()) == Some(&b'/');
        if let Some(file) = self.open.iter().find(below) {
            return Err(BadName::new(key, Fault::Below(file.clone())));
        }
        if let Some(folded) = &mut self.folded {
            folded.admit(key)?;
        }
        self.open.push(key.to_owned());
        Ok(())
    }
}

/// The names of files and folders so far, as a file system sees them that folds case.
#[derive(Debug, Default)]
struct Folded {
    /// From the hash of a folded name to that of the name itself.
    names: HashMap<u128, u128>,
    states: [RandomState; 2],
}

impl Folded {
    fn admit(&mut self, key: &str) -> Result<(), BadName> {
        let slashes = key.match_indices('/').map(|(at, _)| at);
        for end in slashes.chain([key.len()]) {
            let part = &key[..end];
            let (folded, exact) = (self.hash(&fold(part)), self.hash(part));
            match self.names.entry(folded) {
                Entry::Vacant(place) => {
                    place.insert(exact);
                }
                Entry::Occupied(place) if *place.get() == exact => {}
                Entry::Occupied(_) => return Err(BadName::new(key, Fault::Folds(part.to_owned()))),
            }
        }
        Ok(())
    }

    fn hash(&self, text: &str) -> u128 {
        let [high, low] = self
            .states
            .each_ref()
            .map(|state| u128::from(state.hash_one(text)));
        high << 64 | low
    }
}

/// A name as a file system sees it that folds case and composition.
fn fold(name: &str) -> String {
    // Up and down again, so that letters with two small forms, such as the Greek sigma, become one.
    name.nfd()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(names: Names, keys: &[&str]) -> Vec<(String, Fault)> {
        let mut names = names;
        let bad = keys.iter().filter_map(|key| names.admit(key).err());
        bad.map(|bad| (bad.key, bad.fault)).collect()
    }

    #[test]
    fn a_key_alone_is_a_name_or_not() {
        let long = "x".repeat(MAX_PART + 1);
        let deep = "x/".repeat(MAX_KEY / 2) + "x";
        for (key, fault) in [
            ("", Fault::Empty),
            ("/", Fault::Absolute),
            ("/etc/passwd", Fault::Absolute),
            ("a//b", Fault::EmptyPart),
            ("a/", Fault::EmptyPart),
            (".", Fault::Dots),
            ("..", Fault::Dots),
            ("../a", Fault::Dots),
            ("a/../../b", Fault::Dots),
            ("a/./b", Fault::Dots),
            ("a/..", Fault::Dots),
            ("a\0b", Fault::Nul),
            (&format!("a/{long}/b"), Fault::LongPart(MAX_PART + 1)),
            (&deep, Fault::LongKey(MAX_KEY + 1)),
        ] {
            assert_eq!(check(key).unwrap_err().fault, fault, "{key:?}");
        }
        for key in [
            "a",
            ".a",
            "...",
            "a/..b",
            "a\\..\\b",
            "~",
            "a b/ü\n",
            &long[1..],
            &deep[2..],
        ] {
            assert_eq!(check(key), Ok(()), "{key:?}");
        }
    }

    #[test]
    fn a_file_is_in_the_way_of_a_folder() {
        let keys = [
            "a", "a!", "a-b", "a-b/c", "a.txt", "a/x", "a/y", "a0", "b/c", "b/c/d/e",
        ];
        let below = |key: &str, file: &str| (key.to_owned(), Fault::Below(file.to_owned()));
        let expected = [
            below("a-b/c", "a-b"),
            below("a/x", "a"),
            below("a/y", "a"),
            below("b/c/d/e", "b/c"),
        ];
        assert_eq!(faults(Names::new(), &keys), expected);
    }

    #[test]
    fn what_is_remembered_is_no_longer_than_a_key() {
        let mut names = Names::new();
        for key in 0..10_000 {
            names.admit(&format!("{key:05}")).unwrap();
            assert_eq!(names.open.len(), 1);
        }
    }

    #[test]
    fn keys_come_in_order() {
        let order = |key: &str, last: &str| (key.to_owned(), Fault::Order(last.to_owned()));
        let expected = [order("a", "b"), order("b", "b")];
        assert_eq!(faults(Names::new(), &["b", "a", "b", "c"]), expected);
    }

    #[test]
    fn names_that_fold_to_one_are_found_where_they_do() {
        let keys = [
            "A/b",
            "README",
            "Stra\u{df}e",
            "a/c",
            "caf\u{e9}",
            "cafe\u{301}",
            "readme",
            "strasse",
        ];
        let mut sorted = keys;
        sorted.sort_unstable();
        assert_eq!(faults(Names::new(), &sorted), []);
        let found = faults(Names::new().folding(true), &sorted);
        let expected = [
            ("a/c", "a"),
            ("caf\u{e9}", "caf\u{e9}"),
            ("readme", "readme"),
            ("strasse", "strasse"),
        ];
        let expected = expected.map(|(key, part)| (key.to_owned(), Fault::Folds(part.to_owned())));
        assert_eq!(found, expected);
    }
}
