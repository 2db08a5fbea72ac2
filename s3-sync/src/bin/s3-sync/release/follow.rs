//! `s3-sync release follow`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use s3_sync::release::{Bounds, Hooks, Notice, TrustKey};
use s3_sync::{Error, Url};
use serde_json::json;

use super::nodes::own_instance;
use super::options::{PointerArgs, ReportArgs, app, span};
use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::{Output, say};

/// Have a folder of this node be the current release, whole or not at all, from now on.
///
/// `FOLDER/current` is a link to the release. Contents that another release of this node has are linked, so that only what
/// has changed is fetched. Commands are run by `sh -c` in the folder of the new release, each once for a change; their
/// environment has RELEASE, PREVIOUS and CHANGED_FILES, the name of a file with a path on each line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The application, as s3://bucket/prefix.
    url: Url,
    /// The folder; it is made if it is not there.
    folder: PathBuf,
    /// How often to ask whether there is something new, give or take a fifth.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    every: Duration,
    /// End when this node runs what it shall; with 1 if anything fails.
    #[arg(long)]
    once: bool,
    /// The name under which this node tells what it runs. Defaults to the name of the host.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Use the identifier of the instance of EC2 that this is as the name.
    #[arg(long, conflicts_with = "name")]
    instance_name: bool,
    /// Do not tell what this node runs: for keys that may not write.
    #[arg(long, conflicts_with_all = ["name", "instance_name"])]
    silent: bool,
    /// Nodes change one after another within this time, in an order that their names give.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = span)]
    stagger: Duration,
    /// A command that is run after each change, after those of `--on`. May be said several times.
    #[arg(long, value_name = "COMMAND")]
    then: Vec<String>,
    /// A command that is run if a file has changed that fits: 'chat/**=systemctl restart chat'. May be said several times;
    /// commands are run in this order.
    #[arg(long, value_name = "PATTERN=COMMAND")]
    on: Vec<String>,
    /// A signal that is sent after the commands: HUP, INT, QUIT, TERM, USR1 or USR2.
    #[arg(long, value_name = "NAME", requires = "pid_file")]
    signal: Option<String>,
    /// The file with the number of the process that the signal goes to.
    #[arg(long, value_name = "FILE", requires = "signal")]
    pid_file: Option<PathBuf>,
    /// How long a command may take.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = span)]
    command_timeout: Duration,
    /// Go back to the release before if a command fails, and never take the one that failed again.
    #[arg(long)]
    rollback_on_failure: bool,
    /// Follow only pointers that this public key has signed, or another that is said.
    #[arg(long, value_name = "FILE")]
    trust_key: Vec<PathBuf>,
    /// How many releases stay on this node.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    keep: u16,
    /// The most files of a release; one that has more is not fetched.
    #[arg(long, value_name = "N", default_value_t = Bounds::default().max_files)]
    max_files: u64,
    /// The most bytes of a release; one that has more is not fetched.
    #[arg(long, value_name = "BYTES", default_value_t = Bounds::default().max_bytes)]
    max_bytes: u64,
    /// How many contents are fetched at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Do not wait until a release is on the disk: for a file system in memory.
    #[arg(long)]
    no_fsync: bool,
    #[command(flatten)]
    pointer: PointerArgs,
    #[command(flatten)]
    reports: ReportArgs,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, _: &Output) -> Result<Outcome, Failure> {
        let app = app(common, &self.url, &self.pointer, &self.reports)?;
        let hooks = self.hooks()?;
        let (json, quiet) = (common.json, common.quiet);
        let failed = Arc::new(AtomicBool::new(false));
        let has_failed = Arc::clone(&failed);
        let told = Heard::default();
        let mut follow = app
            .follow(&self.folder)
            .every(self.every)
            .once(self.once)
            .channel(self.pointer.channel())
            .place(self.pointer.place()?)
            .stagger(self.stagger)
            .bounds(Bounds {
                max_files: self.max_files,
                max_bytes: self.max_bytes,
            })
            .keep(self.keep.into())
            .concurrency(self.concurrency.into())
            .fsync(!self.no_fsync)
            .hooks(hooks)
            .rollback_on_failure(self.rollback_on_failure)
            .on_notice(move |notice| {
                let failure = matches!(
                    notice,
                    Notice::CommandFailed { .. } | Notice::Stands { wrong: Some(_), .. }
                );
                has_failed.fetch_or(failure, Ordering::Relaxed);
                // What a person has just read is not said again.
                if !told.is_again(&notice) || json && !quiet {
                    tell(notice, json, quiet);
                }
            });
        for file in &self.trust_key {
            follow = follow.trust_key(TrustKey::read(file)?);
        }
        if !self.silent {
            follow = follow.name(match self.instance_name {
                true => own_instance().await?,
                false => self.name.unwrap_or_else(host),
            });
        }
        follow.start()?.run().await?;
        Ok(match failed.load(Ordering::Relaxed) {
            true => Outcome::InPart,
            false => Outcome::Done,
        })
    }

    fn hooks(&self) -> Result<Hooks, Failure> {
        let mut hooks = Hooks::new().timeout(self.command_timeout);
        for on in &self.on {
            let (pattern, command) = on.split_once('=').ok_or_else(|| {
                let on = on.escape_debug();
                Error::usage(format!("--on {on}: it is not of the form PATTERN=COMMAND"))
            })?;
            hooks = hooks.on(pattern, command)?;
        }
        for then in &self.then {
            hooks = hooks.then(then);
        }
        if let (Some(signal), Some(file)) = (&self.signal, &self.pid_file) {
            hooks = hooks.signal(signal, file)?;
        }
        Ok(hooks)
    }
}

