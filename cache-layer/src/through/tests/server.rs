//! A memcached that does as it is told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::TTL;
use crate::memcached::Key;
use crate::through::name::Name;
use crate::through::shelf::{Deleted, Filled, Peeked, Shelf};
use crate::through::steps::Looked;
use crate::through::trust::Shard;

pub(super) struct Item {
    pub(super) number: u64,
    pub(super) value: Option<Bytes>,
    pub(super) until: Instant,
}

/// Shared by the processes of a test.
#[derive(Default)]
pub(super) struct Server {
    pub(super) items: Mutex<HashMap<Key, Item>>,
    pub(super) number: AtomicU64,
    pub(super) down: AtomicBool,
    pub(super) looks: AtomicUsize,
    /// How long it takes to answer a peek, in milliseconds.
    pub(super) slowness: AtomicU64,
    /// The time that the last look was given.
    pub(super) limit: Mutex<Option<Duration>>,
    /// A renewal was granted and not done.
    pub(super) renewing: AtomicBool,
}

#[derive(Clone, Default)]
pub(super) struct Mem(pub(super) Arc<Server>);

impl Mem {
    pub(super) fn number(&self) -> u64 {
        self.0.number.fetch_add(1, SeqCst) + 1
    }

    pub(super) fn is_down(&self) -> bool {
        self.0.down.load(SeqCst)
    }

    pub(super) fn has(&self, name: &Name) -> bool {
        let items = self.0.items.lock().unwrap();
        items
            .get(&name.key)
            .is_some_and(|item| item.value.is_some())
    }

    pub(super) fn put(&self, name: &Name, value: impl Into<Bytes>) {
        let item = Item {
            number: self.number(),
            value: Some(value.into()),
            until: Instant::now() + TTL,
        };
        self.0.items.lock().unwrap().insert(name.key.clone(), item);
    }
}

impl Shelf for Mem {
    type Lease = (Key, u64);

    async fn look(
        &self,
        key: &Key,
        lease: Duration,
        renew: Option<Duration>,
        limit: Duration,
    ) -> Looked<(Key, u64), Bytes> {
        self.0.looks.fetch_add(1, SeqCst);
        *self.0.limit.lock().unwrap() = Some(limit);
        yield_now().await;
        if self.is_down() {
            return Looked::Down;
        }
        let number = self.number();
        let now = Instant::now();
        let mut items = self.0.items.lock().unwrap();
        items.retain(|_, item| now < item.until);
        match items.get(key) {
            None => {
                let item = Item {
                    number,
                    value: None,
                    until: now + lease,
                };
                items.insert(key.clone(), item);
                Looked::Win((key.clone(), number))
            }
            Some(Item { value: None, .. }) => Looked::Lost,
            Some(Item {
                value: Some(value),
                number,
                until,
            }) => match renew {
                Some(renew) if *until - now < renew && !self.0.renewing.swap(true, SeqCst) => {
                    Looked::Renew(value.clone(), (key.clone(), *number))
                }
                _ => Looked::Hit(value.clone()),
            },
        }
    }

    async fn peek(&self, key: &Key) -> Peeked<Bytes> {
        yield_now().await;
        let slowness = self.0.slowness.load(SeqCst);
        if slowness > 0 {
            tokio::time::sleep(Duration::from_millis(slowness)).await;
        }
        if self.is_down() {
            return Peeked::Down;
        }
        let mut items = self.0.items.lock().unwrap();
        items.retain(|_, item| Instant::now() < item.until);
        let value = items.get(key).and_then(|item| item.value.clone());
        value.map_or(Peeked::Nothing, Peeked::Hit)
    }

    async fn fill(&self, (key, number): (Key, u64), value: Bytes, ttl: Duration) -> Filled {
        yield_now().await;
        if self.is_down() {
            return Filled::Down;
        }
        self.0.renewing.store(false, SeqCst);
        let next = self.number();
        match self.0.items.lock().unwrap().get_mut(&key) {
            Some(item) if item.number == number => {
                *item = Item {
                    number: next,
                    value: Some(value),
                    until: Instant::now() + ttl,
                };
                Filled::Stored
            }
            _ => Filled::Refused,
        }
    }

    async fn cancel(&self, (key, number): (Key, u64)) {
        let mut items = self.0.items.lock().unwrap();
        if items.get(&key).is_some_and(|item| item.number == number) {
            items.remove(&key);
        }
    }

    async fn delete(&self, key: &Key) -> Deleted {
        yield_now().await;
        if self.is_down() {
            return Deleted::Unknown;
        }
        self.0.items.lock().unwrap().remove(key);
        Deleted::Done
    }

    fn shard(&self, _: &Key) -> Shard {
        Shard { list: 0, server: 0 }
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(200)
    }
}
