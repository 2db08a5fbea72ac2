//! Single puts of many tasks, joined into batches.

mod queue;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_core::{Error, Kind, Result, awaitable};
use pipeline_pool::Sent;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::queue::{Entry, Queue};
use crate::change::PutItem;
use crate::domain::Domain;
use crate::limits::{self, MAX_BATCH_ITEMS};
use crate::options::Options;
use crate::usage::Usage;

/// Joins the puts of many tasks into few requests: made by [`Domain::batcher`]. Cheap to clone.
///
/// Each task puts one item and gets the result of that item; underneath, what waits goes out together by
/// BatchPutAttributes: as soon as there are 25 items or as many as may wait, or when the first of them has waited for
/// [`max_wait`](BatcherBuilder::max_wait). That saves most requests, and with them time and connections; what
/// SimpleDB bills goes by the items, so it saves little of that.
///
/// - **Order**: puts of the same item are written in the order in which they were first polled, each after the one
///   before was answered, whatever the answer was.
/// - **Results**: SimpleDB does a batch whole or not at all. If it refuses one for what may be the fault of a
///   single item (256 pairs in the item, say), each item is put alone, so that only the guilty one fails.
/// - **Dropping** a put before it is part of a request takes it out; after that it is written without anybody
///   hearing of it. Dropping all clones ends the batcher once what is under way is done.
/// - **Waiting**: when [`max_waiting`](BatcherBuilder::max_waiting) items wait, further puts wait until there is
///   room.
///
/// It works in a task of the runtime that it was started on, and ends with that runtime.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let service = emulator::Emulator::start_blocking()?;
/// # let keys = sdb_client::Credentials::new(service.access_key(), service.secret_key());
/// # let sdb = sdb_client::SdbClient::builder().endpoint(service.url()).credentials(keys).build()?;
/// # let users = sdb.domain("users");
/// # users.create().await?;
/// use sdb_client::PutItem;
///
/// let batcher = users.batcher().start()?;
/// let tasks: Vec<_> = (0..100)
///     .map(|i| tokio::spawn(batcher.put(PutItem::new(format!("u{i}")).replace("n", "1")).send()))
///     .collect();
/// for task in tasks {
///     task.await??;
/// }
/// batcher.close().await;
/// assert_eq!(batcher.stats().items, 100);
/// assert!(batcher.stats().requests < 20);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Batcher {
    commands: mpsc::Sender<Command>,
    domain: Domain,
    counters: Arc<Counters>,
}

enum Command {
    Put {
        item: PutItem,
        reply: oneshot::Sender<Result<Usage>>,
    },
    /// To be told when all puts before it are done.
    Flush(oneshot::Sender<()>),
    /// The same, and nothing is taken after it.
    Close(oneshot::Sender<()>),
}

#[derive(Debug, Default)]
struct Counters {
    items: AtomicU64,
    requests: AtomicU64,
}

/// What a [`Batcher`] has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatcherStats {
    /// Items that were part of a request.
    pub items: u64,
    /// How many requests were sent, without retries.
    pub requests: u64,
}

/// Sets up a [`Batcher`]; made by [`Domain::batcher`].
#[derive(Clone, Debug)]
#[must_use = "nothing runs before start()"]
pub struct BatcherBuilder {
    domain: Domain,
    max_items: usize,
    max_wait: Duration,
    parallel: usize,
    max_waiting: usize,
    options: Options,
}

options!(BatcherBuilder);

impl Domain {
    /// Joins the single puts of many tasks into batches.
    pub fn batcher(&self) -> BatcherBuilder {
        BatcherBuilder::new(self.clone())
    }
}

impl BatcherBuilder {
    pub(crate) fn new(domain: Domain) -> Self {
        Self {
            domain,
            max_items: MAX_BATCH_ITEMS,
            max_wait: Duration::from_millis(5),
            parallel: 4,
            max_waiting: 4096,
            options: Options::default(),
        }
    }

    /// The most items of one request, 1 to 25. Defaults to 25.
    pub fn max_items(mut self, items: usize) -> Self {
        self.max_items = items;
        self
    }

