//! `s3-sync release gc`.

use std::time::Duration;

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
    /// End a collection that was killed: it is told to stop, and counts as ended after this time, within which all that it has
    /// sent has to arrive. Defaults to waiting for its hour to be over.
    #[arg(long, value_name = "TIME", value_parser = span, conflicts_with = "dry_run")]
    take_over: Option<Duration>,
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
        let mut gc = gc.place(self.pointer.place()?).dry_run(self.dry_run);
        if let Some(after) = self.take_over {
            gc = gc.take_over(after);
        }
        let collected = gc.send().await?;
        let (releases, blobs) = (collected.releases.len(), collected.blobs);
        let verb = if self.dry_run {
            "would be removed"
        } else {
            "removed"
        };
        output.tell(
            format_args!(
                "{releases} releases and {blobs} contents ({} bytes) {verb}; {} contents without a release are too young",
                collected.bytes, collected.young
            ),
            || {
                json!({
                    "event": "collected", "releases": collected.releases, "blobs": blobs, "bytes": collected.bytes,
                    "moves": collected.moves, "young": collected.young, "unfinished": collected.unfinished,
                    "dry_run": self.dry_run,
                })
            },
        )?;
        Ok(match collected.unfinished {
            true => Outcome::InPart,
            false => Outcome::Done,
        })
    }
}
