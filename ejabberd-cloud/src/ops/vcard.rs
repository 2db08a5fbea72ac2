//! vCards, and the search for people.
//!
//! | call | gives |
//! |---|---|
//! | `{vcard_get, Jid}` | XML or `none` |
//! | `{vcard_set, Jid, Xml, [{Field, Value}]}` | `done` |
//! | `{vcard_del, Jid}` | `done` |
//! | `{vcard_search, Host, [{Field, Text}], Limit \| none}` | `[{Jid, [{Field, Value}]}]` |
//!
//! Fields have the names of XEP-0055, as binaries.

use cloud_stores::vcard::{Vcard, VcardField, VcardQuery, Vcards};

use super::args::{Args, done, or_none, unknown};
use super::{Done, Failure};
use crate::etf::Term;

pub(super) async fn call(vcards: &Vcards, verb: &str, mut args: Args) -> Done {
    match verb {
        "get" => {
            let jid = args.jid()?;
            args.end()?;
            Ok(or_none(vcards.get(&jid).await?.map(Term::Binary)))
        }
        "set" => {
            let jid = args.jid()?;
            let vcard = Vcard {
                xml: args.bytes()?,
                fields: args.tuples(field)?,
            };
            args.end()?;
            vcards.set(&jid, &vcard).await?;
            Ok(done())
        }
        "del" => {
            let jid = args.jid()?;
            args.end()?;
            vcards.remove(&jid).await?;
            Ok(done())
        }
        "search" => {
            let host = args.text()?;
            let query = VcardQuery {
                fields: args.tuples(field)?,
                limit: args.optional(Args::number)?,
            };
            args.end()?;
            let found = vcards.search(&host, &query).await?;
            let person = |jid: String, fields: Vec<(VcardField, String)>| {
                let pair = |(field, value): (VcardField, String)| {
                    Term::Tuple(vec![Term::binary(field.as_str()), Term::binary(value)])
                };
                Term::Tuple(vec![
                    Term::binary(jid),
                    Term::List(fields.into_iter().map(pair).collect()),
                ])
            };
            Ok(Term::List(
                found
                    .into_iter()
                    .map(|found| person(found.jid.to_string(), found.fields))
                    .collect(),
            ))
        }
        _ => unknown(),
    }
}

fn field(fields: &mut Args) -> Result<(VcardField, String), Failure> {
    let unknown = || Failure::invalid("a field of a vCard has no name that is known");
    Ok((
        VcardField::parse(&fields.text()?).ok_or_else(unknown)?,
        fields.text()?,
    ))
}
