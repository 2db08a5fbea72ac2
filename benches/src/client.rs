//! One client in one process of its own: what a child of the benchmark runs.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;

use crate::BoxError;
use crate::burst;
use crate::clients::hyper::Hyper;
#[cfg(feature = "peers")]
use crate::clients::object_store::Store;
use crate::clients::origins::Origins;
use crate::clients::pool::{Pool, PoolSettings};
#[cfg(feature = "peers")]
use crate::clients::reqwest::Reqwest;
use crate::clients::s3::S3;
use crate::clients::simpledb::{Action, SimpleDb};
use crate::clients::{Client, Puts, Writer, raw};
use crate::jobs::{self, Job};
use crate::keys::{Keys, VARIABLE};
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
    /// The SimpleDB client of this workspace.
    #[value(name = "simpledb")]
    SimpleDb,
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
    /// What it does, whichever it is.
    #[command(flatten)]
    pub work: Work,
}

/// What a client does, whichever it is.
#[derive(Clone, Debug, clap::Args)]
pub struct Work {
    /// The server, as HOST:PORT.
    #[arg(long)]
    pub server: SocketAddr,
    /// What to GET.
    #[arg(long, default_value = "/bench/object")]
    pub target: String,
    /// What to GET in its place.
    #[arg(long)]
    pub from: Option<String>,
    /// Bytes that each body must have, or keys that a listing must have.
    #[arg(long, default_value_t = 1024)]
    pub body: usize,
    /// How many things an answer must bring, where that is not the scenario's size.
    #[arg(long)]
    pub expect: Option<usize>,
    /// PUT bodies of that many bytes there instead.
    #[arg(long)]
    pub put: bool,
    /// A long job in place of small requests, for the S3 client and object_store.
    #[arg(long, value_enum, conflicts_with_all = ["put", "burst"])]
    pub job: Option<Job>,
    /// The S3 client does not compare the bytes of a large object with what the store says of them.
    #[arg(long, requires = "job")]
    pub unverified: bool,
    /// What the SimpleDB client asks.
    #[arg(long, value_enum, default_value = "get")]
    pub action: Action,
    /// The S3 client signs by Version 4.
    #[arg(long)]
    pub v4: bool,
    /// Tasks with one request at a time each. The raw loop has a task per connection instead.
    #[arg(long, default_value_t = 256)]
    pub tasks: usize,
    /// Speak TLS, and trust the certificate in this file.
    #[arg(long)]
    pub roots: Option<PathBuf>,
    /// The most connections; without it the pool's default, or one per task for the others.
    #[arg(long)]
    pub connections: Option<usize>,
    /// The most requests in flight on one connection of the pool or of the raw loop.
    #[arg(long)]
    pub depth: Option<usize>,
    /// The depth of the pool is not learnt.
    #[arg(long, requires = "depth")]
    pub fixed: bool,
    /// The raw loop acknowledges a part of an answer at once.
    #[arg(long)]
    pub quick_ack: bool,
    /// The share of requests that the pool may send a second time while the first is late.
    #[arg(long)]
    pub hedge: Option<f64>,
    /// Make a client without a connection again and again, and time until each of the tasks has had
    /// one request answered over it: a "request" of the sample is such a burst.
    #[arg(long, conflicts_with = "put")]
    pub burst: bool,
    /// Refuse the pool every so many-th connection.
    #[arg(long, requires = "burst")]
    pub refuse: Option<usize>,
    /// Run on tokio's multi-thread runtime with this many workers; 0 is the current-thread one.
    #[arg(long, default_value_t = 0)]
    pub workers: usize,
    /// The cores to run on, all without it.
    #[arg(long, value_delimiter = ',')]
    pub cores: Vec<usize>,
    /// Lower the limit on file descriptors to this.
    #[arg(long)]
    pub files: Option<u64>,
    /// Spread the requests of the pool or of hyper over so many origins, all of them the same server.
    #[arg(long, default_value_t = 1)]
    pub origins: usize,
    /// Milliseconds before measuring: enough for the pool to have learnt its depth.
    #[arg(long, default_value = "2500", value_parser = millis)]
    pub warm_up: Duration,
    /// Milliseconds of measuring.
    #[arg(long, default_value = "1500", value_parser = millis)]
    pub time: Duration,
    /// ACCESS:SECRET for those that sign; without it some that our own server takes.
    #[arg(long, env = VARIABLE, hide_env_values = true)]
    pub keys: Option<Keys>,
}

