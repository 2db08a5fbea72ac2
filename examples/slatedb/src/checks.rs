//! What has to hold of SlateDB on a store: each check fails with a sentence.

use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use slatedb::admin::AdminBuilder;
use slatedb::config::{GarbageCollectorDirectoryOptions, GarbageCollectorOptions};
use slatedb::{CloseReason, Db, ErrorKind, Settings};

use crate::args::{Client, Which};
use crate::meter::Process;
use crate::sample::{Garbage, Sample};
use crate::step::{Outcome, key, value};

const ROWS: u64 = 2_000;
const SIZE: u64 = 100;

/// How long collecting garbage may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Opens, writes, flushes, scans, fences, opens again and collects garbage.
pub(crate) async fn all(
    args: &Client,
    store: Arc<dyn ObjectStore>,
    process: Process,
) -> Outcome<Sample> {
    let path = args.path.as_str();
    let meter = process.meter();
    let first = open(path, &store).await?;
    for row in 0..ROWS {
        first.put(key(row), value(row, SIZE)).await?;
        first.put(format!("other/{row}"), "x").await?;
    }
    first.flush().await?;
    expect_rows("a scan after a flush", &first, ROWS).await?;
    let none = first.get("row/none").await?;
    ensure(none.is_none(), || {
        "a key that was never put has a value".into()
    })?;

    let second = open(path, &store).await?;
    let refused = async { first.put("row/late", "late").await?.await_durable().await };
    match refused.await {
        Ok(()) => return Err("a writer went on after a second one had opened the database".into()),
        Err(error) => ensure(
            matches!(error.kind(), ErrorKind::Closed(CloseReason::Fenced)),
            || format!("the first of two writers failed otherwise than by being fenced: {error}"),
        )?,
    }
    expect_rows("the second writer's scan", &second, ROWS).await?;
    second.delete(key(0)).await?.await_durable().await?;
    second.close().await?;

    let third = open(path, &store).await?;
    expect_rows("a scan after it was opened again", &third, ROWS - 1).await?;
    let gone = third.get(key(0)).await?;
    ensure(gone.is_none(), || "a row is there that was deleted".into())?;
    third.close().await?;

    let garbage = match tokio::time::timeout(PATIENCE, collects(path, &store)).await {
        Ok(collected) => collected?,
        Err(_) => Garbage::Spins,
    };
    // Over this project's client that is a setting that was forgotten; the other has none.
    ensure(
        garbage != Garbage::Spins || args.which == Which::Theirs,
        || {
            format!(
                "{}; --no-updates has it refused at once",
                garbage.sentence()
            )
        },
    )?;
    let last = open(path, &store).await?;
    expect_rows("a scan after garbage was collected", &last, ROWS - 1).await?;
    last.close().await?;
    Ok(Sample {
        garbage: Some(garbage),
        ..meter.end(ROWS)
    })
}

async fn open(path: &str, store: &Arc<dyn ObjectStore>) -> Outcome<Db> {
    let settings = Settings {
        flush_interval: Some(Duration::from_millis(1)),
        // It is run by hand.
        garbage_collector_options: None,
        ..Settings::default()
    };
    let builder = Db::builder(path, Arc::clone(store)).with_settings(settings);
    Ok(builder.build().await?)
}

/// Whether a second round of the collector of old manifests gets further than the first, for which it replaces an object
/// only if that is still the one that it has read.
async fn collects(path: &str, store: &Arc<dyn ObjectStore>) -> Outcome<Garbage> {
    let first = collect(path, store).await?;
    // Each opening and closing writes a manifest.
    open(path, store).await?.close().await?;
    open(path, store).await?.close().await?;
    let second = collect(path, store).await?;
    ensure(first.is_some(), || {
        "the garbage collector has not noted how far it came".into()
    })?;
    Ok(match second > first {
        true => Garbage::Collected,
        false => Garbage::Stays,
    })
}

/// Collects old manifests; up to which, if any was old.
async fn collect(path: &str, store: &Arc<dyn ObjectStore>) -> Outcome<Option<u64>> {
    let manifests = GarbageCollectorDirectoryOptions {
        interval: None,
        min_age: Duration::ZERO,
        dry_run: false,
    };
    let options = GarbageCollectorOptions {
        manifest_options: Some(manifests),
        wal_options: None,
        wal_fence_options: None,
        compacted_options: None,
        compactions_options: None,
        ..GarbageCollectorOptions::default()
    };
    let admin = AdminBuilder::new(path, Arc::clone(store)).build();
    // What it meets is logged and not returned.
    admin.run_gc_once(options).await?;
    let noted = Path::from(format!("{path}/gc/manifest.boundary"));
    match store.get(&noted).await {
        Ok(found) => Ok(Some(
            std::str::from_utf8(&found.bytes().await?)?.trim().parse()?,
        )),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// How many rows begin with this, in order and each with the value that it was put with.
pub(crate) async fn rows(db: &Db, prefix: &str, size: u64) -> Outcome<u64> {
    let mut found = db.scan_prefix(prefix, ..).await?;
    let (mut count, mut last) = (0, None);
    while let Some(row) = found.next().await? {
        let name = std::str::from_utf8(&row.key)?;
        let number = name.strip_prefix(prefix).unwrap_or_default();
        let number: u64 = number
            .parse()
            .map_err(|_| format!("a scan found {name}, which was never put"))?;
        ensure(last < Some(number), || {
            format!("a scan found {name} out of order")
        })?;
        ensure(*row.value == value(number, size), || {
            format!("{name} has another value than was put")
        })?;
        last = Some(number);
        count += 1;
    }
    Ok(count)
}

async fn expect_rows(when: &str, db: &Db, rows: u64) -> Outcome<()> {
    let found = self::rows(db, "row/", SIZE).await?;
    ensure(found == rows, || {
        format!("{when} found {found} rows of {rows}")
    })
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome<()> {
    match holds {
        true => Ok(()),
        false => Err(otherwise().into()),
    }
}
