//! Publishing a tree as a release.
//!
//! *Problem:* A publisher may be killed anywhere, may be one of several, and its answers may be lost; and what it counts on
//! may be collected as garbage meanwhile. *Decision:* Everything but `current` is stored by create-only puts under a name that
//! says what it is, so that to do it again is to do nothing. The contents come first, then the manifest, then the pointer:
//! what is named is there. *Cost:* In requests, for `n` contents in the store and `m` that lack: `m` puts, a listing for each
//! 1,000 of `n`, and about eleven small requests.
//!
//! ```text
//!   sweeps? ─► contents? ─► put what lacks ─► claim releases/N ─► sweeps? ── as before ──────┐
//!                  ▲                                                 │ one was under way     │
//!                  └──── wait for its end, look again, put ◄─────────┘                       ▼
//!                                                                              move the pointer
//! ```

mod claim;
mod content;
mod scan;
mod send;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use self::claim::claim;
use self::send::Sender;
use super::layout::Channel;
use super::manifest::{Bounds, MAX_NOTE, Manifest};
use super::pointer::advance::{Outcome, WantedMove};
use super::pointer::{Cause, Place, Pointer, Pointers, Target};
use super::sign::SignKey;
use super::store::{App, random_id, unix_now};
use super::sweeps::{Sweeps, Waiting, Waits};
use crate::error::{Error, Kind, Result};
use crate::filter::Patterns;
use crate::step::{Step, Steps};

/// A request to publish a folder; made by [`App::publish`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until send() is awaited"]
pub struct Publish {
    pointers: Pointers,
    root: PathBuf,
    patterns: Patterns,
    note: String,
    at: Option<SystemTime>,
    concurrency: usize,
    even_unchanged: bool,
    waits: Waits,
}

/// What became of a publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The number of the release: a new one, or that which is current and has these very files.
    pub release: u64,
    /// The number of the move of the pointer that names it, or a later one.
    pub seq: u64,
    /// How many files it has.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many contents were sent.
    pub sent: u64,
    /// How many bytes those had.
    pub sent_bytes: u64,
    /// How it ended.
    pub end: PublishEnd,
}

/// How a publishing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishEnd {
    /// The pointer names the new release.
    Current,
    /// The release is there, and the pointer names a later one, which was published at the same time.
    Overtaken,
    /// The current release has these files already: nothing was stored.
    Unchanged,
}

impl App {
    /// Publishes the files of a folder as a new release.
    pub fn publish(&self, root: impl AsRef<Path>) -> Publish {
        Publish {
            pointers: Pointers::of(self),
            root: root.as_ref().to_owned(),
            patterns: Patterns::default(),
            note: String::new(),
            at: None,
            concurrency: 64,
            even_unchanged: false,
            waits: Waits::default(),
        }
    }
}

impl Publish {
    /// What is said of the release, up to 1,024 bytes. Defaults to nothing.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// When nodes shall change to it; they fetch it before. Defaults to at once.
    pub fn at(mut self, time: SystemTime) -> Self {
        self.at = Some(time);
        self
    }

    /// Which pointer is moved. Defaults to that of all nodes.
    pub fn channel(mut self, channel: Channel) -> Self {
        self.pointers.channel = channel;
        self
    }

    /// Where the pointer is. Defaults to the bucket.
    pub fn place(mut self, place: Place) -> Self {
        self.pointers.place = place;
        self
    }

    /// Signs the pointer. Defaults to no signature.
    pub fn sign_key(mut self, key: Arc<SignKey>) -> Self {
        self.pointers.sign = Some(key);
        self
    }

    /// How many files are read and sent at once, 1 or more. Defaults to 64. A file of up to 1 MiB is held in memory
    /// meanwhile.
    pub fn concurrency(mut self, files: usize) -> Self {
        self.concurrency = files.max(1);
        self
    }

    /// Whether a release is made also if the current one has these very files. Defaults to no; where a time is
    /// [said](Self::at), or the current one is for later or not signed by the [key](Self::sign_key), it is always made.
    pub fn even_unchanged(mut self, yes: bool) -> Self {
        self.even_unchanged = yes;
        self
    }

