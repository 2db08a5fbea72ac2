//! What a run has done so far, in a small file, so that another run can go on.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file with the state; it is there only while there is something to go on with.
#[derive(Clone, Debug)]
pub struct State(PathBuf);

impl State {
    /// The state in this file, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What an earlier run has left; nothing if there is none, or it cannot be read.
    pub fn load(&self) -> Option<Value> {
        let text = std::fs::read(&self.0).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Keeps this in place of what was there, at once or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, state: &Value) -> io::Result<()> {
        let new = self.0.with_added_extension("new");
        std::fs::write(&new, state.to_string())?;
        std::fs::rename(new, &self.0)
    }

    /// Forgets it: the work is done.
    ///
    /// # Errors
    /// When the file is there and cannot be removed.
    pub fn clear(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
