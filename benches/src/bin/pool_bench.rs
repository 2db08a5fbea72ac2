//! Runs clients in processes of their own, each in turn, and compares them.

use std::io::Write;

use benches::BoxError;
use benches::client::{self, Args};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures the pool beside its peers.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one client against a server that is up, and print the sample as JSON.
    Client(Args),
}

fn main() -> Result<(), BoxError> {
    let Command::Client(args) = Cli::parse().command;
    let sample = client::run(&args)?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&sample)?)?;
    Ok(())
}
