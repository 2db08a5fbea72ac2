//! Lines of JSON, as `sdb_dump` writes them, into a domain of SimpleDB: see `--help`.
//!
//! *Problem:* A dump or a restore that is continued against another server or another file would mix two states.
//! *Decision:* What it goes on with names its server. A restore knows its source by the digest of the lines that it has
//! written: a changed file begins anew, one that has grown goes on. *Cost:* Continuing reads the file from its
//! beginning.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use examples::dump::{Common, Done, Report, progress};
use examples::lines;
use examples::place::Place;
use examples::state::State;
use indicatif::ProgressBar;
use md5::{Digest, Md5};
use sdb_client::Domain;
use sdb_client::query::Query;

/// Writes items from lines of JSON into a SimpleDB domain, which is made if it is not there.
///
/// Each line is an item as sdb_dump writes it. Its attributes take the place of those that the item has; others
/// stay. A run that ends early keeps how far it came in a file beside the source (.restore); the same command then
/// goes on from there, unless the lines that were written are others now, or the domain is gone. To write an item
/// twice does no harm.
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
    examples::exit("sdb_restore", examples::printed(run(&Args::parse()).await))
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
    let about = open.about();
    let mut source = Source::default();
    let mut done = Done::default();
    if let Some(found) = Done::load(&state, &about) {
        let same = source
            .skip(&mut file, &found)
            .map_err(|error| named(&error))?;
        if same && is_there(&open.domain).await? {
            done = found;
        } else {
            source = Source::default();
        }
    }
    let resumed = done.items;
    file.seek(SeekFrom::Start(done.bytes))?;
    let template = "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let bar = progress(template, len, done.bytes);
    open.domain.create().await?;
    let save = |done: &Done| done.save(&state, &about);
    let outcome = restore(&open.domain, args, (file, source), save, &mut done, &bar).await;
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

/// The lines so far, as they are known again.
#[derive(Default)]
struct Source(Md5);

impl Source {
    /// Reads what an earlier run has written; says whether it is the same.
    fn skip(&mut self, file: &mut File, found: &Done) -> io::Result<bool> {
        let mut rest = file.take(found.bytes);
        let mut buffer = [0; 1 << 16];
        loop {
            match rest.read(&mut buffer)? {
                0 => return Ok(self.mark() == found.mark),
                read => self.0.update(&buffer[..read]),
            }
        }
    }

    fn mark(&self) -> String {
        let digest = self.0.clone().finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether there is a domain, which is so if a run has written to it and nobody has deleted it.
async fn is_there(domain: &Domain) -> sdb_client::Result<bool> {
    match domain.metadata().await {
        Err(error) if error.code() == Some("NoSuchDomain") => Ok(false),
        other => other.map(|_| true),
    }
}

async fn restore(
    domain: &Domain,
    args: &Args,
    (file, mut source): (File, Source),
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
            source.0.update(line.as_bytes());
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
        done.mark = source.mark();
        save(done)?;
        bar.set_position(done.bytes);
    }
}
