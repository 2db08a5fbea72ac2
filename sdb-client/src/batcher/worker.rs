//! The task of a batcher.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use aws_core::{Kind, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep};

use super::queue::{Entry, Queue, Take};
use super::{Command, Counters, entry};
use crate::batch::{self, Member as _};
use crate::change::PutItem;
use crate::code::Code;
use crate::domain::Domain;
use crate::options::Options;
use crate::usage::Usage;

/// A request under way; it gives back the items that it was for, and their numbers.
type RunningPut = Pin<Box<dyn Future<Output = Vec<(String, u64)>> + Send>>;

pub(super) struct Worker {
    pub(super) receiver: mpsc::Receiver<Command>,
    pub(super) queue: Queue,
    pub(super) domain: Domain,
    pub(super) options: Options,
    pub(super) parallel: usize,
    pub(super) counters: Arc<Counters>,
    pub(super) running: Vec<RunningPut>,
    /// Who is to be told when all puts before a place are done.
    pub(super) waiters: Vec<(u64, oneshot::Sender<()>)>,
    pub(super) timer: Option<Pin<Box<Sleep>>>,
}

impl Worker {
    pub(super) async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let ended = self.receive(cx);
            // Nothing wakes this task for what may come while there is no room for it.
            let full = self.queue.is_full();
            let mut moved = self.reap(cx);
            let due = loop {
                if self.running.len() >= self.parallel {
                    break None;
                }
                match self.queue.take(Instant::now()) {
                    Take::Batch(batch) => self.start(batch),
                    Take::Wait(due) => break due,
                }
                moved = true;
            };
            // Those that were dropped have made room, and perhaps are the only ones that waited.
            moved |= full && !self.queue.is_full();
            self.tell();
            if ended && self.running.is_empty() && self.queue.len() == 0 {
                return Poll::Ready(());
            }
            if !moved && self.sleep(due, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Takes what has come, as far as there is room; returns whether nothing more can come.
    fn receive(&mut self, cx: &mut Context<'_>) -> bool {
        while !self.queue.is_full() {
            match self.receiver.poll_recv(cx) {
                Poll::Pending => return false,
                Poll::Ready(None) => {
                    self.queue.hurry();
                    return true;
                }
                Poll::Ready(Some(Command::Put { item, reply })) => {
                    self.queue.push(entry(item, reply));
                }
                Poll::Ready(Some(Command::Flush(done))) => {
                    self.waiters.push((self.queue.hurry(), done));
                }
                Poll::Ready(Some(Command::Close(done))) => {
                    self.receiver.close();
                    self.waiters.push((self.queue.hurry(), done));
                }
            }
        }
        false
    }

    /// Takes out the requests that are done; returns whether there were any.
    fn reap(&mut self, cx: &mut Context<'_>) -> bool {
        let before = self.running.len();
        let queue = &mut self.queue;
        self.running
            .retain_mut(|request| match request.as_mut().poll(cx) {
                Poll::Ready(items) => {
                    queue.done(items.iter().map(|(name, number)| (name.as_str(), *number)));
                    false
                }
                Poll::Pending => true,
            });
        self.running.len() < before
    }

    fn start(&mut self, batch: Vec<Entry>) {
        self.running.push(Box::pin(send(
            batch,
            self.domain.clone(),
            self.options.clone(),
            self.counters.clone(),
        )));
    }

    fn tell(&mut self) {
        let queue = &self.queue;
        for (_, done) in self
            .waiters
            .extract_if(.., |(place, _)| queue.is_done(*place))
        {
            // Who asked may have gone.
            let _ = done.send(());
        }
    }

    /// Whether it is time to look again; if not, it will be woken then.
    fn sleep(&mut self, due: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = due else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = match &mut self.timer {
            Some(timer) => {
                if timer.deadline() != due {
                    timer.as_mut().reset(due);
                }
                timer
            }
            None => self.timer.insert(Box::pin(tokio::time::sleep_until(due))),
        };
        timer.as_mut().poll(cx)
    }
}

/// Sends a batch, and gives everybody the result of their own item.
async fn send(
    batch: Vec<Entry>,
    domain: Domain,
    options: Options,
    counters: Arc<Counters>,
) -> Vec<(String, u64)> {
    let count = |items: usize| {
        counters.items.fetch_add(items as u64, Ordering::Relaxed);
        counters.requests.fetch_add(1, Ordering::Relaxed);
    };
    let items: Vec<PutItem> = batch.iter().map(|entry| entry.item.clone()).collect();
    count(items.len());
    let result = batch::send(items, &domain, &options).await;
    let alone = batch.len() > 1 && result.as_ref().is_err_and(may_be_one_items_fault);
    let share = share(&result, batch.len());
    let mut done = Vec::with_capacity(batch.len());
    for entry in batch {
        let number = entry.number;
        let name = entry.item.name().to_owned();
        let result = if alone {
            count(0);
            entry.item.send_alone(&domain, &options).await
        } else {
            share.clone()
        };
        // Who put it may have gone meanwhile.
        let _ = entry.reply.send(result);
        done.push((name, number));
    }
    done
}

/// Whether the service refused a batch for what one of its items may be to blame for alone. It has not been
/// done then.
fn may_be_one_items_fault(error: &aws_core::Error) -> bool {
    error.kind() == Kind::Service
        && matches!(
            Code::of(error),
            Some(
                Code::NumberItemAttributesExceeded
                    | Code::NumberSubmittedAttributesExceeded
                    | Code::NumberSubmittedItemsExceeded
                    | Code::InvalidParameterValue
                    | Code::MissingParameter
            )
        )
}

fn share(result: &Result<Usage>, items: usize) -> Result<Usage> {
    let usage = result.clone()?;
    Ok(Usage {
        box_usage: usage.box_usage / items as f64,
        ..usage
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::SdbClient;

    #[tokio::test(start_paused = true)]
    async fn what_comes_when_all_that_waited_was_dropped_is_taken() {
        let hour = Duration::from_secs(3600);
        let keys = aws_core::Credentials::new("id", "secret");
        let client = SdbClient::builder().endpoint("http://h").credentials(keys);
        let (commands, receiver) = mpsc::channel(64);
        let mut worker = Worker {
            receiver,
            queue: Queue::new(25, hour, 2),
            domain: client.build().unwrap().domain("users"),
            options: Options::default(),
            parallel: 1,
            counters: Arc::default(),
            running: Vec::new(),
            waiters: Vec::new(),
            timer: None,
        };
        let put = |name: &str| {
            let (reply, heard) = oneshot::channel();
            let item = PutItem::new(name).add("a", "1");
            assert!(commands.try_send(Command::Put { item, reply }).is_ok());
            heard
        };
        let mut cx = Context::from_waker(std::task::Waker::noop());
        // They fill the line, and are gone when it is looked at.
        drop([put("a"), put("b")]);
        let _heard = put("c");
        assert!(worker.poll(&mut cx).is_pending());
        // It is in the line, and its time is counted.
        assert_eq!((worker.queue.len(), worker.receiver.len()), (1, 0));
        assert!(worker.timer.is_some() && worker.running.is_empty());
    }
}
