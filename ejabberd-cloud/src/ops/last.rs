//! When somebody was last there.
//!
//! | call | gives |
//! |---|---|
//! | `{last_get, Jid}` | `{Seconds, Status}` or `none` |
//! | `{last_set, Jid, Seconds, Status}` | `done` |
//! | `{last_del, Jid}` | `done` |

use cloud_stores::last::{Last, LastActivity};

use super::Done;
use super::args::{Args, done, number, or_none, unknown};
use crate::etf::Term;

pub(super) async fn call(last: &Last, verb: &str, mut args: Args) -> Done {
    match verb {
        "get" => {
            let jid = args.jid()?;
            args.end()?;
            let activity = last.get(&jid).await?;
            Ok(or_none(activity.map(|activity| {
                Term::Tuple(vec![number(activity.at), Term::binary(activity.status)])
            })))
        }
        "set" => {
            let jid = args.jid()?;
            let activity = LastActivity {
                at: args.number()?,
                status: args.text()?,
            };
            args.end()?;
            last.set(&jid, &activity).await?;
            Ok(done())
        }
        "del" => {
            let jid = args.jid()?;
            args.end()?;
            last.remove(&jid).await?;
            Ok(done())
        }
        _ => unknown(),
    }
}
