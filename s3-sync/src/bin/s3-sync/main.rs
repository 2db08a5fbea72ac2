//! `s3-sync`: the program. Each subcommand is a file; this one has their list, what all of them are told, and the exit code.

#![forbid(unsafe_code)]

mod common;
mod diff;
mod headers;
mod names;
mod output;
mod patterns;
mod progress;
mod release;
mod running;
mod sync;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use s3_sync::{Error, Kind};

use crate::common::{Common, Failure};
use crate::output::Output;

/// Brings trees of files and buckets level by content.
///
/// A bucket is written s3://bucket/prefix. The store and the keys are those of the environment (AWS_ENDPOINT_URL,
/// AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE) and of the files under ~/.aws.
///
/// Exits with 0 when all went well, 1 when something did not, and 2 when it was called in a wrong way.
#[derive(Debug, Parser)]
#[command(name = "s3-sync", version)]
struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sync(Box<sync::Args>),
    Diff(Box<diff::Args>),
    Verify(Box<verify::Args>),
    Names(names::Args),
    /// Publish a folder as a release, and have nodes follow.
    Release(Box<release::Args>),
}

impl Command {
    async fn run(self, common: &Common, output: &Output) -> Result<Outcome, Failure> {
        match self {
            Self::Sync(args) => args.run(common, output).await,
            Self::Diff(args) => args.run(common, output).await,
            Self::Verify(args) => args.run(common, output).await,
            Self::Names(args) => args.run(common, output).await,
            Self::Release(args) => Box::pin(args.run(common, output)).await,
        }
    }
}

/// What a run came to that did not end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All is well: exit code 0.
    Done,
    /// The rest was done, and what was not has been told: exit code 1.
    InPart,
}

impl Outcome {
    /// What two of them come to.
    fn and(self, other: Self) -> Self {
        match self {
            Self::Done => other,
            Self::InPart => self,
        }
    }
}

fn main() -> ExitCode {
    // Ends the program by itself, with 2 for wrong arguments.
    let args = Args::parse();
    let output = Output::new(args.common.json);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(Box::pin(args.command.run(&args.common, &output))),
        Err(cause) => {
            let what = format!("cannot start: {cause}");
            Err(Failure::Error(Error::new(Kind::File, "", what)))
        }
    };
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::InPart) => ExitCode::from(1),
        Err(failure) => failure.exit(),
    }
}
