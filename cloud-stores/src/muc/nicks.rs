//! Nicknames that somebody has for himself on a host: [`Nicks`].
//!
//! *Problem:* A nickname belongs to one person, and a person has one; that is two items, and SimpleDB writes one at a
//! time. *Decision:* The item of the nickname is a reservation, made only if there is none. Then the person's item names
//! it, on condition of what was read of him; then his old reservation is released. Each reservation has a random token,
//! which the person's item has too, so that only the very one that he has given up is released. *Cost:* Three writes one
//! after another; a process that stops between leaves a reservation that nobody but its owner can use, and he by asking
//! for it again.
//!
//! ```text
//!   read n of the person ──► reserve the new nickname ──► the person's item names it ──► release the old one
//!                              │ somebody has it            │ changed meanwhile: again
//!                              ▼                            ▼
//!                            Exists                       from the start
//! ```

use sdb_client::query::attr;
use sdb_client::{Domain, Item, PutItem};

use crate::error::{Error, Kind, Result};
use crate::jid::{BareJid, MAX_JID};
use crate::layout::{DomainKind, item_name};
use crate::names::escape;
use crate::stores::{Freshness, Stores, check_item, long, pause, replace_long, version_of};
use crate::version::Version;

/// The most bytes of a nickname: those of a resourcepart.
pub const MAX_NICK: usize = 1023;

/// How often it is tried while the same person does so elsewhere.
const MAX_ROUNDS: u32 = 10;

const OWNER: &str = "o";
const NICK: &str = "n";
/// The token of a reservation.
const TOKEN: &str = "r";
/// Whose it is, in the form of [`escape`], by which all that a person has is selected.
const PERSON: &str = "k";

/// Who has which nickname on a host; made by [`Stores::nicks`].
#[derive(Clone, Debug)]
pub struct Nicks(Stores);

/// What is stored of a person.
struct Own {
    nick: String,
    token: String,
    version: Version,
}

impl Stores {
    /// Who has which nickname.
    pub fn nicks(&self) -> Nicks {
        Nicks(self.clone())
    }
}

impl Nicks {
    /// Who has this nickname on this host, if anybody has. One request.
    ///
    /// # Errors
    /// As the service fails.
    pub async fn owner(&self, host: &BareJid, nick: &str) -> Result<Option<BareJid>> {
        let work = async {
            let there = self.reservation(host, nick, Freshness::AsSet).await?;
            there
                .map(|item| BareJid::parse(long(&item, OWNER)?))
                .transpose()
        };
        self.0.action("nickname", host.as_str(), work).await
    }

    /// The nickname of a person on this host, if he has one. One request.
    ///
    /// # Errors
    /// As the service fails.
    pub async fn of(&self, host: &BareJid, person: &BareJid) -> Result<Option<String>> {
        let work = async {
            let own = self.own(host, person, Freshness::AsSet).await?;
            Ok(own.map(|own| own.nick))
        };
        self.0.action("nickname", person.as_str(), work).await
    }

    /// Gives a person this nickname on this host, in place of the one that he had. Three requests the first time, and five to
    /// change it; one where he has it.
    ///
    /// # Errors
    /// [`Kind::Exists`] where it is somebody else's; [`Kind::TooLarge`] for one of over [`MAX_NICK`] bytes;
    /// [`Kind::Conflict`] where the same person changed his ten times meanwhile; otherwise as the service fails. He has the
    /// old one then, or the new one.
    pub async fn set(&self, host: &BareJid, person: &BareJid, nick: &str) -> Result<()> {
        let work = async {
            check(nick)?;
            for round in 0..MAX_ROUNDS {
                let own = self.own(host, person, Freshness::Newest).await?;
                if own.as_ref().is_some_and(|own| own.nick == nick) {
                    return Ok(());
                }
                let token = self.reserve(host, person, nick).await?;
                let put = PutItem::new(own_name(host, person))
                    .replace(TOKEN, &*token)
                    .replace(PERSON, escape(person.as_str()));
                let put = replace_long(put, NICK, nick, "the nickname", MAX_NICK)?;
                let before = own.as_ref().map(|own| &own.version);
                match self.0.put_item_if(&self.domain(), put, before).await {
                    Ok(_) => return self.release(host, own).await,
                    Err(error) if error.kind() == Kind::Conflict => pause(round).await,
                    Err(error) => return Err(error),
                }
            }
            Err(Error::conflict(format!(
                "it was changed {MAX_ROUNDS} times meanwhile"
            )))
        };
        self.0.action("nickname", person.as_str(), work).await
    }

