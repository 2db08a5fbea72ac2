//! Contacts as items: `u` the owner, `j`, `n` and `m` the contact's JID, name and message, `s` and `a` subscription and
//! request, `g` the groups, and the version.
//!
//! *Problem:* A put cannot take the last value of an attribute away, so that the group of somebody who is in none any more
//! would stay. *Decision:* There is always a `g`: one `-`, or each group behind a dot. *Cost:* One pair.

use sdb_client::{Item, PutItem};

use super::{Ask, RosterEntry, RosterItem, RosterItemVersion, Subscription};
use crate::error::{Error, Result};
use crate::jid::{self, BareJid, MAX_JID};
use crate::layout::item_name;
use crate::names::escape;
use crate::stores::{check_item, long, replace_long, version_of};

pub(super) const OWNER: &str = "u";
const CONTACT: &str = "j";
const NAME: &str = "n";
const MESSAGE: &str = "m";
const SUBSCRIPTION: &str = "s";
const ASK: &str = "a";
const GROUP: &str = "g";

const NO_GROUP: &str = "-";

/// The most bytes of a name and of a message: together with the pieces that are left of longer ones before, and with all
/// groups, they stay below the 256 pairs of an item.
const MAX_NAME: usize = 16 << 10;
const MAX_MESSAGE: usize = 64 << 10;

/// The most groups, and bytes of one.
const MAX_GROUPS: usize = 100;
const MAX_GROUP: usize = 1023;

pub(super) fn put(jid: &BareJid, item: &RosterItem) -> Result<PutItem> {
    jid::check("the contact's JID", &item.contact)?;
    let put = PutItem::new(item_name(&[jid.as_str(), &item.contact]))
        .replace(OWNER, escape(jid.as_str()))
        .replace(SUBSCRIPTION, item.subscription.as_str())
        .replace(ASK, item.ask.as_str());
    let put = replace_long(put, CONTACT, &item.contact, "the contact's JID", MAX_JID)?;
    let put = replace_long(put, NAME, &item.name, "the contact's name", MAX_NAME)?;
    let mut put = replace_long(
        put,
        MESSAGE,
        &item.message,
        "the request's message",
        MAX_MESSAGE,
    )?;
    let mut groups: Vec<&str> = item.groups.iter().map(String::as_str).collect();
    groups.sort_unstable();
    groups.dedup();
    if groups.len() > MAX_GROUPS {
        return Err(Error::too_large(
            "the contact",
            groups.len(),
            "groups",
            MAX_GROUPS,
        ));
    }
    if groups.is_empty() {
        put = put.replace(GROUP, NO_GROUP);
    }
    for group in groups {
        if group.len() > MAX_GROUP {
            return Err(Error::too_large("a group", group.len(), "bytes", MAX_GROUP));
        }
        put = put.replace(GROUP, format!(".{group}"));
    }
    check_item(&put, &[])?;
    Ok(put)
}

pub(super) fn entry(item: &Item) -> Result<RosterEntry> {
    let foreign = |what: &str| {
        Error::invalid(format!(
            "the {what} of the stored contact {:?} is not known",
            item.name
        ))
    };
    let first = |name: &str| item.first(name).unwrap_or_default();
    let subscription = Subscription::parse(first(SUBSCRIPTION));
    let mut groups: Vec<String> = Vec::new();
    for group in item.all(GROUP).filter(|group| *group != NO_GROUP) {
        let group = group.strip_prefix('.').ok_or_else(|| foreign("group"))?;
        groups.push(group.to_owned());
    }
    groups.sort_unstable();
    Ok(RosterEntry {
        item: RosterItem {
            contact: long(item, CONTACT)?,
            name: long(item, NAME)?,
            subscription: subscription.ok_or_else(|| foreign("subscription"))?,
            ask: Ask::parse(first(ASK)).ok_or_else(|| foreign("request"))?,
            message: long(item, MESSAGE)?,
            groups,
        },
        version: RosterItemVersion(version_of(item)),
    })
}
