//! Privacy lists as they are stored: a record of the kind `privacy` with a field `default`, and for each list a field `list`
//! with its name and the fields `item` of its rules. A rule is one line: `ORDER ACTION STANZAS SUBJECT[ VALUE]`, for example
//! `1 deny message,presence-in jid eve@example.com`.

use bytes::Bytes;

use super::{
    PrivacyAction, PrivacyItem, PrivacyList, PrivacyLists, PrivacyStanzas, PrivacySubject,
};
use crate::error::{Error, Result};
use crate::record::{Record, text};
use crate::roster::Subscription;

const KIND: &str = "privacy";

pub(super) fn encode(lists: &PrivacyLists) -> Bytes {
    let mut record = Record::new(KIND);
    if let Some(default) = &lists.default {
        record = record.with("default", default.clone());
    }
    for list in &lists.lists {
        record = record.with("list", list.name.clone());
        for item in &list.items {
            record = record.with("item", line(item));
        }
    }
    record.encode()
}

pub(super) fn decode(stored: &Bytes) -> Result<PrivacyLists> {
    let record = Record::decode(KIND, stored)?;
    let mut lists = PrivacyLists::default();
    for (name, value) in record.fields() {
        let value = text(KIND, value)?;
        match (name.as_str(), lists.lists.last_mut()) {
            ("default", _) => lists.default = Some(value.to_owned()),
            ("list", _) => lists.lists.push(PrivacyList {
                name: value.to_owned(),
                items: Vec::new(),
            }),
            ("item", Some(list)) => list.items.push(item(value)?),
            _ => {
                return Err(Error::invalid(
                    "a rule of a stored privacy list is in no list",
                ));
            }
        }
    }
    Ok(lists)
}

/// The names of stanzas, in the order in which they are written.
fn stanzas(of: &mut PrivacyStanzas) -> [(&'static str, &mut bool); 5] {
    [
        ("all", &mut of.all),
        ("iq", &mut of.iq),
        ("message", &mut of.message),
        ("presence-in", &mut of.presence_in),
        ("presence-out", &mut of.presence_out),
    ]
}

fn line(item: &PrivacyItem) -> String {
    let action = match item.action {
        PrivacyAction::Allow => "allow",
        PrivacyAction::Deny => "deny",
    };
    let mut flags = item.stanzas;
    let names = stanzas(&mut flags).map(|(name, set)| set.then_some(name));
    let names: Vec<&str> = names.into_iter().flatten().collect();
    let names = if names.is_empty() {
        "-".to_owned()
    } else {
        names.join(",")
    };
    let subject = match &item.subject {
        PrivacySubject::Everybody => "everybody".to_owned(),
        PrivacySubject::Jid(jid) => format!("jid {jid}"),
        PrivacySubject::Group(group) => format!("group {group}"),
        PrivacySubject::Subscription(subscription) => format!("subscription {subscription}"),
    };
    format!("{} {action} {names} {subject}", item.order)
}

fn item(line: &str) -> Result<PrivacyItem> {
    let foreign = || Error::invalid("a rule of a stored privacy list is not understood");
    let mut parts = line.splitn(4, ' ');
    let mut part = || parts.next().ok_or_else(foreign);
    let order = part()?.parse().map_err(|_| foreign())?;
    let action = match part()? {
        "allow" => PrivacyAction::Allow,
        "deny" => PrivacyAction::Deny,
        _ => return Err(foreign()),
    };
    let mut flags = PrivacyStanzas::default();
    for name in part()?.split(',').filter(|name| *name != "-") {
        let known = stanzas(&mut flags)
            .into_iter()
            .find(|(known, _)| *known == name);
        *known.ok_or_else(foreign)?.1 = true;
    }
    let subject = part()?;
    let subject = match subject.split_once(' ') {
        None if subject == "everybody" => PrivacySubject::Everybody,
        Some(("jid", jid)) => PrivacySubject::Jid(jid.to_owned()),
        Some(("group", group)) => PrivacySubject::Group(group.to_owned()),
        Some(("subscription", of)) => {
            PrivacySubject::Subscription(Subscription::parse(of).ok_or_else(foreign)?)
        }
        _ => return Err(foreign()),
    };
    Ok(PrivacyItem {
        order,
        action,
        subject,
        stanzas: flags,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject() -> impl Strategy<Value = PrivacySubject> {
        use PrivacySubject::{Everybody, Group, Jid};
        let of = proptest::sample::select(Subscription::ALL.to_vec());
        prop_oneof![
            Just(Everybody),
            ".{0,9}".prop_map(Jid),
            "[a \n]{0,9}".prop_map(Group),
            of.prop_map(PrivacySubject::Subscription),
        ]
    }

    fn rule() -> impl Strategy<Value = PrivacyItem> {
        (any::<u32>(), any::<bool>(), subject(), any::<[bool; 5]>()).prop_map(
            |(order, allow, subject, set)| {
                let mut flags = PrivacyStanzas::default();
                for ((_, flag), set) in stanzas(&mut flags).into_iter().zip(set) {
                    *flag = set;
                }
                let action = match allow {
                    true => PrivacyAction::Allow,
                    false => PrivacyAction::Deny,
                };
                PrivacyItem {
                    order,
                    action,
                    subject,
                    stanzas: flags,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn lists_come_back(
            default in proptest::option::of(".{0,9}"),
            lists in proptest::collection::vec((".{0,9}", proptest::collection::vec(rule(), 0..4)), 0..4),
        ) {
            let lists = lists.into_iter().map(|(name, items)| PrivacyList { name, items }).collect();
            let lists = PrivacyLists { default, lists };
            prop_assert_eq!(decode(&encode(&lists)).unwrap(), lists);
        }
    }

    #[test]
    fn the_form_is_this() {
        let stored = "privacy 1\ndefault 1\na\nlist 1\na\nitem 46\n1 deny message,presence-in jid eve@example.com\n\
                      item 21\n2 allow all everybody\n";
        let lists = decode(&Bytes::from(stored)).unwrap();
        assert_eq!(
            lists.lists[0].items[0].subject,
            PrivacySubject::Jid("eve@example.com".into())
        );
        assert!(lists.lists[0].items[1].stanzas.all);
        assert_eq!(encode(&lists), stored.as_bytes());
        for line in [
            "",
            "x deny - everybody",
            "1 no - everybody",
            "1 deny fish everybody",
            "1 deny -",
            "1 deny - jid",
            "1 deny - subscription lost",
        ] {
            assert!(item(line).is_err(), "{line}");
        }
        let orphan = Record::new(KIND)
            .with("item", "1 deny - everybody")
            .encode();
        assert!(decode(&orphan).is_err());
    }
}
