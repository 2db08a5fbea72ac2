//! What a run is told.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::filter::{Filter, Newer, Patterns, Rules, SizeRange};
use crate::plan::compare::Trust;
use crate::plan::guard::MaxDelete;
use crate::tree::Links;

/// What a run is told besides its two sides. The default changes what differs, deletes nothing, and looks at all files.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether what is only in the target is deleted. Defaults to no.
    pub delete: bool,
    /// How many deletes are allowed. Defaults to 1,000 and half of the target.
    pub max_delete: MaxDelete,
    /// What is uploaded after all else, such as pages that name what has to be there. Defaults to nothing. A download
    /// refuses it.
    pub last: Option<Patterns>,
    /// Which keys are looked at. Defaults to all.
    pub patterns: Patterns,
    /// Only these keys. Defaults to all. They are held in memory.
    pub only: Option<HashSet<String>>,
    /// Only files of the source that are newer. Defaults to all.
    pub newer: Option<Newer>,
    /// Only files of the source of these sizes. Defaults to all.
    pub size: Option<SizeRange>,
    /// What a comparison may believe. Defaults to digests only.
    pub trust: Trust,
    /// What is done with symbolic links of a tree that is uploaded. Defaults to passing them over. All but
    /// uploads refuse another choice.
    pub links: Links,
    /// How many requests are under way at most. Defaults to 64.
    pub concurrency: usize,
    /// Whether files are on the disk before a run ends (`fsync`). Defaults to no. All but downloads refuse it.
    pub fsync: bool,
    /// Whether the file system of the target takes names for one that differ in case only. It is found out for the folder
    /// itself; a file system may do so in some folders only. Defaults to no. All but downloads refuse it.
    pub folding: bool,
    /// Whether only a plan is made. Defaults to no.
    pub dry_run: bool,
    /// Whether all of both sides is read, and nothing is changed. Defaults to no.
    pub verify: bool,
    /// The folder of the files that remember digests of local files. Defaults to `s3-sync` in the user's folder for caches;
    /// without one they are not kept.
    pub state: Option<PathBuf>,
    /// The media types of keys, where they are not to be those of their suffixes. All but uploads refuse these rules.
    pub content_type: Rules,
    /// `Cache-Control` of what is uploaded. All but uploads refuse these rules.
    pub cache_control: Rules,
    /// `Content-Encoding` of what is uploaded. All but uploads refuse these rules.
    pub content_encoding: Rules,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delete: false,
            max_delete: MaxDelete::default(),
            last: None,
            patterns: Patterns::default(),
            only: None,
            newer: None,
            size: None,
            trust: Trust::default(),
            links: Links::default(),
            concurrency: 64,
            fsync: false,
            folding: false,
            dry_run: false,
            verify: false,
            state: crate::state::usual_folder(),
            content_type: Rules::default(),
            cache_control: Rules::default(),
            content_encoding: Rules::default(),
        }
    }
}

impl Options {
    pub(crate) fn filter(&self) -> Filter {
        Filter {
            patterns: self.patterns.clone(),
            only: self.only.clone(),
            newer: self.newer,
            size: self.size,
        }
    }

    /// Whether the target is left as it is.
    pub(crate) fn is_read_only(&self) -> bool {
        self.dry_run || self.verify
    }
}
