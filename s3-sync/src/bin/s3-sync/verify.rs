//! `s3-sync verify`: all of both sides is read.

use serde_json::json;

use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::Output;
use crate::running::{self, Choice, Place};

/// Reads all of both sides, and tells what differs, whatever index, entity tags and remembered digests say.
///
/// Exits with 0 if the two are alike, and with 1 if they are not, or if that could not be found out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder or s3://bucket/prefix.
    source: Place,
    /// The other: s3://bucket/prefix or a folder.
    target: Place,
    #[command(flatten)]
    choice: Choice,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let mut options = self.choice.options()?;
        options.verify = true;
        let report = running::run(common, output, self.source, self.target, options).await?;
        let differ = report.different;
        if !common.quiet {
            output.tell(
                format_args!("{differ} differ, {} are the same, {} failed", report.same, report.failed),
                || json!({"event": "end", "differ": differ, "same": report.same, "failed": report.failed}),
            )?;
        }
        Ok(match differ == 0 && report.failed == 0 {
            true => Outcome::Done,
            false => Outcome::InPart,
        })
    }
}
