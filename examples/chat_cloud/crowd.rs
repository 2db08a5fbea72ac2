//! The people: who is logged in where, and how one of them says something that is not to be lost.

use std::io::{self, Error};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::ledger::Ledger;
use crate::session::{Session, jid};

/// How long somebody whose node is gone tries to get in elsewhere.
const BACK: Duration = Duration::from_secs(60);
/// The pause between two trials.
const PAUSE: Duration = Duration::from_millis(200);

/// Everybody, and what they write to each other.
pub(crate) struct Crowd {
    pub(crate) ledger: Arc<Ledger>,
    people: Vec<Person>,
    friends: usize,
    addresses: Mutex<Vec<String>>,
    /// Messages that were sent again since the stream had ended before the server acknowledged them.
    pub(crate) unacknowledged: AtomicUsize,
}

struct Person {
    name: String,
    session: Mutex<Option<Session>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crowd {
    /// So many people, each with so many friends on either side.
    pub(crate) fn new(count: usize, friends: usize, addresses: Vec<String>) -> Self {
        let person = |number| Person {
            name: format!("person{number}"),
            session: Mutex::default(),
        };
        Self {
            ledger: Arc::new(Ledger::new()),
            people: (0..count).map(person).collect(),
            friends: friends.min(count.saturating_sub(1) / 2),
            addresses: Mutex::new(addresses),
            unacknowledged: AtomicUsize::new(0),
        }
    }

    pub(crate) fn name(&self, person: usize) -> &str {
        &self.people[person].name
    }

    pub(crate) fn jid(&self, person: usize) -> String {
        jid(self.name(person))
    }

    /// Those who become his friends by his asking: the next ones in the circle.
    pub(crate) fn next(&self, person: usize) -> impl Iterator<Item = usize> {
        let count = self.people.len();
        (1..=self.friends).map(move |step| (person + step) % count)
    }

    /// All his friends.
    pub(crate) fn friends(&self, person: usize) -> impl Iterator<Item = usize> {
        let count = self.people.len();
        let before = (1..=self.friends).map(move |step| (person + count - step) % count);
        self.next(person).chain(before)
    }

    /// Which nodes there are from now on.
    pub(crate) fn set_addresses(&self, addresses: Vec<String>) {
        *locked(&self.addresses) = addresses;
    }

    /// Where a node is; people spread over all of them.
    pub(crate) fn address(&self, person: usize) -> io::Result<String> {
        let addresses = locked(&self.addresses);
        let found = addresses.get(person % addresses.len().max(1));
        found
            .cloned()
            .ok_or_else(|| Error::other("no node is left"))
    }

    pub(crate) async fn log_in(&self, person: usize) -> io::Result<Session> {
        let address = self.address(person)?;
        let session = Session::open(&address, self.name(person), &self.ledger).await?;
        *locked(&self.people[person].session) = Some(session.clone());
        Ok(session)
    }

    pub(crate) async fn log_out(&self, person: usize) -> io::Result<()> {
        let session = locked(&self.people[person].session).take();
        if let Some(session) = session {
            session.close().await;
        }
        Ok(())
    }

    /// The session of somebody who is logged in.
    pub(crate) fn session(&self, person: usize) -> io::Result<Session> {
        let session = locked(&self.people[person].session).clone();
        session.ok_or_else(|| Error::other(format!("{} is not logged in", self.name(person))))
    }

    /// His session, or a new one if that has ended.
    pub(crate) async fn back(&self, person: usize) -> io::Result<Session> {
        if let Ok(session) = self.session(person)
            && session.is_open()
        {
            return Ok(session);
        }
        let until = Instant::now() + BACK;
        loop {
            match self.log_in(person).await {
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => sleep(PAUSE).await,
                done => return done,
            }
        }
    }

    /// Writes to somebody, and waits until the server or he has it; again, over another stream, if this one ends before.
    pub(crate) async fn write(&self, from: usize, to: usize) -> io::Result<()> {
        let id = self.ledger.begin(from, self.name(to));
        self.send(from, self.name(to), id).await
    }

    /// Sends once more what has not arrived.
    pub(crate) async fn write_again(&self, from: usize, id: u64) -> io::Result<()> {
        let to = self.ledger.again(id);
        self.send(from, &to, id).await
    }

    async fn send(&self, from: usize, to: &str, id: u64) -> io::Result<()> {
        let mut changes = self.ledger.changes();
        loop {
            let session = self.back(from).await?;
            session.chat(to, id);
            let taken = async {
                while !self.ledger.is_taken(id) {
                    if changes.changed().await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = taken => return Ok(()),
                () = session.ended() => {}
            }
            if self.ledger.is_taken(id) {
                return Ok(());
            }
            self.unacknowledged.fetch_add(1, Ordering::Relaxed);
            self.ledger.again(id);
        }
    }
}
