//! A DataFusion query over Parquet in S3 through three clients: see `--help`.

mod adapter;
mod args;
mod query;
mod sample;
mod store;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;

fn main() -> ExitCode {
    // The emulator makes a runtime of its own.
    if let Some(code) = examples::child::serve_if_asked() {
        return code;
    }
    work()
}

#[tokio::main]
async fn work() -> ExitCode {
    let args = Args::parse();
    let outcome = query::run(&args).await;
    examples::exit("datafusion", examples::printed(outcome.map(|()| true)))
}
