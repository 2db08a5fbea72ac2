//! Lines of JSON, as `sdb_dump` writes them, into a domain of SimpleDB: see `--help`.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use examples::place::Place;
use examples::state::State;
use examples::table::{Table, grouped};
use examples::{Server, lines};
use indicatif::{ProgressBar, ProgressStyle};
use s3_client::S3Client;
use sdb_client::query::Query;
use sdb_client::{Domain, SdbClient};
use serde_json::json;

/// Writes items from lines of JSON into a SimpleDB domain, which is made if it is not there.
///
/// Each line is an item as sdb_dump writes it. Its attributes take the place of those that the item has; others
/// stay. A run that ends early keeps how far it came in a file beside the source (.restore); the same command then
/// goes on from there. To write an item twice does no harm.
///
/// Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Without an endpoint it restores into an emulator,
/// which shows whether a dump is whole.
#[derive(Parser, Debug)]
#[command(name = "sdb_restore", version)]
struct Args {
    /// The domain.
    #[arg(long, value_name = "NAME", default_value = "demo")]
    domain: String,

    /// Where from: a file, or s3://bucket/key. Without it, the file that sdb_dump writes for the domain where
    /// nothing else is said.
    #[arg(value_name = "SOURCE")]
    from: Option<Place>,

    /// SimpleDB server, as http://host:port or https://host.
    #[arg(long, value_name = "URL", env = "SDB_ENDPOINT")]
    endpoint: Option<String>,

    /// S3 server for a source in S3.
    #[arg(
        long,
        value_name = "URL",
        env = "S3_ENDPOINT",
        default_value = "https://s3.amazonaws.com"
    )]
    s3_endpoint: String,

    /// Requests of 25 items that are under way at the same time.
    #[arg(long, value_name = "N", default_value_t = 8,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,

    /// Print one JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

/// Items of one step, after which the state is kept.
const STEP: usize = 2500;

