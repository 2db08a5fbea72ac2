//! Contacts.
//!
//! | call | gives |
//! |---|---|
//! | `{roster_all, Jid}` | contacts |
//! | `{roster_get, Jid, ContactJid, cached \| newest}` | `{Version, Contact}` or `none` |
//! | `{roster_commit, Jid, [{Expected, Write}], RosterVersion \| none}` | `done`, or the error `conflict` |
//! | `{roster_version, Jid}` | the version of the whole roster or `none` |
//! | `{roster_set_version, Jid, RosterVersion}` | `done` |
//! | `{roster_del, Jid}` | `done` |
//!
//! A contact is `{ContactJid, Name, Subscription, Ask, Message, Groups}`. Expected is `any`, `absent` or `{is, Version}`;
//! a write is `{put, Contact}` or `{remove, ContactJid}`.

use cloud_stores::roster::{
    Ask, Roster, RosterChange, RosterExpectation, RosterItem, RosterItemVersion, RosterWrite,
    Subscription,
};

use super::args::{Args, binaries, done, or_none, unknown};
use super::{Done, Failure};
use crate::etf::Term;

pub(super) async fn call(roster: &Roster, verb: &str, mut args: Args) -> Done {
    match verb {
        "all" => {
            let jid = args.jid()?;
            args.end()?;
            let entries = roster.all(&jid).await?;
            Ok(Term::List(
                entries
                    .into_iter()
                    .map(|entry| contact(entry.item))
                    .collect(),
            ))
        }
        "get" => {
            let (jid, name, how) = (args.jid()?, args.text()?, args.atom()?);
            args.end()?;
            let entry = match how.as_str() {
                "cached" => roster.get(&jid, &name).await?,
                "newest" => roster.get_newest(&jid, &name).await?,
                _ => {
                    return Err(Failure::invalid(
                        "a contact is read neither cached nor newest",
                    ));
                }
            };
            Ok(or_none(entry.map(|entry| {
                Term::Tuple(vec![
                    Term::binary(entry.version.to_string()),
                    contact(entry.item),
                ])
            })))
        }
        "commit" => {
            let jid = args.jid()?;
            let changes = args.tuples(change)?;
            let version = args.optional(Args::text)?;
            args.end()?;
            roster.commit(&jid, &changes, version.as_deref()).await?;
            Ok(done())
        }
        "version" => {
            let jid = args.jid()?;
            args.end()?;
            Ok(or_none(roster.version(&jid).await?.map(Term::binary)))
        }
        "set_version" => {
            let (jid, version) = (args.jid()?, args.text()?);
            args.end()?;
            roster.set_version(&jid, &version).await?;
            Ok(done())
        }
        "del" => {
            let jid = args.jid()?;
            args.end()?;
            roster.remove(&jid).await?;
            Ok(done())
        }
        _ => unknown(),
    }
}

fn contact(item: RosterItem) -> Term {
    Term::Tuple(vec![
        Term::binary(item.contact),
        Term::binary(item.name),
        Term::binary(item.subscription.as_str()),
        Term::binary(item.ask.as_str()),
        Term::binary(item.message),
        binaries(item.groups),
    ])
}

fn change(fields: &mut Args) -> Result<RosterChange, Failure> {
    let expected = match fields.any()? {
        Term::Atom(atom) if atom.as_str() == "any" => RosterExpectation::Any,
        Term::Atom(atom) if atom.as_str() == "absent" => RosterExpectation::Absent,
        is => {
            let mut is = Args::tuple(is)?;
            if is.atom()?.as_str() != "is" {
                return Err(Failure::invalid(
                    "an expectation is none of those that are known",
                ));
            }
            RosterExpectation::Is(RosterItemVersion::parse(&is.text()?))
        }
    };
    let mut write = Args::tuple(fields.any()?)?;
    let write = match write.atom()?.as_str() {
        "put" => RosterWrite::Put(item(&mut Args::tuple(write.any()?)?)?),
        "remove" => RosterWrite::Remove(write.text()?),
        _ => return Err(Failure::invalid("a write is none of those that are known")),
    };
    Ok(RosterChange { expected, write })
}

fn item(fields: &mut Args) -> Result<RosterItem, Failure> {
    let named = || Failure::invalid("a subscription has no name that is known");
    Ok(RosterItem {
        contact: fields.text()?,
        name: fields.text()?,
        subscription: Subscription::parse(&fields.text()?).ok_or_else(named)?,
        ask: Ask::parse(&fields.text()?).ok_or_else(named)?,
        message: fields.text()?,
        groups: fields.texts()?,
    })
}
