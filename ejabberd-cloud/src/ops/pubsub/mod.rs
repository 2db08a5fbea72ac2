//! What is published.
//!
//! | call | gives |
//! |---|---|
//! | `{pubsub_node, Host, Name}`, `{pubsub_node_at, Index}` | a node or `none` |
//! | `{pubsub_nodes, Host}` | nodes |
//! | `{pubsub_people, Domain}` | JIDs of those who have nodes |
//! | `{pubsub_create, Host, Name, Content}` | its index, or the error `exists` |
//! | `{pubsub_set, Index, Content}` | `done`, or the error `notfound` |
//! | `{pubsub_delete, Index}` | `true`, or `false` where it was gone |
//! | `{pubsub_clean, Index}` | `done` |
//! | `{pubsub_load, Index, [Owner] \| none, Jid}` | `{Creator, [State], [Ref]}`: what is his, and the list of items |
//! | `{pubsub_states, Index, [Owner] \| none}` | `[{Creator, State}]` |
//! | `{pubsub_states_of, Jid}` | `[{Index, State}]` |
//! | `{pubsub_items, Index}` | references |
//! | `{pubsub_item, Index, Keys}` | an item or `none` |
//! | `{pubsub_some, Index, [Keys]}` | `{[Item], [Keys]}`: the first items of these, and the keys of those that come next |
//! | `{pubsub_last, Index, Count}` | items, the last one first |
//! | `{pubsub_commit, Index, [State], [{State, Affiliation, [Subscription]}], [{Item, Keys \| none}], [Keys]}` | `done`, or the error `conflict` |
//!
//! A host is the JID of a service or of a person. A node is `{Index, Host, Name, Content}`, its content `{Plugin, [Owner],
//! [Parent], Options}`. A state is `{Jid, Affiliation, [{SubscriptionState, Id}], Seen}`, where `Seen` is for a commit. A
//! reference is `{Id, Creator, Keys, Created}`, the newest first; `Creator` is how the list names a bare JID. An item is `{Id,
//! Created, Creator, Modified, Modifier, Payload}` with times in microseconds and JIDs. A commit has the states that were
//! read and stay, those that are written with what they become, the items that are put with the keys that they replace,
//! and the keys that are removed. The owners of a node are those of one that was read just now; without them it is read.

mod forms;

use cloud_stores::BareJid;
use cloud_stores::pubsub::{Commit, NodeIndex, PubSub, creator_hash};

use super::args::{Args, binaries, done, flag, or_none, unknown};
use super::{Done, Failure, PORTION};
use crate::etf::Term;
use forms::{
    give_item, give_node, give_refs, give_state, take_content, take_item, take_state,
    take_subscription,
};

pub(super) async fn call(pubsub: &PubSub, verb: &str, args: Args) -> Done {
    match verb {
        "node" | "node_at" | "nodes" | "people" | "create" | "set" | "delete" | "clean" => {
            nodes(pubsub, verb, args).await
        }
        "items" | "item" | "some" | "last" => items(pubsub, verb, args).await,
        "load" | "states" | "states_of" => states(pubsub, verb, args).await,
        "commit" => commit(pubsub, args).await,
        _ => unknown(),
    }
}

async fn nodes(pubsub: &PubSub, verb: &str, mut args: Args) -> Done {
    match verb {
        "node" => {
            let (host, name) = (args.jid()?, args.text()?);
            args.end()?;
            Ok(or_none(pubsub.node(&host, &name).await?.map(give_node)))
        }
        "node_at" => {
            let index = index(&mut args)?;
            args.end()?;
            Ok(or_none(pubsub.node_at(&index).await?.map(give_node)))
        }
        "nodes" => {
            let host = args.jid()?;
            args.end()?;
            Ok(Term::List(
                pubsub
                    .nodes(&host)
                    .await?
                    .into_iter()
                    .map(give_node)
                    .collect(),
            ))
        }
        "people" => {
            let domain = args.text()?;
            args.end()?;
            Ok(binaries(
                pubsub
                    .people(&domain)
                    .await?
                    .into_iter()
                    .map(|jid| jid.to_string()),
            ))
        }
        "create" => {
            let (host, name, content) = (args.jid()?, args.text()?, take_content(&mut args)?);
            args.end()?;
            Ok(Term::binary(
                pubsub.create_node(&host, &name, content).await?.to_string(),
            ))
        }
        "set" => {
            let (index, content) = (index(&mut args)?, take_content(&mut args)?);
            args.end()?;
            pubsub.set_node(&index, content, None).await?;
            Ok(done())
        }
        "delete" => {
            let index = index(&mut args)?;
            args.end()?;
            Ok(flag(pubsub.delete_node(&index).await?))
        }
        "clean" => {
            let index = index(&mut args)?;
            args.end()?;
            pubsub.clean_node(&index).await?;
            Ok(done())
        }
        _ => unknown(),
    }
}

