//! What a client can do, by the hash that it shows ([XEP-0115](https://xmpp.org/extensions/xep-0115.html)):
//! [`Stores::caps`].
//!
//! *Problem:* Nearly all people use one of a few hundred versions of clients, and each presence asks what its version can
//! do. *Decision:* What a hash stands for never changes, so it is stored once for all nodes, under the SHA-256 of
//! `NODE#VER`, and a process that has read it keeps it. *Cost:* Up to 16 MiB of memory. A hash that nobody has told of is
//! asked for each time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::names::hex;
use crate::recent::Recent;
use crate::record::{Record, text};
use crate::stores::{Body, Freshness, Stores};

const CAPS: &str = "caps";
const RECORD: &str = "features";

/// How many bytes of features a process keeps.
const MAX_KEPT: usize = 16 << 20;

/// The most bytes of a node and a hash together.
pub const MAX_CAPS_NAME: usize = 3071;

/// The most bytes of all features of one hash together.
pub const MAX_FEATURES: usize = 256 << 10;

/// What clients can do; made by [`Stores::caps`]. Clones share what they keep.
#[derive(Clone)]
pub struct Caps {
    stores: Stores,
    kept: Arc<Mutex<Recent<String, Arc<[String]>>>>,
}

impl Stores {
    /// What clients can do. Make it once and clone it: one that is made anew keeps nothing yet.
    pub fn caps(&self) -> Caps {
        Caps {
            stores: self.clone(),
            kept: Arc::new(Mutex::new(Recent::new(MAX_KEPT))),
        }
    }
}

impl Caps {
    /// The features that the hash `ver` of the client `node` stands for, if somebody has told. One request the first time,
    /// none then.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn get(&self, node: &str, ver: &str) -> Result<Option<Arc<[String]>>> {
        let name = name(node, ver);
        let kept = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&name);
        if kept.is_some() {
            return Ok(kept);
        }
        let work = async {
            let key = self.stores.key(CAPS, &[&name]);
            let Some(there) = self.stores.get_object(&key, Freshness::AsSet).await? else {
                return Ok(None);
            };
            let features: Arc<[String]> = decode(&there.body)?.into();
            self.keep(name.clone(), Arc::clone(&features));
            Ok(Some(features))
        };
        self.stores
            .action("features", &format!("{node}#{ver}"), work)
            .await
    }

    /// Stores the features that a hash stands for, which the caller has
    /// [verified](https://xmpp.org/extensions/xep-0115.html#ver-proc). One request.
    ///
    /// # Errors
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) for what is over [`MAX_CAPS_NAME`] or [`MAX_FEATURES`]; otherwise as the
    /// store fails.
    pub async fn set(&self, node: &str, ver: &str, features: &[String]) -> Result<()> {
        let name = name(node, ver);
        let work = async {
            let length = node.len() + ver.len();
            if length > MAX_CAPS_NAME {
                return Err(Error::too_large("the hash", length, "bytes", MAX_CAPS_NAME));
            }
            let bytes = features.iter().map(String::len).sum();
            if bytes > MAX_FEATURES {
                return Err(Error::too_large(
                    "the list of features",
                    bytes,
                    "bytes",
                    MAX_FEATURES,
                ));
            }
            let record = Record::new(RECORD)
                .with("node", node.to_owned())
                .with("ver", ver.to_owned());
            let record = features
                .iter()
                .fold(record, |all, one| all.with("feature", one.clone()));
            let key = self.stores.key(CAPS, &[&name]);
            self.stores
                .put_object(&key, Body::record(record.encode()))
                .await?;
            self.keep(name.clone(), features.into());
            Ok(())
        };
        self.stores
            .action("features", &format!("{node}#{ver}"), work)
            .await
    }

    fn keep(&self, name: String, features: Arc<[String]>) {
        let weight = 200 + features.iter().map(|one| one.len() + 24).sum::<usize>();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(name, features, weight);
    }
}

fn name(node: &str, ver: &str) -> String {
    hex(&format!("{node}#{ver}"))
}

fn decode(stored: &Bytes) -> Result<Vec<String>> {
    let record = Record::decode(RECORD, stored)?;
    record
        .all("feature")
        .map(|one| Ok(text(RECORD, one)?.to_owned()))
        .collect()
}

impl fmt::Debug for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caps").finish_non_exhaustive()
    }
}
