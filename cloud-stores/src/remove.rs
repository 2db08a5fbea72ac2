//! Removing all that is kept of somebody: [`Stores::remove_person`].

use futures_util::future;

use crate::error::Result;
use crate::jid::BareJid;
use crate::stores::Stores;

impl Stores {
    /// Removes all that is kept of a person, in every store. First the secret, so that nobody logs in any more; then all
    /// else at the same time. What is not there is no error. What others have of him stays: he is in their rosters.
    ///
    /// # Errors
    /// The first of those that the stores have met; all have been tried then, and it can be done again.
    pub async fn remove_person(&self, jid: &BareJid) -> Result<()> {
        let secret = self.auth().remove(jid).await;
        let (last, roster, private) = (self.last(), self.roster(), self.private());
        let (privacy, vcards, offline) = (self.privacy(), self.vcards(), self.offline());
        let removals: [future::BoxFuture<'_, Result<()>>; 6] = [
            Box::pin(last.remove(jid)),
            Box::pin(roster.remove(jid)),
            Box::pin(private.remove(jid)),
            Box::pin(privacy.remove(jid)),
            Box::pin(vcards.remove(jid)),
            Box::pin(offline.remove(jid)),
        ];
        let removed = future::join_all(removals).await;
        removed.into_iter().fold(secret, Result::and)
    }
}
