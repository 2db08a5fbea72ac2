//! vCards ([XEP-0054](https://xmpp.org/extensions/xep-0054.html)) and the search for people
//! ([XEP-0055](https://xmpp.org/extensions/xep-0055.html)): [`Stores::vcards`].
//!
//! *Problem:* A vCard has a photo, and fits no item; a search needs fields that can be compared. *Decision:* The vCard is an
//! object, `vcard/K`, and beside it an item in the domain `vcard.NN` has its fields as they are shown and in lower case. The
//! object is written first. *Cost:* The index is late for a moment, and after a node that ended between the two until the
//! vCard is set again.

use std::fmt;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use sdb_client::query::{Filter, attr};
use sdb_client::{Domain, Item, PutItem};

use crate::error::{Error, Result};
use crate::jid::{BareJid, MAX_JID};
use crate::layout::{DomainKind, item_name};
use crate::names::escape;
use crate::stores::{Body, Freshness, Stores, check_document, check_item, long, replace_long};

/// The first part of the keys.
const STORE: &str = "vcard";

/// The host, escaped, and the JID as it is.
const HOST: &str = "h";
const JID: &str = "j";

/// The most bytes of a field in the index; the rest of a longer one is not shown by a search, and not compared.
const MAX_FIELD: usize = 900;

/// How many shards are asked at the same time.
const PARALLEL: usize = 16;

/// Items on one page of a selection, at most.
const PAGE: usize = 2500;

/// A field that people can be searched by. The names are those of the fields of XEP-0055 and of XMPP servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VcardField {
    /// The localpart.
    User,
    /// The full name.
    Fn,
    /// The given name.
    First,
    /// The middle name.
    Middle,
    /// The family name.
    Last,
    /// The nickname.
    Nick,
    /// The birthday.
    Bday,
    /// The country.
    Ctry,
    /// The city.
    Locality,
    /// The address for mail.
    Email,
    /// The organization.
    Orgname,
    /// The part of the organization.
    Orgunit,
}

/// A person's vCard, and what it is found by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vcard {
    /// The vCard, up to 4 MiB.
    pub xml: Bytes,
    /// The fields as they are shown; those that are not here are empty.
    pub fields: Vec<(VcardField, String)>,
}

/// Which people [`Vcards::search`] is to find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VcardQuery {
    /// What all of these fields have to be, upper and lower case being the same. With a `*` at its end a text stands for
    /// all that begin so; an empty one for any. Without any, everybody of the host is found who has a vCard.
    pub fields: Vec<(VcardField, String)>,
    /// How many people are found at most; all without it.
    pub limit: Option<usize>,
}

/// A person that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundVcard {
    /// Who it is.
    pub jid: BareJid,
    /// The fields that are not empty, each cut at 900 bytes.
    pub fields: Vec<(VcardField, String)>,
}

/// vCards, and the search for people; made by [`Stores::vcards`].
#[derive(Clone, Debug)]
pub struct Vcards(Stores);

impl Stores {
    /// vCards, and the search for people.
    pub fn vcards(&self) -> Vcards {
        Vcards(self.clone())
    }
}

impl Vcards {
    /// A person's vCard, if there is one. One request.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn get(&self, jid: &BareJid) -> Result<Option<Bytes>> {
        self.act(jid, async {
            let there = self.0.get_object(&self.key(jid), Freshness::AsSet).await?;
            Ok(there.map(|document| document.body))
        })
        .await
    }

    /// Sets a person's vCard, and the fields by which he is found. Two requests.
    ///
    /// # Errors
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) for a vCard over its limit, and then nothing is stored; otherwise as the
    /// services fail: the vCard may be there without its fields, until it is set again.
    pub async fn set(&self, jid: &BareJid, vcard: &Vcard) -> Result<()> {
        self.act(jid, async {
            check_document("the vCard", vcard.xml.len())?;
            let index = index(jid, &vcard.fields)?;
            self.0
                .put_object(&self.key(jid), Body::xml(vcard.xml.clone()))
                .await?;
            self.0.put_item(&self.domain(jid), index).await
        })
        .await
    }

    /// Removes a person's vCard; one that is not there is no error. Two requests, at the same time.
    ///
    /// # Errors
    /// As the services fail; one of the two may be done then.
    pub async fn remove(&self, jid: &BareJid) -> Result<()> {
        self.act(jid, async {
            let (key, domain, name) = (self.key(jid), self.domain(jid), item_name(&[jid.as_str()]));
            let (object, index) = future::join(
                self.0.delete_object(&key),
                self.0.delete_item(&domain, &name),
            )
            .await;
            object.and(index)
        })
        .await
    }

    /// Finds people of a host, in the order of their JIDs; with a limit, any of those that fit. One request a shard for
    /// each 2,500 people that it finds, or more where SimpleDB takes longer than five seconds.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn search(&self, host: &str, query: &VcardQuery) -> Result<Vec<FoundVcard>> {
        let action = self.0.action("search for people", host, async {
            if query.limit == Some(0) {
                return Ok(Vec::new());
            }
            let filter = filter(host, &query.fields);
            let most = query.limit.unwrap_or(usize::MAX);
            let shards = self.0.domains(DomainKind::Vcard).into_iter();
            let found =
                stream::iter(shards).map(|domain| self.of_shard(domain, filter.clone(), most));
            let found: Vec<Vec<FoundVcard>> =
                found.buffer_unordered(PARALLEL).try_collect().await?;
            let mut found: Vec<FoundVcard> = found.into_iter().flatten().collect();
            found.sort_unstable_by(|one, other| one.jid.cmp(&other.jid));
            found.truncate(most);
            Ok(found)
        });
        action.await
    }

    async fn of_shard(
        &self,
        domain: Domain,
        filter: Filter,
        most: usize,
    ) -> Result<Vec<FoundVcard>> {
        // A page has 1 to 2,500 items.
        let page = u32::try_from(most.clamp(1, PAGE)).unwrap_or(u32::MAX);
        let query = domain.query().filter(filter).limit(page);
        let mut items = self.0.selection(query, Freshness::AsSet).items();
        let mut found = Vec::new();
        while found.len() < most
            && let Some(item) = items.try_next().await?
        {
            found.push(person(&item)?);
        }
        Ok(found)
    }

    fn key(&self, jid: &BareJid) -> String {
        self.0.key(STORE, &[jid.as_str()])
    }

    fn domain(&self, jid: &BareJid) -> Domain {
        self.0.domain(DomainKind::Vcard, jid.as_str())
    }

    async fn act<T>(
        &self,
        jid: &BareJid,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.0.action("vCard", jid.as_str(), work).await
    }
}

