//! Who may log in.
//!
//! | call | gives |
//! |---|---|
//! | `{auth_new, Jid, Secret}` | `done`, or the error `exists` |
//! | `{auth_set, Jid, Secret}` | `done` |
//! | `{auth_get, Jid}` | a secret or `none` |
//! | `{auth_del, Jid}` | `done` |
//! | `{auth_list, Host, Prefix, Offset, Limit \| none}` | localparts |
//! | `{auth_count, Host, Prefix}` | a number |
//!
//! A secret is `{plain, Password}` or `{scram, Hash, StoredKey, ServerKey, Salt, Iterations}`.

use cloud_stores::auth::{Auth, ScramKeys, Secret, Selection};

use super::args::{Args, binaries, done, number, or_none, unknown};
use super::{Done, Failure};
use crate::etf::Term;

pub(super) async fn call(auth: &Auth, verb: &str, mut args: Args) -> Done {
    match verb {
        "new" => {
            let (jid, secret) = (args.jid()?, take(&mut args)?);
            args.end()?;
            auth.register(&jid, &secret).await?;
            Ok(done())
        }
        "set" => {
            let (jid, secret) = (args.jid()?, take(&mut args)?);
            args.end()?;
            auth.set(&jid, &secret).await?;
            Ok(done())
        }
        "get" => {
            let jid = args.jid()?;
            args.end()?;
            let secret = auth.get(&jid).await?;
            Ok(or_none(secret.map(give).transpose()?))
        }
        "del" => {
            let jid = args.jid()?;
            args.end()?;
            auth.remove(&jid).await?;
            Ok(done())
        }
        "list" => {
            let (host, prefix) = (args.text()?, args.text()?);
            let (offset, limit) = (args.number()?, args.optional(Args::number)?);
            args.end()?;
            let people = auth
                .list(
                    &host,
                    &Selection {
                        prefix,
                        offset,
                        limit,
                    },
                )
                .await?;
            Ok(binaries(people))
        }
        "count" => {
            let (host, prefix) = (args.text()?, args.text()?);
            args.end()?;
            let count = auth.count(&host, &prefix).await?;
            Ok(number(count))
        }
        _ => unknown(),
    }
}

fn take(args: &mut Args) -> Result<Secret, Failure> {
    let (kind, mut fields) =
        Args::of(args.any()?).map_err(|_| Failure::invalid("a secret is not a tuple"))?;
    let secret = match kind.as_str() {
        "plain" => Secret::Plain(fields.text()?),
        "scram" => Secret::Scram(ScramKeys {
            hash: fields.text()?,
            stored_key: fields.text()?,
            server_key: fields.text()?,
            salt: fields.text()?,
            iterations: fields.number()?,
        }),
        _ => return Err(Failure::invalid("a secret is of no kind that is known")),
    };
    fields.end()?;
    Ok(secret)
}

fn give(secret: Secret) -> Done {
    match secret {
        Secret::Plain(password) => Ok(Term::Tuple(vec![
            Term::atom("plain"),
            Term::binary(password),
        ])),
        Secret::Scram(keys) => Ok(Term::Tuple(vec![
            Term::atom("scram"),
            Term::binary(keys.hash),
            Term::binary(keys.stored_key),
            Term::binary(keys.server_key),
            Term::binary(keys.salt),
            Term::Int(keys.iterations.into()),
        ])),
        _ => Err(Failure::invalid(
            "the stored secret is of a kind that this program does not know",
        )),
    }
}
