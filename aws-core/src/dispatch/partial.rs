//! Requests that a service carries out in part, and what is asked for again of them.

use std::time::Duration;

use pipeline_pool::Origin;
use tokio::time::Instant;

use super::verdict::{Course, Failure, Verdict};
use super::{Dispatch, after};
use crate::classify::{Class, Idempotency};
use crate::error::Error;
use crate::overrides::Overrides;
use crate::retry::RetryConfig;

/// The further requests of something that a service does in part: what it has refused in an answer of success is
/// asked for again as a failed attempt is, with the same pauses, out of the same budget, and within the time of one
/// operation.
#[derive(Debug)]
pub struct PartialRetry {
    dispatch: Dispatch,
    retry: RetryConfig,
    deadline: Instant,
    /// Each request for what is left counts as an attempt.
    course: Course,
    /// When the request under way was begun.
    begun: Instant,
}

impl Dispatch {
    /// Begins the first of several requests, whose refused parts may be asked for again.
    pub fn partial_retry(&self, overrides: &Overrides) -> PartialRetry {
        let time = overrides.get_timeout().unwrap_or(self.0.timeout);
        let now = Instant::now();
        let mut course = Course::default();
        course.begin();
        PartialRetry {
            dispatch: self.clone(),
            retry: overrides.get_retry().unwrap_or(&self.0.retry).clone(),
            deadline: after(now, time),
            course,
            begun: now,
        }
    }
}

impl PartialRetry {
    /// What is left of the time.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether a part that failed with this error may succeed in another request.
    pub fn may_pass(&self, error: &Error, idempotency: Idempotency) -> bool {
        self.course.attempts() < self.retry.attempts()
            && Failure::of_part(error).passes(idempotency)
    }

    /// Waits until the next request, after this server has refused parts with such an error; says no if there is none.
    pub async fn next(&mut self, origin: &Origin, error: &Error) -> bool {
        let shared = &*self.dispatch.0;
        let slow = matches!(error.class(), Class::Throttled | Class::Unavailable);
        if slow && self.retry.is_adaptive() {
            shared.throttle.refused(origin, self.begun);
        }
        let failure = Failure::of_part(error);
        let Verdict::Retry(pause) = self.course.retry(&failure, &self.retry, self.left()) else {
            return false;
        };
        if !shared.budget.take() {
            return false;
        }
        tokio::time::sleep(pause).await;
        self.course.begin();
        self.begun = Instant::now();
        true
    }
}
