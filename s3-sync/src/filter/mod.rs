//! Which files are looked at, and what is said of those that match a pattern.

mod bounds;
mod keys;
mod rules;

pub use bounds::{Newer, SizeRange};
pub use keys::Patterns;
pub use rules::Rules;
pub(crate) use rules::media_type;

use std::collections::HashSet;

/// All that a file has to pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) patterns: Patterns,
    /// Only these keys.
    pub(crate) only: Option<HashSet<String>>,
    pub(crate) newer: Option<Newer>,
    pub(crate) size: Option<SizeRange>,
}

impl Filter {
    /// Whether a key is looked at at all, in the source and in the target.
    pub(crate) fn admits_key(&self, key: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(key)) && self.patterns.admit(key)
    }

    /// Whether a file or object of the source is looked at; times are nanoseconds since 1970.
    pub(crate) fn admits(&self, size: u64, mtime: i64) -> bool {
        self.newer.is_none_or(|newer| newer.admits(mtime))
            && self.size.is_none_or(|range| range.admits(size))
    }
}
