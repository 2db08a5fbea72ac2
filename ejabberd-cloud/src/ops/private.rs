//! XML that clients keep with the server.
//!
//! | call | gives |
//! |---|---|
//! | `{private_set, Jid, [{Namespace, Xml}]}` | `done` |
//! | `{private_get, Jid, Namespace}` | XML or `none` |
//! | `{private_all, Jid}` | XML of each |
//! | `{private_del, Jid}` | `done` |

use cloud_stores::private::Private;

use super::Done;
use super::args::{Args, binaries, done, or_none, unknown};
use crate::etf::Term;

pub(super) async fn call(private: &Private, verb: &str, mut args: Args) -> Done {
    match verb {
        "set" => {
            let jid = args.jid()?;
            let elements = args.tuples(|element| Ok((element.text()?, element.bytes()?)))?;
            args.end()?;
            private.set(&jid, &elements).await?;
            Ok(done())
        }
        "get" => {
            let (jid, namespace) = (args.jid()?, args.text()?);
            args.end()?;
            Ok(or_none(
                private.get(&jid, &namespace).await?.map(Term::Binary),
            ))
        }
        "all" => {
            let jid = args.jid()?;
            args.end()?;
            Ok(binaries(private.all(&jid).await?))
        }
        "del" => {
            let jid = args.jid()?;
            args.end()?;
            private.remove(&jid).await?;
            Ok(done())
        }
        _ => unknown(),
    }
}
