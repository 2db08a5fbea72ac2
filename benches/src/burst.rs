//! Many requests at once on a client that has no connection yet.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pipeline_pool::{Connect, Connecting, Io, Origin};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::BoxError;
use crate::clients::{Client, Session};
use crate::load::Meter;

/// Between two bursts, for the connections of the one before to be closed.
const BREAK: Duration = Duration::from_millis(20);

/// Starts a task that makes one client after another until the meter stops, has `tasks` tasks send
/// one request each over it, all at once, and notes how long it took until the last was answered.
pub fn spawn<C: Client>(
    make: impl Fn() -> Result<C, BoxError> + Send + 'static,
    tasks: usize,
    meter: &Arc<Meter>,
) {
    let meter = meter.clone();
    tokio::spawn(async move {
        while !meter.stopped() {
            match make() {
                Ok(client) => {
                    let start = Instant::now();
                    let result = burst(&client, tasks).await;
                    meter.done(start.elapsed(), &result);
                }
                Err(error) => meter.done(Duration::ZERO, &Err(error)),
            }
            tokio::time::sleep(BREAK).await;
        }
    });
}

/// The length of an answer's body, if all were answered.
async fn burst<C: Client>(client: &C, tasks: usize) -> Result<usize, BoxError> {
    let mut all = JoinSet::new();
    for _ in 0..tasks {
        let mut session = client.session();
        all.spawn(async move { session.get().await });
    }
    let mut len = 0;
    while let Some(done) = all.join_next().await {
        len = done??;
    }
    Ok(len)
}

/// Opens TCP connections, and refuses every so many-th.
#[derive(Debug)]
pub struct Refusing {
    every: usize,
    turn: AtomicUsize,
}

impl Refusing {
    /// Refuses the first of so many, at least 1, and so on.
    pub fn new(every: usize) -> Self {
        Self {
            every: every.max(1),
            turn: AtomicUsize::new(0),
        }
    }
}

impl Connect for Refusing {
    fn connect(&self, origin: &Origin) -> Connecting {
        let refused = self.turn.fetch_add(1, Relaxed).is_multiple_of(self.every);
        let (host, port) = (origin.host().to_owned(), origin.port());
        Box::pin(async move {
            if refused {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let tcp = TcpStream::connect((host, port)).await?;
            tcp.set_nodelay(true)?;
            Ok(Box::new(tcp) as Box<dyn Io>)
        })
    }
}
