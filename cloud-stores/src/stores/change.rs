//! Changing what others change too: read, decide, write on the condition that nothing has changed.

use std::time::Duration;

use bytes::Bytes;

use super::objects::Body;
use super::settle::conflict;
use super::{Freshness, Reads, Stores};
use crate::error::{Kind, Result};

/// How often it is read and decided at most while others are quicker.
const MAX_ROUNDS: u32 = 10;

/// The longest first pause after a conflict; each further one may be twice as long, up to 2^6 times.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// What is to be done with what was read.
pub(crate) enum Decision {
    /// This is to be stored in its place.
    Put(Body),
    /// It is as it should be.
    Keep,
}

impl Stores {
    /// Changes an object: `decide` gets its content, or nothing if it is not there. It is called again where somebody else
    /// was quicker. What it decides about old content, which may come from a cache, counts only if it is a write, since
    /// the condition of the write finds that out.
    ///
    /// # Errors
    /// What `decide` says; [`Kind::Conflict`] where others were quicker ten times; otherwise as the store fails.
    pub(crate) async fn change_object(
        &self,
        key: &str,
        mut decide: impl FnMut(Option<&Bytes>) -> Result<Decision> + Send,
    ) -> Result<()> {
        let mut freshness = match self.0.reads {
            Reads::Cached => Freshness::AsSet,
            _ => Freshness::Newest,
        };
        for round in 0..MAX_ROUNDS {
            let there = self.get_object(key, freshness).await?;
            let decision = decide(there.as_ref().map(|document| &document.body));
            if freshness == Freshness::AsSet && !matches!(decision, Ok(Decision::Put(_))) {
                freshness = Freshness::Newest;
                continue;
            }
            freshness = Freshness::Newest;
            let Decision::Put(body) = decision? else {
                return Ok(());
            };
            let before = there.as_ref().map(|document| &document.tag);
            match self.put_object_if(key, body, before).await {
                Err(error) if error.kind() == Kind::Conflict => pause(round).await,
                written => return written.map(drop),
            }
        }
        Err(conflict())
    }
}

/// Lets others through for a random time.
pub(crate) async fn pause(round: u32) {
    let longest = FIRST_PAUSE * 2u32.pow(round.min(6));
    tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
}
