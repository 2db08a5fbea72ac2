//! Sends a number of GETs through the pool, the S3 client over it, or a memcached client, and ends: for callgrind, where the
//! instructions of one GET are the difference of two runs divided by the difference of their numbers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use benches::BoxError;
use benches::clients::pool::{Pool, PoolSettings};
use benches::clients::s3::S3;
use benches::clients::{Client, Puts, Session};
use benches::keys::Keys;
use benches::memcached::Ours;
use benches::memcached::cached::Cached;
use clap::Parser;

#[derive(Parser)]
#[command(about = "Sends a number of GETs through the pool and ends.")]
struct Args {
    /// Send through the whole S3 client.
    #[arg(long)]
    s3: bool,
    /// The server, as http://HOST:PORT.
    #[arg(long)]
    endpoint: String,
    /// Read from this memcached instead; with `--s3` through the cache of the S3 client.
    #[arg(long)]
    memcached: Option<SocketAddr>,
    /// Store what is read in memcached, and end.
    #[arg(long)]
    fill: bool,
    /// What to GET.
    #[arg(long, default_value = "/bench/object")]
    target: String,
    /// PUT bodies of so many bytes there instead, by Version 2; with `--s3`.
    #[arg(long, requires = "s3", conflicts_with = "memcached")]
    put: Option<usize>,
    /// How many in all.
    #[arg(long, default_value_t = 10_000)]
    gets: usize,
    /// Tasks that send them.
    #[arg(long, default_value_t = 256)]
    tasks: usize,
    /// The most connections.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// The requests in flight on one. The number is set: while it is learnt, two runs differ.
    #[arg(long, default_value_t = 32)]
    depth: usize,
}

fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let connections = Some(args.connections);
        if let Some(memcached) = args.memcached {
            let ours = Ours::new(memcached, connections)?;
            let store = args.endpoint.trim_start_matches("http://").parse()?;
            let cached = Cached::new(memcached, store, connections)?;
            match (args.fill, args.s3) {
                (true, false) => ours.fill(1024).await,
                (true, true) => cached.fill().await,
                (false, false) => send(&ours, &args).await,
                (false, true) => send(&cached, &args).await,
            }
        } else {
            let settings = PoolSettings {
                connections,
                depth: Some(args.depth),
                fixed: true,
                ..PoolSettings::default()
            };
            let pool = Pool::with(&args.endpoint, &args.target, &settings)?;
            match args.s3 {
                true => {
                    let s3 = S3::over(pool, &args.endpoint, &args.target, &Keys::default())?;
                    match args.put {
                        Some(bytes) => send(&Puts(s3, vec![b'x'; bytes].into()), &args).await,
                        None => send(&s3, &args).await,
                    }
                }
                false => send(&pool, &args).await,
            }
        }
    })
}

async fn send(client: &impl Client, args: &Args) -> Result<(), BoxError> {
    let left = Arc::new(AtomicUsize::new(args.gets));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..args.tasks {
        let (mut session, left) = (client.session(), left.clone());
        tasks.spawn(async move {
            while left
                .fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1))
                .is_ok()
            {
                session.get().await?;
            }
            Ok::<_, BoxError>(())
        });
    }
    while let Some(end) = tasks.join_next().await {
        end??;
    }
    Ok(())
}
