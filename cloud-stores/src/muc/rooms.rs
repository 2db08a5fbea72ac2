//! What rooms are set to: [`Rooms`].
//!
//! *Problem:* A room runs on one node, which writes its options whenever they change. Where the network between the nodes
//! is cut, it may run on two, and the later writer would undo what the other one has stored. *Decision:* A process
//! remembers which content of a room it has read or written last, and writes on condition of that. A write that is refused
//! means that another node runs the room, too: the room is to be restored from what is stored. *Cost:* A hundred bytes of
//! memory for each room that a process has restored or stored, until it is forgotten or released.
//!
//! ```text
//!               restore: it is there            store: still what we know
//!   unknown ───────────────────────────► held ──────────────────────────► held
//!      │                               ▲   │
//!      │               restore: read   │   │ store: somebody else has stored or removed it
//!      │               what is there   │   ▼
//!      │                             refused, also the next time
//!      └── store: only if there is none ──► held
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::error::{Error, Kind, Result};
use crate::jid::{BareJid, MAX_PART};
use crate::record::Record;
use crate::stores::{Body, Freshness, Stores, Tag};

const ROOM: &str = "muc";
const RECORD: &str = "room";

/// The most bytes of the options of a room.
pub const MAX_ROOM_OPTIONS: usize = 4 << 20;

/// A room as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name: the localpart of its JID.
    pub name: String,
    /// What it is set to, affiliations and all, in whatever form the server keeps it.
    pub options: Bytes,
}

/// What rooms are set to; made by [`Stores::rooms`]. Clones share what they know of the rooms that run here.
#[derive(Clone)]
pub struct Rooms {
    stores: Stores,
    held: Arc<Mutex<HashMap<String, Tag>>>,
}

impl Stores {
    /// What rooms are set to. Make it once and clone it: one that is made anew knows of no room that runs here.
    pub fn rooms(&self) -> Rooms {
        Rooms {
            stores: self.clone(),
            held: Arc::default(),
        }
    }
}

impl Rooms {
    /// What a room is set to, if it is stored; from then on this process runs it. One request.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn restore(&self, host: &BareJid, name: &str) -> Result<Option<Bytes>> {
        let key = self.key(host, name)?;
        let work = async {
            let there = self.stores.get_object(&key, Freshness::Newest).await?;
            let Some(there) = there else {
                self.held().remove(&key);
                return Ok(None);
            };
            let room = decode(&there.body)?;
            self.held().insert(key.clone(), there.tag);
            Ok(Some(room.options))
        };
        self.stores.action("room", &about(host, name), work).await
    }

    /// Stores what a room is set to. One request. A room that this process has neither [restored](Self::restore) nor
    /// stored has to be new.
    ///
    /// # Errors
    /// [`Kind::Conflict`] where another node has stored it since, or removed it: it runs there, too, and has to be
    /// restored before it is stored again. [`Kind::TooLarge`] for options over [`MAX_ROOM_OPTIONS`]; otherwise as the
    /// store fails, when it may have been stored.
    pub async fn store(&self, host: &BareJid, name: &str, options: Bytes) -> Result<()> {
        let key = self.key(host, name)?;
        let work = async {
            if options.len() > MAX_ROOM_OPTIONS {
                let what = "the configuration of a room";
                return Err(Error::too_large(
                    what,
                    options.len(),
                    "bytes",
                    MAX_ROOM_OPTIONS,
                ));
            }
            let record = Record::new(RECORD)
                .with("name", name.to_owned())
                .with("options", options);
            let body = Body::record(record.encode());
            let before = self.held().get(&key).cloned();
            match self.stores.put_object_if(&key, body, before.as_ref()).await {
                Ok(tag) => {
                    self.held().insert(key.clone(), tag);
                    Ok(())
                }
                // What is held stays: it fits nothing that is stored, so the room is refused until it is restored.
                Err(error) if error.kind() == Kind::Conflict => {
                    Err(Error::conflict("another node runs the room"))
                }
                Err(error) => Err(error),
            }
        };
        self.stores.action("room", &about(host, name), work).await
    }

    /// Removes a room; one that is not there is no error. One request.
    ///
    /// # Errors
    /// As the store fails; it may be gone then.
    pub async fn forget(&self, host: &BareJid, name: &str) -> Result<()> {
        let key = self.key(host, name)?;
        let work = async {
            self.stores.delete_object(&key).await?;
            self.held().remove(&key);
            Ok(())
        };
        self.stores.action("room", &about(host, name), work).await
    }

    /// Notes that a room does not run here any more, so that its next [`store`](Self::store) takes it for new. Nothing is
    /// sent.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] for a name that no room can have.
    pub fn release(&self, host: &BareJid, name: &str) -> Result<()> {
        let key = self.key(host, name)?;
        self.held().remove(&key);
        Ok(())
    }

    /// The names of all rooms of a host. A list for each 1,000 of them, and a read for each name of over 200 bytes once it
    /// is escaped.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn names(&self, host: &BareJid) -> Result<Vec<String>> {
        let work = async {
            let prefix = self.stores.folder(ROOM, &[host.as_str()]);
            let (mut names, mut cut) = (Vec::new(), Vec::new());
            for key in self.stores.list_keys(&prefix).await? {
                match key.strip_prefix(&*prefix).and_then(crate::names::unescape) {
                    Some(name) => names.push(name),
                    None => cut.push(key),
                }
            }
            for (_, there) in self.stores.get_objects(cut, Freshness::Newest).await? {
                names.push(decode(&there.body)?.name);
            }
            Ok(names)
        };
        self.stores.action("rooms", host.as_str(), work).await
    }

    /// All rooms of a host with what they are set to. A list for each 1,000 of them and a read for each, 32 at a time. It
    /// does not make this process run them.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn all(&self, host: &BareJid) -> Result<Vec<Room>> {
        let work = async {
            let keys = self
                .stores
                .list_keys(&self.stores.folder(ROOM, &[host.as_str()]))
                .await?;
            let there = self.stores.get_objects(keys, Freshness::Newest).await?;
            there
                .into_iter()
                .map(|(_, there)| decode(&there.body))
                .collect()
        };
        self.stores.action("rooms", host.as_str(), work).await
    }

    fn key(&self, host: &BareJid, name: &str) -> Result<String> {
        match name.len() {
            0 => Err(Error::invalid("the name of a room is empty")),
            1..=MAX_PART => Ok(self.stores.key(ROOM, &[host.as_str(), name])),
            bytes => Err(Error::too_large(
                "the name of a room",
                bytes,
                "bytes",
                MAX_PART,
            )),
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Tag>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn about(host: &BareJid, name: &str) -> String {
    format!("{name}@{host}")
}

fn decode(stored: &Bytes) -> Result<Room> {
    let record = Record::decode(RECORD, stored)?;
    Ok(Room {
        name: record.text("name")?.to_owned(),
        options: record.get("options")?.clone(),
    })
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("name", &self.name)
            .field("options", &self.options.len())
            .finish()
    }
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rooms")
            .field("held", &self.held().len())
            .finish_non_exhaustive()
    }
}
