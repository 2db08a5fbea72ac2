//! Rooms that stay, and nicknames that belong to somebody.
//!
//! | call | gives |
//! |---|---|
//! | `{muc_store, Host, Name, Options}` | `done`, or the error `conflict`: another node runs the room |
//! | `{muc_restore, Host, Name}` | options or `none` |
//! | `{muc_forget, Host, Name}` | `done` |
//! | `{muc_all, Host}` | `[{Name, Options}]` |
//! | `{muc_nick_owner, Host, Nick}` | a JID or `none` |
//! | `{muc_nick, Host, Jid}` | a nickname or `none` |
//! | `{muc_set_nick, Host, Jid, Nick}` | `done`, or the error `exists` |
//! | `{muc_remove_nick, Host, Jid}` | `done` |

use cloud_stores::muc::{Nicks, Rooms};

use super::Done;
use super::args::{Args, done, or_none, unknown};
use crate::etf::Term;

pub(super) async fn call(rooms: &Rooms, nicks: &Nicks, verb: &str, mut args: Args) -> Done {
    let host = args.jid()?;
    match verb {
        "store" => {
            let (name, options) = (args.text()?, args.bytes()?);
            args.end()?;
            rooms.store(&host, &name, options).await?;
            Ok(done())
        }
        "restore" => {
            let name = args.text()?;
            args.end()?;
            Ok(or_none(
                rooms.restore(&host, &name).await?.map(Term::Binary),
            ))
        }
        "forget" => {
            let name = args.text()?;
            args.end()?;
            rooms.forget(&host, &name).await?;
            Ok(done())
        }
        "all" => {
            args.end()?;
            let all = rooms.all(&host).await?.into_iter();
            let all = all
                .map(|room| Term::Tuple(vec![Term::binary(room.name), Term::Binary(room.options)]));
            Ok(Term::List(all.collect()))
        }
        "nick_owner" => {
            let nick = args.text()?;
            args.end()?;
            let owner = nicks.owner(&host, &nick).await?;
            Ok(or_none(owner.map(|owner| Term::binary(owner.to_string()))))
        }
        "nick" => {
            let person = args.jid()?;
            args.end()?;
            Ok(or_none(nicks.of(&host, &person).await?.map(Term::binary)))
        }
        "set_nick" => {
            let (person, nick) = (args.jid()?, args.text()?);
            args.end()?;
            nicks.set(&host, &person, &nick).await?;
            Ok(done())
        }
        "remove_nick" => {
            let person = args.jid()?;
            args.end()?;
            nicks.remove(&host, &person).await?;
            Ok(done())
        }
        _ => unknown(),
    }
}
