//! The query through each of the three, with its plan, its answer and its time.

use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use examples::child;
use s3_client::Bucket;
use url::Url;

use crate::adapter::Adapter;
use crate::args::Args;
use crate::sample::{self, FOLDER};
use crate::store::{self, Place, Way};

/// Two of four columns of some of the row groups.
const QUERY: &str = "SELECT shop, count(*) AS sales, sum(cents) AS cents FROM sales \
                     WHERE id >= 30000 GROUP BY shop ORDER BY shop";

/// Runs the whole program.
pub(crate) async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut emulator = None;
    let place = match &args.endpoint {
        Some(endpoint) => {
            let variable =
                |name: &str| std::env::var(name).map_err(|error| format!("{name}: {error}"));
            Place {
                endpoint: endpoint.clone(),
                region: args.region.clone(),
                access: variable("AWS_ACCESS_KEY_ID")?,
                secret: variable("AWS_SECRET_ACCESS_KEY")?,
            }
        }
        None => {
            let delay = format!("1:delay:{}", args.delay);
            let started = child::Emulator::start(&["--fault".to_owned(), delay])?;
            let place = Place {
                endpoint: started.url.clone(),
                region: args.region.clone(),
                access: started.access_key.clone(),
                secret: started.secret_key.0.clone(),
            };
            emulator = Some(started);
            place
        }
    };
    let name = format!("datafusion-{:08x}", fastrand::u32(..));
    let bucket = store::bucket(&place, &name)?;
    bucket.create().await?;
    let outcome = measure(args, &place, &name, &bucket).await;
    // The files first: a bucket goes when it is empty.
    let removed = remove(&bucket).await;
    drop(emulator);
    outcome?;
    removed
}

async fn remove(bucket: &Bucket) -> Result<(), Box<dyn Error>> {
    bucket.purge().await?;
    Ok(bucket.delete_bucket().await?)
}

/// What one client did.
struct Outcome {
    way: Way,
    plan: String,
    answer: String,
    times: Vec<Duration>,
}

impl Outcome {
    fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }
}

async fn measure(
    args: &Args,
    place: &Place,
    name: &str,
    bucket: &Bucket,
) -> Result<(), Box<dyn Error>> {
    let bytes = sample::write(bucket, args).await?;
    let mut outcomes = Vec::new();
    for way in Way::ALL {
        let store = store::open(way, place, name)?;
        let root = format!("s3://{}", way.name());
        let session = SessionContext::new();
        session.register_object_store(&Url::parse(&root)?, Arc::new(Adapter(store)));
        let folder = format!("{root}/{FOLDER}/");
        session
            .register_parquet("sales", &folder, ParquetReadOptions::default())
            .await?;
        let plan = session.sql(&format!("EXPLAIN {QUERY}")).await?;
        let plan = pretty_format_batches(&plan.collect().await?)?.to_string();
        let mut times = Vec::new();
        let mut answer = String::new();
        for _ in 0..args.turns {
            let began = Instant::now();
            let rows = session.sql(QUERY).await?.collect().await?;
            times.push(began.elapsed());
            answer = pretty_format_batches(&rows)?.to_string();
        }
        outcomes.push(Outcome {
            way,
            plan,
            answer,
            times,
        });
    }
    report(args, bytes, &outcomes)
}

fn report(args: &Args, bytes: usize, outcomes: &[Outcome]) -> Result<(), Box<dyn Error>> {
    let Some(first) = outcomes.first() else {
        return Ok(());
    };
    if let Some(other) = outcomes.iter().find(|other| other.answer != first.answer) {
        let names = (first.way.name(), other.way.name());
        return Err(format!(
            "{} and {} answer differently:\n{}\n{}",
            names.0, names.1, first.answer, other.answer
        )
        .into());
    }
    if args.json {
        let clients = outcomes.iter().map(|outcome| {
            let seconds = outcome.times.iter().map(Duration::as_secs_f64);
            (
                outcome.way.name().to_owned(),
                seconds.collect::<Vec<_>>().into(),
            )
        });
        let report = serde_json::json!({
            "query": QUERY,
            "files": args.files,
            "rows": u64::from(args.files) * u64::from(args.rows),
            "bytes": bytes,
            "seconds": clients.collect::<serde_json::Map<_, _>>(),
        });
        return Ok(writeln!(io::stdout(), "{report}")?);
    }
    let mut text = format!("{QUERY}\n\n{}\n\n{}\n\n", first.plan, first.answer);
    let all = u64::from(args.files) * u64::from(args.rows);
    text += &format!(
        "{all} rows in {} files of {bytes} bytes together\n",
        args.files
    );
    for outcome in outcomes {
        let median = outcome.median().as_secs_f64() * 1000.0;
        text += &format!("{:<16} {median:>8.1} ms\n", outcome.way.name());
    }
    Ok(writeln!(io::stdout(), "{}", text.trim_end())?)
}
