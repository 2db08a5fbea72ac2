//! Lines of JSON, as `sdb_dump` writes them, into a domain of SimpleDB: see `--help`.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use examples::dump::{Common, Done, Report, progress};
use examples::lines;
use examples::place::Place;
use examples::state::State;
use indicatif::ProgressBar;
use sdb_client::Domain;
use sdb_client::query::Query;

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
    /// Where from: a file, or s3://bucket/key. Without it, the file that sdb_dump writes for the domain where
    /// nothing else is said.
    #[arg(value_name = "SOURCE")]
    from: Option<Place>,

    #[command(flatten)]
    common: Common,

    /// Requests of 25 items that are under way at the same time.
    #[arg(long, value_name = "N", default_value_t = 8,
          value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
}

/// Items of one step, after which the state is kept.
const STEP: usize = 2500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    examples::exit("sdb_restore", run(&Args::parse()).await)
}

async fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let open = args.common.open().await?;
    let from = args.common.place(args.from.as_ref());
    let start = Instant::now();
    let named = |error: &dyn Error| format!("{from}: {error}");
    let path = match &from {
        Place::File(path) => path.clone(),
        Place::Object { bucket, key } => {
            let copy = from.beside("copy");
            let object = args.common.s3().await?.bucket(bucket.as_str()).get(key);
            object.to_file(&copy).await.map_err(|error| named(&error))?;
            copy
        }
    };
    let mut file = File::open(&path).map_err(|error| named(&error))?;
    let len = file.metadata()?.len();

    let state = State::new(from.beside("restore"));
    let mut about = open.about();
    about.insert("len".to_owned(), len.into());
    let found = Done::load(&state, &about).filter(|done| done.bytes <= len);
    let mut done = found.unwrap_or_default();
    let resumed = done.items;
    file.seek(SeekFrom::Start(done.bytes))?;
    let template = "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let bar = progress(template, len, done.bytes);
    open.domain.create().await?;
    let save = |done: &Done| done.save(&state, &about);
    let outcome = restore(&open.domain, args, file, save, &mut done, &bar).await;
    bar.finish_and_clear();
    outcome.map_err(|error| done.failed(&*error, &state))?;
    state.clear()?;
    if matches!(from, Place::Object { .. }) {
        std::fs::remove_file(&path)?;
    }

    let verb = ("restored from", "source");
    let mut report = Report::new(verb, from, (done, resumed), &open, start);
    let count = Query::count(args.common.domain.as_str());
    let count = open.sdb.select(count).consistent(true).count();
    report.in_domain = Some(count.await?.count);
    report.print(args.common.json)?;
    Ok(true)
}

async fn restore(
    domain: &Domain,
    args: &Args,
    file: File,
    save: impl Fn(&Done) -> io::Result<()>,
    done: &mut Done,
    bar: &ProgressBar,
) -> Result<(), Box<dyn Error>> {
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
        save(done)?;
        bar.set_position(done.bytes);
    }
}
