//! The clients of memcached in turns, each in a process of its own on core 1, memcached on core 0.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;

use super::cached::Cached;
use super::{Ours, Server, raw};
use crate::goal::{Bound, Goal, Metric};
use crate::load::{Meter, Sample, spawn};
use crate::progress::Progress;
use crate::report::Report;
use crate::server::{Mode, millis};
use crate::{BoxError, child, machine, turns};

/// What all clients do.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Bytes of each value.
    #[arg(long, default_value_t = 1024)]
    pub body: usize,
    /// Tasks with one request at a time each; the loop has as many in flight.
    #[arg(long, default_value_t = 256)]
    pub tasks: usize,
    /// Connections of this workspace's client and of the loop.
    #[arg(long, default_value_t = 2)]
    pub connections: usize,
    /// Milliseconds of warm-up in each turn.
    #[arg(long, default_value = "300", value_parser = millis)]
    pub warm_up: Duration,
    /// Milliseconds that are measured in each turn.
    #[arg(long, default_value = "1000", value_parser = millis)]
    pub time: Duration,
}

impl Default for Args {
    /// What the options are without being given.
    fn default() -> Self {
        Self {
            body: 1024,
            tasks: 256,
            connections: 2,
            warm_up: Duration::from_millis(300),
            time: Duration::from_secs(1),
        }
    }
}

/// What one client does.
#[derive(Clone, Debug, clap::Args)]
pub struct ClientArgs {
    /// Which client.
    #[arg(long, value_enum)]
    pub client: Which,
    /// memcached.
    #[arg(long)]
    pub server: SocketAddr,
    /// The store, for what is cached.
    #[arg(long)]
    pub store: SocketAddr,
    /// What all clients do.
    #[command(flatten)]
    pub args: Args,
}

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// A loop by hand.
    Raw,
    /// The client of this workspace.
    Ours,
    /// Objects through the cache of the S3 client.
    Cached,
    /// async-memcached.
    #[cfg(feature = "memcached-peers")]
    AsyncMemcached,
    /// memcache, which blocks.
    #[cfg(feature = "memcached-peers")]
    Memcache,
}

impl Which {
    /// Its name in the tables and on the command line.
    fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Ours => "ours",
            Self::Cached => "cached",
            #[cfg(feature = "memcached-peers")]
            Self::AsyncMemcached => "async-memcached",
            #[cfg(feature = "memcached-peers")]
            Self::Memcache => "memcache",
        }
    }
}

/// The goals: beside the loop, and what a get costs that the cache answers.
fn goals() -> Vec<Goal> {
    let over_raw = |client, bound| Goal {
        metric: Metric::Rate,
        client,
        peer: Some("raw"),
        bound,
    };
    let of_cached = |metric, bound| Goal {
        metric,
        client: "cached",
        peer: None,
        bound,
    };
    vec![
        over_raw("ours", Bound::AtLeast(0.8)),
        of_cached(Metric::Cpu, Bound::AtMost(2.5)),
        // A miss is counted as one.
        of_cached(Metric::Errors, Bound::AtMost(0.0)),
        over_raw("cached", Bound::Shown),
        over_raw("async-memcached", Bound::Shown),
        over_raw("memcache", Bound::Shown),
    ]
}

fn runtime() -> Result<tokio::runtime::Runtime, BoxError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

/// How many turns [`measure`] takes.
pub fn turns(rounds: usize) -> usize {
    Which::value_variants().len() * rounds
}

/// Has all clients take turns. `command` is what makes this program [run](run()) one of them.
///
/// # Errors
/// When memcached is not installed, or a client ends with an error.
pub fn measure(
    args: &Args,
    rounds: usize,
    command: &str,
    progress: &Progress,
) -> Result<Report, BoxError> {
    let server = Server::start(&[0])?;
    runtime()?.block_on(Ours::new(server.addr, None)?.fill(args.body))?;
    let mode = Mode {
        body: args.body,
        ..Mode::default()
    };
    let store = child::Running::own(&mode, &[0])?;
    runtime()?.block_on(Cached::new(server.addr, store.addr, None)?.fill())?;
    let all = Which::value_variants();
    let names: Vec<_> = all.iter().map(|which| which.name()).collect();
    turns::take(
        "memcached",
        "256 tasks, gets of 1,000 keys that are there, and of 20,000 objects that are cached",
        &names,
        &goals(),
        rounds,
        progress,
        |i| {
            let line = [
                command.to_owned(),
                format!("--client={}", names[i]),
                format!("--server={}", server.addr),
                format!("--store={}", store.addr),
                format!("--body={}", args.body),
                format!("--tasks={}", args.tasks),
                format!("--connections={}", args.connections),
                format!("--warm-up={}", args.warm_up.as_secs_f64() * 1e3),
                format!("--time={}", args.time.as_secs_f64() * 1e3),
            ];
            child::client(None, &line.map(Into::into), None)
        },
    )
}

/// Runs one client in this process.
///
/// # Errors
/// When the process cannot be set up; failed requests are counted in the sample instead.
pub fn run(client: ClientArgs) -> Result<Sample, BoxError> {
    machine::pin(&[1])?;
    let runtime = runtime()?;
    let sample = runtime.block_on(async { tokio::spawn(meter(client)).await? });
    runtime.shutdown_background();
    sample
}

async fn meter(client: ClientArgs) -> Result<Sample, BoxError> {
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
                    let end = super::peers::async_memcached(server, meter.clone());
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
                    if let Err(error) = super::peers::memcache(server, &meter) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_command_line() {
        for which in Which::value_variants() {
            let value = which.to_possible_value().unwrap();
            assert_eq!(value.get_name(), which.name());
        }
    }
}
