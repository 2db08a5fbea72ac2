//! Removing all that is kept of somebody: [`Stores::remove_person`].

use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};

use crate::error::{Error, Kind, Result};
use crate::jid::BareJid;
use crate::layout::{DomainKind, item_name};
use crate::pubsub::{Affiliation, Commit, PubSub};
use crate::stores::{Reads, Stores, pause};

/// How often the states of a person are read while others change them.
const MAX_ROUNDS: u32 = 10;

/// How many of his states and nodes are removed at the same time.
const PARALLEL: usize = 16;

impl Stores {
    /// Removes all that is kept of a person, in every store. First the secret, so that nobody logs in any more; then all
    /// else at the same time. What is not there is no error. What others have of him stays: he is in their rosters, and
    /// what he has published on the nodes of others is theirs.
    ///
    /// It takes as many requests as removing from each store does. Each of those has a deadline of its own.
    ///
    /// # Errors
    /// The first of those that the stores have met; all have been tried then, and it can be done again.
    pub async fn remove_person(&self, jid: &BareJid) -> Result<()> {
        // Nothing of it may be overlooked because a cache does not know of it.
        let stores = self.reading(Reads::Consistent);
        let secret = stores.auth().remove(jid).await;
        let (last, roster, private) = (stores.last(), stores.roster(), stores.private());
        let (privacy, vcards, offline) = (stores.privacy(), stores.vcards(), stores.offline());
        let nicks = stores.nicks();
        let removals: [future::BoxFuture<'_, Result<()>>; 9] = [
            Box::pin(last.remove(jid)),
            Box::pin(roster.remove(jid)),
            Box::pin(private.remove(jid)),
            Box::pin(privacy.remove(jid)),
            Box::pin(vcards.remove(jid)),
            Box::pin(offline.remove(jid)),
            Box::pin(nicks.remove_all(jid)),
            Box::pin(stores.leave_groups(jid)),
            Box::pin(stores.leave_pubsub(jid)),
        ];
        let removed = future::join_all(removals).await;
        removed.into_iter().fold(secret, Result::and)
    }

    /// Takes a person out of the shared groups of his host.
    async fn leave_groups(&self, jid: &BareJid) -> Result<()> {
        let groups = self.shared_roster();
        for name in groups.groups_of(jid.domain(), jid).await? {
            groups.take_out(jid.domain(), &name, jid).await?;
        }
        Ok(())
    }

    /// Removes the nodes of a person, and what he is to those of others.
    async fn leave_pubsub(&self, jid: &BareJid) -> Result<()> {
        let pubsub = self.pubsub();
        let nodes = stream::iter(pubsub.nodes(jid).await?).map(|node| {
            let pubsub = &pubsub;
            async move {
                // The record comes last: without it nothing leads to the rest if this has to be done again.
                pubsub.clean_node(&node.index).await?;
                pubsub.delete_node(&node.index).await
            }
        });
        let mut nodes = nodes.buffer_unordered(PARALLEL);
        while nodes.try_next().await?.is_some() {}
        for round in 0..MAX_ROUNDS {
            if leave_nodes(&pubsub, jid).await? {
                // An index that names nothing any more.
                let domain = self.domain(DomainKind::Subs, jid.as_str());
                return self
                    .delete_item(&domain, &item_name(&["e", jid.as_str()]))
                    .await;
            }
            pause(round).await;
        }
        let error = Error::conflict(format!(
            "his states were changed {MAX_ROUNDS} times meanwhile"
        ));
        Err(error.with_about(|| format!("states of {jid}")))
    }
}

/// Removes all states of a person, and says whether nobody has changed one meanwhile.
async fn leave_nodes(pubsub: &PubSub, jid: &BareJid) -> Result<bool> {
    let states = stream::iter(pubsub.states_of(jid).await?).map(|(index, state)| async move {
        let leave = Commit::new(&index).write(state, Affiliation::None, Vec::new());
        match pubsub.commit(leave).await {
            Err(error) if error.kind() == Kind::Conflict => Ok(false),
            left => left.map(|()| true),
        }
    });
    states
        .buffer_unordered(PARALLEL)
        .try_fold(true, async |all, left| Ok(all && left))
        .await
}
