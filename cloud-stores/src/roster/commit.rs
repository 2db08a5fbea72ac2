//! Changing contacts: [`Roster::commit`].

use super::{Roster, RosterItem, RosterItemVersion, form};
use crate::error::Result;
use crate::jid::{self, BareJid};
use crate::layout::item_name;
use crate::stores::VERSION;
use crate::version::Version;

/// A change of one contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterChange {
    /// What is to be there before.
    pub expected: RosterExpectation,
    /// What is to be there then.
    pub write: RosterWrite,
}

/// What has to be there for a change to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterExpectation {
    /// Whatever is there.
    Any,
    /// No such contact.
    Absent,
    /// The contact as this write left it.
    Is(RosterItemVersion),
}

/// What a change writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterWrite {
    /// The contact is to be as this says.
    Put(RosterItem),
    /// The contact of this JID is to be gone.
    Remove(String),
}

impl Roster {
    /// Changes contacts of a person, one after another in this order, each on its own condition. One request for each;
    /// with a `version` of the whole roster, two more.
    ///
    /// Each change is done whole or not at all. Several are not: where one fails, those before it are done. Whoever reads
    /// the contacts anew, decides anew and commits again after a [`Kind::Conflict`](crate::Kind::Conflict) comes to the
    /// same end.
    ///
    /// A server that keeps a version of each roster
    /// ([RFC 6121, 2.6](https://www.rfc-editor.org/rfc/rfc6121#section-2.6)) gives the new one with every commit. It is not
    /// valid until the last change is done: [`version`](Self::version) then says that there is none, and clients are sent
    /// all contacts. It stays so if the node ends half way.
    ///
    /// # Errors
    /// [`Kind::Conflict`](crate::Kind::Conflict) where an expectation does not hold; a change whose answer was lost is not
    /// taken for one of somebody else. [`Kind::TooLarge`](crate::Kind::TooLarge) for what is over the limits of
    /// [`RosterItem`], and then nothing is sent. Otherwise as the services fail: changes may have been done.
    pub async fn commit(
        &self,
        jid: &BareJid,
        changes: &[RosterChange],
        version: Option<&str>,
    ) -> Result<()> {
        self.act(jid, async {
            let checked: Result<Vec<Step>> =
                changes.iter().map(|change| step(jid, change)).collect();
            let steps = checked?;
            let pending = match version {
                Some(version) => Some(self.begin(jid, version).await?),
                None => None,
            };
            let done = self.take(jid, steps).await;
            if let Some(pending) = pending {
                // The changes are done, whatever becomes of this: without it, the version is not valid.
                let _invalid_at_worst = self.end(jid, pending).await;
            }
            done
        })
        .await
    }

    async fn take(&self, jid: &BareJid, steps: Vec<Step>) -> Result<()> {
        let domain = self.domain(jid);
        for step in steps {
            match step {
                Step::Put(put, Condition::Any) => {
                    let own = Version::unconditional().to_string();
                    self.0.put_item(&domain, put.replace(VERSION, own)).await?;
                }
                Step::Put(put, Condition::Is(before)) => {
                    self.0.put_item_if(&domain, put, before.as_ref()).await?;
                }
                Step::Remove(name, Some(before)) => {
                    self.0.delete_item_if(&domain, &name, &before).await?;
                }
                Step::Remove(name, None) => self.0.delete_item(&domain, &name).await?,
                Step::Nothing => {}
            }
        }
        Ok(())
    }
}

/// A change that is within the limits.
enum Step {
    Put(sdb_client::PutItem, Condition),
    /// The item, and the version that it is to have, if that matters.
    Remove(String, Option<Version>),
    Nothing,
}

enum Condition {
    Any,
    Is(Option<Version>),
}

fn step(jid: &BareJid, change: &RosterChange) -> Result<Step> {
    let before = match &change.expected {
        RosterExpectation::Any => Condition::Any,
        RosterExpectation::Absent => Condition::Is(None),
        RosterExpectation::Is(version) => Condition::Is(Some(version.0.clone())),
    };
    match &change.write {
        RosterWrite::Put(item) => Ok(Step::Put(form::put(jid, item)?, before)),
        RosterWrite::Remove(contact) => {
            jid::check("the contact's JID", contact)?;
            let name = item_name(&[jid.as_str(), contact]);
            Ok(match before {
                Condition::Any => Step::Remove(name, None),
                Condition::Is(Some(before)) => Step::Remove(name, Some(before)),
                Condition::Is(None) => Step::Nothing,
            })
        }
    }
}
