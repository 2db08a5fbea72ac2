//! Privacy lists.
//!
//! | call | gives |
//! |---|---|
//! | `{privacy_get, Jid}` | `{DefaultName \| none, [List]}` or `none` |
//! | `{privacy_list, Jid, Name \| none}` | the list of this name, or the default one; or `none` |
//! | `{privacy_set, Jid, DefaultName \| none, [List]}` | `done` |
//! | `{privacy_set_list, Jid, List}` | `done` |
//! | `{privacy_set_default, Jid, Name \| none}` | `done`, or the error `notfound` |
//! | `{privacy_remove_list, Jid, Name}` | `done`, or the errors `notfound` and, for the default one, `conflict` |
//! | `{privacy_del, Jid}` | `done` |
//!
//! A list is `{Name, [Rule]}`, and a rule `{Order, allow | deny, Subject, All, Iq, Message, PresenceIn, PresenceOut}`, the
//! last five being `true` or `false`. A subject is `none`, `{jid, Jid}`, `{group, Group}` or `{subscription, Subscription}`.

use cloud_stores::privacy::{
    Privacy, PrivacyAction, PrivacyItem, PrivacyList, PrivacyLists, PrivacyStanzas, PrivacySubject,
};
use cloud_stores::roster::Subscription;

use super::args::{Args, done, flag, or_none, unknown};
use super::{Done, Failure};
use crate::etf::Term;

pub(super) async fn call(privacy: &Privacy, verb: &str, mut args: Args) -> Done {
    match verb {
        "get" => {
            let jid = args.jid()?;
            args.end()?;
            Ok(or_none(privacy.get(&jid).await?.map(|lists| {
                let default = or_none(lists.default.map(Term::binary));
                Term::Tuple(vec![
                    default,
                    Term::List(lists.lists.into_iter().map(give).collect()),
                ])
            })))
        }
        "list" => {
            let (jid, name) = (args.jid()?, args.optional(Args::text)?);
            args.end()?;
            Ok(or_none(
                privacy.list(&jid, name.as_deref()).await?.map(give),
            ))
        }
        "set" => {
            let (jid, default, lists) =
                (args.jid()?, args.optional(Args::text)?, args.tuples(take)?);
            args.end()?;
            privacy.set(&jid, PrivacyLists { default, lists }).await?;
            Ok(done())
        }
        "set_list" => {
            let jid = args.jid()?;
            let list = take(&mut Args::tuple(args.any()?)?)?;
            args.end()?;
            privacy.set_list(&jid, list).await?;
            Ok(done())
        }
        "set_default" => {
            let (jid, name) = (args.jid()?, args.optional(Args::text)?);
            args.end()?;
            match name {
                Some(name) => privacy.set_default(&jid, &name).await?,
                None => privacy.unset_default(&jid).await?,
            }
            Ok(done())
        }
        "remove_list" => {
            let (jid, name) = (args.jid()?, args.text()?);
            args.end()?;
            privacy.remove_list(&jid, &name).await?;
            Ok(done())
        }
        "del" => {
            let jid = args.jid()?;
            args.end()?;
            privacy.remove(&jid).await?;
            Ok(done())
        }
        _ => unknown(),
    }
}

fn take(fields: &mut Args) -> Result<PrivacyList, Failure> {
    Ok(PrivacyList {
        name: fields.text()?,
        items: fields.tuples(rule)?,
    })
}

fn rule(fields: &mut Args) -> Result<PrivacyItem, Failure> {
    let order = fields.number()?;
    let action = match fields.atom()?.as_str() {
        "allow" => PrivacyAction::Allow,
        "deny" => PrivacyAction::Deny,
        _ => return Err(Failure::invalid("a rule neither allows nor denies")),
    };
    let subject = fields.optional(|fields| {
        let mut subject = Args::tuple(fields.any()?)?;
        let (kind, text) = (subject.atom()?, subject.text()?);
        match kind.as_str() {
            "jid" => Ok(PrivacySubject::Jid(text)),
            "group" => Ok(PrivacySubject::Group(text)),
            "subscription" => Subscription::parse(&text)
                .map(PrivacySubject::Subscription)
                .ok_or_else(|| Failure::invalid("a subscription has no name that is known")),
            _ => Err(Failure::invalid("a rule is about nobody that is known")),
        }
    })?;
    Ok(PrivacyItem {
        order,
        action,
        subject: subject.unwrap_or(PrivacySubject::Everybody),
        stanzas: PrivacyStanzas {
            all: fields.flag()?,
            iq: fields.flag()?,
            message: fields.flag()?,
            presence_in: fields.flag()?,
            presence_out: fields.flag()?,
        },
    })
}

fn give(list: PrivacyList) -> Term {
    Term::Tuple(vec![
        Term::binary(list.name),
        Term::List(list.items.into_iter().map(give_rule).collect()),
    ])
}

fn give_rule(rule: PrivacyItem) -> Term {
    let action = match rule.action {
        PrivacyAction::Allow => "allow",
        PrivacyAction::Deny => "deny",
    };
    let pair = |kind, text: String| Term::Tuple(vec![Term::atom(kind), Term::binary(text)]);
    let subject = match rule.subject {
        PrivacySubject::Everybody => Term::atom("none"),
        PrivacySubject::Jid(jid) => pair("jid", jid),
        PrivacySubject::Group(group) => pair("group", group),
        PrivacySubject::Subscription(subscription) => {
            pair("subscription", subscription.to_string())
        }
    };
    let stanzas = rule.stanzas;
    Term::Tuple(vec![
        Term::Int(rule.order.into()),
        Term::atom(action),
        subject,
        flag(stanzas.all),
        flag(stanzas.iq),
        flag(stanzas.message),
        flag(stanzas.presence_in),
        flag(stanzas.presence_out),
    ])
}
