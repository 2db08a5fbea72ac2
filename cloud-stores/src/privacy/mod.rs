//! Who may send what to whom ([XEP-0016](https://xmpp.org/extensions/xep-0016.html)): [`Stores::privacy`].
//!
//! *Problem:* Every stanza asks for a list, and a change must not lose another one of the same moment. *Decision:* All lists
//! of a person are one object, `privacy/K`: one read has them, a cache keeps it, and that there is none as well. A change
//! reads it, and writes it on the condition that it is still the same; a conflict reads past every cache and decides again.
//! *Cost:* Two requests a change.

mod form;

use crate::error::{Error, Kind, Result};
use crate::jid::BareJid;
use crate::roster::Subscription;
use crate::stores::{Body, Decision, Freshness, Stores, check_document};

/// The first part of the keys.
const STORE: &str = "privacy";

/// All privacy lists of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivacyLists {
    /// The name of the list that counts where a session has chosen none.
    pub default: Option<String>,
    /// The lists; no two have one name.
    pub lists: Vec<PrivacyList>,
}

/// A privacy list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivacyList {
    /// Its name.
    pub name: String,
    /// Its rules, as they were set.
    pub items: Vec<PrivacyItem>,
}

/// A rule of a privacy list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivacyItem {
    /// Rules are tried in the order of this.
    pub order: u32,
    /// What it says of what it fits.
    pub action: PrivacyAction,
    /// Whom it is about.
    pub subject: PrivacySubject,
    /// Which stanzas it is about.
    pub stanzas: PrivacyStanzas,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivacyAction {
    /// It may pass.
    Allow,
    /// It may not.
    Deny,
}

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivacySubject {
    /// Everybody.
    Everybody,
    /// A JID, or a part of one, as XEP-0016 has it.
    Jid(String),
    /// Contacts of this group.
    Group(String),
    /// Contacts of this subscription.
    Subscription(Subscription),
}

/// Which stanzas a rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrivacyStanzas {
    /// All of them.
    pub all: bool,
    /// IQs that come in.
    pub iq: bool,
    /// Messages that come in.
    pub message: bool,
    /// Presences that come in.
    pub presence_in: bool,
    /// Presences that go out.
    pub presence_out: bool,
}

/// Who may send what to whom; made by [`Stores::privacy`].
#[derive(Clone, Debug)]
pub struct Privacy(Stores);

impl Stores {
    /// Who may send what to whom.
    pub fn privacy(&self) -> Privacy {
        Privacy(self.clone())
    }
}

impl PrivacyLists {
    /// The list of this name.
    pub fn list(&self, name: &str) -> Option<&PrivacyList> {
        self.lists.iter().find(|list| list.name == name)
    }
}

impl Privacy {
    /// All lists of a person, or nothing if none was ever set. One request.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn get(&self, jid: &BareJid) -> Result<Option<PrivacyLists>> {
        self.act(jid, async {
            let there = self.0.get_object(&self.key(jid), Freshness::AsSet).await?;
            let lists = there.map(|document| form::decode(&document.body));
            lists.transpose()
        })
        .await
    }

    /// The list of this name, or the default list, if there is one. One request.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn list(&self, jid: &BareJid, name: Option<&str>) -> Result<Option<PrivacyList>> {
        let lists = self.get(jid).await?;
        let found = lists.and_then(|lists| {
            let name = name.or(lists.default.as_deref())?;
            lists.list(name).cloned()
        });
        Ok(found)
    }

    /// Sets a list in place of the one of its name, or as a new one. Two requests, as all changes here.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] where all lists together have more than 4 MiB; [`Kind::Conflict`] where others have changed
    /// them ten times meanwhile; otherwise as the store fails.
    pub async fn set_list(&self, jid: &BareJid, list: PrivacyList) -> Result<()> {
        self.change(jid, move |mut lists| {
            match lists.lists.iter_mut().find(|old| old.name == list.name) {
                Some(old) => *old = list.clone(),
                None => lists.lists.push(list.clone()),
            }
            Ok(Some(lists))
        })
        .await
    }

    /// Sets all lists of a person.
    ///
    /// # Errors
    /// As [`set_list`](Self::set_list).
    pub async fn set(&self, jid: &BareJid, lists: PrivacyLists) -> Result<()> {
        self.change(jid, move |_| Ok(Some(lists.clone()))).await
    }

    /// Makes a list the default.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if there is no list of this name; otherwise as [`set_list`](Self::set_list).
    pub async fn set_default(&self, jid: &BareJid, name: &str) -> Result<()> {
        self.change(jid, |mut lists| {
            if lists.list(name).is_none() {
                return Err(Error::new(Kind::NotFound, "there is no list of this name"));
            }
            lists.default = Some(name.to_owned());
            Ok(Some(lists))
        })
        .await
    }

    /// Leaves the person without a default list; without one already it is no error.
    ///
    /// # Errors
    /// As [`set_list`](Self::set_list).
    pub async fn unset_default(&self, jid: &BareJid) -> Result<()> {
        self.change(jid, |mut lists| Ok(lists.default.take().map(|_| lists)))
            .await
    }

    /// Removes a list.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if there is no list of this name, [`Kind::Conflict`] if it is the default; otherwise as
    /// [`set_list`](Self::set_list).
    pub async fn remove_list(&self, jid: &BareJid, name: &str) -> Result<()> {
        self.change(jid, |mut lists| {
            if lists.list(name).is_none() {
                return Err(Error::new(Kind::NotFound, "there is no list of this name"));
            }
            if lists.default.as_deref() == Some(name) {
                return Err(Error::conflict("the list is the default"));
            }
            lists.lists.retain(|list| list.name != name);
            Ok(Some(lists))
        })
        .await
    }

    /// Removes all lists of a person. One request.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn remove(&self, jid: &BareJid) -> Result<()> {
        self.act(jid, self.0.delete_object(&self.key(jid))).await
    }

    /// Changes what there is; `decide` gives nothing where it is as it should be.
    async fn change(
        &self,
        jid: &BareJid,
        mut decide: impl FnMut(PrivacyLists) -> Result<Option<PrivacyLists>> + Send,
    ) -> Result<()> {
        let key = self.key(jid);
        let change = self.0.change_object(&key, move |stored| {
            let lists = stored.map_or_else(|| Ok(PrivacyLists::default()), form::decode)?;
            let Some(lists) = decide(lists)? else {
                return Ok(Decision::Keep);
            };
            let record = form::encode(&lists);
            check_document("the privacy lists", record.len())?;
            Ok(Decision::Put(Body::record(record)))
        });
        self.act(jid, change).await
    }

    fn key(&self, jid: &BareJid) -> String {
        self.0.key(STORE, &[jid.as_str()])
    }

    async fn act<T>(
        &self,
        jid: &BareJid,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.0.action("privacy lists", jid.as_str(), work).await
    }
}