impl Work {
    /// The server as a URL.
    pub fn endpoint(&self) -> String {
        let scheme = if self.roots.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.server)
    }

    /// The certificate that is trusted, in PEM, if TLS is spoken.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn certificate(&self) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(self.roots.as_ref().map(std::fs::read).transpose()?)
    }

    /// The most connections of a client that has no default of its own.
    pub fn connections(&self) -> usize {
        self.connections.unwrap_or(self.tasks)
    }

    /// The settings of the pool.
    fn pool(&self) -> Result<PoolSettings, BoxError> {
        Ok(PoolSettings {
            connections: self.connections,
            depth: self.depth,
            fixed: self.fixed,
            hedge: self.hedge,
            refuse: self.refuse,
            roots: self.certificate()?,
        })
    }

    /// object_store with these keys, or unsigned.
    #[cfg(feature = "peers")]
    fn store(&self, keys: Option<&Keys>) -> Result<Store, BoxError> {
        let (endpoint, connections) = (self.endpoint(), self.connections());
        let certificate = self.certificate()?;
        let certificate = certificate.as_deref();
        Store::new(&endpoint, &self.target, connections, keys, certificate)
    }

    /// What to sign with.
    pub fn keys(&self) -> Keys {
        self.keys.clone().unwrap_or_default()
    }

    /// The body that is stored, if any is.
    fn stored(&self) -> Option<Bytes> {
        self.put.then(|| vec![b'x'; self.body].into())
    }

    /// Starts the tasks; they end when the meter stops.
    pub fn spawn<C>(&self, client: &C, meter: &Arc<Meter>)
    where
        C: Client<Session: Writer> + Clone,
    {
        match self.stored() {
            Some(body) => spawn(&Puts(client.clone(), body), self.tasks, meter),
            None => spawn(client, self.tasks, meter),
        }
    }

    /// Starts the tasks, or bursts of them each on a client of its own.
    ///
    /// # Errors
    /// Those of `make`.
    fn start<C>(
        &self,
        make: impl Fn(&Self) -> Result<C, BoxError> + Send + 'static,
        meter: &Arc<Meter>,
    ) -> Result<(), BoxError>
    where
        C: Client<Session: Writer> + Clone,
    {
        if self.burst {
            let work = self.clone();
            burst::spawn(move || make(&work), self.tasks, meter);
        } else {
            self.spawn(&make(self)?, meter);
        }
        Ok(())
    }

    /// Sets this process up, and measures in it what `start` starts; what that returns is given to
    /// `end` with the sample.
    ///
    /// # Errors
    /// When the process cannot be set up, and those of `start`; failed requests are counted in the
    /// sample instead.
    pub fn run<S, F, T>(
        self,
        start: S,
        end: impl FnOnce(T, &mut Sample) + Send + 'static,
    ) -> Result<Sample, BoxError>
    where
        S: FnOnce(Self, Arc<Meter>) -> F + Send + 'static,
        F: Future<Output = Result<T, BoxError>> + Send,
        T: Send,
    {
        let meter = Arc::new(Meter::new(self.expect.unwrap_or(self.body))?);
        let (warm_up, time) = (self.warm_up, self.time);
        self.clone().in_runtime(async move {
            let started = start(self, meter.clone()).await?;
            let mut sample = meter.measure(warm_up, time).await?;
            end(started, &mut sample);
            Ok(sample)
        })
    }

    /// Sets this process up, and does this on a runtime.
    ///
    /// # Errors
    /// When the process cannot be set up, and those of `what`.
    pub fn in_runtime<T: Send + 'static>(
        self,
        what: impl Future<Output = Result<T, BoxError>> + Send + 'static,
    ) -> Result<T, BoxError> {
        machine::pin(&self.cores)?;
        if let Some(files) = self.files {
            machine::limit_files(files)?;
        }
        let runtime = match self.workers {
            0 => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build(),
            n => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(n)
                .enable_all()
                .build(),
        }?;
        // The measuring task runs on a worker as well, so that no thread more than needed is awake.
        let done = runtime.block_on(async { tokio::spawn(what).await? });
        runtime.shutdown_background();
        done
    }
}

