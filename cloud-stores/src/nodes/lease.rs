//! Leases as objects of S3: [`NodeLeases`].

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::error::{Error, Kind, Result};
use crate::record::Record;
use crate::stores::{Body, Document, Freshness, Stores, Tag};

const NODES: &str = "nodes";
const RECORD: &str = "lease";

/// The most bytes of the name of a node.
const MAX_NAME: usize = 200;

/// The most bytes of what a node says of itself.
pub const MAX_NODE_DETAILS: usize = 4096;

/// The leases of the nodes of a cluster; made by [`Stores::nodes`].
#[derive(Clone, Debug)]
pub struct NodeLeases(pub(super) Stores);

/// A lease that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeLease {
    /// The name of the node, `ejabberd@10.0.0.7` for example.
    pub name: String,
    /// A random name of this life of the node, 16 hex digits: one that was started again has another.
    pub life: String,
    /// How often it was renewed in this life.
    pub renewals: u64,
    /// When it ends, by the clock of the node that has it; of a claim, when that ends.
    pub expires: SystemTime,
    /// What the node says of itself, at most [`MAX_NODE_DETAILS`] bytes.
    pub details: Bytes,
    /// The name of the node that removes this one, if one has claimed that.
    pub remover: Option<String>,
    pub(super) tag: Tag,
}

/// The lease that this node has.
#[derive(Clone, Debug)]
pub struct OwnLease {
    stores: Stores,
    lease: NodeLease,
    length: Duration,
}

impl Stores {
    /// The leases of the nodes of a cluster.
    pub fn nodes(&self) -> NodeLeases {
        NodeLeases(self.clone())
    }
}

impl NodeLeases {
    /// Takes the lease of this name for a new life of the node, for so long from `now` on. One that an earlier life has,
    /// which has crashed or not, is taken from it: that one's next renewal is refused. Two requests.
    ///
    /// # Errors
    /// [`Kind::Exists`] while another node removes this one: it is over when the time of the claim is, or before;
    /// [`Kind::Conflict`] where another process takes the same name at the same moment; [`Kind::TooLarge`] and
    /// [`Kind::Invalid`] for a name that is empty or has over 200 bytes, or details of over [`MAX_NODE_DETAILS`];
    /// otherwise as the store fails.
    pub async fn join(
        &self,
        name: &str,
        details: Bytes,
        length: Duration,
        now: SystemTime,
    ) -> Result<OwnLease> {
        let work = async {
            check(name, &details)?;
            let there = self.read(name).await?;
            if let Some(there) = &there
                && let Some(remover) = there.remover.as_deref().filter(|_| now < there.expires)
            {
                return Err(Error::new(
                    Kind::Exists,
                    format!("{remover} is about to remove it"),
                ));
            }
            let life = format!("{:016x}", fastrand::u64(..));
            let lease = Terms {
                name,
                life: &life,
                renewals: 0,
                expires: now + length,
                details: &details,
                remover: None,
            };
            let lease = lease
                .put(&self.0, there.as_ref().map(|there| &there.tag))
                .await?;
            Ok(OwnLease {
                stores: self.0.clone(),
                lease,
                length,
            })
        };
        self.0.action("lease", name, work).await
    }

    /// All leases, also those that have run out, in the order of their names. A list and a read for each.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn list(&self) -> Result<Vec<NodeLease>> {
        let work = async {
            let keys = self.0.list_keys(&self.0.folder(NODES, &[])).await?;
            let there = self.0.get_objects(keys, Freshness::Newest).await?;
            let mut leases = there
                .into_iter()
                .map(|(_, there)| decode(there))
                .collect::<Result<Vec<_>>>()?;
            leases.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(leases)
        };
        self.0.action("leases", "all nodes", work).await
    }

    /// Claims the removal of a node whose lease has run out, for so long from `now` on: `remover`, this node, removes it
    /// from the cluster then, and [forgets](Self::forget) its lease after that. Gives the lease as it is from then on, or
    /// nothing where the lease is not the one that was read: the node has renewed it, or somebody else removes it. One
    /// request.
    ///
    /// # Errors
    /// As the store fails; it may be claimed then.
    pub async fn claim(
        &self,
        lease: &NodeLease,
        remover: &str,
        length: Duration,
        now: SystemTime,
    ) -> Result<Option<NodeLease>> {
        let work = async {
            let claim = Terms {
                remover: Some(remover),
                expires: now + length,
                ..Terms::of(lease)
            };
            match claim.put(&self.0, Some(&lease.tag)).await {
                Err(error) if error.kind() == Kind::Conflict => Ok(None),
                claimed => claimed.map(Some),
            }
        };
        self.0.action("lease", &lease.name, work).await
    }

    /// Removes a lease that was claimed, unless somebody has changed it meanwhile. One request.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn forget(&self, lease: &NodeLease) -> Result<()> {
        let work = remove(&self.0, lease);
        self.0.action("lease", &lease.name, work).await
    }

    async fn read(&self, name: &str) -> Result<Option<NodeLease>> {
        let there = self
            .0
            .get_object(&self.0.key(NODES, &[name]), Freshness::Newest)
            .await?;
        there.map(decode).transpose()
    }
}

impl OwnLease {
    /// The lease as it was taken or renewed last.
    pub fn lease(&self) -> &NodeLease {
        &self.lease
    }

