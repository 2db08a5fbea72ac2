//! Messages for people who are away ([XEP-0160](https://xmpp.org/extensions/xep-0160.html)): [`Stores::offline`].
//!
//! *Problem:* Messages have to come in the order of their times, none may be lost, and to count them or to find those that
//! have expired must not mean reading them. *Decision:* One object a message, `offline/HOST/K/TIME-EXPIRY`, both times in
//! microseconds with twenty digits: a list has the order, the number and the expiry. A key that is taken goes to the next
//! microsecond, by a put on the condition that there is none, so no message takes the place of another. Reading and removing
//! are two actions, and what is removed is named one by one: a message that arrives between the two stays. *Cost:* A node
//! that ends between delivery and removal delivers again.
//!
//! ```text
//!   store ──► waiting ──► (delivered, acknowledged) ──► delete
//!                │                                        │
//!                └──── again, if the node ends here ◄─────┘
//! ```

use std::fmt;

use bytes::Bytes;

use crate::error::{Error, Kind, Result};
use crate::jid::{self, BareJid};
use crate::record::Record;
use crate::stores::{Body, Document, Freshness, Stores, check_document};

/// The first part of the keys, and the kind of the records.
const STORE: &str = "offline";

/// How many microseconds later than it came a message may be kept, where others have the same time.
const MAX_LATER: u64 = 1000;

/// How many keys are removed at the same time at most while a whole host is gone through: those of one request.
const BATCH: usize = 1000;

/// A message for somebody who is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineMessage {
    /// When it came, in microseconds since 1970.
    pub at: u64,
    /// When it expires, in microseconds since 1970, from 1; never without it.
    pub expires: Option<u64>,
    /// Who sent it: a JID.
    pub from: String,
    /// To whom: a JID.
    pub to: String,
    /// The stanza, up to 4 MiB.
    pub stanza: Bytes,
}

/// Which of a person's messages it is. Those that came earlier are less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfflineId {
    /// When it came, in microseconds since 1970: later than it did, if others came in the same microsecond.
    pub at: u64,
    /// When it expires, in microseconds since 1970; 0 is never.
    pub expires: u64,
}

/// The first of some messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfflinePart {
    /// The messages.
    pub messages: Vec<(OfflineId, OfflineMessage)>,
    /// Which come next.
    pub rest: Vec<OfflineId>,
}

/// Messages for people who are away; made by [`Stores::offline`].
#[derive(Clone, Debug)]
pub struct Offline(Stores);

impl Stores {
    /// Messages for people who are away.
    pub fn offline(&self) -> Offline {
        Offline(self.clone())
    }
}

impl Offline {
    /// Keeps a message. One request, and one more for each message of the same microsecond.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] for a stanza over its limit; otherwise as the store fails. The message may be kept then, if the
    /// error is [`Kind::Unavailable`] or [`Kind::Timeout`]: its sender is to be told that it was not.
    pub async fn store(&self, jid: &BareJid, message: &OfflineMessage) -> Result<OfflineId> {
        self.act(jid, async {
            jid::check("the sender's JID", &message.from)?;
            jid::check("the receiver's JID", &message.to)?;
            check_document("the stanza", message.stanza.len())?;
            let body = Body::record(encode(message));
            let expires = message.expires.unwrap_or_default();
            for later in 0..=MAX_LATER {
                let at = message.at.saturating_add(later);
                let id = OfflineId { at, expires };
                match self
                    .0
                    .put_object_if(&self.key(jid, id), body.clone(), None)
                    .await
                {
                    Err(error) if error.kind() == Kind::Conflict => {}
                    stored => return stored.map(|_| id),
                }
            }
            let error =
                format!("the {MAX_LATER} microseconds after its time have messages already");
            Err(Error::conflict(error))
        })
        .await
    }

