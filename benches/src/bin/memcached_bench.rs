//! Reads of values that are there: the client of this workspace, and the S3 client's cache above it, beside a loop by
//! hand and, with
//! `--features memcached-peers`, others. Each in a process of its own on core 1, memcached on core 0.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use benches::load::{Meter, Sample, spawn};
use benches::memcached::cached::Cached;
use benches::memcached::{Ours, Server, raw};
use benches::ratio::{self, Ratio};
use benches::server::{self, Mode, millis};
use benches::{BoxError, child, machine};
use clap::{Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(about = "Measures the memcached client beside its peers.")]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Cmd>,
    #[command(flatten)]
    args: Args,
}

#[derive(Subcommand)]
enum Cmd {
    /// Run one client against a server that is up, and print the sample as JSON.
    Client(ClientArgs),
    /// Be the store of what is cached.
    Serve(server::Args),
}

#[derive(Clone, clap::Args)]
struct Args {
    /// How often each client has its turn.
    #[arg(long, default_value_t = 7)]
    reps: usize,
    /// Bytes of each value.
    #[arg(long, default_value_t = 1024)]
    body: usize,
    /// Tasks with one request at a time each; the loop has as many in flight.
    #[arg(long, default_value_t = 256)]
    tasks: usize,
    /// Connections of this workspace's client and of the loop.
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// Milliseconds of warm-up in each turn.
    #[arg(long, default_value = "300", value_parser = millis)]
    warm_up: Duration,
    /// Milliseconds that are measured in each turn.
    #[arg(long, default_value = "1000", value_parser = millis)]
    time: Duration,
}

#[derive(clap::Args)]
struct ClientArgs {
    #[arg(long, value_enum)]
    client: Which,
    #[arg(long)]
    server: SocketAddr,
    /// The store, for what is cached.
    #[arg(long)]
    store: SocketAddr,
    #[command(flatten)]
    args: Args,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    Raw,
    Ours,
    /// Objects through the cache of the S3 client.
    Cached,
    #[cfg(feature = "memcached-peers")]
    AsyncMemcached,
    #[cfg(feature = "memcached-peers")]
    Memcache,
}

fn runtime() -> Result<tokio::runtime::Runtime, BoxError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

fn main() -> Result<(), BoxError> {
    let cli = Cli::parse();
    let mut out = std::io::stdout();
    if let Some(Cmd::Serve(args)) = cli.command {
        return args.serve();
    }
    if let Some(Cmd::Client(args)) = cli.command {
        machine::pin(&[1])?;
        let sample = runtime()?.block_on(async { tokio::spawn(measure(args)).await? })?;
        writeln!(out, "{}", serde_json::to_string(&sample)?)?;
        // A thread that blocks is not waited for.
        std::process::exit(0);
    }
    let args = cli.args;
    let server = Server::start(&[0])?;
    runtime()?.block_on(Ours::new(server.addr, None)?.fill(args.body))?;
    let mode = Mode {
        body: args.body,
        ..Mode::default()
    };
    let store = child::Running::own(&mode, &[0])?;
    runtime()?.block_on(Cached::new(server.addr, store.addr, None)?.fill())?;
    let all = Which::value_variants();
    let mut samples = vec![Vec::new(); all.len()];
    for rep in 0..args.reps {
        for i in 0..all.len() {
            // Another one begins each time: who follows whom may matter.
            let i = (i + rep) % all.len();
            let name = all[i].to_possible_value().ok_or("no name")?;
            let line = [
                format!("--client={}", name.get_name()),
                format!("--server={}", server.addr),
                format!("--store={}", store.addr),
                format!("--body={}", args.body),
                format!("--tasks={}", args.tasks),
                format!("--connections={}", args.connections),
                format!("--warm-up={}", args.warm_up.as_secs_f64() * 1e3),
                format!("--time={}", args.time.as_secs_f64() * 1e3),
            ];
            samples[i].push(child::client(&line.map(Into::into))?);
        }
    }
    writeln!(out, "load average {:.1}", machine::load()?)?;
    writeln!(
        out,
        "| client | gets/s | CPU us | p99 ms | errors | gets/s beside raw |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    let rates = |samples: &[Sample]| samples.iter().map(|s| s.rate).collect::<Vec<_>>();
    let floor = rates(&samples[0]);
    for (which, samples) in all.iter().zip(&samples) {
        let median = |of: fn(&Sample) -> f64| {
            let all: Vec<f64> = samples.iter().map(of).collect();
            ratio::median(&all)
        };
        let errors: u64 = samples.iter().map(|s| s.errors).sum();
        let ratio = Ratio::of(&rates(samples), &floor);
        writeln!(
            out,
            "| {which:?} | {:.0} | {:.2} | {:.2} | {errors} | {:.2} ({:.2} to {:.2}) |",
            median(|s| s.rate),
            median(|s| s.cpu_us),
            median(|s| s.p99_ms),
            ratio.median,
            ratio.low,
            ratio.high,
        )?;
    }
    Ok(())
}

async fn measure(client: ClientArgs) -> Result<Sample, BoxError> {
    let ClientArgs {
        client,
        server,
        store,
        args,
    } = client;
    let mut cached = None;
    let meter = Arc::new(Meter::new(args.body)?);
    match client {
        Which::Ours => spawn(
            &Ours::new(server, Some(args.connections))?,
            args.tasks,
            &meter,
        ),
        Which::Cached => {
            let client = Cached::new(server, store, Some(args.connections))?;
            spawn(&client, args.tasks, &meter);
            cached = Some(client);
        }
        Which::Raw => {
            for _ in 0..args.connections {
                let (meter, depth) = (meter.clone(), args.tasks / args.connections.max(1));
                tokio::spawn(async move {
                    if let Err(error) = raw::run(server, depth.max(1), meter.clone()).await {
                        meter.done(Duration::ZERO, &Err(error));
                    }
                });
            }
        }
        #[cfg(feature = "memcached-peers")]
        Which::AsyncMemcached => {
            for _ in 0..args.tasks {
                let meter = meter.clone();
                tokio::spawn(async move {
                    let end = benches::memcached::peers::async_memcached(server, meter.clone());
                    if let Err(error) = end.await {
                        meter.done(Duration::ZERO, &Err(error));
                    }
                });
            }
        }
        #[cfg(feature = "memcached-peers")]
        Which::Memcache => {
            // More threads than some gain nothing on one core.
            for _ in 0..args.tasks.min(16) {
                let meter = meter.clone();
                std::thread::spawn(move || {
                    if let Err(error) = benches::memcached::peers::memcache(server, &meter) {
                        meter.done(Duration::ZERO, &Err(error));
                    }
                });
            }
        }
    }
    let mut sample = meter.measure(args.warm_up, args.time).await?;
    // A miss is no hit, however right its answer.
    sample.errors += cached.map_or(0, |cached| cached.misses());
    Ok(sample)
}