/// What was restored so far.
#[derive(Default)]
struct Done {
    items: u64,
    pairs: u64,
    bytes: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // That nobody reads it is no reason to stop.
            let _ = writeln!(io::stderr(), "sdb_restore: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let server = Server::open(args.endpoint.clone()).await?;
    let sdb = SdbClient::builder()
        .endpoint(&*server.url)
        .credentials(server.keys.clone())
        .build()?;
    let s3 = S3Client::builder()
        .endpoint(&*args.s3_endpoint)
        .credentials(server.keys.clone())
        .build()?;
    let from = args.from.clone().unwrap_or_else(|| {
        Place::File(std::env::temp_dir().join(format!("{}.jsonl", args.domain)))
    });
    let start = Instant::now();
    let path = from
        .fetch(&s3)
        .await
        .map_err(|error| format!("{from}: {error}"))?;
    let mut file = File::open(&path).map_err(|error| format!("{from}: {error}"))?;
    let len = file.metadata()?.len();

    let state = State::new(from.beside("restore"));
    // A new emulator has nothing of an earlier run.
    let left = if server.is_new() {
        None
    } else {
        resumable(&state, args, len)
    };
    let mut done = left.unwrap_or_default();
    let resumed = done.items;
    file.seek(SeekFrom::Start(done.bytes))?;
    let bar = progress(len, done.bytes);
    let domain = sdb.domain(args.domain.as_str());
    domain.create().await?;
    let outcome = restore(&domain, args, file, &state, &mut done, &bar).await;
    bar.finish_and_clear();
    if let Err(error) = outcome {
        let place = state.path().display();
        return Err(format!(
            "{error}; the same command goes on after item {} ({place})",
            done.items
        )
        .into());
    }
    state.clear()?;
    if matches!(from, Place::Object { .. }) {
        std::fs::remove_file(&path)?;
    }

    let elapsed = start.elapsed();
    let usage = sdb.usage();
    let count = sdb
        .select(Query::count(args.domain.as_str()))
        .consistent(true)
        .count();
    let report = Report {
        from: from.to_string(),
        done,
        resumed,
        requests: usage.requests,
        box_usage: usage.box_usage,
        in_domain: count.await?.count,
        elapsed,
    };
    report.print(args.json)
}

/// What an earlier run has left, if it was of the same domain and the source is as long as it was.
fn resumable(state: &State, args: &Args, len: u64) -> Option<Done> {
    let found = state.load()?;
    let done = Done {
        items: found["items"].as_u64()?,
        pairs: found["pairs"].as_u64()?,
        bytes: found["bytes"].as_u64()?,
    };
    let same = found["domain"] == args.domain && found["len"] == len && done.bytes <= len;
    same.then_some(done)
}

async fn restore(
    domain: &Domain,
    args: &Args,
    file: File,
    state: &State,
    done: &mut Done,
    bar: &ProgressBar,
) -> Result<(), Box<dyn Error>> {
    let len = file.metadata()?.len();
    let mut file = BufReader::new(file);
    loop {
        let mut items = Vec::with_capacity(STEP);
        let mut bytes = 0;
        let mut line = String::new();
        while items.len() < STEP && file.read_line(&mut line)? > 0 {
            bytes += line.len() as u64;
            if !line.trim().is_empty() {
                let number = done.items + items.len() as u64 + 1;
                let item = lines::read(&line).map_err(|why| format!("item {number}: {why}"))?;
                items.push(item);
            }
            line.clear();
        }
        if bytes == 0 {
            return Ok(());
        }
        let count = items.len() as u64;
        let pairs: usize = items.iter().map(|item| item.len()).sum();
        let put = domain
            .batch_put()
            .items(items)
            .parallel(args.parallel.into());
        put.await?.into_result()?;
        done.items += count;
        done.pairs += pairs as u64;
        done.bytes += bytes;
        state.save(&json!({
            "domain": args.domain,
            "len": len,
            "items": done.items,
            "pairs": done.pairs,
            "bytes": done.bytes,
        }))?;
        bar.set_position(done.bytes);
    }
}

fn progress(len: u64, done: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
    );
    let bar = ProgressBar::new(len);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_position(done);
    bar
}

struct Report {
    from: String,
    done: Done,
    /// Items that an earlier run had restored.
    resumed: u64,
    requests: u64,
    box_usage: f64,
    in_domain: u64,
    elapsed: Duration,
}

impl Report {
    fn print(&self, as_json: bool) -> Result<(), Box<dyn Error>> {
        let seconds = self.elapsed.as_secs_f64();
        let rate = (self.done.items - self.resumed) as f64 / seconds.max(1e-6);
        let mut out = io::stdout();
        if as_json {
            let report = json!({
                "source": self.from,
                "items": self.done.items,
                "items_of_earlier_runs": self.resumed,
                "pairs": self.done.pairs,
                "bytes": self.done.bytes,
                "items_in_domain": self.in_domain,
                "requests": self.requests,
                "seconds": seconds,
                "items_per_second": rate,
                "box_usage_hours": self.box_usage,
            });
            return Ok(writeln!(out, "{report}")?);
        }
        let mut table = Table::new(["restored from", &self.from]);
        table.row(["items", &grouped(self.done.items)]);
        if self.resumed > 0 {
            table.row(["of an earlier run", &grouped(self.resumed)]);
        }
        table.row(["pairs", &grouped(self.done.pairs)]);
        table.row(["bytes", &grouped(self.done.bytes)]);
        table.row(["items in the domain", &grouped(self.in_domain)]);
        table.row(["requests", &grouped(self.requests)]);
        table.row(["seconds", &format!("{seconds:.2}")]);
        table.row(["items per second", &grouped(rate.round() as u64)]);
        table.row(["BoxUsage", &format!("{:.10} machine hours", self.box_usage)]);
        Ok(write!(out, "{table}")?)
    }
}
