//! What the cache does while one of its servers dies and returns: see `--help`.
//!
//! Read `run` first: it is the whole story. `things` says what is stored and whether what is read is right,
//! `keys` which of it is read, `meter` measures, and the rest is the command line, the table and the plot.

mod args;
mod keys;
mod meter;
mod plot;
mod run;
mod stores;
mod table;
mod things;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use examples::Failure;

use crate::args::Args;

fn main() -> ExitCode {
    if let Some(code) = examples::child::serve_if_asked() {
        return code;
    }
    examples::exit("cached_reads", start(&Args::parse()))
}

/// Whether every read was right.
fn start(args: &Args) -> Result<bool, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure(format!("the runtime: {error}")))?;
    let report = runtime.block_on(async {
        tokio::select! {
            report = run::run(args) => report,
            _ = tokio::signal::ctrl_c() => Err(Failure("interrupted".to_owned())),
        }
    })?;
    if let Some(path) = &args.plot {
        plot::draw(&report, path)
            .map_err(|error| Failure(format!("{}: {error}", path.display())))?;
    }
    let printed = match args.json {
        true => writeln!(io::stdout(), "{}", report.json()),
        false => write!(io::stdout(), "{report}"),
    };
    examples::shown(printed)?;
    Ok(report.is_right())
}
