//! A domain of SimpleDB as lines of JSON, in a file or an object of S3: see `--help`.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use examples::place::Place;
use examples::state::State;
use examples::table::{Table, grouped};
use examples::{Server, lines};
use indicatif::{ProgressBar, ProgressStyle};
use s3_client::S3Client;
use sdb_client::query::{Query, item_name};
use sdb_client::{Domain, PutItem, SdbClient, SelectPage};
use serde_json::json;

/// Writes all items of a SimpleDB domain as lines of JSON, into a file or an object of S3.
///
/// One line is one item: {"attributes":{"phone":["555 1","555 2"]},"name":"u1"}. Items come in the order of their
/// names. A run that ends early leaves what it has in files beside the target (.part and .state); the same command
/// then goes on behind the last item. The target itself is written when all is there.
///
/// Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Without an endpoint it starts an emulator with
/// made items, and dumps those.
#[derive(Parser, Debug)]
#[command(name = "sdb_dump", version)]
struct Args {
    /// The domain. Without an endpoint it is made.
    #[arg(long, value_name = "NAME", default_value = "demo")]
    domain: String,

    /// Where to: a file, or s3://bucket/key. Without it, a file named after the domain in the folder for
    /// temporary files.
    #[arg(value_name = "TARGET")]
    to: Option<Place>,

    /// SimpleDB server, as http://host:port or https://host.
    #[arg(long, value_name = "URL", env = "SDB_ENDPOINT")]
    endpoint: Option<String>,

    /// S3 server for a target in S3.
    #[arg(
        long,
        value_name = "URL",
        env = "S3_ENDPOINT",
        default_value = "https://s3.amazonaws.com"
    )]
    s3_endpoint: String,

    /// The most items of one request.
    #[arg(long, value_name = "N", default_value_t = 2500,
          value_parser = clap::value_parser!(u32).range(1..=2500))]
    page: u32,

    /// Read what may be some seconds old; costs the service less.
    #[arg(long)]
    eventual: bool,

    /// How many items to make where there is no endpoint.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    items: usize,

    /// Print one JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

/// What was written so far.
#[derive(Default)]
struct Done {
    last: String,
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
            let _ = writeln!(io::stderr(), "sdb_dump: {error}");
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
    let s3_url = if server.is_new() {
        &server.url
    } else {
        &args.s3_endpoint
    };
    let s3 = S3Client::builder()
        .endpoint(s3_url)
        .credentials(server.keys.clone())
        .build()?;
    let domain = sdb.domain(args.domain.as_str());
    let to = args.to.clone().unwrap_or_else(|| {
        Place::File(std::env::temp_dir().join(format!("{}.jsonl", args.domain)))
    });
    if server.is_new() {
        make_items(&domain, args.items).await?;
        if let Place::Object { bucket, .. } = &to {
            s3.bucket(bucket.as_str()).create().await?;
        }
    }

    let spent = sdb.usage();
    let start = Instant::now();
    let state = State::new(to.beside("state"));
    let part = to.beside("part");
    let mut done = resumable(&state, &part, args).unwrap_or_default();
    let resumed = done.items;
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&part)
        .map_err(|error| format!("{}: {error}", part.display()))?;
    file.set_len(done.bytes)?;
    file.seek(SeekFrom::End(0))?;
    let total = domain.metadata().await?.items;
    let bar = progress(total, done.items);
    let outcome = dump(&sdb, args, &mut file, &state, &mut done, &bar).await;
    bar.finish_and_clear();
    if let Err(error) = outcome {
        let place = state.path().display();
        return Err(format!(
            "{error}; the same command goes on after item {} ({place})",
            done.items
        )
        .into());
    }
    to.store(&part, &s3).await?;
    state.clear()?;

    let usage = sdb.usage();
    let report = Report {
        to: to.to_string(),
        done,
        resumed,
        requests: usage.requests - spent.requests,
        box_usage: usage.box_usage - spent.box_usage,
        elapsed: start.elapsed(),
    };
    report.print(args.json)
}

/// What an earlier run has left, if it was of the same domain and its file is there.
fn resumable(state: &State, part: &Path, args: &Args) -> Option<Done> {
    let found = state.load()?;
    let done = Done {
        last: found["last"].as_str()?.to_owned(),
        items: found["items"].as_u64()?,
        pairs: found["pairs"].as_u64()?,
        bytes: found["bytes"].as_u64()?,
    };
    let same = found["domain"] == args.domain && part.metadata().ok()?.len() >= done.bytes;
    same.then_some(done)
}

