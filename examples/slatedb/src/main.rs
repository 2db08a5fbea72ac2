//! SlateDB, a database on an object store, over this project's client and over another: see `--help`.

mod args;
mod checks;
mod meter;
mod report;
mod run;
mod sample;
mod step;
mod store;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Role};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match &args.role {
        // What a client prints is read by the process that has started it.
        Some(Role::Client(client)) => examples::exit("slatedb", step::run(client).await),
        None => examples::exit("slatedb", run::run(&args).await),
    }
}
