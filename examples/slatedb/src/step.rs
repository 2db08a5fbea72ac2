//! What a client's process does: one step, whose sample it prints.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use object_store::ObjectStore;
use slatedb::config::{CloseOptions, FlushOptions, FlushType};
use slatedb::{Db, Settings};
use tokio::task::JoinSet;

use crate::args::{Client, Step};
use crate::checks;
use crate::meter::Process;
use crate::sample::{Sample, count, quantile, times};
use crate::store::{self, Keys};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Does a step, and prints what it came to.
pub(crate) async fn run(args: &Client) -> Result<bool, Box<dyn Error>> {
    let process = Process::new();
    let keys = Keys::of_environment()?;
    let store = store::open(args.which, &args.endpoint, &args.bucket, &keys, &args.at)?;
    let sample = match args.step {
        Step::Check => checks::all(args, store, process).await,
        Step::Put => put(args, store, process).await,
        Step::Fill => fill(args, store, process).await,
        Step::Get => get(args, store, process).await,
        Step::Log => log(args, store, process).await,
        Step::Replay => replay(args, store, process).await,
    };
    let sample = sample.map_err(|error| error as Box<dyn Error>)?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&sample)?)?;
    Ok(true)
}

/// What SlateDB is told: nothing runs beside what is measured, and a log of any length is left alone.
fn settings(args: &Client) -> Settings {
    Settings {
        flush_interval: Some(Duration::from_millis(args.load.flush)),
        max_wal_flushes_before_l0_flush: u64::MAX,
        compactor_options: None,
        garbage_collector_options: None,
        ..Settings::default()
    }
}

async fn open(args: &Client, store: Arc<dyn ObjectStore>) -> Outcome<Db> {
    let builder = Db::builder(&*args.path, store).with_settings(settings(args));
    Ok(builder.with_db_cache_disabled().build().await?)
}

/// The key of a row.
pub(crate) fn key(row: u64) -> String {
    format!("row/{row:010}")
}

/// A value that no compression would make smaller by much, and that can be told from that of another row.
pub(crate) fn value(row: u64, size: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(row);
    (0..size).map(|_| random.u8(..)).collect()
}

/// Has some tasks do something with numbers, each as long as there are more, and takes the time of each.
async fn each<F>(
    tasks: u64,
    total: u64,
    act: impl Fn(u64) -> F + Clone + Send + Sync + 'static,
) -> Outcome<Histogram<u64>>
where
    F: Future<Output = Outcome<()>> + Send,
{
    let next = Arc::new(AtomicU64::new(0));
    let mut running = JoinSet::new();
    for _ in 0..tasks.min(total) {
        let (next, act) = (Arc::clone(&next), act.clone());
        running.spawn(async move {
            let mut times = times();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= total {
                    return Outcome::Ok(times);
                }
                let start = Instant::now();
                act(i).await?;
                count(&mut times, start.elapsed());
            }
        });
    }
    let mut all = times();
    while let Some(ended) = running.join_next().await {
        all.add(ended??)?;
    }
    Ok(all)
}

fn timed(sample: Sample, times: &Histogram<u64>) -> Sample {
    Sample {
        p50: quantile(times, 0.5),
        p99: quantile(times, 0.99),
        ..sample
    }
}

/// Rows of tasks that each wait until theirs is in the store.
async fn put(args: &Client, store: Arc<dyn ObjectStore>, process: Process) -> Outcome<Sample> {
    let db = open(args, store).await?;
    let (writer, size) = (db.clone(), args.load.size);
    let meter = process.meter();
    let times = each(args.load.writers, args.load.rows, move |row| {
        let db = writer.clone();
        async move {
            let put = db.put(key(row), value(row, size)).await?;
            Ok(put.await_durable().await?)
        }
    })
    .await?;
    let sample = meter.end(args.load.rows);
    db.close().await?;
    Ok(timed(sample, &times))
}

/// The rows that [`get`] reads, in one sorted table, which is how SlateDB keeps what is no longer in its log.
async fn fill(args: &Client, store: Arc<dyn ObjectStore>, process: Process) -> Outcome<Sample> {
    let db = open(args, store).await?;
    let meter = process.meter();
    for row in 0..args.load.rows {
        db.put(key(row), value(row, args.load.size)).await?;
    }
    let flush_type = FlushType::MemTable;
    db.flush_with_options(FlushOptions { flush_type }).await?;
    let sample = meter.end(args.load.rows);
    db.close().await?;
    Ok(sample)
}

/// Rows that come from the store with all that tells where they are.
async fn get(args: &Client, store: Arc<dyn ObjectStore>, process: Process) -> Outcome<Sample> {
    let db = open(args, store).await?;
    let (reader, rows, size) = (db.clone(), args.load.rows, args.load.size);
    let meter = process.meter();
    let times = each(args.load.readers, args.load.gets, move |i| {
        let db = reader.clone();
        // The same rows for both clients, all over the table.
        let row = fastrand::Rng::with_seed(i).u64(..rows);
        async move {
            let found = db.get(key(row)).await?;
            match found.is_some_and(|found| *found == value(row, size)) {
                true => Ok(()),
                false => {
                    Err(format!("{} has another value than was put, or none", key(row)).into())
                }
            }
        }
    })
    .await?;
    let sample = meter.end(args.load.gets);
    db.close().await?;
    Ok(timed(sample, &times))
}

/// Leaves a log of many objects, as a process does that is killed.
async fn log(args: &Client, store: Arc<dyn ObjectStore>, process: Process) -> Outcome<Sample> {
    let db = open(args, store).await?;
    let meter = process.meter();
    for row in 0..args.load.replay {
        db.put(key(row), value(row, args.load.size)).await?;
        db.flush().await?;
    }
    let sample = meter.end(args.load.replay);
    let nothing_more = CloseOptions::default().with_flush_type(None);
    db.close_with_options(nothing_more).await?;
    Ok(sample)
}

/// Opens the database that [`log`] has left, which reads all of its log.
async fn replay(args: &Client, store: Arc<dyn ObjectStore>, process: Process) -> Outcome<Sample> {
    let meter = process.meter();
    let db = open(args, store).await?;
    let sample = meter.end(args.load.replay);
    let found = checks::rows(&db, "row/", args.load.size).await?;
    if found != args.load.replay {
        let put = args.load.replay;
        return Err(format!("{found} rows are there after the log of {put} was replayed").into());
    }
    let nothing_more = CloseOptions::default().with_flush_type(None);
    db.close_with_options(nothing_more).await?;
    Ok(sample)
}
