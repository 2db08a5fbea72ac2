//! Reads of values that are there: the client of this workspace, and the S3 client's cache above
//! it, beside a loop by hand and, with `--features memcached-peers`, others.

use std::io::Write;

use benches::memcached::contest::{self, ClientArgs};
use benches::progress::Progress;
use benches::{BoxError, server};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures the memcached client beside its peers.")]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// How often each client has its turn.
    #[arg(long, default_value_t = 7)]
    reps: usize,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    args: contest::Args,
}

#[derive(Subcommand)]
enum Command {
    /// Run one client against a server that is up, and print the sample as JSON.
    Client(ClientArgs),
    /// Be the store of what is cached.
    Serve(server::Args),
}

fn main() -> Result<(), BoxError> {
    let cli = Cli::parse();
    let mut out = std::io::stdout();
    match cli.command {
        Some(Command::Serve(args)) => return args.serve(),
        Some(Command::Client(args)) => {
            let sample = contest::run(args)?;
            writeln!(out, "{}", serde_json::to_string(&sample)?)?;
            // A thread that blocks is not waited for.
            std::process::exit(0);
        }
        None => {}
    }
    let progress = Progress::new(contest::turns(cli.reps));
    let report = contest::measure(&cli.args, cli.reps, "client", &progress)?;
    drop(progress);
    if cli.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        writeln!(out, "{report}")?;
    }
    Ok(())
}
