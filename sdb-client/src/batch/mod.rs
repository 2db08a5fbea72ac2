//! Any number of items in legal batches, several at the same time.
//!
//! *Problem:* A batch is refused as a whole for the fault of one of its items. *Decision:* It is repeated item by item,
//! so that only the guilty one fails. Batches of the same item go in waves: the second write of an item is sent after
//! the first was answered. One put is never split: an item holds 256 pairs, and every pair of a put ends up in it.
//! *Cost:* A refused batch costs up to 25 further requests.

mod plan;

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use aws_core::idempotency::Row;
use aws_core::{Error, Result};

use self::plan::{batches, waves};
use crate::domain::Domain;
use crate::limits;
use crate::ops::batch::send_batch;
use crate::ops::write::Mutation;
use crate::options::Options;
use crate::usage::{TotalUsage, Usage};

/// How many batches are under way at the same time unless something else is said.
pub(crate) const PARALLEL: usize = 8;

/// What can be one of a batch.
pub(crate) trait Member: Mutation + Clone {
    /// The row of the operation that takes several.
    const BATCH: Row;

    /// The item it is about.
    fn name(&self) -> &str;
    /// The most bytes that it takes in a form.
    fn encoded_len(&self) -> usize;
    /// Sends it by itself.
    fn send_alone(
        self,
        domain: &Domain,
        options: &Options,
    ) -> impl Future<Output = Result<Usage>> + Send;
}

/// What became of the batches of one request.
#[must_use = "a batch may have failed: see `failures`, or make it a result by `into_result`"]
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Batches {
    /// Each batch that was made of the items, in the order in which they were given as far as possible.
    pub batches: Vec<BatchOutcome>,
}

/// What became of one batch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchOutcome {
    /// The names of its items.
    pub items: Vec<String>,
    /// What it cost, or why it failed. A batch is done whole or not at all.
    pub result: Result<Usage>,
}

impl Batches {
    /// The batches that failed.
    pub fn failures(&self) -> impl Iterator<Item = &BatchOutcome> {
        self.batches.iter().filter(|batch| batch.result.is_err())
    }

    /// What those that were answered well cost together.
    pub fn usage(&self) -> TotalUsage {
        let mut total = TotalUsage::default();
        for usage in self.batches.iter().flat_map(|batch| &batch.result) {
            total.add(usage);
        }
        total
    }

    /// The cost if all went well, else the first failure.
    ///
    /// # Errors
    /// That of the first batch that failed.
    pub fn into_result(self) -> Result<TotalUsage> {
        let usage = self.usage();
        for batch in self.batches {
            batch.result?;
        }
        Ok(usage)
    }
}

/// Sends all items; each is checked before the first is sent.
pub(crate) async fn run<M: Member>(
    domain: &Domain,
    mut items: Vec<M>,
    parallel: usize,
    options: &Options,
) -> Result<Batches> {
    limits::domain(&domain.name)?;
    if parallel == 0 {
        return Err(Error::invalid("no batch can be under way: parallel is 0"));
    }
    for item in &mut items {
        let checked = item.check();
        checked.map_err(|error| domain.refused(error, Some(item.name())))?;
    }
    let mut outcome = Batches::default();
    let mut failed: HashSet<String> = HashSet::new();
    for mut wave in waves(items) {
        if !failed.is_empty() {
            let skipped: Vec<M> = wave
                .extract_if(.., |item| failed.contains(item.name()))
                .collect();
            if !skipped.is_empty() {
                outcome.batches.push(not_sent(&skipped));
            }
        }
        let sending = batches(wave).map(|batch| async move {
            let items = names(&batch);
            let result = send(batch, domain, options).await;
            BatchOutcome { items, result }
        });
        let sent = all(sending, parallel).await;
        for batch in &sent {
            if batch.result.is_err() {
                failed.extend(batch.items.iter().cloned());
            }
        }
        outcome.batches.extend(sent);
    }
    Ok(outcome)
}

/// Sends a batch of items that are all different.
pub(crate) async fn send<M: Member>(
    mut batch: Vec<M>,
    domain: &Domain,
    options: &Options,
) -> Result<Usage> {
    match (batch.len(), batch.pop()) {
        // A batch of one costs the same, and has a limit of bytes more.
        (1, Some(only)) => only.send_alone(domain, options).await,
        (_, last) => {
            batch.extend(last);
            send_batch(batch, domain, options).await
        }
    }
}

fn names<M: Member>(items: &[M]) -> Vec<String> {
    items.iter().map(|item| item.name().to_owned()).collect()
}

fn not_sent<M: Member>(items: &[M]) -> BatchOutcome {
    BatchOutcome {
        items: names(items),
        result: Err(Error::invalid(
            "not sent, since an earlier write to the same item failed",
        )),
    }
}

type Running<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs futures, so many at a time, and gives their results in their order.
async fn all<'a, T, F: Future<Output = T> + Send + 'a>(
    futures: impl Iterator<Item = F>,
    parallel: usize,
) -> Vec<T> {
    let mut waiting = futures.enumerate();
    let mut running: Vec<(usize, Running<'a, T>)> = Vec::new();
    let mut done: Vec<(usize, T)> = Vec::new();
    poll_fn(|cx| {
        loop {
            while running.len() < parallel {
                let Some((place, future)) = waiting.next() else {
                    break;
                };
                running.push((place, Box::pin(future)));
            }
            let before = done.len();
            running.retain_mut(|(place, future)| match future.as_mut().poll(cx) {
                Poll::Ready(result) => {
                    done.push((*place, result));
                    false
                }
                Poll::Pending => true,
            });
            if running.is_empty() && done.len() == before {
                return Poll::Ready(());
            }
            if done.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn so_many_run_at_a_time() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let futures = (0..20).map(|n| {
            let (now, most) = (&now, &most);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                for _ in 0..n % 5 {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::Relaxed);
                n
            }
        });
        assert_eq!(all(futures, 4).await, (0..20).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), 4);
        assert!(
            all(std::iter::empty::<std::future::Ready<()>>(), 4)
                .await
                .is_empty()
        );
    }
}
