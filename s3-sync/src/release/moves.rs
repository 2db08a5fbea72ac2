//! Moving the pointer to a release that is there: back to an earlier one, or on to what another channel has tried.

use std::sync::Arc;

use super::layout::Channel;
use super::manifest::Bounds;
use super::pointer::advance::{Outcome, WantedMove};
use super::pointer::{Cause, Place, Pointers, Target};
use super::sign::SignKey;
use super::store::{App, random_id, unix_now};
use super::sweeps::{Sweeps, Waiting, Waits};
use crate::error::{Error, Kind, Result};

/// A request to move the pointer; made by [`App::rollback`] and [`App::promote`].
#[derive(Clone, Debug)]
#[must_use = "nothing is moved until send() is awaited"]
pub struct Move {
    pointers: Pointers,
    to: To,
    waits: Waits,
}

#[derive(Clone, Debug)]
enum To {
    /// The release of this number; without one, the last before the current.
    Release(Option<u64>),
    /// What this channel's pointer names.
    Channel(Channel),
}

/// Where the pointer was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moving {
    /// The release that it names.
    pub release: u64,
    /// The number of the move.
    pub seq: u64,
}

impl App {
    /// Has all nodes run an earlier release: that of this number, or the last one before the current.
    ///
    /// It is a move like any other, with a number of its own, and the only one after which nodes run a smaller number.
    pub fn rollback(&self, release: Option<u64>) -> Move {
        self.to(To::Release(release))
    }

    /// Has all nodes run what this channel runs. An earlier release than the current one is refused: that is a rollback. With a
    /// [key](Move::sign_key), the pointer of the channel has to be signed by it, too.
    pub fn promote(&self, from: Channel) -> Move {
        self.to(To::Channel(from))
    }

    fn to(&self, to: To) -> Move {
        Move {
            pointers: Pointers::of(self),
            to,
            waits: Waits::default(),
        }
    }
}

impl Move {
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

    /// Whom to tell before each pause in which this waits for the end of a collection of garbage.
    pub fn on_wait(mut self, told: impl Fn(Waiting) + Send + Sync + 'static) -> Self {
        self.waits = Waits::new(told);
        self
    }

    /// Moves it.
    ///
    /// # Errors
    /// When the release is not there or has lost contents, when there is none to go to, and as the store says.
    pub async fn send(self) -> Result<Moving> {
        let mut before = self.quiet().await?;
        let target = loop {
            let target = self.target().await?;
            self.check(target).await?;
            // As a publisher does: a collection that begins later finds the pointer, or this one finds the collection.
            let after = self.quiet().await?;
            if Sweeps::none_between(&before, &after) {
                break target;
            }
            before = after;
        };
        let cause = match self.to {
            To::Release(_) => Cause::Rollback,
            To::Channel(_) => Cause::Promote,
        };
        let wanted = WantedMove {
            target,
            at: None,
            cause,
            by: random_id(),
            now: unix_now(),
        };
        let moved = match self.pointers.advance(wanted).await? {
            Outcome::Moved(pointer) | Outcome::Overtaken(pointer) => Moving {
                release: pointer.target.release,
                seq: pointer.seq,
            },
            Outcome::Crowded | Outcome::Unknown => {
                let what = "others move the pointer too often";
                return Err(Error::new(
                    Kind::Guard,
                    self.pointers.channel.to_string(),
                    what,
                ));
            }
        };
        let after = self.quiet().await?;
        if !Sweeps::none_between(&before, &after) {
            // Nodes that cannot fetch it run what they have.
            self.check(target).await?;
        }
        Ok(moved)
    }

    async fn quiet(&self) -> Result<Sweeps> {
        let Pointers { app, steps, .. } = &self.pointers;
        Sweeps::quiet(app, steps, &self.waits).await
    }

    async fn target(&self) -> Result<Target> {
        let number = match &self.to {
            To::Channel(from) => {
                return self.promoted(from).await;
            }
            To::Release(Some(number)) => *number,
            To::Release(None) => self.before().await?,
        };
        let key = self.pointers.app.layout.release(number);
        match self.pointers.app.manifest(number, &Bounds::none()).await? {
            Some((_, manifest, _)) => Ok(Target {
                release: number,
                manifest,
            }),
            None => Err(Error::new(
                Kind::Usage,
                key,
                "there is no such release; `s3-sync release list` tells which there are",
            )),
        }
    }

    /// What another channel runs, unless this one runs something later.
    async fn promoted(&self, from: &Channel) -> Result<Target> {
        let mut other = self.pointers.clone();
        other.channel = from.clone();
        // Whoever signs it here answers for it: what somebody else has put there is not signed.
        other.trust = self.pointers.sign.iter().map(|key| key.public()).collect();
        let last = other.last(None).await?;
        let target = last.ok_or_else(|| other.nothing())?.target;
        let current = self.pointers.last(None).await?;
        match current.map(|current| current.target.release) {
            Some(current) if current > target.release => {
                let to = target.release;
                let what = format!("it is at release {current}: to go to {to} is a rollback");
                Err(Error::new(
                    Kind::Guard,
                    self.pointers.channel.to_string(),
                    what,
                ))
            }
            _ => Ok(target),
        }
    }

    /// The last release before the one that is current.
    async fn before(&self) -> Result<u64> {
        let last = self.pointers.last(None).await?;
        let last = last.ok_or_else(|| self.pointers.nothing())?;
        let current = last.target.release;
        let keys = self
            .pointers
            .app
            .keys(self.pointers.app.layout.releases(), None)
            .await?;
        let numbers = keys
            .iter()
            .filter_map(|key| self.pointers.app.layout.release_of(key));
        let before = numbers.filter(|number| *number < current).max();
        let what = "there is no release before the current one";
        before.ok_or_else(|| Error::new(Kind::Content, self.pointers.channel.to_string(), what))
    }

    /// Whether all contents of a release are there.
    async fn check(&self, target: Target) -> Result<()> {
        let layout = &self.pointers.app.layout;
        let key = layout.release(target.release);
        let lacks = |what: String| Err(Error::new(Kind::Content, key.clone(), what));
        let Some((manifest, digest, _)) = self
            .pointers
            .app
            .manifest(target.release, &Bounds::none())
            .await?
        else {
            return lacks("it was removed".to_owned());
        };
        if digest != target.manifest {
            return lacks("it is not the manifest that the pointer names".to_owned());
        }
        let keys = self.pointers.app.keys(layout.blobs(), None).await?;
        let there: std::collections::HashSet<_> =
            keys.iter().filter_map(|key| layout.blob_of(key)).collect();
        match manifest
            .files
            .iter()
            .find(|file| !there.contains(&file.digest))
        {
            Some(file) => lacks(format!(
                "the content of {} was removed",
                file.path.escape_debug()
            )),
            None => Ok(()),
        }
    }
}
