//! What a follower remembers.

use std::collections::BTreeSet;

use crate::release::pointer::{Pointer, Target};

/// What is kept when the process ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// The last move that was accepted.
    pub(crate) known: Option<Pointer>,
    /// What the link names.
    pub(crate) installed: Option<Target>,
    /// What the link named before.
    pub(crate) previous: Option<u64>,
    /// The release whose commands were run last, to their end.
    pub(crate) ran: Option<u64>,
    /// How they have failed, if they have.
    pub(crate) failed: Option<String>,
    /// Releases whose commands have failed here.
    pub(crate) bad: BTreeSet<u64>,
}

impl Memory {
    /// How it stands with what this node runs, if it runs anything: the release, or what is wrong with it.
    pub(crate) fn verdict(&self) -> Option<Result<u64, String>> {
        let installed = self.installed?.release;
        let wanted = self.known.as_ref().map(|known| known.target.release);
        Some(match (wanted, &self.failed) {
            (Some(bad), _) if self.bad.contains(&bad) => {
                Err(format!("release {bad} has failed on this node"))
            }
            (_, Some(why)) if self.ran == Some(installed) => Err(why.clone()),
            _ => Ok(installed),
        })
    }
}