    /// Whom to tell of each step before it is done.
    pub fn on_step(mut self, told: impl Fn(Step<'_>) + Send + Sync + 'static) -> Self {
        self.pointers.steps = Steps::new(told);
        self
    }

    /// Which files of the folder belong to the release. Defaults to all.
    pub fn patterns(mut self, patterns: Patterns) -> Self {
        self.patterns = patterns;
        self
    }

    /// Whom to tell before each pause in which this waits for the end of a collection of garbage.
    pub fn on_wait(mut self, told: impl Fn(Waiting) + Send + Sync + 'static) -> Self {
        self.waits = Waits::new(told);
        self
    }

    /// Publishes it.
    ///
    /// # Errors
    /// When the folder has no file, or something that a release cannot have, when a file changes while it is read, and as
    /// the store says. What was stored until then stays, and need not be sent again.
    pub async fn send(self) -> Result<Published> {
        if self.note.len() > MAX_NOTE {
            let bytes = self.note.len();
            return Err(Error::usage(format!(
                "the note has {bytes} bytes, and {MAX_NOTE} are allowed"
            )));
        }
        let (root, patterns) = (self.root.clone(), self.patterns.clone());
        let found = tokio::task::spawn_blocking(move || scan::scan(&root, &patterns)).await;
        let found = found.map_err(|error| Error::new(Kind::File, "", error.to_string()))??;

        let Pointers { app, steps, .. } = &self.pointers;
        let pointers = &self.pointers;
        let last = pointers.last(None).await?;
        let before = Sweeps::look(app).await?;
        let sender = Sender::new(app, self.concurrency, steps.clone());
        sender.look().await?;
        let files = sender.send(&found).await?;
        let mut manifest = Manifest {
            number: 0,
            parent: last.as_ref().map(|last| last.target.release),
            created: unix_now(),
            note: self.note.clone(),
            id: random_id(),
            files,
        };
        if let Some(last) = &last
            && self.is_current(last, &manifest).await?
        {
            // Whoever made this move may have ended before `current` was written.
            if !pointers.is_announced(last).await? {
                let copied = self.wanted(last.target, manifest.id.clone());
                pointers.advance(copied).await?;
            }
            return Ok(published(
                last.target.release,
                last.seq,
                &manifest,
                &sender,
                PublishEnd::Unchanged,
            ));
        }
        let digest = claim(app, &mut manifest, steps).await?;
        let after = Sweeps::look(app).await?;
        if !Sweeps::none_between(&before, &after) {
            Sweeps::quiet(app, steps, &self.waits).await?;
            sender.look().await?;
            let again = sender.send(&found).await?;
            if again != manifest.files {
                return Err(content::changed(&self.root));
            }
        }
        let number = manifest.number;
        steps.tell("point to", &number.to_string());
        let target = Target {
            release: number,
            manifest: digest,
        };
        let wanted = self.wanted(target, manifest.id.clone());
        let (seq, end) = match pointers.advance(wanted).await? {
            Outcome::Moved(pointer) => (pointer.seq, PublishEnd::Current),
            Outcome::Overtaken(later) => (later.seq, PublishEnd::Overtaken),
            Outcome::Crowded | Outcome::Unknown => {
                let about = pointers.channel.to_string();
                let what = format!(
                    "release {number} is there, and others move the pointer too often to name it"
                );
                return Err(Error::new(Kind::Guard, about, what));
            }
        };
        Ok(published(number, seq, &manifest, &sender, end))
    }

    /// The move to this release; where a move to it is the last one already, only `current` is written.
    fn wanted(&self, target: Target, by: String) -> WantedMove {
        WantedMove {
            target,
            at: self.at.map(seconds),
            cause: Cause::Publish,
            by,
            now: unix_now(),
        }
    }

    /// Whether the release that is pointed at has these very files, is to be used now, and is signed as is wanted.
    async fn is_current(&self, last: &Pointer, manifest: &Manifest) -> Result<bool> {
        let pointers = &self.pointers;
        let is_later = last.at.is_some_and(|at| at > unix_now());
        if self.even_unchanged || self.at.is_some() || is_later || !pointers.is_own_key(last) {
            return Ok(false);
        }
        match pointers
            .app
            .manifest(last.target.release, &Bounds::none())
            .await
        {
            Ok(Some((current, ..))) => Ok(current.files == manifest.files),
            Ok(None) => Ok(false),
            // One that cannot be read is replaced.
            Err(error) if error.kind() == Kind::Content => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn published(
    release: u64,
    seq: u64,
    manifest: &Manifest,
    sender: &Sender,
    end: PublishEnd,
) -> Published {
    let (sent, sent_bytes) = sender.sent();
    Published {
        release,
        seq,
        files: manifest.files.len() as u64,
        bytes: manifest.bytes(),
        sent,
        sent_bytes,
        end,
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map(|time| time.as_secs())
        .unwrap_or_default()
}
