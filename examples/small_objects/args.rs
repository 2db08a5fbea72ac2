//! The command line.

use std::path::PathBuf;

use clap::Parser;
use examples::prices;

/// Puts many small things into S3 and their index into SimpleDB, reads all back, and compares.
///
/// Every file becomes an object with metadata (path, mtime, md5) and an item of the index (path,
/// size, md5, mtime). Then all objects are read back and compared byte for byte, the index is
/// selected and compared, and everything is deleted. With --cache, objects and items are read
/// through memcached, each twice. A table at the end tells how fast it was and
/// what it took. Without --endpoint it needs nothing: it starts an emulator of both services as a
/// child process.
///
/// Exits with 0 if everything came back as it went, else with 1 and one line that says why.
#[derive(Parser, Debug)]
#[command(name = "small_objects", version)]
pub(crate) struct Args {
    /// Take every file below this folder. Without it, and without --count, the files of this
    /// project are taken: those that git tracks or, without git, all but .git and target.
    #[arg(long, value_name = "DIR", help_heading = "What")]
    pub from: Option<PathBuf>,

    /// Make this many objects of random bytes, in place of this project's files or, with --from,
    /// beside the folder's.
    #[arg(long, value_name = "N", help_heading = "What")]
    pub count: Option<usize>,

    /// How many bytes each made object has.
    #[arg(long, value_name = "BYTES", default_value_t = 1024, help_heading = "What",
          value_parser = clap::value_parser!(u64).range(..=64 << 20))]
    pub size: u64,

    /// What made objects are made from: the same seed gives the same bytes.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 2009,
        help_heading = "What"
    )]
    pub seed: u64,

    /// Tasks that work at the same time, each on one file.
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "How",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,

    /// The most connections to one server.
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = "How",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub connections: u16,

    /// The most requests in flight on one connection; 1 turns pipelining off. Up to this bound the
    /// pool learns what pays. Without it: 32 for up to 16 connections, else 4.
    #[arg(long, value_name = "N", help_heading = "How",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub depth: Option<u16>,

    /// How often everything is read, one round after the other. Without it: twice with --cache, so
    /// that the second round finds what the first has left there, else once.
    #[arg(long, value_name = "N", help_heading = "How",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: Option<u16>,

    /// Threads of the client.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "How",
          value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,

    /// S3 server, as http://host:port; keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    /// (AWS_SESSION_TOKEN) or from AMAZON_ACCESS_KEY_ID and AMAZON_SECRET_ACCESS_KEY.
    #[arg(long, value_name = "URL", value_parser = examples::endpoint, help_heading = "Where")]
    pub endpoint: Option<String>,

    /// SimpleDB server, with the same keys. Without it the index goes to the emulator.
    #[arg(long, value_name = "URL", value_parser = examples::endpoint, help_heading = "Where")]
    pub sdb_endpoint: Option<String>,

    /// Leave SimpleDB out.
    #[arg(long, conflicts_with_all = ["sdb_endpoint", "domain"], help_heading = "Where")]
    pub no_sdb: bool,

    /// Use this bucket, which must exist and is kept. Without it a new one is made, and deleted at
    /// the end.
    #[arg(long, value_name = "NAME", help_heading = "Where")]
    pub bucket: Option<String>,

    /// Use this domain, which must exist and is kept. Without it a new one is made, and deleted at
    /// the end.
    #[arg(long, value_name = "NAME", help_heading = "Where")]
    pub domain: Option<String>,

    /// Delete nothing at the end.
    #[arg(long, help_heading = "Where")]
    pub keep: bool,

    /// Read objects and items through a cache on these memcached servers: host:port,... or the
    /// paths of unix sockets. Entries are this run's own. A server that is dead, or no memcached,
    /// is said to be so, and what it should have is read from the store.
    #[arg(
        long,
        value_name = "SERVER,...",
        value_delimiter = ',',
        help_heading = "Cache"
    )]
    pub cache: Vec<String>,

    /// How many seconds an entry of the cache lives.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "cache",
          help_heading = "Cache", value_parser = clap::value_parser!(u32).range(1..=30 * 86_400))]
    pub cache_ttl: u32,

    /// Dollars for 1,000 GETs, for an estimate of what the cache saved. The default is what Amazon
    /// publishes for S3 Standard in US East.
    #[arg(long, value_name = "DOLLARS", default_value_t = prices::GET, requires = "cache",
          help_heading = "Cache", value_parser = prices::parse)]
    pub price_get: f64,

    /// Dollars for a machine hour of SimpleDB, for the same estimate. The default is what Amazon
    /// publishes for US East.
    #[arg(long, value_name = "DOLLARS", default_value_t = prices::BOX_HOUR, requires = "cache",
          help_heading = "Cache", value_parser = prices::parse)]
    pub price_box_hour: f64,

    /// Print one JSON object in place of the table.
    #[arg(long)]
    pub json: bool,
}

impl Args {
    /// How often everything is read.
    pub(crate) fn rounds(&self) -> u16 {
        let usual = if self.cache.is_empty() { 1 } else { 2 };
        self.rounds.unwrap_or(usual)
    }
}
