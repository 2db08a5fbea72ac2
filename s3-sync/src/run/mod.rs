//! Bringing one side level with another: [`sync`].
//!
//! *Problem:* Many small files cost what is done for each of them: system calls, changes of thread, requests, memory.
//! *Decision:* One thread walks, merges and compares, and hands tasks on in batches; a few read files, with one read for each
//! small one; one task of the runtime has all requests under way, on the few connections of the client's pool; one thread
//! writes. What is learnt goes to a file, in the order of keys, of which index and state are made at the end, if they differ
//! from what was there. *Cost:* A run that is killed leaves index and state as they were: the next one compares by tags what
//! this one moved, and reads those files once more.
//!
//! ```text
//!  listing ─┐                       ┌─ read ─┐                ┌─ put, get, copy ─┐
//!  index ───┤  gather: one thread   │ content│  drive: one    │                  │   ledger ──► index, state
//!  tree ────┼─► merge ─► compare ───┼─ read ─┼──► task ───────┼──────────────────┼──► in order
//!  state ───┘                       └─ read ─┘                └─ write (down) ───┘
//!
//!  uploads ──► those that are to be last ──► deletes, if nothing has failed and the guards agree ──► index, state
//! ```

mod content;
mod copying;
mod drive;
mod finish;
mod folder;
mod gather;
mod ledger;
mod moves;
mod options;
mod outlet;
mod phases;
mod readers;
mod report;
mod store;
mod task;
mod under_way;
mod writing;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use s3_client::Bucket;

pub use gather::keys_of;
pub use options::Options;
pub use report::{Action, Event, Report};

use crate::error::{Error, Result};
use crate::step::{Step, Steps};
use crate::url::Url;

/// One side of a comparison.
#[derive(Clone, Debug)]
pub enum Side {
    /// A folder of this machine.
    Folder(PathBuf),
    /// What lies below a prefix of a bucket.
    Prefix(Bucket, Url),
}

impl Side {
    /// A folder of this machine.
    pub fn folder(path: impl AsRef<Path>) -> Self {
        Self::Folder(path.as_ref().to_owned())
    }

    /// What lies below a prefix; the bucket must be that of the URL.
    pub fn prefix(bucket: Bucket, url: Url) -> Self {
        Self::Prefix(bucket, url)
    }
}

/// A run that brings a target level with a source; made by [`sync`].
#[must_use = "nothing is done before it is run"]
#[derive(Clone, Debug)]
pub struct Sync {
    source: Side,
    target: Side,
    options: Options,
    steps: Steps,
}

/// Brings a target level with a source by content: only what differs moves. One of them has to be a prefix; two have to be of one
/// store, which copies by itself.
///
/// ```
/// # use s3_client::{Credentials, S3Client};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = emulator::Emulator::start_blocking()?;
/// # let s3 = S3Client::builder()
/// #     .endpoint(store.url())
/// #     .credentials(Credentials::new(store.access_key(), store.secret_key()))
/// #     .build()?;
/// # s3.bucket("photos").create().await?;
/// # let folder = tempfile::tempdir()?;
/// # std::fs::write(folder.path().join("cat.jpg"), "meow")?;
/// use s3_sync::{Options, Side, sync};
///
/// let photos = Side::prefix(s3.bucket("photos"), "s3://photos/2009".parse()?);
/// let options = Options {
///     delete: true,
/// #     state: None,
///     ..Options::default()
/// };
/// let report = sync(Side::folder(folder.path()), photos).options(options).run().await?;
/// assert_eq!((report.moved, report.bytes, report.failed), (1, 4, 0));
/// # Ok(()) }
/// ```
pub fn sync(source: Side, target: Side) -> Sync {
    Sync {
        source,
        target,
        options: Options::default(),
        steps: Steps::default(),
    }
}

impl Sync {
    /// What it is told besides.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Whom to tell of each step before it is done, from whichever thread does it.
    pub fn on_step(mut self, told: impl Fn(Step<'_>) + Send + std::marker::Sync + 'static) -> Self {
        self.steps = Steps::new(told);
        self
    }

    /// Runs to the end. Works only within a tokio runtime.
    ///
    /// # Errors
    /// When the comparison cannot begin or go on: a source that is not there, a listing that fails or is out of order. What
    /// fails for single files is in the [`Report`], and an [event](Self::run_with).
    pub async fn run(self) -> Result<Report> {
        self.run_with(|_| ControlFlow::Continue(())).await
    }

    /// Runs to the end, and tells what happens, in the order in which it does. [`ControlFlow::Break`] ends the run: what is
    /// under way is given up, and index and state stay as they were.
    ///
    /// # Errors
    /// As [`run`](Self::run); [`Kind::Stopped`](crate::Kind::Stopped) when it was broken off.
    pub async fn run_with(
        self,
        mut listener: impl FnMut(Event<'_>) -> ControlFlow<()> + Send,
    ) -> Result<Report> {
        if self.options.concurrency == 0 {
            return Err(Error::usage("a concurrency of 0 moves nothing"));
        }
        let steps = self.steps;
        phases::run(self.source, self.target, self.options, steps, &mut listener).await
    }
}
