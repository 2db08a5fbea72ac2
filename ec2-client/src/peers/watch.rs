//! The stream of what changes, and the task behind it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_core::{Class, Error, Kind};
use futures_core::Stream;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::delay::Admission;
use super::find::{Peers, Resolved};
use super::lists::Lists;
use super::peer::{Peer, PeerEvent};
use super::round::{self, States};
use super::tracker::{Tracker, Wait};

/// What a cluster's members do, as a [`Stream`]; made by [`Peers::watch`]. See [the module](super) for the rules.
///
/// It ends only with its runtime.
#[must_use = "nothing is asked for until the stream is read"]
pub struct Watch {
    shared: Arc<Shared>,
    /// What it asks for, until it is first read.
    unstarted: Option<Box<Peers>>,
    task: Option<AbortHandle>,
}

/// What the stream and its task share.
pub(super) struct Shared(Mutex<WatchState>);

struct WatchState {
    tracker: Tracker,
    /// Of the one that reads.
    reader: Option<Waker>,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, WatchState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known, and wakes the reader.
    fn change<T>(&self, change: impl FnOnce(&mut WatchState) -> T) -> T {
        let mut inner = self.lock();
        let changed = change(&mut inner);
        // Wakers are foreign code, and not run under the lock.
        let reader = inner.reader.take();
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
        changed
    }

    /// Takes what `read` finds, or has the reader woken at the next change.
    fn poll<T>(
        &self,
        cx: &Context<'_>,
        read: impl FnOnce(&mut Tracker) -> Option<T>,
    ) -> Poll<Option<T>> {
        let waker = cx.waker().clone();
        let mut inner = self.lock();
        let found = read(&mut inner.tracker);
        if found.is_some() || inner.ended {
            return Poll::Ready(found);
        }
        let before = inner.reader.replace(waker);
        drop(inner);
        drop(before);
        Poll::Pending
    }
}

impl Watch {
    pub(super) fn new(peers: Peers) -> Self {
        let tracker = Tracker::new(peers.address, peers.every);
        Self {
            shared: Arc::new(Shared(Mutex::new(WatchState {
                tracker,
                reader: None,
                ended: false,
            }))),
            unstarted: Some(Box::new(peers)),
            task: None,
        }
    }

    /// What happens next; nothing after the end of the runtime.
    pub async fn next(&mut self) -> Option<PeerEvent> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The peers that are known now, by id, whether they have been told or not; nothing before the first whole list.
    pub fn peers(&self) -> Vec<Peer> {
        self.shared.lock().tracker.list().unwrap_or_default().1
    }

    /// The time between two lists now, but for the jitter.
    pub fn interval(&self) -> Duration {
        self.shared.lock().tracker.interval()
    }

    /// A stream of whole lists instead: what is there is not lost.
    pub fn into_lists(self) -> Lists {
        Lists::new(self)
    }

    /// Polls for what `read` finds in what is known.
    pub(super) fn poll_with<T>(
        &mut self,
        cx: &Context<'_>,
        read: impl FnOnce(&mut Tracker) -> Option<T>,
    ) -> Poll<Option<T>> {
        if let Some(peers) = self.unstarted.take() {
            self.start(*peers);
        }
        self.shared.poll(cx, read)
    }

    fn start(&mut self, peers: Peers) {
        let shared = self.shared.clone();
        match Handle::try_current() {
            Ok(runtime) => {
                // A runtime that goes down may drop a task that it never ran, and the reader has to hear of that too.
                let ending = Ending(shared);
                let task = runtime.spawn(async move { run(&peers, &ending.0).await });
                self.task = Some(task.abort_handle());
            }
            Err(_) => {
                let error = Error::new(Kind::Shutdown, "there is no tokio runtime to watch in");
                let mut inner = shared.lock();
                let now = Instant::now();
                inner.tracker.handle_failure(now, error, Wait::Backoff, 0.0);
                inner.ended = true;
            }
        }
    }
}

impl Stream for Watch {
    type Item = PeerEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PeerEvent>> {
        self.poll_with(cx, Tracker::poll_event)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("peers", &self.peers().len())
            .field("interval", &self.interval())
            .finish_non_exhaustive()
    }
}

/// Tells the reader that the task has ended, however it did.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.change(|inner| inner.ended = true);
    }
}

async fn run(peers: &Peers, shared: &Shared) {
    let mut resolved = None;
    loop {
        let due = shared.lock().tracker.next_round();
        if let Some(due) = due {
            sleep_until(due).await;
        }
        let delay = peers.client.delay();
        let begun = loop {
            let now = Instant::now();
            match delay.admit(now) {
                Admission::Now => break now,
                Admission::NotBefore(then) => sleep_until(then).await,
            }
        };
        let outcome = list(peers, &mut resolved).await;
        let (now, random) = (Instant::now(), peers.draw());
        match outcome {
            Ok(round) => {
                delay.answered(begun);
                shared.change(|inner| inner.tracker.handle_round(now, round, random));
            }
            Err(error) => {
                let wait = wait_after(&error);
                match wait {
                    Wait::Elsewhere => delay.refused(begun, now, random),
                    _ => delay.ended(begun),
                }
                tracing::debug!(error = %error, "no list of peers");
                shared.change(|inner| inner.tracker.handle_failure(now, error, wait, random));
            }
        }
    }
}

/// A whole list, after it has been found out who this is.
async fn list(
    peers: &Peers,
    resolved: &mut Option<Resolved>,
) -> aws_core::Result<super::tracker::Round> {
    let resolved = match resolved {
        Some(resolved) => resolved,
        None => resolved.insert(peers.resolve(States::Alive).await?),
    };
    round::fetch(peers, resolved, States::Alive).await
}

/// Who decides on the pause after this failure.
fn wait_after(error: &Error) -> Wait {
    let status = error.status().unwrap_or(0);
    match (error.kind(), error.class()) {
        (Kind::Service, Class::Throttled | Class::Unavailable) => Wait::Elsewhere,
        (Kind::Service, _) if status >= 500 => Wait::Elsewhere,
        (Kind::Service | Kind::Invalid | Kind::Credentials, _) => Wait::Interval,
        _ => Wait::Backoff,
    }
}
