//! How a node follows: the request that [`App::follow`] makes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::{Config, Core};
use super::local::Local;
use super::stage::Stage;
use super::{Follower, Hooks, Notice, OnNotice};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::release::layout::{Channel, check_node};
use crate::release::manifest::Bounds;
use crate::release::pointer::{Place, Pointers};
use crate::release::sign::TrustKey;
use crate::release::store::{App, unix_now};
use crate::step::{Step, Steps};

/// The shortest interval between two questions.
const MIN_EVERY: Duration = Duration::from_millis(10);

/// A request to follow an application; made by [`App::follow`].
#[derive(Clone)]
#[must_use = "nothing is followed until start() is called"]
pub struct Follow {
    pointers: Pointers,
    root: PathBuf,
    every: Duration,
    once: bool,
    name: Option<String>,
    stagger: Duration,
    bounds: Bounds,
    keep: usize,
    concurrency: usize,
    fsync: bool,
    hooks: Hooks,
    go_back: bool,
    on_notice: Option<OnNotice>,
}

impl App {
    /// Follows the releases of this application in a folder, which is made if it is not there.
    pub fn follow(&self, folder: impl AsRef<Path>) -> Follow {
        Follow {
            pointers: Pointers::of(self),
            root: folder.as_ref().to_owned(),
            every: Duration::from_secs(10),
            once: false,
            name: None,
            stagger: Duration::ZERO,
            bounds: Bounds::default(),
            keep: 3,
            concurrency: 64,
            fsync: true,
            hooks: Hooks::new(),
            go_back: false,
            on_notice: None,
        }
    }
}

impl Follow {
    /// How often it is asked whether there is something new, give or take a fifth; 10 milliseconds at least. Defaults to
    /// 10 seconds.
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval.max(MIN_EVERY);
        self
    }

    /// Ends as soon as this node runs what it shall, or something fails. Defaults to no.
    pub fn once(mut self, yes: bool) -> Self {
        self.once = yes;
        self
    }

    /// Which pointer is followed. Defaults to that of all nodes.
    pub fn channel(mut self, channel: Channel) -> Self {
        self.pointers.channel = channel;
        self
    }

    /// Where the pointer is. Defaults to the bucket.
    pub fn place(mut self, place: Place) -> Self {
        self.pointers.place = place;
        self
    }

    /// Follows only what this key has signed, or another that is told. Defaults to what whoever has put.
    pub fn trust_key(mut self, key: TrustKey) -> Self {
        self.pointers.trust.push(key);
        self
    }

    /// Has this node tell under this name what it runs. Defaults to saying nothing.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Nodes change one after another within this time, each at a moment that its name decides. Defaults to all at once.
    pub fn stagger(mut self, time: Duration) -> Self {
        self.stagger = time;
        self
    }

    /// What a release may have at most; one that has more is not fetched.
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// How many releases stay on this node, 1 or more, besides the one in use and the one before. Defaults to the last 3.
    pub fn keep(mut self, releases: usize) -> Self {
        self.keep = releases.max(1);
        self
    }

    /// How many contents are fetched at once, 1 or more. Defaults to 64. One of up to 1 MiB is held in memory meanwhile.
    pub fn concurrency(mut self, contents: usize) -> Self {
        self.concurrency = contents.max(1);
        self
    }

    /// Whether a release is brought to the disk before it gets its name. Defaults to yes. Without it a release is whole after
    /// the process is killed, and may not be after the power fails: for a file system in memory.
    pub fn fsync(mut self, yes: bool) -> Self {
        self.fsync = yes;
        self
    }

    /// What is run after a change. Defaults to nothing.
    pub fn hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// Goes back to the release before when a command fails, runs the commands for that, and never takes the release that
    /// failed again. Defaults to no: the new release stays, and the failure is told.
    pub fn rollback_on_failure(mut self, yes: bool) -> Self {
        self.go_back = yes;
        self
    }

    /// Whom to tell of each step before it is done.
    pub fn on_step(mut self, told: impl Fn(Step<'_>) + Send + Sync + 'static) -> Self {
        self.pointers.steps = Steps::new(told);
        self
    }

    /// Whom to tell what happens.
    pub fn on_notice(mut self, told: impl Fn(Notice<'_>) + Send + Sync + 'static) -> Self {
        self.on_notice = Some(Arc::new(told));
        self
    }

    /// Opens the folder; nothing is asked yet.
    ///
    /// # Errors
    /// When the folder cannot be made or read, when another follower works on it, or when the name is none.
    pub fn start(self) -> Result<Follower> {
        if let Some(name) = &self.name {
            check_node(name)?;
        } else if !self.stagger.is_zero() {
            return Err(Error::usage(
                "a node needs a name for its moment within the stagger",
            ));
        }
        let local = Arc::new(Local::open(&self.root)?);
        let mut memory = local.load()?;
        local.adopt(&self.of(), &mut memory)?;
        let Pointers { app, channel, .. } = &self.pointers;
        let (prefix, trust) = (app.layout.prefix(), &self.pointers.trust);
        let is_trusted = memory
            .known
            .as_ref()
            .is_none_or(|known| known.is_trusted(prefix, channel, trust));
        if !is_trusted {
            memory.known = None;
            local.save(&memory)?;
        }
        let config = Config {
            every: self.every,
            offset: offset(
                self.name.as_deref().unwrap_or_default(),
                self.stagger.as_secs(),
            ),
            once: self.once,
            go_back: self.go_back,
            seed: fastrand::u64(..),
        };
        let stage = Stage {
            app: app.clone(),
            local: Arc::clone(&local),
            bounds: self.bounds,
            concurrency: self.concurrency,
            fsync: self.fsync,
            steps: self.pointers.steps.clone(),
        };
        Ok(Follower {
            saved: memory.clone(),
            core: Core::new(config, memory),
            local,
            stage,
            pointers: self.pointers,
            hooks: self.hooks,
            name: self.name,
            keep: self.keep,
            once: self.once,
            on_notice: self.on_notice,
            begun: Instant::now(),
            etag: None,
            since: unix_now(),
            handed: false,
        })
    }
}

impl Follow {
    /// Whose pointer this is, one thing a line.
    fn of(&self) -> String {
        let Pointers {
            app,
            place,
            channel,
            ..
        } = &self.pointers;
        let place = match place {
            Place::Bucket => "bucket".to_owned(),
            Place::SimpleDb { domain, item } => format!("sdb:{}/{item}", domain.name()),
        };
        format!("{}\n{channel}\n{place}\n", app.url())
    }
}

/// The moment of a node, in seconds from the beginning of the stagger.
fn offset(name: &str, stagger: u64) -> u64 {
    let digest = Digest::of(name.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_be_bytes(first)
        .checked_rem(stagger + 1)
        .unwrap_or(0)
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow")
            .field("app", &self.pointers.app)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_moment_and_all_are_within_the_stagger() {
        let offsets: Vec<u64> = (0..1000)
            .map(|node| offset(&format!("node-{node}"), 60))
            .collect();
        assert!(offsets.iter().all(|offset| *offset <= 60));
        for third in [0..20, 20..40, 40..61] {
            let share = offsets
                .iter()
                .filter(|offset| third.contains(*offset))
                .count();
            assert!((250..420).contains(&share), "{third:?}: {share}");
        }
        assert_eq!(offset("a", 60), offset("a", 60));
        assert_eq!(offset("a", 0), 0);
        assert_eq!(offset("a", u64::MAX - 1), offset("a", u64::MAX - 1));
    }
}
