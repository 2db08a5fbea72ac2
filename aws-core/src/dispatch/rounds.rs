//! Requests that a service carries out in part, and what is asked for again of them.

use std::time::Duration;

use pipeline_pool::Origin;
use tokio::time::Instant;

use super::{Dispatch, after};
use crate::classify::{Class, Failure, Idempotency, Verdict, classify};
use crate::error::Error;
use crate::overrides::Overrides;
use crate::retry::RetryConfig;

/// The further requests of something that a service does in part: what it has refused in an answer of success is
/// asked for again as a failed attempt is, with the same pauses, out of the same stock, and within the time of one
/// operation.
#[derive(Debug)]
pub struct Rounds {
    dispatch: Dispatch,
    retry: RetryConfig,
    deadline: Instant,
    round: u32,
    /// When the round was begun.
    begun: Instant,
}

impl Dispatch {
    /// The first of several rounds, which begins now.
    pub fn rounds(&self, overrides: &Overrides) -> Rounds {
        let time = overrides.get_timeout().unwrap_or(self.0.timeout);
        let now = Instant::now();
        Rounds {
            dispatch: self.clone(),
            retry: overrides.get_retry().unwrap_or(&self.0.retry).clone(),
            deadline: after(now, time),
            round: 1,
            begun: now,
        }
    }
}

impl Rounds {
    /// What is left of the time.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether a part that failed with this error may succeed in another round.
    pub fn may_pass(&self, error: &Error, idempotency: Idempotency) -> bool {
        self.round < self.retry.attempts()
            && classify(Failure::Answer(error.class()), idempotency) == Verdict::Retry
    }

    /// Waits for the next round, after this server has refused parts with such an error; says no if there is none.
    pub async fn next(&mut self, origin: &Origin, error: &Error) -> bool {
        let shared = &*self.dispatch.0;
        let slow = matches!(error.class(), Class::Throttled | Class::Unavailable);
        if slow && self.retry.is_adaptive() {
            shared.throttle.refused(origin, self.begun);
        }
        let pause = self.retry.pause(self.round, None);
        if self.round >= self.retry.attempts() || pause >= self.left() || !shared.budget.take() {
            return false;
        }
        self.round += 1;
        tokio::time::sleep(pause).await;
        self.begun = Instant::now();
        true
    }
}
