//! What buckets and keys cost over S3, over SimpleDB, and in Redis with indexes kept by hand: see `--help`.

mod measure;
mod redis;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use examples::table::{Table, grouped};
use examples::{Server, say};
use keys::Keys;
use s3_client::{HttpPool, S3Client};
use sdb_client::SdbClient;
use serde_json::json;

use measure::{Row, Store, measure};

/// The most bytes of ASCII that `keys` puts into one item of SimpleDB: 253 of its 256 pairs have 1,024 bytes of it each,
/// less one byte that says that it is text.
const MAX_SIZE: i64 = 253 * 1024 - 1;

/// Fills a store of buckets and keys, reads it, lists it and empties it: over S3, over SimpleDB, and in Redis.
///
/// Redis is used as riak_redis_backend did in 2009, where one put is four commands: it keeps three sets by hand that
/// tell which buckets and keys there are. Over S3 and SimpleDB one put is one request, which is done whole or not at
/// all. The steps are to put all values, get and compare them, list their keys, delete them, and list again. A table
/// tells how long each step took and how many requests it was, with retries; making the S3 bucket and the domain is not
/// in it. riak_redis_backend's own figures for 1,000 values, put one after another, were 7.96 s, and 2.59 s for dets,
/// Erlang's table on disk.
///
/// Keys come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary keys, AWS_SESSION_TOKEN. For a service
/// without an endpoint it starts an emulator, which keeps everything in memory. Requests to Amazon are billed: there are
/// three for each value to each service. Redis is started on a free port of this machine where it is installed (on
/// Debian: apt install redis-server), and left out where it is not. The exit code is 1 when a step fails or finds other
/// values than were put.
#[derive(Parser, Debug)]
#[command(name = "keys", version)]
struct Args {
    /// How many values.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    values: usize,

    /// Bytes of each value, up to 259,071, the most of an item of SimpleDB.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=MAX_SIZE))]
    size: u32,

    /// Buckets that the values are spread over; all are in one bucket of S3, and in one domain.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    buckets: u16,

    /// Tasks that put, get and delete at the same time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    tasks: u16,

    /// The most connections to each server of S3 and SimpleDB.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,

    /// S3 server, as http://host:port or https://host. A bucket is made there, and removed at the end, also after
    /// Ctrl-C.
    #[arg(long, value_name = "URL", env = "S3_ENDPOINT", value_parser = examples::endpoint)]
    endpoint: Option<String>,

    /// SimpleDB server, as http://host:port or https://host. A domain is made there, and removed at the end, also
    /// after Ctrl-C.
    #[arg(long, value_name = "URL", env = "SDB_ENDPOINT", value_parser = examples::endpoint)]
    sdb_endpoint: Option<String>,

    /// The program to start as Redis; it is left out where there is none of this name.
    #[arg(long, value_name = "PROGRAM", default_value = "redis-server")]
    redis: String,

    /// Print one JSON object in place of the table: for each store its steps, with seconds, requests and how many values
    /// were found; and why Redis is missing, if it is.
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    examples::exit("keys", examples::printed(run(&Args::parse()).await))
}

async fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    // First, since a wrong program is known at once.
    let redis = match redis::Redis::start(&args.redis) {
        Ok(server) => Ok(server),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error.to_string()),
        Err(error) => return Err(error.into()),
    };
    let name = format!("keys-{:08x}", fastrand::u32(..));
    let pool = HttpPool::builder().max_connections(args.connections.into());
    let pool = pool.build();
    let mut rows = Vec::new();

    let server = Server::open(args.endpoint.clone()).await?;
    let (count, counter) = counters();
    let s3 = S3Client::builder()
        .endpoint(&*server.url)
        .credentials(server.keys.clone())
        .pool(pool.clone())
        .on_attempt(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
    let bucket = s3.build()?.bucket(name.as_str());
    bucket.create().await?;
    let keys = Keys::s3(bucket.clone(), "p");
    let row = interruptible("S3", Store::Keys(keys.clone()), args, &count).await;
    let removed = async {
        keys.clear().await?;
        bucket.delete_bucket().await.map(drop)
    };
    rows.push(cleared(row, removed.await, "bucket", &name)?);

    let server = match (&args.sdb_endpoint, &args.endpoint) {
        // One emulator has both.
        (None, None) => server,
        (endpoint, _) => Server::open(endpoint.clone()).await?,
    };
    let (count, counter) = counters();
    let sdb = SdbClient::builder()
        .endpoint(&*server.url)
        .credentials(server.keys.clone())
        .pool(pool)
        .on_attempt(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
    let domain = sdb.build()?.domain(name.as_str());
    domain.create().await?;
    let keys = Keys::sdb(domain.clone(), "p");
    let row = interruptible("SimpleDB", Store::Keys(keys), args, &count).await;
    let removed = domain.delete_domain().await.map(drop);
    rows.push(cleared(row, removed, "domain", &name)?);

    let absent = match redis {
        Ok(server) => {
            let (count, commands) = counters();
            let store = Store::Redis(server.addr, commands);
            rows.push(interruptible("Redis", store, args, &count).await?);
            None
        }
        Err(absent) => Some(absent),
    };
    print(&rows, absent.as_deref(), args)?;
    Ok(true)
}

/// Two hands on one number.
fn counters() -> (Arc<AtomicU64>, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    (count.clone(), count)
}

async fn interruptible(
    name: &'static str,
    store: Store,
    args: &Args,
    count: &AtomicU64,
) -> Result<Row, Box<dyn Error>> {
    tokio::select! {
        row = measure(name, store, args, count) => row,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    }
}

/// What went wrong first, when what was made is removed or cannot be.
fn cleared(
    row: Result<Row, Box<dyn Error>>,
    removed: s3_client::Result<()>,
    what: &str,
    name: &str,
) -> Result<Row, Box<dyn Error>> {
    match (row, removed) {
        (Ok(row), Ok(())) => Ok(row),
        (Ok(_), Err(error)) => Err(error.into()),
        (Err(first), Ok(())) => Err(first),
        (Err(first), Err(error)) => {
            say("keys", format_args!("the {what} {name} is left: {error}"));
            Err(first)
        }
    }
}

fn print(rows: &[Row], absent: Option<&str>, args: &Args) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    if args.json {
        let rows = rows.iter().map(|row| {
            let steps = row.steps.iter().map(|step| {
                json!({
                    "step": step.name,
                    "seconds": step.elapsed.as_secs_f64(),
                    "requests": step.requests,
                    "found": step.found,
                })
            });
            json!({ "store": row.store, "steps": steps.collect::<Vec<_>>() })
        });
        let report = json!({
            "values": args.values,
            "size": args.size,
            "buckets": args.buckets,
            "tasks": args.tasks,
            "connections": args.connections,
            "rows": rows.collect::<Vec<_>>(),
            "redis_missing": absent,
        });
        return Ok(writeln!(out, "{report}")?);
    }
    writeln!(
        out,
        "{} values of {} bytes in {} buckets, tasks: {}; requests are Redis's commands in its rows",
        grouped(args.values as u64),
        grouped(args.size.into()),
        args.buckets,
        args.tasks,
    )?;
    let heads = ["store", "step", "seconds", "requests", "requests/value"];
    let mut table = Table::new(heads).numbers();
    for row in rows {
        for step in &row.steps {
            let each = step.requests as f64 / args.values.max(1) as f64;
            table.row([
                row.store.to_owned(),
                step.name.to_owned(),
                format!("{:.3}", step.elapsed.as_secs_f64()),
                grouped(step.requests),
                format!("{each:.2}"),
            ]);
        }
    }
    write!(out, "{table}")?;
    if let Some(absent) = absent {
        writeln!(out, "Redis is left out: {absent}")?;
    }
    Ok(())
}
