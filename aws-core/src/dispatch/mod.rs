//! The one loop that every operation goes through: credentials, sign, send, and what follows a [failure](verdict).
//!
//! *Problem:* A request that is signed once and then waits or is repeated carries an old date, so that a busy server
//! becomes an error about the clock. A client whose every task repeats on its own multiplies an outage. *Decision:*
//! Each attempt is signed with its own time. A server that calls the clock wrong gives the offset by its `Date` field.
//! Pauses are drawn from zero up to a growing limit ("full jitter"), all attempts share one deadline, and each costs
//! one of a stock that only success refills. An error document is an error whatever the status is. What the pool
//! repeats by itself is part of one attempt for hooks. *Cost:* Signing anew costs well under a microsecond for each
//! attempt.

mod attempt;
mod beside;
mod builder;
mod partial;
mod pool;
mod run;
pub(crate) mod trace;
pub mod verdict;

pub use self::builder::DispatchBuilder;
pub use self::partial::PartialRetry;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

#[cfg(feature = "cache")]
pub(crate) use self::attempt::{MAX_ERROR, service_error};
use self::run::Run;
use crate::clock::Clock;
use crate::credentials::{Credentials, ProvideCredentials};
use crate::error::Result;
use crate::event::Hooks;
use crate::operation::Operation;
use crate::retry::{Budget, RetryConfig};
use crate::throttle::Throttle;
use crate::transport::Transport;
use crate::visibility::KeyVisibility;

/// Runs operations; cheap to clone.
#[derive(Clone)]
pub struct Dispatch(Arc<Shared>);

struct Shared {
    transport: Arc<dyn Transport>,
    keeps_deadlines: bool,
    credentials: Arc<dyn ProvideCredentials>,
    retry: RetryConfig,
    budget: Budget,
    timeout: Duration,
    clock: Clock,
    hooks: Hooks,
    keys: KeyVisibility,
    throttle: Throttle,
}

impl Dispatch {
    /// A builder with the defaults.
    pub fn builder() -> DispatchBuilder {
        DispatchBuilder::new()
    }

    /// The clock, with what servers said of it.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The credentials and the time by the server's clock that a request would be signed with now: for links and
    /// forms, which are signed and not sent.
    ///
    /// # Errors
    /// [`Kind::Credentials`](crate::Kind::Credentials) when there are none, or none in the time of an operation.
    pub async fn signing(&self) -> Result<(Credentials, SystemTime)> {
        let now = self.0.clock.now();
        let credentials = match self.0.credentials.ready(now) {
            Some(credentials) => credentials,
            None => {
                let deadline = after(Instant::now(), self.0.timeout);
                self.0.fetch_credentials(now, deadline).await?
            }
        };
        Ok((credentials, now))
    }

    /// Runs an operation to its end: as many attempts as are allowed and make sense, within one deadline.
    ///
    /// # Errors
    /// The last attempt's, with the number of attempts and how much of any of them was sent.
    pub fn call<'a, O: Operation>(
        &'a self,
        service: &'a O::Service,
        operation: &'a O,
    ) -> impl Future<Output = Result<O::Output>> + use<'a, O> {
        Run::go(self, service, operation, false)
    }

    /// Runs an operation as [`call`](Self::call) does, whose span there is already.
    #[cfg(feature = "cache")]
    pub(crate) fn call_in_span<'a, O: Operation>(
        &'a self,
        service: &'a O::Service,
        operation: &'a O,
    ) -> impl Future<Output = Result<O::Output>> + use<'a, O> {
        Run::go(self, service, operation, true)
    }

    /// The longest time of an operation that says nothing of it.
    #[cfg(feature = "cache")]
    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Where keys are shown.
    pub fn keys(&self) -> KeyVisibility {
        self.0.keys
    }

    /// What tells it from others.
    #[cfg(feature = "cache")]
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Waits for a body within the time of an operation.
    #[cfg(feature = "cache")]
    pub(crate) async fn in_time<T>(&self, body: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.0.timeout;
        let late = || {
            crate::Error::new(
                crate::Kind::Timeout,
                format!("the answer's body was not here within {limit:?} (the setter timeout)"),
            )
            .after_answer()
        };
        let read = tokio::time::timeout(limit, body).await;
        read.unwrap_or_else(|_| Err(late()))
    }

    /// Runs an operation as [`call`](Self::call) does, and tells whether a failed attempt may still run.
    #[cfg(feature = "cache")]
    pub(crate) async fn attempts<O: Operation>(
        &self,
        service: &O::Service,
        operation: &O,
    ) -> (Result<O::Output>, bool) {
        let mut run = match Run::new(self, service, operation) {
            Ok(run) => run,
            Err(error) => return (Err(error), false),
        };
        let outcome = run.go_slowly().await;
        let may_still_run = run.may_still_run();
        (outcome, may_still_run)
    }
}

/// The instant so long after this one. A time that the clock cannot reach is taken for 30 years, which no caller waits.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    const CLOCK_REACH: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    now + time.min(CLOCK_REACH)
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch")
            .field("transport", &self.0.transport)
            .field("retry", &self.0.retry)
            .field("timeout", &self.0.timeout)
            .field("clock", &self.0.clock)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(keys: KeyVisibility) -> Dispatch {
        let mut builder = Dispatch::builder();
        builder.credentials(Credentials::new("id", "topsecret"));
        builder.show_keys(keys);
        builder.build().unwrap()
    }

    #[test]
    fn keys_are_shown_where_the_builder_was_told() {
        for keys in [
            KeyVisibility::Hidden,
            KeyVisibility::Errors,
            KeyVisibility::ErrorsAndSpans,
        ] {
            assert_eq!(client(keys).keys(), keys);
        }
    }

    #[cfg(feature = "cache")]
    #[test]
    fn a_clone_has_the_address_of_its_original_and_another_client_has_not() {
        let one = client(KeyVisibility::default());
        let clones = [one.clone(), one.clone()];
        assert!(clones.iter().all(|clone| clone.address() == one.address()));
        assert_ne!(one.address(), client(KeyVisibility::default()).address());
    }
}
