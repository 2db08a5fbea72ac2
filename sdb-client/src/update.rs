//! Changing an item that others change too.
//!
//! *Problem:* A conditional update whose answer was lost meets its own first run, and would report a conflict that
//! there never was. *Decision:* The version attribute holds a counter and the marks of the last writes, so that one
//! consistent read tells a lost answer from a lost race. What cannot be told is reported as "may have been sent", never
//! as a conflict. *Cost:* The attribute is longer than a counter.

use std::fmt;
use std::time::Duration;

use aws_core::{Class, Error, Kind, Result};

use crate::change::PutItem;
use crate::domain::Domain;
use crate::item::{Expected, Item};
use crate::options::Options;
use crate::usage::TotalUsage;
use crate::version::{Fate, Version};

/// Reads an item, has it changed, and writes the change only if nobody was quicker; else again from the start.
/// Made by [`Domain::update`].
///
/// One attribute of the item holds its version: a counter, and random marks of the last few writes (88
/// characters, of a fixed width). Each write expects the version that was read, and sets the next. Everybody who
/// writes the item has to go by it; an item without a version gets its first one, and a version of another form
/// is expected as it is and replaced.
///
/// **A write whose answer was lost** is not guessed about. The item is read again, consistently: the marks tell
/// whether the write took effect, even if up to three others have followed meanwhile. If it did not, the very same
/// write is sent again, so that it cannot take effect twice. Only when it cannot be told (the item was removed, or
/// there were more writes than marks) does the error of the lost write come out, which says that it
/// [may have been sent](Error::may_have_been_sent). What is never reported is a conflict with itself.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let service = emulator::Emulator::start_blocking()?;
/// # let keys = sdb_client::Credentials::new(service.access_key(), service.secret_key());
/// # let sdb = sdb_client::SdbClient::builder().endpoint(service.url()).credentials(keys).build()?;
/// # let users = sdb.domain("counters");
/// # users.create().await?;
/// use sdb_client::ordered::{decode, encode};
///
/// let count = users.update("visits", |item, put| {
///     let visits: u64 = item.first("n").map_or(Ok(0), decode)?;
///     Ok(Some(put.replace("n", encode(&(visits + 1))?)))
/// });
/// assert!(count.await?.written);
/// # Ok(()) }
/// ```
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone)]
pub struct Update<F> {
    change: F,
    target: Target,
}

/// What is changed, without what changes it.
#[derive(Clone)]
struct Target {
    domain: Domain,
    item: String,
    version: String,
    rounds: u32,
    options: Options,
}

/// What became of an [`Update`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Updated {
    /// The item as it was read before the change.
    pub before: Item,
    /// Whether there was anything to write.
    pub written: bool,
    /// How often it was read and changed: 1 unless somebody was quicker.
    pub rounds: u32,
    /// What all answers cost that came.
    pub usage: TotalUsage,
}

/// Changes an item: gets what is there (without attributes if there is nothing), and the write to fill.
/// Nothing leaves the item as it is.
pub trait Change: FnMut(&Item, PutItem) -> Result<Option<PutItem>> + Send + 'static {}

impl<F: FnMut(&Item, PutItem) -> Result<Option<PutItem>> + Send + 'static> Change for F {}

impl<F: Change> Update<F> {
    pub(crate) fn new(domain: Domain, item: String, change: F) -> Self {
        Self {
            change,
            target: Target {
                domain,
                item,
                version: "version".to_owned(),
                rounds: 10,
                options: Options::default(),
            },
        }
    }

    /// The attribute that holds the version. Defaults to `version`.
    pub fn version(mut self, attribute: impl Into<String>) -> Self {
        self.target.version = attribute.into();
        self
    }

    /// How often it is read and changed at most while others are quicker, from 1. Defaults to 10. Between, it pauses
    /// for a random time of up to 10 ms, twice as long each time, up to 1 s.
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.target.rounds = rounds;
        self
    }

    /// The longest time of each of its requests. Defaults to [the client's](crate::SdbBuilder::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.target.options.timeout(timeout);
        self
    }

    /// How failed attempts of each of its requests are repeated. Defaults to [the
    /// client's](crate::SdbBuilder::retry).
    pub fn retry(mut self, retry: crate::request::RetryConfig) -> Self {
        self.target.options.retry(retry);
        self
    }

    /// Reads, changes and writes the item, as `.await` does.
    ///
    /// # Errors
    /// That of the change; [`is_condition_failed`](Error::is_condition_failed) when others were quicker in every
    /// round; [`Kind::Invalid`] when the change writes the version, too, when there may be no round, or a limit is broken; otherwise as sending
    /// and the service say.
    pub async fn send(mut self) -> Result<Updated> {
        let target = self.target;
        if target.rounds == 0 {
            return Err(Error::invalid("an update of 0 rounds is none"));
        }
        let mut usage = TotalUsage::default();
        let mut round = 0;
        loop {
            round += 1;
            let before = target.read(&mut usage).await?;
            let Some(put) = (self.change)(&before, PutItem::new(&*target.item))? else {
                return Ok(Updated {
                    before,
                    written: false,
                    rounds: round,
                    usage,
                });
            };
            let current = target.current(&before)?;
            let version = Version::after(current.as_deref());
            match target.write(put, current, &version, &mut usage).await {
                Ok(()) => {
                    return Ok(Updated {
                        before,
                        written: true,
                        rounds: round,
                        usage,
                    });
                }
                Err(error) if error.is_condition_failed() && round < target.rounds => {}
                Err(error) => return Err(error),
            }
            pause(round).await;
        }
    }
}

