//! A memcached that does as it is told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::TTL;
use super::process::entry;
use crate::memcached::Key;
use crate::through::backend::{Backend, Deleted, Filled, Peeked};
use crate::through::entry::Form;
use crate::through::name::Name;
use crate::through::steps::Looked;
use crate::through::trust::{Placement, Shard};

pub(in crate::through) struct Item {
    pub(in crate::through) number: u64,
    pub(in crate::through) value: Option<Bytes>,
    pub(in crate::through) until: Instant,
}

/// Shared by the processes of a test.
#[derive(Default)]
pub(in crate::through) struct MemState {
    /// By server and key.
    pub(in crate::through) items: Mutex<HashMap<(u64, Key), Item>>,
    /// The number of the list of servers. All keys are on one server, and by the next list on the other one.
    pub(in crate::through) list: AtomicU64,
    pub(in crate::through) number: AtomicU64,
    pub(in crate::through) down: AtomicBool,
    pub(in crate::through) looks: AtomicUsize,
    /// How long it takes to answer a peek, in milliseconds.
    pub(in crate::through) slowness: AtomicU64,
    /// How long a fill takes, in milliseconds.
    pub(in crate::through) slow_fill: AtomicU64,
    /// The time that the last look was given.
    pub(in crate::through) limit: Mutex<Option<Duration>>,
    /// Deletions are not acknowledged, and this client remembers them.
    pub(in crate::through) owes: AtomicBool,
    /// What looks find is under way, and does not arrive.
    pub(in crate::through) holds: AtomicBool,
    /// A renewal was granted and not done.
    pub(in crate::through) renewing: AtomicBool,
}

#[derive(Clone, Default)]
pub(in crate::through) struct Mem(pub(in crate::through) Arc<MemState>);

impl Mem {
    pub(in crate::through) fn number(&self) -> u64 {
        self.0.number.fetch_add(1, SeqCst) + 1
    }

    /// It answers nothing from now on, or again.
    pub(in crate::through) fn set_down(&self, down: bool) {
        self.0.down.store(down, SeqCst);
    }

    pub(in crate::through) fn is_down(&self) -> bool {
        self.0.down.load(SeqCst)
    }

    pub(in crate::through) fn has(&self, name: &Name) -> bool {
        let items = self.0.items.lock().unwrap();
        items
            .get(&self.place(&name.key))
            .is_some_and(|item| item.value.is_some())
    }

    /// Whether somebody has the right to fill it.
    pub(in crate::through) fn is_leased(&self, name: &Name) -> bool {
        let items = self.0.items.lock().unwrap();
        items
            .get(&self.place(&name.key))
            .is_some_and(|item| item.value.is_none())
    }

    /// The server that a key belongs to, and the key.
    fn place(&self, key: &Key) -> (u64, Key) {
        (self.0.list.load(SeqCst) % 2, key.clone())
    }

    pub(in crate::through) fn put(&self, name: &Name, value: impl Into<Bytes>) {
        self.put_for(name, value.into(), TTL);
    }

    fn put_for(&self, name: &Name, value: Bytes, ttl: Duration) {
        let item = Item {
            number: self.number(),
            value: Some(value),
            until: Instant::now() + ttl,
        };
        let place = self.place(&name.key);
        self.0.items.lock().unwrap().insert(place, item);
    }

    /// Has an entry of this text, as another process stores it.
    pub(in crate::through) fn put_entry(&self, name: &Name, text: &str) {
        self.put_entry_for(name, text, TTL);
    }

    pub(in crate::through) fn put_entry_for(&self, name: &Name, text: &str, ttl: Duration) {
        let value = Form::default().encode(&name.key, &entry(text, false), u64::MAX);
        self.put_for(name, value, ttl);
    }

    fn look_now(
        &self,
        key: &Key,
        lease: Duration,
        renew: Option<Duration>,
    ) -> Looked<((u64, Key), u64), Bytes> {
        let (place, number, now) = (self.place(key), self.number(), Instant::now());
        let mut items = self.0.items.lock().unwrap();
        items.retain(|_, item| now < item.until);
        match items.get(&place) {
            None => {
                let item = Item {
                    number,
                    value: None,
                    until: now + lease,
                };
                items.insert(place.clone(), item);
                Looked::Win((place, number))
            }
            Some(Item { value: None, .. }) => Looked::Lost,
            Some(Item {
                value: Some(value),
                number,
                until,
            }) => match renew {
                Some(renew) if *until - now < renew && !self.0.renewing.swap(true, SeqCst) => {
                    Looked::Renew(value.clone(), (place, *number))
                }
                _ => Looked::Hit(value.clone()),
            },
        }
    }
}

impl Placement for Mem {
    fn list(&self) -> u64 {
        self.0.list.load(SeqCst)
    }

    fn shard(&self, key: &Key) -> Shard {
        let server = self.place(key).0 as usize;
        Shard {
            list: self.list(),
            server,
        }
    }
}

impl Backend for Mem {
    type Right = ((u64, Key), u64);

    async fn look(
        &self,
        key: &Key,
        lease: Duration,
        renew: Option<Duration>,
        limit: Duration,
    ) -> Looked<Self::Right, Bytes> {
        self.0.looks.fetch_add(1, SeqCst);
        *self.0.limit.lock().unwrap() = Some(limit);
        yield_now().await;
        if self.is_down() {
            return Looked::Down;
        }
        let looked = self.look_now(key, lease, renew);
        while self.0.holds.load(SeqCst) {
            yield_now().await;
        }
        looked
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
        let item = items.get(&self.place(key));
        let value = item.and_then(|item| item.value.clone());
        value.map_or(Peeked::Nothing, Peeked::Hit)
    }

    async fn fill(&self, (place, number): Self::Right, value: Bytes, ttl: Duration) -> Filled {
        yield_now().await;
        let slowness = self.0.slow_fill.load(SeqCst);
        if slowness > 0 {
            tokio::time::sleep(Duration::from_millis(slowness)).await;
        }
        if self.is_down() {
            return Filled::Down;
        }
        if self.place(&place.1) != place {
            return Filled::Refused;
        }
        self.0.renewing.store(false, SeqCst);
        let next = self.number();
        match self.0.items.lock().unwrap().get_mut(&place) {
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

    async fn cancel(&self, (place, number): Self::Right) {
        let mut items = self.0.items.lock().unwrap();
        if items.get(&place).is_some_and(|item| item.number == number) {
            items.remove(&place);
        }
    }

    async fn delete(&self, key: &Key) -> Deleted {
        yield_now().await;
        if self.is_down() {
            return Deleted::Unknown;
        }
        if self.0.owes.load(SeqCst) {
            return Deleted::Owed;
        }
        let place = self.place(key);
        self.0.items.lock().unwrap().remove(&place);
        Deleted::Done
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(200)
    }
}
