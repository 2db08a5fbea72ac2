//! Following the releases of an application on a node.
//!
//! [`Follower`] is the shell: it asks the [core](core) what to do, does it with sockets and files, and tells the core what came
//! of it. Nothing is decided here.

mod core;
mod hooks;
mod local;
mod report;
mod request;
mod stage;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::task::spawn_blocking;

use self::core::{Core, FollowAction, FollowEvent, Memory, Now};
use self::hooks::Change;
pub use self::hooks::Hooks;
use self::local::Local;
pub(crate) use self::report::MAX_REPORT;
pub use self::report::NodeReport;
pub use self::request::Follow;
pub use self::stage::Moved;
use self::stage::Stage;
use super::manifest::Changes;
use super::pointer::{Pointers, Polled};
use super::store::unix_now;
use crate::error::{Error, Kind, Result};

/// A release that a node has changed to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Release {
    /// The number of the release.
    pub number: u64,
    /// The release that the node ran before.
    pub previous: Option<u64>,
    /// The paths that are new, or have another content or other permissions, in the order of their bytes.
    pub changed: Vec<String>,
    /// The paths that are gone.
    pub removed: Vec<String>,
    /// The folder of the release: the link `current` names it.
    pub root: PathBuf,
}

/// Something that a follower has to tell.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A release is on this node, whole, and is not in use yet.
    Fetched {
        /// The number of the release.
        release: u64,
        /// What it took.
        moved: Moved,
    },
    /// This node has changed to a release, and its commands have been run.
    Changed(&'a Release),
    /// A command of a release has failed.
    CommandFailed {
        /// The number of the release.
        release: u64,
        /// Which one, and how.
        why: &'a str,
    },
    /// This node has gone back to the release before.
    WentBack {
        /// Which one it runs again.
        to: u64,
    },
    /// A follower that runs once has come to its end.
    Stands {
        /// The release that this node runs.
        release: u64,
        /// What is wrong with it, or with the one that it shall run: commands that have failed, maybe in an earlier run.
        wrong: Option<&'a str>,
    },
    /// Something failed; it is tried again, unless the error says that a release is larger than is allowed here.
    Failed(&'a Error),
}

/// Who is told.
pub(crate) type OnNotice = Arc<dyn Fn(Notice<'_>) + Send + Sync>;

/// A node that follows an application; made by [`Follow::start`].
pub struct Follower {
    core: Core,
    local: Arc<Local>,
    stage: Stage,
    pointers: Pointers,
    hooks: Hooks,
    name: Option<String>,
    keep: usize,
    once: bool,
    on_notice: Option<OnNotice>,
    begun: Instant,
    saved: Memory,
    etag: Option<String>,
    since: u64,
    /// A change that was handed out by the stream, and counts as done when the next one is asked for.
    handed: bool,
}

/// What ends a turn of the loop.
enum Turn {
    On,
    Changed(Release),
    End,
}

impl Follower {
    /// Follows until the future is dropped: what was begun then goes on at the next start.
    ///
    /// # Errors
    /// When what this node remembers cannot be written. Everything else that fails is [told](Notice::Failed) and tried again.
    pub async fn run(&mut self) -> Result<()> {
        loop {
            if let Turn::End = self.turn(true).await? {
                return Ok(());
            }
        }
    }

    /// The releases that this node changes to, and those errors after which it goes on. No commands are run: that is what the
    /// program does that reads this. A release counts as taken up when the next one is asked for; until then it comes
    /// again after a restart.
    ///
    /// ```
    /// # async fn example(app: s3_sync::release::App) -> s3_sync::Result<()> {
    /// use futures_util::StreamExt as _;
    ///
    /// let mut changes = Box::pin(app.follow("/srv/app").start()?.changes());
    /// while let Some(release) = changes.next().await {
    ///     let release = release?;
    ///     println!("release {} in {}: {:?}", release.number, release.root.display(), release.changed);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn changes(self) -> impl Stream<Item = Result<Release>> + Send {
        unfold(Some(self), |follower| async {
            let mut follower = follower?;
            loop {
                match follower.turn(false).await {
                    Ok(Turn::On) => {}
                    Ok(Turn::Changed(release)) => return Some((Ok(release), Some(follower))),
                    Ok(Turn::End) => return None,
                    Err(error) => return Some((Err(error), Some(follower))),
                }
            }
        })
    }

    /// Does the next thing.
    async fn turn(&mut self, commands: bool) -> Result<Turn> {
        if std::mem::take(&mut self.handed) {
            self.handle(FollowEvent::Ran(Ok(()))).await?;
        }
        let action = self.core.action(self.now());
        let event = match action {
            FollowAction::Poll => self.poll().await,
            FollowAction::LookBehind(seq) => {
                self.pointers.is_behind(seq).await.map(FollowEvent::Behind)
            }
            FollowAction::ReadLast => self.read_last().await,
            FollowAction::Stage(target) => {
                let staged = self.stage.run(target).await;
                return self.staged(target.release, staged).await;
            }
            FollowAction::Swap(target) => {
                self.link(target.release).await?;
                self.since = unix_now();
                return self.handle(FollowEvent::Swapped).await.map(|()| Turn::On);
            }
            FollowAction::Run { from, to } => return self.change(from, to, commands).await,
            FollowAction::Return(to) => return self.go_back(to).await,
            FollowAction::Report(result) => {
                self.report(&result).await;
                self.prune().await;
                Ok(FollowEvent::Reported)
            }
            FollowAction::Sleep(time) => {
                tokio::time::sleep(time).await;
                return Ok(Turn::On);
            }
            FollowAction::End => {
                self.stands();
                return Ok(Turn::End);
            }
        };
        match event {
            Ok(FollowEvent::Missing) if self.once => Err(self.pointers.nothing()),
            Ok(event) => self.handle(event).await.map(|()| Turn::On),
            Err(error) if self.once => Err(error),
            Err(error) => {
                self.handle(FollowEvent::AskFailed).await?;
                self.failed(error, commands)
            }
        }
    }

    /// Tells of an error, by the stream or by the notice.
    fn failed(&self, error: Error, commands: bool) -> Result<Turn> {
        if !commands {
            return Err(error);
        }
        self.notice(Notice::Failed(&error));
        Ok(Turn::On)
    }

    async fn poll(&mut self) -> Result<FollowEvent> {
        Ok(match self.pointers.poll(self.etag.as_deref()).await? {
            Polled::Unchanged => FollowEvent::Unchanged,
            Polled::Missing => FollowEvent::Missing,
            Polled::Pointer(pointer, etag) => {
                self.etag = etag;
                FollowEvent::Pointer(pointer)
            }
        })
    }

    async fn read_last(&self) -> Result<FollowEvent> {
        let known = self.core.memory().known.as_ref();
        let last = self.pointers.last(known).await?;
        Ok(last.map_or(FollowEvent::Missing, FollowEvent::Pointer))
    }

    async fn staged(&mut self, release: u64, staged: Result<Moved>) -> Result<Turn> {
        let (event, error) = match staged {
            Ok(moved) => {
                self.notice(Notice::Fetched { release, moved });
                (FollowEvent::Staged, None)
            }
            Err(error) => match error.kind() {
                // What is larger than is allowed here stays so; all else may be mended, in the store or on this node.
                Kind::Guard => (FollowEvent::Refused, Some(error)),
                _ => (FollowEvent::StageFailed, Some(error)),
            },
        };
        self.handle(event).await?;
        match error {
            None => Ok(Turn::On),
            Some(error) if self.once => Err(error),
            Some(error) => {
                let result = Err(error.to_string());
                self.report(&result).await;
                self.failed(error, true)
            }
        }
    }

    /// Runs the commands, or hands the change to who reads the stream.
    async fn change(&mut self, from: Option<u64>, to: u64, commands: bool) -> Result<Turn> {
        let local = Arc::clone(&self.local);
        let changes = blocking(move || {
            let before = from.and_then(|from| local.manifest(from));
            let after = local.manifest(to);
            let before = before.as_ref().map(|(manifest, _)| manifest);
            Ok(after
                .map(|(manifest, _)| manifest.changes_from(before))
                .unwrap_or_default())
        });
        let changes: Changes = changes.await?;
        let release = Release {
            number: to,
            previous: from,
            changed: changes.changed.clone(),
            removed: changes.removed.clone(),
            root: self.local.release(to),
        };
        if !commands {
            self.handed = true;
            self.notice(Notice::Changed(&release));
            return Ok(Turn::Changed(release));
        }
        self.stage.steps.tell("run", "the commands");
        let change = Change {
            folder: self.local.root(),
            from,
            to,
            changes: &changes,
        };
        let result = self.hooks.run(&change).await;
        match &result {
            Ok(()) => self.notice(Notice::Changed(&release)),
            Err(why) => self.notice(Notice::CommandFailed { release: to, why }),
        }
        self.handle(FollowEvent::Ran(result)).await?;
        Ok(Turn::On)
    }

    async fn go_back(&mut self, to: u64) -> Result<Turn> {
        let local = Arc::clone(&self.local);
        let there = blocking(move || {
            let manifest = local.manifest(to).map(|(_, digest)| digest);
            Ok(manifest.filter(|_| local.release(to).is_dir()))
        });
        match there.await? {
            Some(manifest) => {
                self.link(to).await?;
                self.since = unix_now();
                self.notice(Notice::WentBack { to });
                self.handle(FollowEvent::Returned(manifest)).await?;
            }
            None => self.handle(FollowEvent::Stays).await?,
        }
        Ok(Turn::On)
    }

    async fn link(&self, release: u64) -> Result<()> {
        let local = Arc::clone(&self.local);
        self.stage.steps.tell("link", "current");
        blocking(move || local.link(release)).await
    }

    /// Tells the core, and writes down what it wants remembered.
    async fn handle(&mut self, event: FollowEvent) -> Result<()> {
        self.core.handle(self.now(), event);
        if *self.core.memory() == self.saved {
            return Ok(());
        }
        self.saved = self.core.memory().clone();
        self.stage.steps.tell("save", "what is remembered");
        let (local, memory) = (Arc::clone(&self.local), self.saved.clone());
        blocking(move || local.save(&memory)).await
    }

    async fn report(&self, result: &Result<u64, String>) {
        let Some(name) = &self.name else { return };
        let memory = self.core.memory();
        let release = memory.installed.map(|installed| installed.release);
        let seq = memory.known.as_ref().map(|known| known.seq);
        let mut report = NodeReport::new(name, release, seq, self.since, result);
        let channel = self.pointers.channel.name();
        report.channel = (!channel.is_empty()).then(|| channel.to_owned());
        let app = &self.stage.app;
        self.stage.steps.tell("put", "the report");
        // Not every node may write, and none stops because of that.
        if let Err(error) = app.put_report(&report).await {
            self.notice(Notice::Failed(&error));
        }
    }

    /// Tells how it stands with what this node runs.
    fn stands(&self) {
        let memory = self.core.memory();
        if let (Some(installed), Some(verdict)) = (memory.installed, memory.verdict()) {
            let wrong = verdict.as_ref().err().map(String::as_str);
            let release = installed.release;
            self.notice(Notice::Stands { release, wrong });
        }
    }

    async fn prune(&self) {
        let memory = self.core.memory();
        let installed = memory.installed.map(|target| target.release);
        // What was begun of the release that is wanted is gone on with.
        let wanted = memory.known.as_ref().map(|known| known.target.release);
        let needed: Vec<u64> = [installed, memory.previous, wanted]
            .into_iter()
            .flatten()
            .collect();
        let (local, keep) = (Arc::clone(&self.local), self.keep);
        self.stage.steps.tell("prune", "old releases");
        if let Err(error) = blocking(move || local.prune(keep, &needed)).await {
            self.notice(Notice::Failed(&error));
        }
    }

    fn notice(&self, notice: Notice<'_>) {
        if let Some(told) = &self.on_notice {
            told(notice);
        }
    }

    fn now(&self) -> Now {
        Now {
            // Not 0, which is before the first question.
            steady: self.begun.elapsed() + Duration::from_nanos(1),
            unix: unix_now(),
        }
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("local", &self.local)
            .field("memory", self.core.memory())
            .finish_non_exhaustive()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::new(Kind::File, "", error.to_string())),
    }
}
