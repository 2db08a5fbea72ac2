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

use examples::Failure;

use crate::args::Args;

fn main() -> ExitCode {
    if let Some(code) = examples::child::serve_if_asked() {
        return code;
    }
    examples::exit("small_objects", start(&Args::parse()))
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
    examples::shown(printed)?;
    Ok(report.different == 0)
}

/// Prints a line for a person; that nobody reads it is no reason to stop.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    examples::say("small_objects", line);
}
