//! The steps, and what each took.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use examples::dump::progress;
use indicatif::ProgressBar;
use keys::Keys;
use tokio::task::JoinSet;

use crate::Args;
use crate::redis::Connection;

/// What holds the values.
pub(crate) enum Store {
    Keys(Keys),
    /// Where it listens, and the count of commands.
    Redis(SocketAddr, Arc<AtomicU64>),
}

/// What one store took.
pub(crate) struct Row {
    pub(crate) store: &'static str,
    pub(crate) steps: Vec<Step>,
}

/// What one step took.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) elapsed: Duration,
    pub(crate) requests: u64,
    /// Values that were there.
    pub(crate) found: usize,
}

/// What one task has of a store.
enum Hand {
    Keys(Keys),
    Redis(Connection),
}

#[derive(Clone, Copy)]
enum Verb {
    Put,
    Get,
    Delete,
}

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

impl Hand {
    /// Does it; whether there is a value then, or was one that was as it had been put.
    async fn run(&mut self, verb: Verb, bucket: &str, key: &str, value: &Bytes) -> Outcome<bool> {
        Ok(match (self, verb) {
            (Self::Keys(keys), Verb::Put) => {
                keys.put(bucket, key, value.clone()).await?;
                true
            }
            (Self::Keys(keys), Verb::Get) => {
                let found = keys.get(bucket, key).await?;
                found.is_some_and(|(found, _)| found == *value)
            }
            (Self::Keys(keys), Verb::Delete) => {
                keys.delete(bucket, key).await?;
                true
            }
            (Self::Redis(redis), Verb::Put) => {
                redis.put(bucket, key, value).await?;
                true
            }
            (Self::Redis(redis), Verb::Get) => {
                redis.get(bucket, key).await?.as_deref() == Some(&**value)
            }
            (Self::Redis(redis), Verb::Delete) => {
                redis.delete(bucket, key).await?;
                true
            }
        })
    }

    /// How many keys there are.
    async fn list(&mut self) -> Outcome<usize> {
        Ok(match self {
            Self::Keys(keys) => keys.all_keys().fold(0, |count, _| count + 1).await?,
            Self::Redis(redis) => redis.world().await?,
        })
    }
}

/// Runs all steps over an empty store.
pub(crate) async fn measure(
    name: &'static str,
    store: Store,
    args: &Args,
    count: &AtomicU64,
) -> Result<Row, Box<dyn Error>> {
    let mut hands = Vec::new();
    for _ in 0..args.tasks {
        hands.push(match &store {
            Store::Keys(keys) => Hand::Keys(keys.clone()),
            Store::Redis(addr, commands) => {
                Hand::Redis(Connection::open(*addr, Arc::clone(commands)).await?)
            }
        });
    }
    let template = format!("{name} {{msg:7}} {{bar:40}} {{human_pos}} of {{human_len}}");
    let bar = progress(&template, args.values as u64, 0);
    let mut steps = Vec::new();
    let verbs = [
        ("put", Some(Verb::Put)),
        ("get", Some(Verb::Get)),
        ("list", None),
        ("delete", Some(Verb::Delete)),
        ("list again", None),
    ];
    for (step, verb) in verbs {
        bar.set_position(0);
        bar.set_message(step);
        let (before, start) = (count.load(Ordering::Relaxed), Instant::now());
        let found = match verb {
            Some(verb) => each(&mut hands, verb, args, &bar).await?,
            None => match hands.first_mut() {
                Some(hand) => hand.list().await.map_err(plain)?,
                None => 0,
            },
        };
        steps.push(Step {
            name: step,
            elapsed: start.elapsed(),
            requests: count.load(Ordering::Relaxed) - before,
            found,
        });
        let expected = if step == "list again" { 0 } else { args.values };
        if found != expected {
            bar.finish_and_clear();
            return Err(format!("{name}: {step}: {found} of {expected} values").into());
        }
    }
    bar.finish_and_clear();
    Ok(Row { store: name, steps })
}

/// Does one thing to each value, shared out among the hands; how many were as they should be.
async fn each(
    hands: &mut Vec<Hand>,
    verb: Verb,
    args: &Args,
    bar: &ProgressBar,
) -> Result<usize, Box<dyn Error>> {
    let (values, size, tasks) = (args.values, args.size as usize, hands.len());
    let buckets = usize::from(args.buckets);
    let mut running = JoinSet::new();
    for (first, mut hand) in hands.drain(..).enumerate() {
        let bar = bar.clone();
        running.spawn(async move {
            let mut right = 0;
            for i in (first..values).step_by(tasks) {
                let value = Bytes::from(vec![b'a' + (i % 26) as u8; size]);
                let (bucket, key) = (format!("bucket-{}", i % buckets), format!("key-{i:06}"));
                right += usize::from(hand.run(verb, &bucket, &key, &value).await?);
                bar.inc(1);
            }
            Outcome::Ok((hand, right))
        });
    }
    let mut all = 0;
    while let Some(done) = running.join_next().await {
        let (hand, right) = done?.map_err(plain)?;
        hands.push(hand);
        all += right;
    }
    Ok(all)
}

fn plain(error: Box<dyn Error + Send + Sync>) -> Box<dyn Error> {
    error
}