async fn dump(
    sdb: &SdbClient,
    args: &Args,
    file: &mut File,
    state: &State,
    done: &mut Done,
    bar: &ProgressBar,
) -> Result<(), Box<dyn Error>> {
    // By names and not by tokens, which the service forgets: a dump can go on a week later.
    let next = |last: &str| {
        let query = Query::all(args.domain.as_str())
            .filter(item_name().gt(last))
            .order_by(item_name())
            .limit(args.page);
        tokio::spawn(page(sdb.clone(), query, !args.eventual))
    };
    let mut coming = next(&done.last);
    loop {
        let page = coming.await??;
        let Some(last) = page.items.last() else {
            return Ok(());
        };
        // The next page comes while this one is written.
        done.last.clone_from(&last.name);
        coming = next(&done.last);
        let mut text = String::new();
        for item in &page.items {
            text.push_str(&lines::write(item));
            done.pairs += item.attributes.len() as u64;
        }
        file.write_all(text.as_bytes())?;
        // Before the state says that it is there.
        file.sync_data()?;
        done.items += page.items.len() as u64;
        done.bytes += text.len() as u64;
        state.save(&json!({
            "domain": args.domain,
            "last": done.last,
            "items": done.items,
            "pairs": done.pairs,
            "bytes": done.bytes,
        }))?;
        bar.set_position(done.items);
    }
}

/// A page that has items, or the last.
async fn page(sdb: SdbClient, query: Query, consistent: bool) -> sdb_client::Result<SelectPage> {
    let select = sdb.select(query).consistent(consistent);
    let mut page = select.clone().await?;
    while page.items.is_empty()
        && let Some(token) = page.next_token
    {
        page = select.clone().token(token).await?;
    }
    Ok(page)
}

async fn make_items(domain: &Domain, count: usize) -> Result<(), Box<dyn Error>> {
    domain.create().await?;
    let item = |i: usize| {
        PutItem::new(format!("item-{i:08}"))
            .add("color", ["red", "green", "dark blue"][i % 3])
            .add("size", format!("{:06}", i * 7919 % 1_000_000))
            .add("tag", format!("t{}", i % 10))
            .add("tag", format!("t{}", i % 7 + 10))
    };
    let put = domain.batch_put().items((0..count).map(item));
    put.await?.into_result()?;
    Ok(())
}

fn progress(total: u64, done: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:40} {human_pos} of {human_len} items, {per_sec}, {eta} left",
    );
    let bar = ProgressBar::new(total.max(done));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_position(done);
    bar
}

struct Report {
    to: String,
    done: Done,
    /// Items that an earlier run had written.
    resumed: u64,
    requests: u64,
    box_usage: f64,
    elapsed: Duration,
}

impl Report {
    fn print(&self, as_json: bool) -> Result<(), Box<dyn Error>> {
        let seconds = self.elapsed.as_secs_f64();
        let rate = (self.done.items - self.resumed) as f64 / seconds.max(1e-6);
        let mut out = io::stdout();
        if as_json {
            let report = json!({
                "target": self.to,
                "items": self.done.items,
                "items_of_earlier_runs": self.resumed,
                "pairs": self.done.pairs,
                "bytes": self.done.bytes,
                "requests": self.requests,
                "seconds": seconds,
                "items_per_second": rate,
                "box_usage_hours": self.box_usage,
            });
            return Ok(writeln!(out, "{report}")?);
        }
        let mut table = Table::new(["dumped to", &self.to]);
        table.row(["items", &grouped(self.done.items)]);
        if self.resumed > 0 {
            table.row(["of an earlier run", &grouped(self.resumed)]);
        }
        table.row(["pairs", &grouped(self.done.pairs)]);
        table.row(["bytes", &grouped(self.done.bytes)]);
        table.row(["requests", &grouped(self.requests)]);
        table.row(["seconds", &format!("{seconds:.2}")]);
        table.row(["items per second", &grouped(rate.round() as u64)]);
        table.row(["BoxUsage", &format!("{:.10} machine hours", self.box_usage)]);
        Ok(write!(out, "{table}")?)
    }
}
