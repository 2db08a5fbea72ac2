//! The server that clients are measured against. Prints `listening ADDRESS` once it is bound.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use benches::BoxError;
use benches::server::{Mode, Server, Tail, millis};
use clap::Parser;

#[derive(Parser)]
#[command(about = "An HTTP server to measure clients against.")]
struct Args {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    addr: SocketAddr,
    /// Bytes of each body.
    #[arg(long, default_value_t = 1024)]
    body: usize,
    /// Work the requests of one connection at once, and answer in order (the default).
    #[arg(long, conflicts_with = "serial")]
    concurrent: bool,
    /// Work the requests of one connection one after another.
    #[arg(long)]
    serial: bool,
    /// Milliseconds of work per request; fractions are exact to some microseconds.
    #[arg(long, default_value = "0", value_parser = millis)]
    latency: Duration,
    /// The share of answers that is late and by how much: PERCENT:MS.
    #[arg(long)]
    tail: Option<Tail>,
    /// Close each connection after this many answers.
    #[arg(long)]
    close_after: Option<u64>,
    /// Close without saying so in the last answer.
    #[arg(long, requires = "close_after")]
    close_silent: bool,
    /// Write head and body apart, with Nagle's algorithm on.
    #[arg(long)]
    nagle_like: bool,
}

fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    let mode = Mode {
        body: args.body,
        serial: args.serial && !args.concurrent,
        latency: args.latency,
        tail: args.tail,
        close_after: args.close_after,
        announce: !args.close_silent,
        nagle: args.nagle_like,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = Server::bind(args.addr, mode).await?;
        writeln!(std::io::stdout(), "listening {}", server.addr()?)?;
        server.run().await;
        Ok(())
    })
}
