//! Whom people have as contacts ([RFC 6121, 2](https://www.rfc-editor.org/rfc/rfc6121#section-2)): [`Stores::roster`].
//!
//! One item for each contact in the domain `roster.NN`, so that a change of one does not touch the others, and one for the
//! version of the whole. How changes go together with that version is in [`commit`](Roster::commit).

mod commit;
mod form;
mod version;

use std::fmt;

use sdb_client::Domain;
use sdb_client::query::attr;

pub use self::commit::{RosterChange, RosterExpectation, RosterWrite};
use crate::error::Result;
use crate::jid::{self, BareJid};
use crate::layout::{DomainKind, item_name};
use crate::names::escape;
use crate::stores::{Freshness, Stores};
use crate::version::Version;

/// Which way presence goes between somebody and a contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// No way.
    #[default]
    None,
    /// He sees the contact.
    To,
    /// The contact sees him.
    From,
    /// Both see each other.
    Both,
}

/// Which requests for a subscription have no answer yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ask {
    /// None.
    #[default]
    None,
    /// The contact's.
    In,
    /// His own.
    Out,
    /// Both.
    Both,
    /// His own, as `subscribe` of the roster's `ask`.
    Subscribe,
    /// His own, as `unsubscribe` of the roster's `ask`.
    Unsubscribe,
}

/// A contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterItem {
    /// The JID, bare or full, up to 3,071 bytes.
    pub contact: String,
    /// What he calls the contact, up to 16 KiB.
    pub name: String,
    /// Which way presence goes.
    pub subscription: Subscription,
    /// Which requests have no answer yet.
    pub ask: Ask,
    /// What the request that has no answer says, up to 64 KiB.
    pub message: String,
    /// The groups, up to 100 of up to 1,023 bytes. They come back sorted, each once.
    pub groups: Vec<String>,
}

/// A contact as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterEntry {
    /// The contact.
    pub item: RosterItem,
    /// Which of its writes this is of: what a change that follows from it expects.
    pub version: RosterItemVersion,
}

/// Which of the writes of a contact it was. It can be kept as text ([`Display`](fmt::Display), [`parse`](Self::parse)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterItemVersion(pub(super) Version);

/// Whom people have as contacts; made by [`Stores::roster`].
#[derive(Clone, Debug)]
pub struct Roster(Stores);

impl Stores {
    /// Whom people have as contacts.
    pub fn roster(&self) -> Roster {
        Roster(self.clone())
    }
}

impl Roster {
    /// All contacts of a person, in no order, as new as [`version`](Self::version) is, however the stores are
    /// [set](crate::Reads): a version must not go with contacts of before. One request for each 2,500.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn all(&self, jid: &BareJid) -> Result<Vec<RosterEntry>> {
        self.act(jid, async {
            let domain = self.domain(jid);
            let found = attr(form::OWNER).eq(escape(jid.as_str()));
            let found = self
                .0
                .select_items(&domain, found, Freshness::Newest)
                .await?;
            found.iter().map(form::entry).collect()
        })
        .await
    }

    /// One contact of a person. One request.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn get(&self, jid: &BareJid, contact: &str) -> Result<Option<RosterEntry>> {
        self.read(jid, contact, Freshness::AsSet).await
    }

    /// One contact of a person, past every cache: what to read after a [conflict](crate::Kind::Conflict). One request.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn get_newest(&self, jid: &BareJid, contact: &str) -> Result<Option<RosterEntry>> {
        self.read(jid, contact, Freshness::Newest).await
    }

    /// Removes all contacts of a person, and the version. A select, and one request for each 25 contacts.
    ///
    /// # Errors
    /// As the services fail; some may be removed then.
    pub async fn remove(&self, jid: &BareJid) -> Result<()> {
        self.act(jid, async {
            let domain = self.domain(jid);
            let found = attr(form::OWNER).eq(escape(jid.as_str()));
            let mut names = self
                .0
                .select_names(&domain, found, Freshness::Newest)
                .await?;
            names.push(item_name(&[jid.as_str()]));
            self.0.delete_items(&domain, names).await
        })
        .await
    }

    async fn read(
        &self,
        jid: &BareJid,
        contact: &str,
        freshness: Freshness,
    ) -> Result<Option<RosterEntry>> {
        self.act(jid, async {
            jid::check("the contact's JID", contact)?;
            let name = item_name(&[jid.as_str(), contact]);
            let item = self.0.get_item(&self.domain(jid), &name, freshness).await?;
            item.as_ref().map(form::entry).transpose()
        })
        .await
    }

    fn domain(&self, jid: &BareJid) -> Domain {
        self.0.domain(DomainKind::Roster, jid.as_str())
    }

    async fn act<T>(
        &self,
        jid: &BareJid,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.0.action("roster", jid.as_str(), work).await
    }
}

impl Subscription {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::To, Self::From, Self::Both];

    /// The name of RFC 6121: `none`, `to`, `from`, `both`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::To => "to",
            Self::From => "from",
            Self::Both => "both",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

impl Ask {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::In,
        Self::Out,
        Self::Both,
        Self::Subscribe,
        Self::Unsubscribe,
    ];

    /// The name: `none`, `in`, `out`, `both`, `subscribe`, `unsubscribe`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::In => "in",
            Self::Out => "out",
            Self::Both => "both",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

impl RosterItemVersion {
    /// The version that this text is of. Of another text it is one that no contact has.
    pub fn parse(text: &str) -> Self {
        Self(Version::read(text))
    }
}

impl fmt::Display for RosterItemVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of RFC 6121.
impl fmt::Display for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name, as `subscribe`.
impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
