//! Asks a store of S3 what it takes: runs a few operations in it with the client's default settings, and prints how they
//! were signed and what each answered.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use clap::Parser;
use examples::table::Table;
use examples::{Server, exit, printed};
use futures_util::stream;
use s3_client::request::RetryConfig;
use s3_client::{Bucket, Error, Result, S3Client, Signature, Source};

/// Asks a store of S3 what it takes.
///
/// It runs a few operations with the client's default settings, and removes what it has made. The exit code is 1 if one of
/// them has failed. Without --endpoint it asks an emulator.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The address of the store; the keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    #[arg(long, value_name = "URL", env = "S3_ENDPOINT", value_parser = examples::endpoint)]
    endpoint: Option<String>,

    /// A bucket that is there, in which only keys that begin with any-store/ are touched; without it, one is made
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,

    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// One operation, and what became of it.
struct Row {
    name: &'static str,
    /// How many requests it took.
    requests: u64,
    answer: String,
    failed: bool,
}

/// What became of the operations.
struct Report {
    rows: Vec<Row>,
    requests: Arc<AtomicU64>,
}

impl Report {
    async fn step(&mut self, name: &'static str, operation: impl Future<Output = Result<String>>) {
        let before = self.requests.load(Ordering::Relaxed);
        let outcome = operation.await;
        self.rows.push(Row {
            name,
            requests: self.requests.load(Ordering::Relaxed) - before,
            failed: outcome.is_err(),
            answer: outcome.unwrap_or_else(|error| said(&error)),
        });
    }
}

/// An error in a few words.
fn said(error: &Error) -> String {
    match (error.status(), error.code()) {
        (Some(status), Some(code)) => format!("{status} {code}"),
        (Some(status), None) => format!("{status}"),
        _ => error.to_string(),
    }
}

fn done<T>(_: T) -> String {
    "done".to_owned()
}

/// A body that can be read once.
fn once(text: &'static str) -> Source {
    let pieces = [Ok::<_, io::Error>(Bytes::from_static(text.as_bytes()))];
    Source::stream(text.len() as u64, stream::iter(pieces))
}

const PREFIX: &str = "any-store/";

/// Runs the operations in a bucket that is there, and leaves nothing in it.
async fn operations(bucket: &Bucket, report: &mut Report) {
    let key = |name: &str| format!("{PREFIX}{name}");
    let keys = [key("a b+c%2F\u{e9}"), key("stream"), key("large")];
    let put = bucket.put(&keys[0], "meow").metadata("mood", "sleepy");
    report.step("put", async { put.await.map(done) }).await;
    let put = bucket.put(&keys[1], once("miaow"));
    report
        .step("put a stream", async { put.await.map(done) })
        .await;
    let put = bucket.put(&keys[2], vec![7; 3 << 20]);
    report
        .step("put 3 MiB", async { put.await.map(done) })
        .await;
    let got = async {
        let got = bucket.get(&keys[1]).range(1..4).await?;
        let bytes = got.body.bytes(100).await?;
        Ok(format!("{:?}", String::from_utf8_lossy(&bytes)))
    };
    report.step("get three bytes", got).await;
    let head = async {
        let head = bucket.head(&keys[0]).await?;
        Ok(format!(
            "mood {:?}",
            head.metadata("mood").unwrap_or_default()
        ))
    };
    report.step("head", head).await;
    let listed = async {
        let mut listing = bucket.list().prefix(PREFIX).objects();
        let mut count = 0;
        while listing.try_next().await?.is_some() {
            count += 1;
        }
        Ok(format!("{count} objects"))
    };
    report.step("list", listed).await;
    let missing = async {
        match bucket.get(key("missing")).await {
            Ok(_) => Ok("found".to_owned()),
            Err(error) if error.is_not_found() => Ok(said(&error)),
            Err(error) => Err(error),
        }
    };
    report.step("get what is not there", missing).await;
    let removed = async {
        for key in &keys {
            bucket.delete(key).await?;
        }
        Ok(format!("{} objects", keys.len()))
    };
    report.step("delete", removed).await;
}

fn named(signature: &Signature) -> String {
    match signature {
        Signature::V2 => "Version 2".to_owned(),
        Signature::V4 { region } => format!("Version 4, region {region}"),
        _ => "unknown".to_owned(),
    }
}

async fn ask(args: &Args) -> std::result::Result<bool, Box<dyn std::error::Error>> {
    let server = Server::open(args.endpoint.clone()).await?;
    let requests = Arc::new(AtomicU64::new(0));
    let counter = requests.clone();
    let client = S3Client::builder()
        .endpoint(&server.url)
        .credentials(server.keys)
        .timeout(Duration::from_secs(20))
        .retry(RetryConfig::none())
        .on_attempt(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        })
        .build()?;
    let mut report = Report {
        rows: Vec::new(),
        requests,
    };
    let bucket = match &args.bucket {
        Some(name) => client.bucket(name.as_str()),
        None => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
            let bucket = client.bucket(format!("any-store-{:x}", since.as_micros()));
            let create = bucket.create();
            report
                .step("create a bucket", async { create.await.map(done) })
                .await;
            bucket
        }
    };
    operations(&bucket, &mut report).await;
    if args.bucket.is_none() {
        let delete = bucket.delete_bucket();
        report
            .step("delete the bucket", async { delete.await.map(done) })
            .await;
    }
    let failed = report.rows.iter().any(|row| row.failed);
    let signature = named(&bucket.signature());
    printed(print(args.json, &server.url, &signature, &report).map(|()| !failed))
}

fn print(
    json: bool,
    url: &str,
    signature: &str,
    report: &Report,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    if json {
        let row = |row: &Row| {
            serde_json::json!({
                "operation": row.name, "requests": row.requests, "answer": row.answer, "failed": row.failed,
            })
        };
        let rows: Vec<_> = report.rows.iter().map(row).collect();
        let all =
            serde_json::json!({ "endpoint": url, "signature": signature, "operations": rows });
        writeln!(out, "{all}")?;
        return Ok(());
    }
    let mut table = Table::new(["operation", "requests", "answer"]);
    for row in &report.rows {
        let answer = match row.failed {
            true => format!("failed: {}", row.answer),
            false => row.answer.clone(),
        };
        table.row([row.name, &row.requests.to_string(), &answer]);
    }
    writeln!(out, "{url} takes {signature}\n\n{table}")?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit("any_store", ask(&Args::parse()).await)
}
