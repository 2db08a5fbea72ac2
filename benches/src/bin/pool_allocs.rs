//! Counts the allocations of one GET through the pool, the client's process alone.

use std::alloc::System;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use benches::child::Running;
use benches::clients::hyper::Hyper;
use benches::clients::pool::Pool;
use benches::clients::{Client, Session};
use benches::server::Mode;
use benches::{BoxError, server};
use clap::{Parser, Subcommand};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::sync::Barrier;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[derive(Parser)]
#[command(about = "Counts the allocations of one GET through the pool.")]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// GETs of each task that are counted.
    #[arg(long, default_value_t = 200)]
    gets: usize,
    /// Tasks that send them.
    #[arg(long, default_value_t = 256)]
    tasks: usize,
}

#[derive(Subcommand)]
enum Command {
    /// Be the server.
    Serve(server::Args),
}

fn main() -> Result<(), BoxError> {
    let cli = Cli::parse();
    if let Some(Command::Serve(args)) = cli.command {
        return args.serve();
    }
    let server = Running::own(&Mode::default(), &[])?;
    let addr = server.addr;
    let mut out = std::io::stdout();
    for (name, connections, depth, tasks) in
        [("pool 8x32", 8, 32, cli.tasks), ("pool 1, 1 task", 1, 1, 1)]
    {
        let pool = || {
            let endpoint = format!("http://{addr}");
            Pool::new(&endpoint, "/bench/object", Some(connections), Some(depth))
        };
        writeln!(out, "{name}: {}", count(pool, tasks, cli.gets)?)?;
    }
    let hyper = || Hyper::new(addr, "/bench/object", cli.tasks, 1);
    writeln!(
        out,
        "hyper {}: {}",
        cli.tasks,
        count(hyper, cli.tasks, cli.gets)?
    )?;
    Ok(())
}

/// The allocations of `tasks` times `gets` GETs, once all connections are open and warm.
fn count<C: Client>(
    client: impl FnOnce() -> Result<C, BoxError>,
    tasks: usize,
    gets: usize,
) -> Result<String, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = client()?;
        let (ready, done) = (
            Arc::new(Barrier::new(tasks + 1)),
            Arc::new(Barrier::new(tasks + 1)),
        );
        let mut set = tokio::task::JoinSet::new();
        for _ in 0..tasks {
            let (mut session, ready, done) = (client.session(), ready.clone(), done.clone());
            set.spawn(async move {
                for _ in 0..gets {
                    session.get().await?;
                }
                ready.wait().await;
                for _ in 0..gets {
                    session.get().await?;
                }
                done.wait().await;
                Ok::<_, BoxError>(())
            });
        }
        let limit = Duration::from_secs(60);
        let counted = async {
            ready.wait().await;
            let region = Region::new(ALLOCATOR);
            done.wait().await;
            region.change()
        };
        let change = tokio::time::timeout(limit, counted).await?;
        while let Some(end) = set.join_next().await {
            end??;
        }
        let n = (tasks * gets) as f64;
        Ok(format!(
            "{:.2} allocations, {:.2} reallocations, {:.0} bytes per GET",
            change.allocations as f64 / n,
            change.reallocations as f64 / n,
            change.bytes_allocated as f64 / n,
        ))
    })
}
