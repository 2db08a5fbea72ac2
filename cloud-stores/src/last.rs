//! When somebody was last there ([XEP-0012](https://xmpp.org/extensions/xep-0012.html)): [`Stores::last`].
//!
//! One item a person in the domain `last.NN`: the time with twelve digits, so that times compare as numbers do, and the
//! status, over as many attributes as it takes.

use sdb_client::{Domain, PutItem};

use crate::error::{Error, Result};
use crate::jid::{BareJid, MAX_JID};
use crate::layout::{DomainKind, item_name};
use crate::stores::{Freshness, Stores, check_item, long, replace_long};

const TIME: &str = "t";
const STATUS: &str = "s";
/// The JID as it is.
const JID: &str = "j";

/// The most bytes of a status.
const MAX_STATUS: usize = 64 << 10;

/// The greatest time, in seconds: what twelve digits hold.
const MAX_TIME: u64 = 999_999_999_999;

/// When somebody left, and what he said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastActivity {
    /// Seconds since 1970, up to twelve digits.
    pub at: u64,
    /// The status of his last presence, up to 64 KiB; usually empty.
    pub status: String,
}

/// When people were last there; made by [`Stores::last`].
#[derive(Clone, Debug)]
pub struct Last(Stores);

impl Stores {
    /// When people were last there.
    pub fn last(&self) -> Last {
        Last(self.clone())
    }
}

impl Last {
    /// When somebody was last there, or nothing if that was never told. One request.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn get(&self, jid: &BareJid) -> Result<Option<LastActivity>> {
        self.act(jid, async {
            let (domain, name) = (self.domain(jid), name(jid));
            let Some(item) = self.0.get_item(&domain, &name, Freshness::AsSet).await? else {
                return Ok(None);
            };
            let time = item.first(TIME).and_then(|time| time.parse().ok());
            let at = time.ok_or_else(|| Error::invalid("the stored time is no number"))?;
            let status = long(&item, STATUS)?;
            Ok(Some(LastActivity { at, status }))
        })
        .await
    }

    /// Keeps when somebody was last there. One request.
    ///
    /// # Errors
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) for a status over its limit, [`Kind::Invalid`](crate::Kind::Invalid) for
    /// such a time; otherwise as the services fail.
    pub async fn set(&self, jid: &BareJid, last: &LastActivity) -> Result<()> {
        self.act(jid, async {
            if last.at > MAX_TIME {
                let error = format!("{} seconds are over the limit of {MAX_TIME}", last.at);
                return Err(Error::invalid(error));
            }
            let put = PutItem::new(name(jid)).replace(TIME, format!("{:012}", last.at));
            let put = replace_long(put, STATUS, &last.status, "the status", MAX_STATUS)?;
            let put = replace_long(put, JID, jid.as_str(), "the JID", MAX_JID)?;
            check_item(&put, &[])?;
            self.0.put_item(&self.domain(jid), put).await
        })
        .await
    }

    /// Forgets when somebody was last there. One request.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn remove(&self, jid: &BareJid) -> Result<()> {
        self.act(jid, self.0.delete_item(&self.domain(jid), &name(jid)))
            .await
    }

    fn domain(&self, jid: &BareJid) -> Domain {
        self.0.domain(DomainKind::Last, jid.as_str())
    }

    async fn act<T>(
        &self,
        jid: &BareJid,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.0.action("last activity", jid.as_str(), work).await
    }
}

fn name(jid: &BareJid) -> String {
    item_name(&[jid.as_str()])
}
