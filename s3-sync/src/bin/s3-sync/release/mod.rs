//! `s3-sync release`: publishing trees as releases, and following them.

mod expand;
mod follow;
mod gc;
mod list;
mod moves;
mod nodes;
mod options;
mod publish;
mod status;

use clap::Subcommand;

use crate::Outcome;
use crate::common::{Common, Failure};
use crate::output::Output;

/// What `release` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Publish(publish::Args),
    Follow(Box<follow::Args>),
    Rollback(moves::Rollback),
    Promote(moves::Promote),
    Status(status::Args),
    List(list::Args),
    Expand(expand::Args),
    Gc(gc::Args),
}

impl Args {
    pub(crate) async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        match self.verb {
            Verb::Publish(args) => Box::pin(args.run(common, output)).await,
            Verb::Follow(args) => Box::pin(args.run(common, output)).await,
            Verb::Rollback(args) => Box::pin(args.run(common, output)).await,
            Verb::Promote(args) => Box::pin(args.run(common, output)).await,
            Verb::Status(args) => Box::pin(args.run(common, output)).await,
            Verb::List(args) => Box::pin(args.run(common, output)).await,
            Verb::Expand(args) => Box::pin(args.run(common, output)).await,
            Verb::Gc(args) => Box::pin(args.run(common, output)).await,
        }
    }
}
