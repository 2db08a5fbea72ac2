//! Who begins a cluster in which nobody serves yet: [`Founder`].
//!
//! *Problem:* A node that finds others joins them; one that finds nobody begins. Two that start at the same moment may each
//! find nobody who serves, and would begin two clusters. *Decision:* One object has the name and the life of the node that
//! began last. Whoever wants to begin replaces it, on condition that it is still as it was read: of many that try, one
//! succeeds, and the others find it there. It is read *before* the list of those who are there: a founder that is not in a
//! list which is younger than its record is gone. *Cost:* A read, a list and a write for each beginning.

use bytes::Bytes;

use super::NodeLeases;
use crate::error::{Kind, Result};
use crate::record::Record;
use crate::stores::{Body, Freshness, Tag};

const CLUSTER: &str = "cluster";
const FOUNDER: &str = "founder";

/// The node that began the cluster last, as it was read; by [`NodeLeases::founder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    /// The name and the life of the node; nothing where none has ever begun.
    pub node: Option<(String, String)>,
    tag: Option<Tag>,
}

impl NodeLeases {
    /// Reads who began the cluster last. To be called before the nodes that are there are listed. One request.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn founder(&self) -> Result<Founder> {
        let stores = &self.0;
        let work = async {
            let key = stores.key(CLUSTER, &[FOUNDER]);
            let Some(there) = stores.get_object(&key, Freshness::Newest).await? else {
                return Ok(Founder {
                    node: None,
                    tag: None,
                });
            };
            let record = Record::decode(FOUNDER, &there.body)?;
            let node = (
                record.text("name")?.to_owned(),
                record.text("life")?.to_owned(),
            );
            Ok(Founder {
                node: Some(node),
                tag: Some(there.tag),
            })
        };
        stores.action("founder", "the cluster", work).await
    }

    /// Makes this life of this node the one that begins the cluster, in the place of `before`, which the caller has found to
    /// be gone. Whether it is; it is not where somebody else has begun since that was read. One request.
    ///
    /// # Errors
    /// As the store fails; it may be the founder then, and may try again.
    pub async fn found(&self, before: &Founder, name: &str, life: &str) -> Result<bool> {
        let stores = &self.0;
        let work = async {
            let record = Record::new(FOUNDER)
                .with("name", Bytes::from(name.to_owned()))
                .with("life", Bytes::from(life.to_owned()));
            let key = stores.key(CLUSTER, &[FOUNDER]);
            let body = Body::record(record.encode());
            match stores.put_object_if(&key, body, before.tag.as_ref()).await {
                Err(error) if error.kind() == Kind::Conflict => Ok(false),
                written => written.map(|_| true),
            }
        };
        stores.action("founder", "the cluster", work).await
    }
}
