//! What reached the stores: requests by operation, BoxUsage, and what memcached answered instead.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use emulator::{Emulator, Fault, Rule, Seen, Service};
use examples::prices::{BOX_HOUR, of_request};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// For how long there has to be no request until all is done that an action has begun.
const QUIET: Duration = Duration::from_millis(500);

/// Counts what an emulator is asked for.
pub(crate) struct Meter {
    emulator: Emulator,
    memcached: Option<SocketAddr>,
    requests: Arc<Mutex<Counts>>,
}

/// Requests by service and operation.
#[derive(Clone, Debug, Default)]
struct Counts {
    /// Those that actions of people have caused.
    actions: BTreeMap<(Place, String), u64>,
    /// Those that nodes make from time to time: leases, and logs of rooms.
    nodes: u64,
}

/// A service in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    S3,
    SimpleDb,
}

/// What there was since some moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) s3: u64,
    pub(crate) simpledb: u64,
    /// Machine hours of SimpleDB.
    pub(crate) box_hours: f64,
    pub(crate) dollars: f64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// What nodes have asked for by themselves.
    pub(crate) by_nodes: u64,
}

/// What a meter shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    counts: Counts,
    box_units: u64,
    hits: u64,
    misses: u64,
}

impl Meter {
    /// Counts from now on; each request waits this long.
    pub(crate) fn new(emulator: Emulator, memcached: Option<SocketAddr>, delay: Duration) -> Self {
        let requests: Arc<Mutex<Counts>> = Arc::default();
        let seen = Arc::clone(&requests);
        emulator
            .faults()
            .add(Rule::new(Fault::none()).when(move |request| {
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .add(request);
                false
            }));
        if !delay.is_zero() {
            emulator.faults().add(Rule::new(Fault::delay(delay)));
        }
        Self {
            emulator,
            memcached,
            requests,
        }
    }

    /// What it counts the requests of.
    pub(crate) fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// Waits until nothing is asked for any more.
    pub(crate) async fn quiet(&self) {
        let count = || self.lock().actions.values().sum::<u64>();
        let mut before = count();
        loop {
            sleep(QUIET).await;
            let now = count();
            if now == before {
                return;
            }
            before = now;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn read(&self) -> io::Result<Shown> {
        let (hits, misses) = match self.memcached {
            Some(server) => statistics(server).await?,
            None => (0, 0),
        };
        Ok(Shown {
            counts: self.lock().clone(),
            box_units: self.emulator.stats().sdb_box_usage,
            hits,
            misses,
        })
    }
}

impl Counts {
    fn add(&mut self, seen: &Seen) {
        let key = seen.key.as_deref().unwrap_or_default();
        let is_of = |part: &str| key.contains(&format!("/{part}/")) || seen.query.contains(part);
        if is_of("nodes") || is_of("muc-log") {
            self.nodes += 1;
            return;
        }
        let service = match seen.service {
            Service::S3 => Place::S3,
            _ => Place::SimpleDb,
        };
        *self
            .actions
            .entry((service, seen.operation.clone()))
            .or_default() += 1;
    }
}

impl Shown {
    /// What there was since then.
    pub(crate) fn since(&self, before: &Self) -> Usage {
        let mut usage = Usage {
            box_hours: (self.box_units - before.box_units) as f64 / 1e10,
            hits: self.hits - before.hits,
            misses: self.misses - before.misses,
            by_nodes: self.counts.nodes - before.counts.nodes,
            ..Usage::default()
        };
        usage.dollars = usage.box_hours * BOX_HOUR;
        for (kind, count) in &self.counts.actions {
            let count = count - before.counts.actions.get(kind).unwrap_or(&0);
            match kind {
                (Place::S3, operation) => {
                    usage.s3 += count;
                    usage.dollars += of_request(operation) * count as f64;
                }
                (Place::SimpleDb, _) => usage.simpledb += count,
            }
        }
        usage
    }
}

impl Usage {
    pub(crate) fn requests(&self) -> u64 {
        self.s3 + self.simpledb
    }
}

/// How many reads memcached has answered, and how many it could not.
async fn statistics(server: SocketAddr) -> io::Result<(u64, u64)> {
    let mut stream = BufReader::new(TcpStream::connect(server).await?);
    stream.write_all(b"stats\r\n").await?;
    let (mut hits, mut misses) = (0, 0);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 && line.trim() != "END" {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["STAT", "get_hits", count] => hits = count.parse().unwrap_or(0),
            ["STAT", "get_misses", count] => misses = count.parse().unwrap_or(0),
            _ => {}
        }
        line.clear();
    }
    Ok((hits, misses))
}