/// Runs it in this process.
///
/// # Errors
/// When the process cannot be set up; failed requests are counted in the sample instead.
pub fn run(args: &Args) -> Result<Sample, BoxError> {
    let which = args.client;
    if let Some(job) = args.work.job {
        return jobs::run(which, job, &args.work);
    }
    args.work.clone().run(
        move |work, meter| async move { start(which, &work, &meter) },
        |pool: Option<Pool>, sample| {
            if let Some(pool) = pool {
                sample.deepest = pool.deepest();
                sample.depth = pool.depth();
                sample.per_write = pool.per_write();
                sample.extra = pool.extra();
            }
        },
    )
}

/// Starts the client's tasks; returns its pool if that is ours and tells of itself.
fn start(which: Which, work: &Work, meter: &Arc<Meter>) -> Result<Option<Pool>, BoxError> {
    match which {
        Which::Pool | Which::S3 | Which::SimpleDb => return ours(which, work, meter),
        Which::Hyper => work.start(
            |work| {
                let certificate = work.certificate()?;
                Hyper::new(work.server, &work.target, work.connections(), work.origins)?
                    .trusting(certificate.as_deref())
            },
            meter,
        )?,
        Which::Raw => {
            for _ in 0..work.connections() {
                let (work, meter) = (work.clone(), meter.clone());
                tokio::spawn(async move {
                    let (put, depth) = (work.stored(), work.depth.unwrap_or(32));
                    let (target, quick) = (&work.target, work.quick_ack);
                    let end = raw::run(work.server, target, put, depth, quick, meter.clone()).await;
                    if let Err(error) = end {
                        meter.done(Duration::ZERO, &Err(error));
                    }
                });
            }
        }
        #[cfg(feature = "peers")]
        Which::Reqwest => work.spawn(
            &Reqwest::new(&work.endpoint(), &work.target, work.connections())?,
            meter,
        ),
        #[cfg(feature = "peers")]
        Which::ObjectStore => work.start(|work| work.store(None), meter)?,
        #[cfg(feature = "peers")]
        Which::ObjectStoreSigned => work.spawn(&work.store(Some(&work.keys()))?, meter),
    }
    Ok(None)
}

/// Starts the tasks of a client of this workspace.
fn ours(which: Which, work: &Work, meter: &Arc<Meter>) -> Result<Option<Pool>, BoxError> {
    let endpoint = work.endpoint();
    let target = work.from.as_ref().unwrap_or(&work.target);
    match which {
        Which::Pool if work.burst => work.start(
            |work| Pool::with(&work.endpoint(), &work.target, &work.pool()?),
            meter,
        )?,
        Which::Pool if work.origins > 1 => {
            let client = Origins::new(work.server, target, work.origins)?;
            spawn(&client, work.tasks, meter);
        }
        Which::Pool => {
            let client = Pool::with(&endpoint, target, &work.pool()?)?;
            work.spawn(&client, meter);
            let pool = client.clone();
            meter.at_begin(move || pool.mark());
            return Ok(Some(client));
        }
        Which::S3 => {
            let keys = work.keys();
            let pool = Pool::with(&endpoint, target, &work.pool()?)?;
            let client = S3::over(pool, &endpoint, target, &keys)?;
            let client = if work.v4 {
                client.by_v4(&keys)?
            } else {
                client
            };
            work.spawn(&client, meter);
            let pool = client.pool().clone();
            meter.at_begin(move || pool.mark());
            return Ok(Some(client.pool().clone()));
        }
        Which::SimpleDb => {
            let client = SimpleDb::new(&endpoint, &work.keys(), work.action)?;
            spawn(&client, work.tasks, meter);
        }
        _ => {}
    }
    Ok(None)
}
