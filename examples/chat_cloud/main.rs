//! A chat server whose state is all in S3 and SimpleDB, a few hundred people who use it, and a node that dies: see `--help`.
//!
//! Read `story` first: it is what happens. `crowd` has the people, `session` their streams (`wire` begins them, `xml` tells
//! apart what comes over them), `ledger` what became of each message; `nodes` starts and kills servers, `meter` counts what reaches the
//! stores, `report` prints it.

mod crowd;
mod ledger;
mod meter;
mod nodes;
mod report;
mod session;
mod story;
mod wire;
mod xml;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use emulator::Emulator;
use examples::Failure;
use examples::memcached::Memcached;

use crate::crowd::Crowd;
use crate::meter::Meter;
use crate::nodes::Nodes;
use crate::report::Report;
use crate::story::Story;

/// Has made-up people use a cluster of ejabberd that keeps nothing, and counts what each of their actions takes.
///
/// It starts an emulator of S3 and SimpleDB, a memcached, and nodes of ejabberd that find each other by what is in the
/// stores. People register, log in, become friends, meet in rooms, publish their mood, write to each other, and leave. While
/// they write, one node is killed: its people come back on another one. The table at the end has, for each action, how often
/// it was done, how many requests it took of the stores, how long half of them and all but one in a hundred took at most,
/// how many reads memcached has answered, SimpleDB's BoxUsage in machine hours, and dollars for a million of them at
/// Amazon's prices in US East. A message took as long as it took to arrive.
///
/// Of each message it is known in the end whether its receiver got it, or whether it waits in the store. The exit code is 1
/// where one is lost. What was in the memory of the killed node when that died no store can have: such messages are sent
/// again, as a client does that gets no receipt, and counted.
///
/// It needs ejabberd and memcached (on Debian: apt install --no-install-recommends ejabberd memcached). Nodes listen on
/// addresses of the loopback network, and end with this program.
#[derive(Parser, Debug)]
#[command(name = "chat_cloud", version)]
pub(crate) struct Args {
    /// How many people, 5 to 5,000.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = people)]
    people: usize,

    /// How many friends each has on either side of him in a circle.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_least_one)]
    friends: usize,

    /// How many messages each writes to his friends, and again while a node is killed.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    messages: usize,

    /// How many act at the same time.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = at_least_one)]
    at_once: usize,

    /// How many nodes, 1 to 9. Of one alone none is killed.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = nodes)]
    nodes: usize,

    /// How long each request to the stores takes at least, in milliseconds.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    delay: u64,

    /// The program to start as memcached.
    #[arg(long, value_name = "PROGRAM", default_value = "memcached")]
    memcached: String,

    /// Leave memcached out.
    #[arg(long)]
    no_memcached: bool,

    /// Print one JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

fn within(text: &str, least: usize, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("it is not a number from {least} to {most}")),
    }
}

fn people(text: &str) -> Result<usize, String> {
    within(text, 5, 5000)
}

fn nodes(text: &str) -> Result<usize, String> {
    within(text, 1, 9)
}

fn at_least_one(text: &str) -> Result<usize, String> {
    within(text, 1, 1000)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let own = arguments.next();
    // ejabberd starts this program under that name.
    if own.as_deref().map(Path::new).and_then(Path::file_name) == Some(OsStr::new(nodes::PROGRAM)) {
        return ejabberd_cloud::main(std::env::args_os());
    }
    examples::exit("chat_cloud", start(&Args::parse()))
}

/// Whether no message was lost.
fn start(args: &Args) -> Result<bool, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure(format!("the runtime: {error}")))?;
    let report = runtime.block_on(async {
        tokio::select! {
            report = run(args) => report.map_err(|error| Failure(error.to_string())),
            _ = tokio::signal::ctrl_c() => Err(Failure("interrupted".to_owned())),
        }
    })?;
    let printed = match args.json {
        true => writeln!(io::stdout(), "{}", report.json()),
        false => write!(io::stdout(), "{report}"),
    };
    examples::shown(printed)?;
    Ok(report.is_right())
}

async fn run(args: &Args) -> io::Result<Report<'_>> {
    let mut nodes = Nodes::prepare()?;
    let memcached = match args.no_memcached {
        true => None,
        false => Some(Memcached::start(&args.memcached)?),
    };
    let cache = memcached.as_ref().map(|server| server.addr);
    let emulator = Emulator::start_blocking()?;
    let meter = Meter::new(emulator, cache, Duration::from_millis(args.delay));
    for _ in 0..args.nodes {
        nodes.start(meter.emulator(), cache).await?;
    }
    let mut story = Story {
        args,
        crowd: Crowd::new(args.people, args.friends, nodes.addresses()),
        meter: &meter,
        rows: Vec::new(),
        account: story::Account::default(),
    };
    story.run(&mut nodes).await?;
    Ok(Report {
        args,
        rows: story.rows,
        account: story.account,
        has_cache: cache.is_some(),
    })
}
