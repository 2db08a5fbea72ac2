//! `s3-sync verify`: all of both sides is read.

use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::Output;
use crate::running::Comparison;

/// Reads all of both sides, and tells what differs, whatever index, entity tags and remembered digests say.
///
/// Exits with 0 if the two are alike, and with 1 if they are not, or if that could not be found out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sides: Comparison,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let set = |options: &mut s3_sync::Options| options.verify = true;
        self.sides
            .run(common, output, set, |report| report.different)
            .await
    }
}
