//! The command line.

use clap::{Parser, Subcommand, ValueEnum};

/// Runs SlateDB on an S3 store over two clients in turns: this project's, by `s3-object-store`, and `object_store`'s own.
///
/// First each client is checked: rows are put, flushed, scanned and read; a second writer opens the database, after
/// which the first must be refused; what was written is there after the database is opened again; garbage is collected.
/// Then it measures rows put per second by tasks that each wait until their row is in the store, the time of gets
/// without any of SlateDB's caches, and how long it takes to open a database whose log is many small objects. Each
/// figure is of a process of its own: its CPU time is SlateDB's and the client's, without the store's.
///
/// Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; AWS_SESSION_TOKEN is not read. Without an endpoint it
/// starts an emulator, which keeps everything in memory. A bucket is made, and removed at the end, also after Ctrl-C.
/// Requests to Amazon are billed. The exit code is 1 when a check or a request fails.
#[derive(Parser, Debug)]
#[command(name = "slatedb", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// S3 server, as http://host:port or https://host.
    #[arg(long, value_name = "URL", env = "S3_ENDPOINT", value_parser = examples::endpoint)]
    pub(crate) endpoint: Option<String>,

    #[command(flatten)]
    pub(crate) at: At,

    #[command(flatten)]
    pub(crate) load: Load,

    /// Milliseconds that the emulator waits before each answer while something is measured.
    #[arg(long, value_name = "MS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=1000))]
    pub(crate) delay: u64,

    /// How often each client is measured; the table has the medians.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    pub(crate) turns: u16,

    /// Check only, and measure nothing.
    #[arg(long)]
    pub(crate) check_only: bool,

    /// Print one JSON object in place of the table, with the samples of all turns.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// How the clients speak to the store.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct At {
    /// Region that requests are signed for by Version 4.
    #[arg(long, value_name = "NAME", default_value = "us-east-1")]
    pub(crate) region: String,

    /// Have s3-object-store sign by Version 2, which object_store's own client cannot.
    #[arg(long)]
    pub(crate) v2: bool,

    /// The store does not replace objects by a quoted entity tag, as Ceph RGW up to 16.2 does not: s3-object-store
    /// refuses such a write, and SlateDB's garbage collector stays where it is.
    #[arg(long)]
    pub(crate) no_updates: bool,
}

/// What is measured.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Load {
    /// Rows that are put.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rows: u64,

    /// Bytes of each value.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) size: u64,

    /// Tasks that put at the same time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) writers: u64,

    /// Milliseconds between two flushes of SlateDB's log.
    #[arg(long, value_name = "MS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) flush: u64,

    /// Rows that are read.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) gets: u64,

    /// Tasks that get at the same time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) readers: u64,

    /// Objects of the log that is replayed, of one row each.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) replay: u64,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Role {
    /// One step of one client, whose keys are in the environment; prints a line of JSON.
    #[command(hide = true)]
    Client(Client),
}

/// One step of one client.
#[derive(clap::Args, Debug)]
pub(crate) struct Client {
    #[arg(long, value_enum)]
    pub(crate) which: Which,

    #[arg(long, value_enum)]
    pub(crate) step: Step,

    #[arg(long, value_parser = examples::endpoint)]
    pub(crate) endpoint: String,

    #[arg(long)]
    pub(crate) bucket: String,

    /// Where the database is in the bucket.
    #[arg(long)]
    pub(crate) path: String,

    #[command(flatten)]
    pub(crate) at: At,

    #[command(flatten)]
    pub(crate) load: Load,
}

/// The client below SlateDB.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// This project's.
    #[value(name = "s3-object-store")]
    Ours,
    /// `object_store::aws`.
    #[value(name = "object_store")]
    Theirs,
}

impl Which {
    pub(crate) const ALL: [Self; 2] = [Self::Ours, Self::Theirs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "s3-object-store",
            Self::Theirs => "object_store",
        }
    }
}

/// What a client does.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Everything that has to hold.
    Check,
    /// Puts rows and waits for each.
    Put,
    /// Puts the rows that are read.
    Fill,
    /// Gets rows.
    Get,
    /// Makes the log that is replayed.
    Log,
    /// Opens the database of that log.
    Replay,
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Put => "put",
            Self::Fill => "fill",
            Self::Get => "get",
            Self::Log => "log",
            Self::Replay => "replay",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let args = Args::parse_from(["slatedb", "--turns", "2", "--v2"]);
        assert!(args.role.is_none() && args.at.v2 && args.turns == 2);
    }
}
