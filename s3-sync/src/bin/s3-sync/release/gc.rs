//! `s3-sync release gc`.

use std::time::Duration;

use s3_sync::release::Collected;
use s3_sync::{Error, Url};
use serde_json::json;

use super::options::{PointerArgs, ReportArgs, app, span};
use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::Output;

/// Remove old releases, and the contents that no release has.
///
/// Releases stay that are among the last ones, or young, or named by a pointer, or run by a node that has said so.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The application, as s3://bucket/prefix.
    url: Url,
    /// How many of the last releases stay.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Remove only releases that are older than this.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = span)]
    older: Duration,
    /// Remove only contents that are older than this.
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = span)]
    young: Duration,
    /// Tell what would be removed, and remove nothing.
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// End collections that were killed: they are told to stop, and count as ended after this time, 2m or more, within which all
    /// that they have sent has to arrive. Defaults to waiting for their hour to be over.
    #[arg(long, value_name = "TIME", value_parser = span, conflicts_with = "dry_run")]
    take_over: Option<Duration>,
    /// Only end collections that were killed, after 2m or what `--take-over` says, and remove nothing.
    #[arg(long, conflicts_with_all = ["dry_run", "keep", "older", "young"])]
    end_only: bool,
    #[command(flatten)]
    pointer: PointerArgs,
    #[command(flatten)]
    reports: ReportArgs,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        if self.pointer.channel.is_some() {
            let what = "--channel: a collection looks at the pointers of all channels";
            return Err(Error::usage(what).into());
        }
        let keep = usize::try_from(self.keep).unwrap_or(usize::MAX);
        let gc = app(common, &self.url, &self.pointer, &self.reports)?
            .gc()
            .keep(keep)
            .older(self.older)
            .young(self.young);
        let gc = gc.place(self.pointer.place()?).dry_run(self.dry_run);
        let mut gc = gc.end_only(self.end_only);
        if let Some(after) = self.take_over {
            gc = gc.take_over(after);
        }
        let collected = gc.send().await?;
        output.tell(format_args!("{}", self.line(&collected)), || {
            json!({
                "event": "collected", "releases": collected.releases, "blobs": collected.blobs, "bytes": collected.bytes,
                "moves": collected.moves, "young": collected.young, "unfinished": collected.unfinished,
                "ended": collected.ended, "dry_run": self.dry_run,
            })
        })?;
        Ok(match collected.unfinished {
            true => Outcome::InPart,
            false => Outcome::Done,
        })
    }

    /// What has been done, for a person.
    fn line(&self, collected: &Collected) -> String {
        let others = match &collected.ended[..] {
            [] if self.end_only => "no collection is under way".to_owned(),
            [] => String::new(),
            ended => format!(
                "{} collections that had not ended count as ended",
                ended.len()
            ),
        };
        if self.end_only {
            return others;
        }
        let verb = match self.dry_run {
            true => "would be removed",
            false => "removed",
        };
        let (releases, blobs) = (collected.releases.len(), collected.blobs);
        let mut line = format!(
            "{releases} releases and {blobs} contents ({} bytes) {verb}; {} contents without a release are too young",
            collected.bytes, collected.young
        );
        if !others.is_empty() {
            line.push_str("; ");
            line.push_str(&others);
        }
        line
    }
}
