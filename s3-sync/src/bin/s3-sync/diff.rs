//! `s3-sync diff`: what differs.

use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::Output;
use crate::running::Comparison;

/// Tells what `sync --delete` would do, and does nothing.
///
/// Exits with 0 if the two are alike, and with 1 if they are not, or if that could not be found out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sides: Comparison,
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        let set = |options: &mut s3_sync::Options| {
            options.dry_run = true;
            options.delete = true;
            options.max_delete = s3_sync::MaxDelete {
                number: None,
                percent: None,
            };
        };
        let differing = |report: &s3_sync::Report| report.moved + report.deleted + report.kept;
        self.sides.run(common, output, set, differing).await
    }
}
