//! A domain of SimpleDB as lines of JSON, in a file or an object of S3: see `--help`.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use examples::dump::{Common, Done, Open, Report, progress};
use examples::lines;
use examples::place::Place;
use examples::state::State;
use indicatif::ProgressBar;
use s3_client::{Credentials, S3Client};
use sdb_client::answer::SelectPage;
use sdb_client::query::{Query, item_name};
use sdb_client::{Domain, PutItem, SdbClient};

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
    /// Where to: a file, or s3://bucket/key. Without it, a file named after the domain in the folder for
    /// temporary files.
    #[arg(value_name = "TARGET")]
    to: Option<Place>,

    #[command(flatten)]
    common: Common,

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
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    examples::exit("sdb_dump", examples::printed(run(&Args::parse()).await))
}

async fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let mut open = args.common.open().await?;
    let to = args.common.place(args.to.as_ref());
    if open.server.is_new() {
        make_items(&open.domain, args.items).await?;
    }
    let s3 = match &to {
        Place::File(_) => None,
        Place::Object { bucket, .. } => Some(store(&args.common, &open, bucket).await?),
    };

    open.begin();
    let start = Instant::now();
    let state = State::new(to.beside("state"));
    let part = to.beside("part");
    let about = open.about();
    // Its file has to be there, too.
    let found = Done::load(&state, &about);
    let found = found.filter(|done| part.metadata().is_ok_and(|part| part.len() >= done.bytes));
    let mut done = found.unwrap_or_default();
    let resumed = done.items;
    let mut target = Part::open(&part, done.bytes)?;
    let total = open.domain.metadata().await?.items;
    let template = "{bar:40} {human_pos} of {human_len} items, {per_sec}, {eta} left";
    let bar = progress(template, total, done.items);
    let save = |done: &Done| done.save(&state, &about);
    let outcome = dump(&open.sdb, args, &mut target, save, &mut done, &bar).await;
    bar.finish_and_clear();
    outcome.map_err(|error| done.failed(&*error, &state))?;
    to.store(&part, s3.as_ref()).await?;
    state.clear()?;
    let report = Report::new(("dumped to", "target"), to, (done, resumed), &open, start);
    report.print(args.common.json)?;
    Ok(true)
}

/// The store that a dump goes to: where items are made, that of the emulator, with a bucket.
async fn store(common: &Common, open: &Open, bucket: &str) -> Result<S3Client, Box<dyn Error>> {
    if !open.server.is_new() {
        return common.s3().await;
    }
    let keys: Credentials = open.server.keys.clone();
    let s3 = S3Client::builder().endpoint(&*open.server.url);
    let s3 = s3.credentials(keys).build()?;
    s3.bucket(bucket).create().await?;
    Ok(s3)
}

/// The file that a dump is written to.
struct Part<'a> {
    file: File,
    path: &'a Path,
}

impl<'a> Part<'a> {
    /// The file with its first `bytes` bytes, and no more.
    fn open(path: &'a Path, bytes: u64) -> Result<Self, String> {
        let named = |error| format!("{}: {error}", path.display());
        let mut options = OpenOptions::new();
        let options = options.create(true).write(true).truncate(false);
        let mut file = options.open(path).map_err(named)?;
        file.set_len(bytes).map_err(named)?;
        file.seek(SeekFrom::End(0)).map_err(named)?;
        Ok(Self { file, path })
    }

    /// Adds this, and has it on the disk.
    fn add(&mut self, text: &str) -> Result<(), String> {
        let wrote = self.file.write_all(text.as_bytes());
        let wrote = wrote.and_then(|()| self.file.sync_data());
        wrote.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

async fn dump(
    sdb: &SdbClient,
    args: &Args,
    target: &mut Part<'_>,
    save: impl Fn(&Done) -> std::io::Result<()>,
    done: &mut Done,
    bar: &ProgressBar,
) -> Result<(), Box<dyn Error>> {
    // By names and not by tokens, which the service forgets: a dump can go on a week later.
    let next = |last: &str| {
        let query = Query::all(args.common.domain.as_str())
            .filter(item_name().gt(last))
            .order_by(item_name())
            .limit(args.page);
        tokio::spawn(page(sdb.clone(), query, !args.eventual))
    };
    let mut coming = next(&done.mark);
    loop {
        let page = coming.await??;
        let Some(last) = page.items.last() else {
            return Ok(());
        };
        // The next page comes while this one is written.
        coming = next(&last.name);
        let text: String = page.items.iter().map(lines::write).collect();
        // Before the state says that it is there.
        target.add(&text)?;
        let pairs: usize = page.items.iter().map(|item| item.attributes.len()).sum();
        done.mark.clone_from(&last.name);
        done.items += page.items.len() as u64;
        done.pairs += pairs as u64;
        done.bytes += text.len() as u64;
        save(done)?;
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