    /// All messages of a person, in the order of their times, also those that have expired. They stay until they are
    /// [deleted](Self::delete). A list, and one request for each message.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn waiting(&self, jid: &BareJid) -> Result<Vec<(OfflineId, OfflineMessage)>> {
        self.act(jid, async {
            let keys = self.0.list_keys(&self.folder(jid)).await?;
            Ok(self.read(keys, usize::MAX).await?.messages)
        })
        .await
    }

    /// The first of these messages of a person, up to so many bytes, but at least one that is there; in this order, and
    /// without those that are not there. They stay until they are [deleted](Self::delete). One request for each, and up to 31
    /// for others that do not fit.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn some(
        &self,
        jid: &BareJid,
        ids: &[OfflineId],
        bytes: usize,
    ) -> Result<OfflinePart> {
        let keys = ids.iter().map(|id| self.key(jid, *id)).collect();
        self.act(jid, self.read(keys, bytes)).await
    }

    /// Which messages a person has, in the order of their times. A list.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn ids(&self, jid: &BareJid) -> Result<Vec<OfflineId>> {
        self.act(jid, async {
            let keys = self.0.list_keys(&self.folder(jid)).await?;
            keys.iter()
                .map(|key| id(key).ok_or_else(|| foreign(key)))
                .collect()
        })
        .await
    }

    /// How many messages a person has, with those that have expired. A list.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn count(&self, jid: &BareJid) -> Result<usize> {
        self.act(jid, async {
            Ok(self.0.list_keys(&self.folder(jid)).await?.len())
        })
        .await
    }

    /// One message of a person, if it is there. One request.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn get(&self, jid: &BareJid, id: OfflineId) -> Result<Option<OfflineMessage>> {
        self.act(jid, async {
            let there = self
                .0
                .get_object(&self.key(jid, id), Freshness::Once)
                .await?;
            there.map(|stored| decode(id, &stored.body)).transpose()
        })
        .await
    }

    /// Removes these messages of a person: those that were delivered. What is not there is no error. One request for each
    /// 1,000.
    ///
    /// # Errors
    /// As the store fails; some may be removed then.
    pub async fn delete(&self, jid: &BareJid, ids: &[OfflineId]) -> Result<()> {
        let keys = ids.iter().map(|id| self.key(jid, *id)).collect();
        self.act(jid, self.0.delete_objects(keys)).await
    }

    /// Removes all messages of a person. A list, and one request for each 1,000.
    ///
    /// # Errors
    /// As the store fails; some may be removed then.
    pub async fn remove(&self, jid: &BareJid) -> Result<()> {
        self.act(jid, async {
            let keys = self.0.list_keys(&self.folder(jid)).await?;
            self.0.delete_objects(keys).await
        })
        .await
    }

    /// Removes what has expired at this time, in microseconds since 1970, of all people of a host; and says how many those
    /// are. A list of all messages of the host, and one request for each 1,000 that are removed. There is no deadline for
    /// the whole, only for each request.
    ///
    /// # Errors
    /// As the store fails; some may be removed then.
    pub async fn remove_expired(&self, host: &str, now: u64) -> Result<usize> {
        self.sweep(host, |id| (1..now).contains(&id.expires)).await
    }

    /// Removes what came before this time, in microseconds since 1970. As [`remove_expired`](Self::remove_expired).
    ///
    /// # Errors
    /// As the store fails; some may be removed then.
    pub async fn remove_older(&self, host: &str, before: u64) -> Result<usize> {
        self.sweep(host, |id| id.at < before).await
    }

    async fn read(&self, keys: Vec<String>, bytes: usize) -> Result<OfflinePart> {
        let portion = self.0.get_some(keys, Freshness::Once, bytes).await?;
        let named = |key: &str| id(key).ok_or_else(|| foreign(key));
        let message = |(key, stored): (String, Document)| {
            let id = named(&key)?;
            Ok((id, decode(id, &stored.body)?))
        };
        let messages = portion.found.into_iter().map(message);
        let rest = portion.rest.iter().map(|key| named(key));
        Ok(OfflinePart {
            messages: messages.collect::<Result<_>>()?,
            rest: rest.collect::<Result<_>>()?,
        })
    }

    async fn sweep(&self, host: &str, which: impl Fn(OfflineId) -> bool + Send) -> Result<usize> {
        let work = Box::pin(async {
            let mut keys = self.0.stream_keys(&self.0.folder(STORE, &[host]));
            let (mut batch, mut removed) = (Vec::new(), 0);
            while let Some(object) = keys.try_next().await? {
                if id(&object.key).is_some_and(&which) {
                    batch.push(object.key);
                    removed += 1;
                }
                if batch.len() == BATCH {
                    self.0.delete_objects(std::mem::take(&mut batch)).await?;
                }
            }
            self.0.delete_objects(batch).await?;
            Ok(removed)
        });
        let swept: Result<usize> = work.await;
        swept.map_err(|error| error.with_about(|| format!("offline messages of {host}")))
    }

    fn key(&self, jid: &BareJid, id: OfflineId) -> String {
        let name = format!("{:020}-{:020}", id.at, id.expires);
        self.0.key(STORE, &[jid.domain(), jid.as_str(), &name])
    }

    fn folder(&self, jid: &BareJid) -> String {
        self.0.folder(STORE, &[jid.domain(), jid.as_str()])
    }

    async fn act<T>(
        &self,
        jid: &BareJid,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.0.action("offline messages", jid.as_str(), work).await
    }
}

/// `AT-EXPIRES`, in microseconds.
impl fmt::Display for OfflineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at, self.expires)
    }
}

/// The ID at the end of a key.
fn id(key: &str) -> Option<OfflineId> {
    let (at, expires) = key.rsplit('/').next()?.split_once('-')?;
    let number = |text: &str| {
        let legal = text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| legal)
    };
    Some(OfflineId {
        at: number(at)?,
        expires: number(expires)?,
    })
}

fn foreign(key: &str) -> Error {
    Error::invalid(format!("the object {key:?} is no message"))
}

fn encode(message: &OfflineMessage) -> Bytes {
    Record::new(STORE)
        .with("from", message.from.clone())
        .with("to", message.to.clone())
        .with("stanza", message.stanza.clone())
        .encode()
}

fn decode(id: OfflineId, stored: &Bytes) -> Result<OfflineMessage> {
    let record = Record::decode(STORE, stored)?;
    Ok(OfflineMessage {
        at: id.at,
        expires: Some(id.expires).filter(|expires| *expires > 0),
        from: record.text("from")?.to_owned(),
        to: record.text("to")?.to_owned(),
        stanza: record.get("stanza")?.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_their_names_are_in_one_order() {
        let mut all = Vec::new();
        for at in [0, 1, 1_700_000_000_000_000, u64::MAX] {
            for expires in [0, 1, u64::MAX] {
                all.push(OfflineId { at, expires });
            }
        }
        let mut last: Option<(OfflineId, String)> = None;
        for one in all {
            let name = format!("{:020}-{:020}", one.at, one.expires);
            assert_eq!(id(&format!("a/b/{name}")), Some(one));
            let next = (one, name);
            assert!(
                last.as_ref()
                    .is_none_or(|last| last.0 < next.0 && last.1 < next.1)
            );
            last = Some(next);
        }
        let long = format!("{}-{}", "9".repeat(20), "0".repeat(20));
        for key in [
            "",
            "a/b",
            "a/1-2",
            &long,
            "a/+0000000000000000001-00000000000000000001",
        ] {
            assert_eq!(id(key), None, "{key}");
        }
    }
}
