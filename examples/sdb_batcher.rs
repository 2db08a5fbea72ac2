//! What joining the puts of many tasks saves: see `--help`.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use examples::table::{Table, grouped};
use examples::{Server, say};
use hdrhistogram::Histogram;
use sdb_client::{Domain, HttpPool, Kind, PutItem, SdbClient};
use serde_json::json;
use tokio::task::JoinSet;

/// Puts items into SimpleDB from many tasks, three times: each put by itself, through a Batcher, and as one batch_put.
///
/// A table tells what each way took: requests, time, BoxUsage, and how long a task waited for its put. Keys come from
/// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Without an endpoint it starts an emulator; its BoxUsage is that of a
/// model.
#[derive(Parser, Debug)]
#[command(name = "sdb_batcher", version)]
struct Args {
    /// How many items.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    items: usize,

    /// Tasks that put at the same time.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..))]
    tasks: u16,

    /// How long an item waits for others, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5)]
    wait: u64,

    /// The most connections.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,

    /// SimpleDB server, as http://host:port or https://host. A domain is made there, and removed at the end, also
    /// after Ctrl-C.
    #[arg(long, value_name = "URL", env = "SDB_ENDPOINT", value_parser = examples::endpoint)]
    endpoint: Option<String>,

    /// Print one JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

/// What one way took.
struct Row {
    way: &'static str,
    requests: u64,
    box_usage: f64,
    elapsed: Duration,
    /// Microseconds; nothing where tasks do not wait for single puts.
    waits: Option<Histogram<u64>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    examples::exit("sdb_batcher", examples::printed(run(&Args::parse()).await))
}

async fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let server = Server::open(args.endpoint.clone()).await?;
    let sdb = SdbClient::builder()
        .endpoint(&*server.url)
        .credentials(server.keys.clone())
        .pool(
            HttpPool::builder()
                .max_connections(args.connections.into())
                .build(),
        )
        .build()?;
    let domain = sdb.domain(format!("batcher-{:08x}", fastrand::u32(..)));
    // Until it is known, it may be.
    let made = Cell::new(true);
    let rows = tokio::select! {
        rows = create_and_measure(&sdb, &domain, args, &made) => rows,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    if made.get() {
        let deleted: Result<_, Box<dyn Error>> = tokio::select! {
            deleted = domain.delete_domain().send() => deleted.map_err(Into::into),
            // Nobody has to wait for a server that does not answer.
            _ = tokio::signal::ctrl_c() => Err("interrupted again".into()),
        };
        if rows.is_ok() {
            deleted?;
        } else if let Err(error) = deleted {
            // What went wrong first is what matters, but this is left to do by hand.
            say(
                "sdb_batcher",
                format_args!("the domain {} is left: {error}", domain.name()),
            );
        }
    }
    print(&rows?, args)?;
    Ok(true)
}

async fn create_and_measure(
    sdb: &SdbClient,
    domain: &Domain,
    args: &Args,
    made: &Cell<bool>,
) -> Result<Vec<Row>, Box<dyn Error>> {
    if let Err(error) = domain.create().await {
        made.set(error.may_have_been_sent() && error.kind() != Kind::Service);
        return Err(error.into());
    }
    measure(sdb, domain, args).await
}

fn item(i: usize) -> PutItem {
    PutItem::new(format!("item-{i:08}"))
        .replace("color", ["red", "green", "dark blue"][i % 3])
        .replace("size", format!("{:06}", i % 1_000_000))
}

async fn measure(
    sdb: &SdbClient,
    domain: &Domain,
    args: &Args,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let single = timed(sdb, "single puts", async {
        let put = |item| domain.put_item(item).send();
        each(args, put).await.map(Some)
    });
    let single = single.await?;
    let batcher = domain
        .batcher()
        .max_wait(Duration::from_millis(args.wait))
        .parallel(args.connections.into())
        .start()?;
    let joined = timed(sdb, "Batcher", async {
        let put = |item| batcher.put(item).send();
        each(args, put).await.map(Some)
    });
    let joined = joined.await?;
    batcher.close().await;
    let all = timed(sdb, "batch_put", async {
        let put = domain.batch_put().items((0..args.items).map(item));
        put.parallel(args.connections.into()).await?.into_result()?;
        Ok(None)
    });
    Ok(vec![single, joined, all.await?])
}

async fn timed(
    sdb: &SdbClient,
    way: &'static str,
    work: impl Future<Output = Result<Option<Histogram<u64>>, Box<dyn Error>>>,
) -> Result<Row, Box<dyn Error>> {
    let (before, start) = (sdb.usage(), Instant::now());
    let waits = work.await?;
    let (elapsed, after) = (start.elapsed(), sdb.usage());
    Ok(Row {
        way,
        requests: after.requests - before.requests,
        box_usage: after.box_usage - before.box_usage,
        elapsed,
        waits,
    })
}

/// Has all items put, each by one of the tasks, and gives how long each took.
async fn each<F>(
    args: &Args,
    put: impl Fn(PutItem) -> F + Clone,
) -> Result<Histogram<u64>, Box<dyn Error>>
where
    F: Future<Output = sdb_client::Result<sdb_client::Usage>> + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    let mut waits = Histogram::<u64>::new(3)?;
    loop {
        while running.len() < args.tasks.into() {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= args.items {
                break;
            }
            let put = put(item(i));
            running.spawn(async move {
                let start = Instant::now();
                put.await.map(|_| start.elapsed())
            });
        }
        let Some(done) = running.join_next().await else {
            return Ok(waits);
        };
        let took = done??;
        waits.record(u64::try_from(took.as_micros())?)?;
    }
}

fn print(rows: &[Row], args: &Args) -> Result<(), Box<dyn Error>> {
    let quantile = |row: &Row, q: f64| {
        let waits = row.waits.as_ref()?;
        Some(waits.value_at_quantile(q) as f64 / 1e3)
    };
    let rate = |row: &Row| args.items as f64 / row.elapsed.as_secs_f64().max(1e-6);
    let mut out = io::stdout();
    if args.json {
        let rows = rows.iter().map(|row| {
            json!({
                "way": row.way,
                "requests": row.requests,
                "seconds": row.elapsed.as_secs_f64(),
                "items_per_second": rate(row),
                "box_usage_hours": row.box_usage,
                "p50_ms": quantile(row, 0.5),
                "p99_ms": quantile(row, 0.99),
            })
        });
        let report = json!({
            "items": args.items,
            "tasks": args.tasks,
            "connections": args.connections,
            "wait_ms": args.wait,
            "rows": rows.collect::<Vec<_>>(),
        });
        return Ok(writeln!(out, "{report}")?);
    }
    let heads = [
        "",
        "requests",
        "seconds",
        "items/s",
        "p50 ms",
        "p99 ms",
        "BoxUsage hours",
    ];
    let mut table = Table::new(heads).numbers();
    for row in rows {
        let wait = |q| quantile(row, q).map_or("-".to_owned(), |ms| format!("{ms:.2}"));
        table.row([
            row.way.to_owned(),
            grouped(row.requests),
            format!("{:.2}", row.elapsed.as_secs_f64()),
            grouped(rate(row).round() as u64),
            wait(0.5),
            wait(0.99),
            format!("{:.6}", row.box_usage),
        ]);
    }
    writeln!(
        out,
        "{} items by {} tasks over up to {} connections, joined for up to {} ms",
        grouped(args.items as u64),
        args.tasks,
        args.connections,
        args.wait
    )?;
    Ok(write!(out, "{table}")?)
}
