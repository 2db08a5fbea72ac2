//! Messages for people who are away.
//!
//! | call | gives |
//! |---|---|
//! | `{offline_put, Jid, At, Expires, From, To, Xml}` | `done` |
//! | `{offline_all, Jid}` | `{[{At, Expires, From, To, Xml}], [{At, Expires}]}`: the first messages by time, and which come next |
//! | `{offline_some, Jid, [{At, Expires}]}` | the same of these |
//! | `{offline_get, Jid, At, Expires}` | one of those or `none` |
//! | `{offline_del, Jid, [{At, Expires}]}` | `done` |
//! | `{offline_count, Jid}` | a number |
//! | `{offline_clear, Jid}` | `done` |
//! | `{offline_expire, Host, Now}` | how many had expired by then, and are removed |
//! | `{offline_older, Host, Before}` | how many came before, and are removed |
//!
//! Times are in microseconds since 1970; a message that never expires has 0. Both together name a message.

use cloud_stores::offline::{Offline, OfflineId, OfflineMessage, OfflinePart};

use super::args::{Args, done, number, or_none, unknown};
use super::{Done, Failure, PORTION};
use crate::etf::Term;

pub(super) async fn call(offline: &Offline, verb: &str, mut args: Args) -> Done {
    match verb {
        "put" => {
            let jid = args.jid()?;
            let OfflineId { at, expires } = id(&mut args)?;
            let message = OfflineMessage {
                at,
                expires: (expires > 0).then_some(expires),
                from: args.text()?,
                to: args.text()?,
                stanza: args.bytes()?,
            };
            args.end()?;
            offline.store(&jid, &message).await?;
            Ok(done())
        }
        "all" => {
            let jid = args.jid()?;
            args.end()?;
            let ids = offline.ids(&jid).await?;
            Ok(give_part(offline.some(&jid, &ids, PORTION).await?))
        }
        "some" => {
            let (jid, ids) = (args.jid()?, args.tuples(id)?);
            args.end()?;
            Ok(give_part(offline.some(&jid, &ids, PORTION).await?))
        }
        "get" => {
            let (jid, id) = (args.jid()?, id(&mut args)?);
            args.end()?;
            Ok(or_none(
                offline
                    .get(&jid, id)
                    .await?
                    .map(|message| give(id, message)),
            ))
        }
        "del" => {
            let (jid, ids) = (args.jid()?, args.tuples(id)?);
            args.end()?;
            offline.delete(&jid, &ids).await?;
            Ok(done())
        }
        "count" => {
            let jid = args.jid()?;
            args.end()?;
            Ok(number(offline.count(&jid).await?))
        }
        "clear" => {
            let jid = args.jid()?;
            args.end()?;
            offline.remove(&jid).await?;
            Ok(done())
        }
        "expire" => {
            let (host, now) = (args.text()?, args.number()?);
            args.end()?;
            Ok(number(offline.remove_expired(&host, now).await?))
        }
        "older" => {
            let (host, before) = (args.text()?, args.number()?);
            args.end()?;
            Ok(number(offline.remove_older(&host, before).await?))
        }
        _ => unknown(),
    }
}

fn id(args: &mut Args) -> Result<OfflineId, Failure> {
    Ok(OfflineId {
        at: args.number()?,
        expires: args.number()?,
    })
}

fn give_part(part: OfflinePart) -> Term {
    let messages = part.messages.into_iter();
    let messages = messages.map(|(id, message)| give(id, message)).collect();
    let name = |id: &OfflineId| Term::Tuple(vec![number(id.at), number(id.expires)]);
    let rest = part.rest.iter().map(name).collect();
    Term::Tuple(vec![Term::List(messages), Term::List(rest)])
}

fn give(id: OfflineId, message: OfflineMessage) -> Term {
    Term::Tuple(vec![
        number(id.at),
        number(id.expires),
        Term::binary(message.from),
        Term::binary(message.to),
        Term::Binary(message.stanza),
    ])
}
