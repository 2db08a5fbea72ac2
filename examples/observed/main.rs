//! Shows what can be seen of the clients from outside: the spans of each operation as a tree, and all metrics as a text
//! for Prometheus.
//!
//! ```text
//! cargo run --example observed                  # with memcached, if it is installed
//! cargo run --example observed -- --no-cache    # without
//! ```
//!
//! A real program installs the layer of `tracing-opentelemetry` in place of this tree, and serves the text to Prometheus.

mod tree;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use emulator::{Emulator, Fault, Rule};
use examples::memcached::Memcached;
use metrics_exporter_prometheus::PrometheusBuilder;
use s3_client::cache_layer::{self, Cache};
use s3_client::settings::KeyVisibility;
use s3_client::{Credentials, HttpPool, S3Client, metrics};
use sdb_client::SdbClient;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::tree::Tree;

/// Prints the spans and the metrics of some operations on an emulator.
#[derive(Parser, Debug)]
#[command(name = "observed")]
struct Args {
    /// The program to start as memcached.
    #[arg(long, value_name = "PROGRAM", default_value = "memcached")]
    memcached: String,

    /// Read without a cache.
    #[arg(long, conflicts_with = "memcached")]
    no_cache: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    examples::exit(
        "observed",
        examples::printed(run(&args).await.map(|()| true)),
    )
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let prometheus = PrometheusBuilder::new().install_recorder()?;
    metrics::describe();
    Registry::default().with(Tree::layer()).try_init()?;

    let emulator = Emulator::start_blocking()?;
    let keys = || Credentials::new(emulator.access_key(), emulator.secret_key());
    let pool = HttpPool::builder().max_connections(4).build();
    let builder = S3Client::builder()
        .endpoint(emulator.url())
        .credentials(keys())
        .pool(pool.clone())
        .show_keys(KeyVisibility::ErrorsAndSpans);
    let memcached = match args.no_cache {
        true => None,
        false => Some(Memcached::start(&args.memcached)?),
    };
    let builder = match &memcached {
        None => builder,
        Some(server) => {
            let servers = cache_layer::Memcached::builder().servers([server.addr.to_string()]);
            builder.cache(Cache::builder(servers.build()?, Duration::from_secs(60)).build()?)
        }
    };
    let photos = builder.build()?.bucket("photos");
    photos.create().await?;
    // The store asks once for fewer requests.
    let slow = Rule::script([Fault::slow_down()]).operation("PutObject");
    emulator.faults().add(slow);
    photos.put("2009/cat.jpg", "meow").await?;
    for _ in 0..2 {
        photos.get("2009/cat.jpg").await?.body.bytes(1024).await?;
    }
    let missing = photos.head("2009/dog.jpg").await;
    let told = missing
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();

    let sdb = SdbClient::builder()
        .endpoint(emulator.url())
        .credentials(keys());
    let users = sdb.pool(pool.clone()).build()?.domain("users");
    users.create().await?;
    users.put("u1").replace("name", "Ann").await?;

    metrics::record_pool(&pool);
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nthe last error: {told}\n")?;
    out.write_all(prometheus.render().as_bytes())?;
    Ok(())
}