    /// Takes away the nickname of a person on this host; one who has none is no error. Four requests.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn remove(&self, host: &BareJid, person: &BareJid) -> Result<()> {
        let work = async {
            for round in 0..MAX_ROUNDS {
                let Some(own) = self.own(host, person, Freshness::Newest).await? else {
                    return Ok(());
                };
                let name = own_name(host, person);
                match self
                    .0
                    .delete_item_if(&self.domain(), &name, &own.version)
                    .await
                {
                    Ok(()) => return self.release(host, Some(own)).await,
                    Err(error) if error.kind() == Kind::Conflict => pause(round).await,
                    Err(error) => return Err(error),
                }
            }
            Err(Error::conflict(format!(
                "it was changed {MAX_ROUNDS} times meanwhile"
            )))
        };
        self.0.action("nickname", person.as_str(), work).await
    }

    /// Takes away the nicknames of a person on all hosts, and what he has reserved. One selection, and one request for each
    /// nickname and each person's record of it.
    ///
    /// # Errors
    /// [`Kind::Conflict`] where the same person changes one meanwhile; otherwise as the service fails. Some may be gone
    /// then.
    pub async fn remove_all(&self, person: &BareJid) -> Result<()> {
        let work = async {
            let domain = self.domain();
            let his = attr(PERSON).eq(escape(person.as_str()));
            let items = self.0.select_items(&domain, his, Freshness::Newest).await?;
            for item in items {
                // A nickname that somebody else has by now is his.
                let version = version_of(&item);
                self.0.delete_item_if(&domain, &item.name, &version).await?;
            }
            Ok(())
        };
        self.0.action("nickname", person.as_str(), work).await
    }

    /// Reserves a nickname, and gives the token of the reservation. One that the person has already gets a new token, so
    /// that whoever is about to release the old one does not.
    async fn reserve(&self, host: &BareJid, person: &BareJid, nick: &str) -> Result<String> {
        let token = format!("{:016x}", fastrand::u64(..));
        let put = PutItem::new(nick_name(host, nick))
            .replace(TOKEN, &*token)
            .replace(PERSON, escape(person.as_str()));
        let put = replace_long(
            put,
            OWNER,
            person.as_str(),
            "the owner of a nickname",
            MAX_JID,
        )?;
        check_item(&put, &[])?;
        let mut before = None;
        for round in 0..MAX_ROUNDS {
            match self
                .0
                .put_item_if(&self.domain(), put.clone(), before.as_ref())
                .await
            {
                Ok(_) => return Ok(token),
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
            before = match self.reservation(host, nick, Freshness::Newest).await? {
                None => None,
                Some(item) if long(&item, OWNER)? == person.as_str() => Some(version_of(&item)),
                Some(_) => return Err(Error::new(Kind::Exists, "it is somebody else's")),
            };
            if round > 0 {
                pause(round).await;
            }
        }
        Err(Error::conflict(format!(
            "it was reserved {MAX_ROUNDS} times meanwhile"
        )))
    }

    /// Releases the reservation that a person had, if it is still the one.
    async fn release(&self, host: &BareJid, own: Option<Own>) -> Result<()> {
        let Some(own) = own else { return Ok(()) };
        let Some(item) = self.reservation(host, &own.nick, Freshness::Newest).await? else {
            return Ok(());
        };
        if item.first(TOKEN) != Some(&*own.token) {
            return Ok(());
        }
        let name = nick_name(host, &own.nick);
        match self
            .0
            .delete_item_if(&self.domain(), &name, &version_of(&item))
            .await
        {
            // Somebody has it anew.
            Err(error) if error.kind() == Kind::Conflict => Ok(()),
            released => released,
        }
    }

    async fn reservation(
        &self,
        host: &BareJid,
        nick: &str,
        freshness: Freshness,
    ) -> Result<Option<Item>> {
        self.0
            .get_item(&self.domain(), &nick_name(host, nick), freshness)
            .await
    }

    async fn own(
        &self,
        host: &BareJid,
        person: &BareJid,
        freshness: Freshness,
    ) -> Result<Option<Own>> {
        let name = own_name(host, person);
        let Some(item) = self.0.get_item(&self.domain(), &name, freshness).await? else {
            return Ok(None);
        };
        let token = item
            .first(TOKEN)
            .ok_or_else(|| Error::invalid("a nickname has no token"))?;
        Ok(Some(Own {
            nick: long(&item, NICK)?,
            token: token.to_owned(),
            version: version_of(&item),
        }))
    }

    fn domain(&self) -> Domain {
        self.0.domain(DomainKind::Nicks, "")
    }
}

fn check(nick: &str) -> Result<()> {
    match nick.len() {
        0 => Err(Error::invalid("the nickname is empty")),
        1..=MAX_NICK => Ok(()),
        bytes => Err(Error::too_large("the nickname", bytes, "bytes", MAX_NICK)),
    }
}

fn nick_name(host: &BareJid, nick: &str) -> String {
    item_name(&["n", host.as_str(), nick])
}

fn own_name(host: &BareJid, person: &BareJid) -> String {
    item_name(&["j", host.as_str(), person.as_str()])
}
