//! Groups whose members see each other in their rosters.
//!
//! | call | gives |
//! |---|---|
//! | `{shared_groups, Host}` | `[{Group, Options}]` |
//! | `{shared_get, Host, Group}` | options or `none` |
//! | `{shared_set, Host, Group, Options}` | `done` |
//! | `{shared_remove, Host, Group}` | `done` |
//! | `{shared_members, Host, Group}` | JIDs |
//! | `{shared_groups_of, Host, Jid}` | groups |
//! | `{shared_is_member, Host, Group, Jid}` | `true` or `false` |
//! | `{shared_add, Host, Group, Jid}` | `done` |
//! | `{shared_take_out, Host, Group, Jid}` | `done` |

use cloud_stores::shared_roster::SharedRoster;

use super::Done;
use super::args::{Args, binaries, done, flag, or_none, unknown};
use crate::etf::Term;

pub(super) async fn call(shared: &SharedRoster, verb: &str, mut args: Args) -> Done {
    let host = args.text()?;
    match verb {
        "groups" => {
            args.end()?;
            let groups = shared.groups(&host).await?.into_iter();
            let groups = groups.map(|group| {
                Term::Tuple(vec![Term::binary(group.name), Term::Binary(group.options)])
            });
            Ok(Term::List(groups.collect()))
        }
        "groups_of" => {
            let person = args.jid()?;
            args.end()?;
            Ok(binaries(shared.groups_of(&host, &person).await?))
        }
        "get" => {
            let group = args.text()?;
            args.end()?;
            Ok(or_none(shared.get(&host, &group).await?.map(Term::Binary)))
        }
        "set" => {
            let (group, options) = (args.text()?, args.bytes()?);
            args.end()?;
            shared.set(&host, &group, options).await?;
            Ok(done())
        }
        "remove" => {
            let group = args.text()?;
            args.end()?;
            shared.remove(&host, &group).await?;
            Ok(done())
        }
        "members" => {
            let group = args.text()?;
            args.end()?;
            Ok(binaries(
                shared
                    .members(&host, &group)
                    .await?
                    .into_iter()
                    .map(|jid| jid.to_string()),
            ))
        }
        "is_member" => {
            let (group, person) = (args.text()?, args.jid()?);
            args.end()?;
            Ok(flag(shared.is_member(&host, &group, &person).await?))
        }
        "add" => {
            let (group, person) = (args.text()?, args.jid()?);
            args.end()?;
            shared.add(&host, &group, &person).await?;
            Ok(done())
        }
        "take_out" => {
            let (group, person) = (args.text()?, args.jid()?);
            args.end()?;
            shared.take_out(&host, &group, &person).await?;
            Ok(done())
        }
        _ => unknown(),
    }
}