impl VcardField {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::User,
        Self::Fn,
        Self::First,
        Self::Middle,
        Self::Last,
        Self::Nick,
        Self::Bday,
        Self::Ctry,
        Self::Locality,
        Self::Email,
        Self::Orgname,
        Self::Orgunit,
    ];

    /// The name: `user`, `fn`, `first`, `middle`, `last`, `nick`, `bday`, `ctry`, `locality`, `email`, `orgname`, `orgunit`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Fn => "fn",
            Self::First => "first",
            Self::Middle => "middle",
            Self::Last => "last",
            Self::Nick => "nick",
            Self::Bday => "bday",
            Self::Ctry => "ctry",
            Self::Locality => "locality",
            Self::Email => "email",
            Self::Orgname => "orgname",
            Self::Orgunit => "orgunit",
        }
    }

    /// The field of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }

    /// The attribute that has it as it is shown.
    fn shown(self) -> String {
        format!("d.{self}")
    }

    /// The attribute that is compared.
    fn compared(self) -> String {
        format!("k.{self}")
    }
}

/// The name, as `fn`.
impl fmt::Display for VcardField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// All fields, the empty ones too, so that nothing is left of a vCard before.
fn index(jid: &BareJid, fields: &[(VcardField, String)]) -> Result<PutItem> {
    let put = PutItem::new(item_name(&[jid.as_str()])).replace(HOST, escape(jid.domain()));
    let mut put = replace_long(put, JID, jid.as_str(), "the JID", MAX_JID)?;
    for field in VcardField::ALL {
        let value = fields
            .iter()
            .find(|(one, _)| *one == field)
            .map_or("", |(_, value)| value);
        put = put
            .replace(field.shown(), format!(".{}", cut(value)))
            .replace(field.compared(), format!(".{}", cut(&value.to_lowercase())));
    }
    check_item(&put, &[])?;
    Ok(put)
}

fn filter(host: &str, fields: &[(VcardField, String)]) -> Filter {
    let mut filter = attr(HOST).eq(escape(host));
    for (field, text) in fields {
        let text = text.to_lowercase();
        let key = attr(field.compared());
        match text.strip_suffix('*') {
            None if text.is_empty() => {}
            // Any at all, also none.
            Some("") => {}
            Some(start) => filter = filter.and(key.starts_with(format!(".{}", cut(start)))),
            None => filter = filter.and(key.eq(format!(".{}", cut(&text)))),
        }
    }
    filter
}

/// As much of a text as the index has.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_FIELD)]
}

fn person(item: &Item) -> Result<FoundVcard> {
    let mut fields = Vec::new();
    for field in VcardField::ALL {
        let name = field.shown();
        let value = item.first(&name).and_then(|value| value.strip_prefix('.'));
        let lacking = || {
            Error::invalid(format!(
                "the item {:?} lacks its attribute {name:?}",
                item.name
            ))
        };
        let value = value.ok_or_else(lacking)?;
        if !value.is_empty() {
            fields.push((field, value.to_owned()));
        }
    }
    let jid = BareJid::parse(long(item, JID)?)?;
    Ok(FoundVcard { jid, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_cut_at_characters() {
        let long = "\u{e9}".repeat(500);
        assert_eq!(cut(&long).len(), 900);
        assert_eq!(cut(&format!("a{long}")).len(), 899);
        let jid = BareJid::new("a".repeat(1023), "b".repeat(1023)).unwrap();
        let fields = VcardField::ALL.map(|field| (field, long.clone()));
        // The host, the JID and its pieces, and two for each field.
        assert_eq!(index(&jid, &fields).unwrap().len(), 1 + 3 + 24);
        for field in VcardField::ALL {
            assert_eq!(VcardField::parse(field.as_str()), Some(field));
        }
        assert_eq!(VcardField::parse("FN"), None);
    }
}