async fn items(pubsub: &PubSub, verb: &str, mut args: Args) -> Done {
    let index = index(&mut args)?;
    match verb {
        "items" => {
            args.end()?;
            Ok(give_refs(&pubsub.items(&index).await?))
        }
        "item" => {
            let keys = args.text()?;
            args.end()?;
            Ok(or_none(pubsub.item(&index, &keys).await?.map(give_item)))
        }
        "some" => {
            let keys = args.texts()?;
            args.end()?;
            let part = pubsub.some_items(&index, keys, PORTION).await?;
            let items = part.items.into_iter().map(give_item).collect();
            Ok(Term::Tuple(vec![Term::List(items), binaries(part.rest)]))
        }
        "last" => {
            let count = args.number()?;
            args.end()?;
            Ok(Term::List(
                pubsub
                    .last_items(&index, count)
                    .await?
                    .into_iter()
                    .map(give_item)
                    .collect(),
            ))
        }
        _ => unknown(),
    }
}

async fn states(pubsub: &PubSub, verb: &str, mut args: Args) -> Done {
    match verb {
        "load" => {
            let (index, owners, jid) = (index(&mut args)?, owners(&mut args)?, args.jid()?);
            args.end()?;
            let loaded = match owners {
                Some(owners) => pubsub.load_owned(&index, owners, &jid).await?,
                None => pubsub.load(&index, &jid).await?,
            };
            let states = Term::List(loaded.states.into_iter().map(give_state).collect());
            Ok(Term::Tuple(vec![
                Term::binary(creator_hash(jid.as_str())),
                states,
                give_refs(&loaded.items),
            ]))
        }
        "states" => {
            let (index, owners) = (index(&mut args)?, owners(&mut args)?);
            args.end()?;
            let states = match owners {
                Some(owners) => pubsub.states_owned(&index, owners).await?,
                None => pubsub.states(&index).await?,
            };
            let states = states.into_iter();
            let states = states.map(|state| {
                Term::Tuple(vec![
                    Term::binary(creator_hash(&state.jid)),
                    give_state(state),
                ])
            });
            Ok(Term::List(states.collect()))
        }
        "states_of" => {
            let jid = args.jid()?;
            args.end()?;
            let states = pubsub.states_of(&jid).await?.into_iter();
            let states = states.map(|(index, state)| {
                Term::Tuple(vec![Term::binary(index.to_string()), give_state(state)])
            });
            Ok(Term::List(states.collect()))
        }
        _ => unknown(),
    }
}

async fn commit(pubsub: &PubSub, mut args: Args) -> Done {
    let mut commit = Commit::new(&index(&mut args)?);
    for state in args.list()? {
        commit = commit.read(take_state(state)?);
    }
    let written = args.tuples(|fields| {
        let before = take_state(fields.any()?)?;
        Ok((
            before,
            forms::take_affiliation(fields)?,
            fields.tuples(take_subscription)?,
        ))
    })?;
    for (before, affiliation, subscriptions) in written {
        commit = commit.write(before, affiliation, subscriptions);
    }
    for (item, keys) in
        args.tuples(|fields| Ok((take_item(fields)?, fields.optional(Args::text)?)))?
    {
        commit = commit.put_item(item, keys.as_deref());
    }
    for keys in args.texts()? {
        commit = commit.remove_item(keys);
    }
    args.end()?;
    pubsub.commit(commit).await?;
    Ok(done())
}

fn owners(args: &mut Args) -> Result<Option<Vec<BareJid>>, Failure> {
    args.optional(Args::jids)
}

fn index(args: &mut Args) -> Result<NodeIndex, Failure> {
    Ok(NodeIndex::parse(&args.text()?)?)
}
