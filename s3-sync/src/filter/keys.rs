//! Patterns that include or exclude keys, in the forms of `.gitignore`.

use globset::GlobBuilder;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::error::{Error, Result};

/// Patterns in order, of which the last that matches a key decides. A key that none matches is included.
///
/// A pattern has [the forms of `.gitignore`](https://git-scm.com/docs/gitignore): `*.txt` anywhere, `/top.txt` at the root,
/// `build/` a folder with all below it, `**` any folders.
#[derive(Clone, Debug)]
pub struct Patterns {
    builder: GitignoreBuilder,
    matcher: Gitignore,
}

impl Default for Patterns {
    fn default() -> Self {
        Self {
            builder: GitignoreBuilder::new(""),
            matcher: Gitignore::empty(),
        }
    }
}

impl Patterns {
    /// Leaves out what matches.
    ///
    /// # Errors
    /// When the pattern has no meaning.
    pub fn exclude(self, pattern: &str) -> Result<Self> {
        self.add("", pattern)
    }

    /// Takes in again what matches.
    ///
    /// # Errors
    /// When the pattern has no meaning.
    pub fn include(self, pattern: &str) -> Result<Self> {
        self.add("!", pattern)
    }

    fn add(mut self, before: &str, pattern: &str) -> Result<Self> {
        let wrong = |error: ignore::Error| {
            Error::usage(format!("the pattern {}: {error}", pattern.escape_debug()))
        };
        check(pattern)?;
        // The builder takes what git does: a class that does not end matches nothing.
        GlobBuilder::new(pattern).build().map_err(|error| {
            let (pattern, what) = (pattern.escape_debug(), error.kind());
            Error::usage(format!("the pattern {pattern}: {what}"))
        })?;
        let line = format!("{before}{pattern}");
        self.builder.add_line(None, &line).map_err(wrong)?;
        self.matcher = self.builder.build().map_err(wrong)?;
        Ok(self)
    }

    /// Whether a key is included.
    pub fn admit(&self, key: &str) -> bool {
        if self.matcher.is_empty() {
            return true;
        }
        !self
            .matcher
            .matched_path_or_any_parents(relative(key), false)
            .is_ignore()
    }

    /// Whether everything below a folder is left out, so that the folder need not be read. A pattern that includes
    /// may take in again what is below it.
    pub(crate) fn omits_folder(&self, folder: &str) -> bool {
        self.matcher.num_ignores() > 0
            && self.matcher.num_whitelists() == 0
            && self
                .matcher
                .matched_path_or_any_parents(relative(folder), true)
                .is_ignore()
    }
}

/// A pattern alone.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Gitignore);

impl Pattern {
    pub(super) fn new(pattern: &str) -> Result<Self> {
        Ok(Self(Patterns::default().exclude(pattern)?.matcher))
    }

    pub(super) fn matches(&self, key: &str) -> bool {
        matches!(
            self.0.matched_path_or_any_parents(relative(key), false),
            Match::Ignore(_)
        )
    }
}

/// A key without what makes a path of it that begins at the root or here: the matcher refuses such paths by a panic.
fn relative(mut key: &str) -> &str {
    while let Some(rest) = key.strip_prefix('/').or_else(|| key.strip_prefix("./")) {
        key = rest;
    }
    key
}

/// What `.gitignore` takes for a comment, for nothing or for the opposite is no pattern here.
fn check(pattern: &str) -> Result<()> {
    if pattern.trim().is_empty() || pattern.starts_with(['#', '!']) {
        return Err(Error::usage(format!(
            "the pattern {pattern:?} is empty, or begins with # or !: write \\# and \\! for these characters"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let patterns = Patterns::default();
        let patterns = patterns.exclude("*.txt").unwrap();
        let patterns = patterns.include("keep.txt").unwrap();
        let patterns = patterns.exclude("/build/").unwrap();
        let patterns = patterns.exclude("a/**/z").unwrap();
        for (key, admitted) in [
            ("a.txt", false),
            ("d/a.txt", false),
            ("d/keep.txt", true),
            ("build/x/y", false),
            ("d/build/x", true),
            ("build", true),
            ("a/z", false),
            ("a/b/c/z", false),
            ("b/a/z", true),
            ("other", true),
        ] {
            assert_eq!(patterns.admit(key), admitted, "{key}");
        }
        let only = Patterns::default()
            .exclude("*")
            .unwrap()
            .include("*.html")
            .unwrap();
        assert!(only.admit("a/b.html") && !only.admit("a/b.css"));
        assert!(Patterns::default().admit("x"));
    }

    #[test]
    fn a_folder_is_omitted_with_all_below_it() {
        let patterns = Patterns::default().exclude("/build/").unwrap();
        let patterns = patterns.exclude("*.old").unwrap();
        let patterns = patterns.exclude("c/*").unwrap();
        for (folder, omitted) in [
            ("build", true),
            ("build/x", true),
            ("x/build", false),
            ("a.old", true),
            ("a.old/x", true),
            ("c", false),
            ("c/x", true),
            ("d", false),
        ] {
            assert_eq!(patterns.omits_folder(folder), omitted, "{folder}");
            let below = patterns.admit(&format!("{folder}/file"));
            assert!(!(omitted && below), "{folder}");
        }
        let again = patterns.include("keep").unwrap();
        assert!(!again.omits_folder("build") && again.admit("build/keep"));
        assert!(!Patterns::default().omits_folder("build"));
    }

    #[test]
    fn keys_that_begin_with_slashes_are_matched_without_them() {
        let patterns = Patterns::default().exclude("/x").unwrap();
        for (key, matches) in [
            ("/x", true),
            ("//x", true),
            (".//./x", true),
            ("/", false),
            ("//", false),
            ("t///x", false),
        ] {
            assert_eq!(patterns.admit(key), !matches, "{key}");
            assert_eq!(Pattern::new("/x").unwrap().matches(key), matches, "{key}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "  ", "#x", "!x", "{a"] {
            assert!(Patterns::default().exclude(text).is_err(), "{text}");
        }
        let odd = Patterns::default().exclude("\\#x").unwrap();
        assert!(!odd.admit("#x"));
    }
}