/// What a person has read of a change.
#[derive(Debug, Default)]
struct Heard {
    change: AtomicBool,
    failure: AtomicBool,
}

impl Heard {
    /// Whether this says no more than what was told before; it counts as told from then on.
    fn is_again(&self, notice: &Notice<'_>) -> bool {
        match notice {
            Notice::Changed(_) => self.change.store(true, Ordering::Relaxed),
            Notice::CommandFailed { .. } => self.failure.store(true, Ordering::Relaxed),
            // That it has changed is not why something is wrong.
            Notice::Stands { wrong: None, .. } => return self.change.load(Ordering::Relaxed),
            Notice::Stands { .. } => return self.failure.load(Ordering::Relaxed),
            _ => {}
        }
        false
    }
}

fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Prints what happens. That nobody reads it is no reason for a node to stop.
fn tell(notice: Notice<'_>, json: bool, quiet: bool) {
    let output = Output::new(json);
    let _unread = match notice {
        Notice::Failed(error) => {
            say(format_args!("{error}"));
            Ok(())
        }
        Notice::CommandFailed { release, why } => {
            say(format_args!(
                "a command of release {release} has failed: {why}"
            ));
            Ok(())
        }
        Notice::Stands {
            release,
            wrong: Some(why),
        } if !json || quiet => {
            say(format_args!(
                "this node runs release {release}, and something failed when it was to change: {why}"
            ));
            Ok(())
        }
        _ if quiet => Ok(()),
        Notice::Stands { release, wrong } => output.tell(
            format_args!("this node runs release {release}"),
            || json!({"event": "runs", "release": release, "result": wrong.unwrap_or("ok")}),
        ),
        Notice::Fetched { release, moved } => output.tell(
            format_args!(
                "release {release} is here: {} contents fetched, {} bytes; {} files reused",
                moved.fetched, moved.fetched_bytes, moved.reused
            ),
            || {
                json!({
                    "event": "fetched", "release": release, "fetched": moved.fetched,
                    "fetched_bytes": moved.fetched_bytes, "reused": moved.reused,
                })
            },
        ),
        Notice::Changed(release) => output.tell(
            format_args!(
                "this node runs release {}: {} files changed, {} removed",
                release.number,
                release.changed.len(),
                release.removed.len()
            ),
            || {
                json!({
                    "event": "changed", "release": release.number, "previous": release.previous,
                    "changed": release.changed.len(), "removed": release.removed.len(),
                })
            },
        ),
        Notice::WentBack { to } => output.tell(
            format_args!("this node went back to release {to}"),
            || json!({"event": "went_back", "release": to}),
        ),
        _ => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_unless_a_command_has_said_it() {
        let stands = |wrong| Notice::Stands { release: 1, wrong };
        let heard = Heard::default();
        assert!(!heard.is_again(&stands(None)));
        // The node has changed back to a release, and stays there because of one that failed before.
        heard.change.store(true, Ordering::Relaxed);
        assert!(heard.is_again(&stands(None)));
        assert!(!heard.is_again(&stands(Some("release 3 has failed"))));
        let why = "exit status: 1";
        assert!(!heard.is_again(&Notice::CommandFailed { release: 3, why }));
        assert!(heard.is_again(&stands(Some("release 3 has failed"))));
    }
}