    /// How long an item waits for others. Defaults to 5 ms. With zero it waits only while as many requests as are
    /// allowed are under way.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        // Whoever wants them to wait for a full batch means no instant that a clock can tell.
        self.max_wait = wait.min(Duration::from_secs(365 * 24 * 60 * 60));
        self
    }

    /// The most requests under way, from 1. Defaults to 4.
    pub fn parallel(mut self, requests: usize) -> Self {
        self.parallel = requests;
        self
    }

    /// The most items that wait for a request, from 1. Defaults to 4,096. When so many wait, they do not wait for
    /// others: a smaller number than [`max_items`](Self::max_items) makes the batches that small.
    pub fn max_waiting(mut self, items: usize) -> Self {
        self.max_waiting = items;
        self
    }

    /// Starts the batcher, as a task of the runtime.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when a setting or the domain's name is not legal; [`Kind::Shutdown`] outside of a tokio
    /// runtime.
    pub fn start(self) -> Result<Batcher> {
        limits::domain(&self.domain.name)?;
        limits::items(self.max_items)?;
        if self.parallel == 0 || self.max_waiting == 0 {
            return Err(Error::invalid(
                "parallel and max_waiting of a batcher are at least 1",
            ));
        }
        let runtime = Handle::try_current()
            .map_err(|_| Error::new(Kind::Shutdown, "there is no runtime to work on"))?;
        let counters = Arc::new(Counters::default());
        let (commands, receiver) = mpsc::channel(64);
        let worker = worker::Worker {
            receiver,
            queue: Queue::new(self.max_items, self.max_wait, self.max_waiting),
            domain: self.domain.clone(),
            options: self.options,
            parallel: self.parallel,
            counters: counters.clone(),
            running: Vec::new(),
            waiters: Vec::new(),
            timer: None,
        };
        runtime.spawn(worker.run());
        Ok(Batcher {
            commands,
            domain: self.domain,
            counters,
        })
    }
}

impl Batcher {
    /// Writes an item together with others.
    pub fn put(&self, item: PutItem) -> QueuedPut {
        QueuedPut {
            batcher: self.clone(),
            item,
        }
    }

    /// Sends what waits at once, and returns when all puts that were polled before are done. Their results are
    /// with those who put.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        // A batcher that has ended has nothing left to do.
        if self.commands.send(Command::Flush(done)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// Takes no further puts, sends what waits, and returns when all is done. Puts after it fail with
    /// [`Kind::Shutdown`].
    pub async fn close(&self) {
        let (done, wait) = oneshot::channel();
        if self.commands.send(Command::Close(done)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// What it has done so far.
    pub fn stats(&self) -> BatcherStats {
        BatcherStats {
            items: self.counters.items.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Batcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher")
            .field("domain", &self.domain.name)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// A put through a [`Batcher`]; made by [`Batcher::put`]. It takes its place in the line when it is first polled.
#[must_use = "nothing is put until this is awaited"]
#[derive(Clone, Debug)]
pub struct QueuedPut {
    batcher: Batcher,
    item: PutItem,
}

impl QueuedPut {
    /// Puts it, and waits for the result. The usage is this item's share of what the request cost.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when the item breaks a limit; [`Kind::Shutdown`] when the batcher was closed or its
    /// runtime has ended; otherwise as sending and the service say.
    pub async fn send(mut self) -> Result<Usage> {
        self.item.check()?;
        let (reply, wait) = oneshot::channel();
        let command = Command::Put {
            item: self.item,
            reply,
        };
        // Not held while waiting for the answer: the batcher ends when nobody can put any more.
        let commands = self.batcher.commands.clone();
        drop(self.batcher);
        if commands.send(command).await.is_err() {
            return Err(Error::new(Kind::Shutdown, "the batcher was closed"));
        }
        drop(commands);
        wait.await.unwrap_or_else(|_| {
            let cause = pipeline_pool::Error::new(
                pipeline_pool::Kind::Shutdown,
                "the batcher's runtime has ended",
            );
            Err(cause.with_sent(Sent::All).into())
        })
    }
}

awaitable!(QueuedPut, Usage);

fn entry(item: PutItem, reply: oneshot::Sender<Result<Usage>>) -> Entry {
    Entry {
        item,
        reply,
        at: Instant::now(),
        number: 0,
    }
}
