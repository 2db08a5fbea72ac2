//! Many small things through S3 and SimpleDB, and back: see `--help`.
//!
//! Read `run` first: it is the whole story. `store` has the requests to S3 and `index` those to
//! SimpleDB, `servers` builds the clients, `phase` runs many jobs at once and measures them. The
//! rest is the command line (`args`), what is stored (`source`), the cache (`cache`) and the table at the end.

mod args;
mod cache;
mod cpu;
mod index;
mod phase;
mod run;
mod servers;
mod source;
mod store;
mod table;
mod transport;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;

/// Why a run cannot go on: one line that names the thing.
#[derive(Debug)]
pub(crate) struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<s3_client::Error> for Failure {
    fn from(error: s3_client::Error) -> Self {
        Self(error.to_string())
    }
}

fn main() -> ExitCode {
    if let Some(code) = examples::child::serve_if_asked() {
        return code;
    }
    match start(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            say(format_args!("{failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether everything came back as it went.
fn start(args: &Args) -> Result<bool, Failure> {
    let runtime = match args.threads {
        1 => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
        n => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(n.into())
            .enable_all()
            .build(),
    };
    let runtime = runtime.map_err(|error| Failure(format!("the runtime: {error}")))?;
    let report = runtime.block_on(run::run(args))?;
    let printed = match args.json {
        true => writeln!(io::stdout(), "{}", report.json()),
        false => write!(io::stdout(), "{report}"),
    };
    printed.map_err(|error| Failure(format!("standard output: {error}")))?;
    Ok(report.different == 0)
}

/// Prints a line for a person; that nobody reads it is no reason to stop.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "small_objects: {line}");
}
