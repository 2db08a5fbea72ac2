//! What is said in rooms, as pages that a browser reads: [`Stores::muc_log`].
//!
//! *Problem:* A room says many things in a second, and an object is written as a whole. *Decision:* What is said waits in
//! memory for some seconds; then each room's page of the day is read, and put with what is new on condition that it is still
//! the page that was read. Each entry has a name of its own, so a page tells whether a write whose answer was lost was
//! done. A page that has grown large is full, and goes on as a further one. *Cost:* A read and a write for each room in
//! which something was said, each time; what waits is lost with the process.
//!
//! A page is `muc-log/HOST/ROOM/YYYY/MM/DD.html`, its further ones `DD-2.html` and so on, all in UTC: one HTML document
//! without scripts, in which everything that people have said is escaped, and which forbids the browser to load anything.

mod buffer;
mod date;
mod page;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use self::buffer::{Batch, Buffer};
use self::page::Entry;
use crate::error::{Error, Kind, Result};
use crate::jid::BareJid;
use crate::stores::{Body, Freshness, Stores, Tag, pause};

pub use self::page::{LogEvent, MAX_LOG_TEXT};

const LOG: &str = "muc-log";
const MEDIA_TYPE: &str = "text/html; charset=utf-8";

/// From how many bytes on a page is full.
const FULL: usize = 256 << 10;

/// The most pages of a room for a day.
const MAX_PAGES: u32 = 10_000;

/// How many rooms are written at the same time.
const PARALLEL: usize = 8;

/// How often a page is tried while others write it.
const MAX_ROUNDS: u32 = 10;

/// The log of rooms; made by [`Stores::muc_log`]. Clones share what waits.
#[derive(Clone)]
pub struct MucLog {
    stores: Stores,
    public: bool,
    waiting: Arc<Mutex<Buffer>>,
    /// One writes at a time, so that what was said first is written first.
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl Stores {
    /// The log of rooms. Make it once and clone it: one that is made anew does not know what waits. What waits is written
    /// by [`MucLog::flush`] or [`MucLog::run`].
    pub fn muc_log(&self) -> MucLog {
        MucLog {
            stores: self.clone(),
            public: false,
            waiting: Arc::default(),
            writing: Arc::default(),
        }
    }
}

impl MucLog {
    /// Whether everybody may read the pages, by the
    /// [access control list](https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl)
    /// `public-read` of each. Defaults to no. The bucket has to take such lists, which new ones at Amazon do not; a policy
    /// of the bucket for `PREFIX/muc-log/*` does the same.
    #[must_use]
    pub fn public(mut self, yes: bool) -> Self {
        self.public = yes;
        self
    }

    /// Notes that something has happened in a room, `at` microseconds since 1970. Nothing is sent.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] where 16 MiB wait already, because they cannot be written: it is not noted.
    pub fn add(&self, room: &BareJid, at: u64, event: &LogEvent) -> Result<()> {
        self.waiting().add(room, at, event)
    }

    /// How many entries wait.
    pub fn waiting_entries(&self) -> usize {
        self.waiting().len()
    }

    /// Writes all that waits. What cannot be written goes on waiting, also where this is given up. Two requests for each
    /// room.
    ///
    /// # Errors
    /// The first of those that the rooms have met; all have been tried then.
    pub async fn flush(&self) -> Result<()> {
        let _turn = self.writing.lock().await;
        let batches = self.waiting().take().into_iter();
        let batches: Vec<Taken<'_>> = batches.map(|batch| Taken(self, Some(batch))).collect();
        let written = stream::iter(batches).map(|mut taken| async move {
            let Some(batch) = &taken.1 else { return Ok(()) };
            let about = batch.room.as_str();
            self.stores.action("log", about, self.write(batch)).await?;
            drop(taken.1.take());
            Ok(())
        });
        let written = written.buffer_unordered(PARALLEL);
        written
            .fold(Ok(()), |all: Result<()>, one| async move { all.and(one) })
            .await
    }

    /// Writes what waits, again and again after this time, which is to be some seconds. It does not end; what could not be
    /// written is tried the next time. [Flush](Self::flush) once more when the process ends.
    pub async fn run(&self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let _tried_again = self.flush().await;
        }
    }

    /// Puts the entries of one room and one day behind those on its page, and on further ones.
    async fn write(&self, batch: &Batch) -> Result<()> {
        let mut left: Vec<&Entry> = batch.entries.iter().collect();
        let mut number = batch.page;
        let mut round = 0;
        while number < MAX_PAGES {
            let there = self
                .stores
                .get_object(&self.key(batch, number), Freshness::Newest)
                .await?;
            let (page, tag) = match &there {
                Some(there) => (page::read(&there.body)?.to_owned(), Some(&there.tag)),
                None => (page::begin(&batch.room, batch.date, number), None),
            };
            // An earlier write, of which the answer was lost, may have brought some.
            let names = page::names(&page);
            left.retain(|entry| !entry.is_among(&names));
            if left.is_empty() {
                self.waiting().page_of(&batch.room, batch.date, number);
                return Ok(());
            }
            if page::goes_on(&page) {
                number += 1;
                continue;
            }
            let next = page::fitting(&left, FULL);
            let grown = page::append(&page, &left[..next]);
            let is_full = grown.len() > FULL;
            let body = if is_full {
                page::go_on(&grown, batch.date, number + 1)
            } else {
                grown
            };
            match self.put(batch, number, body, tag).await {
                Ok(()) => {
                    left.drain(..next);
                    number += u32::from(is_full);
                    round = 0;
                }
                Err(error) if error.kind() == Kind::Conflict && round < MAX_ROUNDS => {
                    pause(round).await;
                    round += 1;
                }
                Err(error) => return Err(error),
            }
            if left.is_empty() {
                self.waiting().page_of(&batch.room, batch.date, number);
                return Ok(());
            }
        }
        Err(Error::too_large(
            "the log of a day",
            MAX_PAGES as usize,
            "pages",
            MAX_PAGES as usize - 1,
        ))
    }

    async fn put(&self, batch: &Batch, number: u32, page: String, tag: Option<&Tag>) -> Result<()> {
        let body = Body::new(MEDIA_TYPE, page);
        let body = if self.public { body.public() } else { body };
        self.stores
            .put_object_if(&self.key(batch, number), body, tag)
            .await
            .map(drop)
    }

    fn key(&self, batch: &Batch, number: u32) -> String {
        let room = &batch.room;
        let folder = self.stores.folder(LOG, &[room.domain(), room.local()]);
        folder + &batch.date.path(number)
    }

    fn waiting(&self) -> MutexGuard<'_, Buffer> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch that is being written; it waits again unless it was taken out of this.
struct Taken<'a>(&'a MucLog, Option<Batch>);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(batch) = self.1.take() {
            self.0.waiting().give_back(batch);
        }
    }
}

impl fmt::Debug for MucLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MucLog")
            .field("public", &self.public)
            .field("waiting", &self.waiting_entries())
            .finish_non_exhaustive()
    }
}