impl Domain {
    /// Changes an item by what is there, again and again while others are quicker: see [`Update`].
    pub fn update<F: Change>(&self, item: impl Into<String>, change: F) -> Update<F> {
        Update::new(self.clone(), item.into(), change)
    }
}

impl Target {
    async fn read(&self, usage: &mut TotalUsage) -> Result<Item> {
        let get = self.domain.get(&*self.item).consistent(true);
        let fetched = get.with_options(self.options.clone()).send().await?;
        usage.add(&fetched.usage);
        Ok(fetched.item)
    }

    /// The version of an item, if it has one.
    fn current(&self, item: &Item) -> Result<Option<String>> {
        let mut all = item.all(&self.version);
        let first = all.next().map(str::to_owned);
        if all.next().is_some() {
            return Err(Error::invalid(format!(
                "the attribute {:?} has many values, so it is no version",
                self.version
            )));
        }
        Ok(first)
    }

    /// Writes until it is known whether it took effect.
    async fn write(
        &self,
        put: PutItem,
        current: Option<String>,
        version: &Version,
        usage: &mut TotalUsage,
    ) -> Result<()> {
        if put.name != self.item || put.pairs.iter().any(|pair| pair.name == self.version) {
            return Err(Error::invalid(format!(
                "a change writes its own item, and not the version {:?}",
                self.version
            )));
        }
        let expected = match &current {
            Some(current) => Expected::equals(&*self.version, &**current),
            None => Expected::absent(&*self.version),
        };
        let put = self
            .domain
            .put_item(put.replace(&*self.version, version.to_string()))
            .with_options(self.options.clone())
            .expect(expected);
        let mut lost: Option<Error> = None;
        let mut sent = 0;
        loop {
            sent += 1;
            let error = match put.clone().send().await {
                Ok(answered) => {
                    usage.add(&answered);
                    return Ok(());
                }
                Err(error) => error,
            };
            let refused = error.is_condition_failed();
            if !refused && !is_unclear(&error) {
                return Err(error);
            }
            // Refused at once: somebody else was quicker. After a lost answer, it may have been ourselves.
            if refused && lost.is_none() {
                return Err(error);
            }
            let first = lost.take().unwrap_or_else(|| error.clone());
            let seen = self.read(usage).await.map_err(|_| first.clone())?;
            let seen = self.current(&seen)?;
            match version.fate(current.as_deref(), seen.as_deref()) {
                Fate::Written => return Ok(()),
                Fate::Overtaken if refused => return Err(error),
                Fate::Overtaken => return Err(conflict()),
                Fate::Unknown => return Err(first),
                // A request that was refused cannot come later, but the lost one can.
                Fate::NotYet if sent < self.rounds => {}
                Fate::NotYet => return Err(first),
            }
            lost = Some(first);
            pause(sent).await;
        }
    }
}

/// Whether a write that failed like this may have taken effect, or may still do so.
fn is_unclear(error: &Error) -> bool {
    let unclear = match error.kind() {
        Kind::Service => matches!(error.class(), Class::Unavailable | Class::Transient),
        Kind::Timeout | Kind::Closed | Kind::Protocol | Kind::Connect | Kind::Busy => true,
        _ => false,
    };
    unclear && error.may_have_been_sent()
}

/// That somebody else was quicker, as the service would have said.
fn conflict() -> Error {
    let body = aws_core::ErrorBody::new(
        "ConditionalCheckFailed",
        "The version has changed since it was read.",
    );
    Error::service(409, body, None)
}

async fn pause(round: u32) {
    let most = (10u64 << round.min(7)).min(1000);
    tokio::time::sleep(Duration::from_micros(fastrand::u64(0..=most * 1000 / 2))).await;
}

impl<F: Change> std::future::IntoFuture for Update<F> {
    type Output = Result<Updated>;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl<F> fmt::Debug for Update<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("domain", &self.target.domain.name)
            .field("item", &self.target.item)
            .field("version", &self.target.version)
            .finish_non_exhaustive()
    }
}
