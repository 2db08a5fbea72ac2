//! Nodes, items and states as terms.

use cloud_stores::pubsub::{
    Affiliation, Item, Listing, Node, NodeContent, Seen, State, StateSubscription,
    SubscriptionState,
};

use crate::etf::Term;
use crate::ops::Failure;
use crate::ops::args::{Args, binaries, number};

pub(super) fn give_node(node: Node) -> Term {
    let content = node.content;
    Term::Tuple(vec![
        Term::binary(node.index.to_string()),
        Term::binary(node.index.host().to_string()),
        Term::binary(node.index.name().to_owned()),
        Term::Tuple(vec![
            Term::binary(content.plugin),
            binaries(content.owners.into_iter().map(|owner| owner.to_string())),
            binaries(content.parents),
            Term::Binary(content.options),
        ]),
    ])
}

pub(super) fn take_content(args: &mut Args) -> Result<NodeContent, Failure> {
    let mut fields = Args::tuple(args.any()?)?;
    let plugin = fields.text()?;
    let owners = fields.jids()?;
    let content = NodeContent {
        plugin,
        owners,
        parents: fields.texts()?,
        options: fields.bytes()?,
    };
    fields.end()?;
    Ok(content)
}

/// The newest first, as ejabberd has them.
pub(super) fn give_refs(listing: &Listing) -> Term {
    let reference = |item: &cloud_stores::pubsub::ItemRef| {
        Term::Tuple(vec![
            Term::binary(item.id.clone()),
            Term::binary(item.creator.clone()),
            Term::binary(item.keys.clone()),
            number(item.created),
        ])
    };
    Term::List(listing.items().iter().rev().map(reference).collect())
}

pub(super) fn give_item(item: Item) -> Term {
    Term::Tuple(vec![
        Term::binary(item.id),
        number(item.created),
        Term::binary(item.creator),
        number(item.modified),
        Term::binary(item.modifier),
        Term::Binary(item.payload),
    ])
}

pub(super) fn take_item(args: &mut Args) -> Result<Item, Failure> {
    let mut fields = Args::tuple(args.any()?)?;
    let item = Item {
        id: fields.text()?,
        created: fields.number()?,
        creator: fields.text()?,
        modified: fields.number()?,
        modifier: fields.text()?,
        payload: fields.bytes()?,
    };
    fields.end()?;
    Ok(item)
}

pub(super) fn give_state(state: State) -> Term {
    let subscription = |one: StateSubscription| {
        Term::Tuple(vec![Term::binary(one.state.as_str()), Term::binary(one.id)])
    };
    Term::Tuple(vec![
        Term::binary(state.jid),
        Term::binary(state.affiliation.as_str()),
        Term::List(state.subscriptions.into_iter().map(subscription).collect()),
        Term::binary(state.seen.to_string()),
    ])
}

pub(super) fn take_state(term: Term) -> Result<State, Failure> {
    let mut fields = Args::tuple(term)?;
    let state = State {
        jid: fields.text()?,
        affiliation: take_affiliation(&mut fields)?,
        subscriptions: fields.tuples(take_subscription)?,
        seen: Seen::parse(&fields.text()?)?,
    };
    fields.end()?;
    Ok(state)
}

pub(super) fn take_affiliation(fields: &mut Args) -> Result<Affiliation, Failure> {
    Ok(Affiliation::parse(&fields.text()?)?)
}

pub(super) fn take_subscription(fields: &mut Args) -> Result<StateSubscription, Failure> {
    Ok(StateSubscription {
        state: SubscriptionState::parse(&fields.text()?)?,
        id: fields.text()?,
    })
}
