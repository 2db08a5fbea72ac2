//! One client in one process of its own: what a child of the benchmark runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;

use crate::BoxError;
use crate::clients::hyper::Hyper;
#[cfg(feature = "peers")]
use crate::clients::object_store::Store;
use crate::clients::pool::Pool;
use crate::clients::raw;
#[cfg(feature = "peers")]
use crate::clients::reqwest::Reqwest;
use crate::clients::s3::S3;
use crate::load::{Meter, Sample, spawn};
use crate::machine;
use crate::server::millis;

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The pool of this workspace.
    Pool,
    /// The S3 client of this workspace over it, signing with Version 2.
    S3,
    /// hyper's HTTP/1.1 connections.
    Hyper,
    /// A pipelined loop by hand.
    Raw,
    /// reqwest.
    #[cfg(feature = "peers")]
    Reqwest,
    /// object_store's S3 client, unsigned.
    #[cfg(feature = "peers")]
    ObjectStore,
    /// object_store's S3 client, signing with Version 4.
    #[cfg(feature = "peers")]
    ObjectStoreSigned,
}

/// What one client does.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Which client.
    #[arg(long, value_enum)]
    pub client: Which,
    /// The server, as HOST:PORT.
    #[arg(long)]
    pub server: SocketAddr,
    /// What to GET.
    #[arg(long, default_value = "/bench/object")]
    pub target: String,
    /// Bytes that each body must have.
    #[arg(long, default_value_t = 1024)]
    pub body: usize,
    /// Tasks with one request at a time each. The raw loop has a task per connection instead.
    #[arg(long, default_value_t = 256)]
    pub tasks: usize,
    /// The most connections; without it the pool's default, or one per task for the others.
    #[arg(long)]
    pub connections: Option<usize>,
    /// The most requests in flight on one connection of the pool or of the raw loop.
    #[arg(long)]
    pub depth: Option<usize>,
    /// Run on tokio's multi-thread runtime with this many workers; 0 is the current-thread one.
    #[arg(long, default_value_t = 0)]
    pub workers: usize,
    /// The cores to run on, all without it.
    #[arg(long, value_delimiter = ',')]
    pub cores: Vec<usize>,
    /// Lower the limit on file descriptors to this.
    #[arg(long)]
    pub files: Option<u64>,
    /// Milliseconds before measuring: enough for the pool to have learnt its depth.
    #[arg(long, default_value = "2500", value_parser = millis)]
    pub warm_up: Duration,
    /// Milliseconds of measuring.
    #[arg(long, default_value = "1500", value_parser = millis)]
    pub time: Duration,
}

/// Runs it in this process.
///
/// # Errors
/// When the process cannot be set up; failed requests are counted in the sample instead.
pub fn run(args: &Args) -> Result<Sample, BoxError> {
    machine::pin(&args.cores)?;
    if let Some(files) = args.files {
        machine::limit_files(files)?;
    }
    let runtime = match args.workers {
        0 => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
        n => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(n)
            .enable_all()
            .build(),
    }?;
    let args = args.clone();
    // The measuring task runs on a worker as well, so that no thread more than needed is awake.
    let sample = runtime.block_on(async { tokio::spawn(measure(args)).await? });
    runtime.shutdown_background();
    sample
}

async fn measure(args: Args) -> Result<Sample, BoxError> {
    let meter = Arc::new(Meter::new(args.body)?);
    let connections = args.connections.unwrap_or(args.tasks);
    let mut pool = None;
    match args.client {
        Which::Pool => {
            let endpoint = format!("http://{}", args.server);
            let client = Pool::new(&endpoint, &args.target, args.connections, args.depth)?;
            spawn(&client, args.tasks, &meter);
            pool = Some(client);
        }
        Which::S3 => {
            let endpoint = format!("http://{}", args.server);
            let client = S3::new(&endpoint, &args.target, args.connections, args.depth)?;
            spawn(&client, args.tasks, &meter);
            pool = Some(client.pool().clone());
        }
        Which::Hyper => {
            spawn(
                &Hyper::new(args.server, &args.target, connections)?,
                args.tasks,
                &meter,
            );
        }
        Which::Raw => {
            for _ in 0..connections {
                let (args, meter) = (args.clone(), meter.clone());
                tokio::spawn(async move {
                    let depth = args.depth.unwrap_or(32);
                    let end = raw::run(args.server, &args.target, depth, meter.clone()).await;
                    if let Err(error) = end {
                        meter.done(Duration::ZERO, &Err(error));
                    }
                });
            }
        }
        #[cfg(feature = "peers")]
        Which::Reqwest => {
            let endpoint = format!("http://{}", args.server);
            spawn(
                &Reqwest::new(&endpoint, &args.target, connections)?,
                args.tasks,
                &meter,
            );
        }
        #[cfg(feature = "peers")]
        Which::ObjectStore | Which::ObjectStoreSigned => {
            let signed = args.client == Which::ObjectStoreSigned;
            let endpoint = format!("http://{}", args.server);
            spawn(
                &Store::new(&endpoint, &args.target, connections, signed)?,
                args.tasks,
                &meter,
            );
        }
    }
    let mut sample = meter.measure(args.warm_up, args.time).await?;
    if let Some(pool) = pool {
        sample.deepest = pool.deepest();
        sample.depth = pool.depth();
        sample.per_write = pool.per_write();
    }
    Ok(sample)
}