    /// Renews the lease, so that it lasts for its length from `now` on. To be done each third of its length. One request; three
    /// after one that was done though its answer was lost.
    ///
    /// # Errors
    /// [`Kind::Conflict`] where it was lost: another process runs under this name, or another node removes this one. The
    /// node has to stop, and may [join](NodeLeases::join) as a new life. Otherwise as the store fails: it is to be tried
    /// again until the lease has run out.
    pub async fn renew(&mut self, now: SystemTime) -> Result<()> {
        let work = async {
            match self.put_again(&self.lease, now).await {
                Err(error) if error.kind() == Kind::Conflict => {}
                renewed => return renewed,
            }
            // An earlier renewal may have been done although it was told to have failed: nobody else has this life.
            let lost = || Error::conflict("the lease was lost: another has taken or claimed it");
            let there = NodeLeases(self.stores.clone())
                .read(&self.lease.name)
                .await?;
            let own = there
                .filter(|there| there.life == self.lease.life && there.remover.is_none())
                .ok_or_else(lost)?;
            let renewed = self.put_again(&own, now).await;
            renewed.map_err(|error| match error.kind() {
                Kind::Conflict => lost(),
                _ => error,
            })
        };
        self.lease = self.stores.action("lease", &self.lease.name, work).await?;
        Ok(())
    }

    async fn put_again(&self, lease: &NodeLease, now: SystemTime) -> Result<NodeLease> {
        let terms = Terms {
            renewals: lease.renewals + 1,
            expires: now + self.length,
            ..Terms::of(lease)
        };
        terms.put(&self.stores, Some(&lease.tag)).await
    }

    /// Gives the lease back, unless it was lost already. One request.
    ///
    /// # Errors
    /// As the store fails; it may be gone then, or runs out.
    pub async fn leave(self) -> Result<()> {
        let work = remove(&self.stores, &self.lease);
        self.stores.action("lease", &self.lease.name, work).await
    }
}

impl NodeLease {
    /// Whether it has not ended, where the clocks of its node and of this one may differ by `skew`. One that is being
    /// removed has.
    pub fn is_current(&self, now: SystemTime, skew: Duration) -> bool {
        self.remover.is_none() && now <= self.expires + skew
    }

    #[cfg(test)]
    pub(super) fn made_up(name: &str, life: &str, renewals: u64, expires: SystemTime) -> Self {
        Self {
            name: name.to_owned(),
            life: life.to_owned(),
            renewals,
            expires,
            details: Bytes::new(),
            remover: None,
            tag: Tag::made_up(),
        }
    }
}

/// What is written.
#[derive(Clone, Copy)]
struct Terms<'a> {
    name: &'a str,
    life: &'a str,
    renewals: u64,
    expires: SystemTime,
    details: &'a Bytes,
    remover: Option<&'a str>,
}

impl<'a> Terms<'a> {
    fn of(lease: &'a NodeLease) -> Self {
        Self {
            name: &lease.name,
            life: &lease.life,
            renewals: lease.renewals,
            expires: lease.expires,
            details: &lease.details,
            remover: lease.remover.as_deref(),
        }
    }

    async fn put(self, stores: &Stores, before: Option<&Tag>) -> Result<NodeLease> {
        let since = self
            .expires
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let mut record = Record::new(RECORD)
            .with("name", self.name.to_owned())
            .with("life", self.life.to_owned())
            .with("renewals", self.renewals.to_string())
            .with("expires", since.as_millis().to_string())
            .with("details", self.details.clone());
        if let Some(remover) = self.remover {
            record = record.with("remover", remover.to_owned());
        }
        let key = stores.key(NODES, &[self.name]);
        let tag = stores
            .put_object_if(&key, Body::record(record.encode()), before)
            .await?;
        Ok(NodeLease {
            name: self.name.to_owned(),
            life: self.life.to_owned(),
            renewals: self.renewals,
            expires: self.expires,
            details: self.details.clone(),
            remover: self.remover.map(str::to_owned),
            tag,
        })
    }
}

async fn remove(stores: &Stores, lease: &NodeLease) -> Result<()> {
    let key = stores.key(NODES, &[&lease.name]);
    match stores.delete_object_if(&key, &lease.tag).await {
        // Somebody else's is left alone.
        Err(error) if error.kind() == Kind::Conflict => Ok(()),
        removed => removed,
    }
}

fn decode(there: Document) -> Result<NodeLease> {
    let record = Record::decode(RECORD, &there.body)?;
    let expires = Duration::from_millis(record.number("expires")?);
    let expires = SystemTime::UNIX_EPOCH.checked_add(expires);
    let remover = record
        .find("remover")
        .map(|_| record.text("remover"))
        .transpose()?;
    Ok(NodeLease {
        name: record.text("name")?.to_owned(),
        life: record.text("life")?.to_owned(),
        renewals: record.number("renewals")?,
        expires: expires.ok_or_else(|| Error::invalid("a stored lease never ends"))?,
        details: record.get("details")?.clone(),
        remover: remover.map(str::to_owned),
        tag: there.tag,
    })
}

fn check(name: &str, details: &Bytes) -> Result<()> {
    for (what, bytes, limit) in [
        ("the name of a node", name.len(), MAX_NAME),
        (
            "what a node says of itself",
            details.len(),
            MAX_NODE_DETAILS,
        ),
    ] {
        if bytes > limit {
            return Err(Error::too_large(what, bytes, "bytes", limit));
        }
    }
    match name {
        "" => Err(Error::invalid("the name of a node is empty")),
        _ => Ok(()),
    }
}

impl fmt::Debug for NodeLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeLease")
            .field("name", &self.name)
            .field("life", &self.life)
            .field("renewals", &self.renewals)
            .field("expires", &self.expires)
            .field("remover", &self.remover)
            .finish_non_exhaustive()
    }
}
