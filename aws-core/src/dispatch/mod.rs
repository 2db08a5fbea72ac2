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
mod partial;
mod pool;
mod run;
pub(crate) mod trace;
pub mod verdict;

pub use self::partial::PartialRetry;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pipeline_pool::{HttpPool, HttpPoolBuilder};
use tokio::time::Instant;

#[cfg(feature = "cache")]
pub(crate) use self::attempt::{MAX_ERROR, service_error};
use self::pool::{PoolSetUp, is_proxied, pool_of};
use self::run::Run;
use crate::clock::Clock;
use crate::credentials::{Cached, Chain, Credentials, ProvideCredentials, VariableLookup};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::event::{AttemptEvent, Hooks, Middleware, OnAttempt};
use crate::operation::Operation;
use crate::retry::{Budget, RetryConfig};
use crate::shared_config::{ServiceId, SharedConfig, Variables};
use crate::throttle::Throttle;
use crate::transport::Transport;
use crate::visibility::KeyVisibility;

/// Builds a [`Dispatch`]; the builders of the clients hold one.
#[derive(Debug)]
pub struct DispatchBuilder {
    transport: Option<Arc<dyn Transport>>,
    pool: Option<PoolSetUp>,
    credentials: Option<Arc<dyn ProvideCredentials>>,
    retry: Option<RetryConfig>,
    timeout: Duration,
    clock: Clock,
    hooks: Hooks,
    keys: KeyVisibility,
    environment: Option<Variables>,
    /// Whether the environment was read for requests that go over a pool or a transport which was given.
    passes_over_proxies: bool,
}

/// What is said of settings of the environment for a pool, where one was given.
const ELSEWHERE: &str = "are not used for requests, whose pool or transport was given: pool_with(…) sets up the client's \
                         own";

impl DispatchBuilder {
    /// Carries requests over this. Defaults to an [`HttpPool`] of its own.
    pub fn transport(&mut self, transport: impl Transport + 'static) {
        self.transport = Some(Arc::new(transport));
    }

    /// Sets up the pool that is made where no transport is given, after what the environment says of it, and after what
    /// was said here before.
    pub fn pool_with(
        &mut self,
        set_up: impl FnOnce(HttpPoolBuilder) -> HttpPoolBuilder + Send + Sync + 'static,
    ) {
        self.pool = Some(PoolSetUp::after(self.pool.take(), set_up));
    }

    /// Whether a transport was given, so that there is no pool to set up.
    pub fn has_transport(&self) -> bool {
        self.transport.is_some()
    }

    /// Signs with the keys of this provider, which are kept as [`Cached`] says. Has no default.
    pub fn credentials(&mut self, provider: impl ProvideCredentials + 'static) {
        self.credentials = Some(Arc::new(Cached::new(provider)));
    }

    /// Signs with the keys of this provider, if nothing was said of any.
    pub fn credentials_or<P: ProvideCredentials + 'static>(&mut self, usual: impl FnOnce() -> P) {
        if self.credentials.is_none() {
            self.credentials(usual());
        }
    }

    /// Repeats failed attempts in this way.
    pub fn retry(&mut self, retry: RetryConfig) {
        self.retry = Some(retry);
    }

    /// Has [`configure`](Self::configure) read these variables, and the files that they name.
    pub fn environment(&mut self, variables: Variables) {
        self.environment = Some(variables);
    }

    /// Reads what the [environment](Self::environment) says for this service, and takes from it what nothing was said
    /// of: the standard chain of credentials, how attempts are repeated, which certificates a pool trusts, and the
    /// proxies that it goes through. The rest is in the answer, which says nothing where there is no environment.
    /// Warnings are given to `tracing`, too; that of proxies which are not used waits for
    /// [`build_for`](Self::build_for).
    ///
    /// # Errors
    /// Those of [`SharedConfig::load`], and when the file of certificates or a proxy cannot be used.
    pub fn configure(&mut self, service: ServiceId) -> Result<SharedConfig> {
        let Some(variables) = &self.environment else {
            return Ok(SharedConfig::default());
        };
        let mut config = SharedConfig::load(variables, service)?;
        let carries = self.transport.is_none() || self.credentials.is_none();
        let told = match carries {
            true => pool_of(variables, &config)?,
            false => None,
        };
        // One that was set up is meant for requests, not for the service of keys alone.
        let set_up = match (&self.transport, &told) {
            (None, Some(_)) => self.pool.take(),
            _ => None,
        };
        let told =
            told.map(|builder| Arc::new(PoolSetUp::build(set_up, builder)) as Arc<dyn Transport>);
        if self.transport.is_none() {
            self.transport.clone_from(&told);
        } else {
            self.passes_over_proxies = true;
            if let Some(file) = &config.ca_bundle {
                let file = file.display().to_string();
                config.warn(format!("the certificates of {file} {ELSEWHERE}"));
            }
        }
        if self.credentials.is_none() {
            let lookup = VariableLookup::of(config.for_providers(variables));
            self.credentials(Chain::over(lookup, told));
        }
        if self.retry.is_none() {
            let mut retry = RetryConfig::default();
            if let Some(attempts) = config.max_attempts {
                retry = retry.max_attempts(attempts);
            }
            if let Some(adaptive) = config.adaptive {
                retry = retry.adaptive(adaptive);
            }
            self.retry = Some(retry);
        }
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(config)
    }

    /// The longest time of one operation, all its attempts and pauses included, up to the head of its answer,
    /// or the end of it where it is read whole. Defaults to 30 s.
    pub fn timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Tells the time by this clock. Defaults to the system's.
    pub fn clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// Says where the keys of objects and the names of items are shown. Defaults to [`KeyVisibility::Errors`].
    pub fn show_keys(&mut self, keys: KeyVisibility) {
        self.keys = keys;
    }

    /// Shows each attempt to this, before it is signed and when it is over. Several are asked in their order.
    pub fn middleware(&mut self, middleware: impl Middleware + 'static) {
        self.hooks.push(middleware);
    }

    /// Tells this function of each attempt when it is over.
    pub fn on_attempt(&mut self, hook: impl Fn(&AttemptEvent<'_>) + Send + Sync + 'static) {
        self.hooks.push(OnAttempt(hook));
    }

    /// Builds the dispatcher of these settings for requests to this endpoint. Where the environment names a proxy for
    /// it, and a pool or a transport was given that does not go through that one, it warns by `tracing`.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_for(self, endpoint: &Endpoint) -> Result<Dispatch> {
        let unused = self.environment.as_ref();
        let unused = unused.filter(|_| self.passes_over_proxies);
        if unused.is_some_and(|variables| is_proxied(variables, endpoint.origin())) {
            tracing::warn!("the proxies of the environment {ELSEWHERE}");
        }
        self.build()
    }

    /// Builds the dispatcher of these settings.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when there is no provider of credentials, the timeout is zero, or a pool is
    /// set up and another transport given.
    pub fn build(self) -> Result<Dispatch> {
        let Some(credentials) = self.credentials else {
            return Err(Error::invalid(
                "no credentials are set: give the builder credentials(…), or have it read the environment and the profile by from_env()",
            ));
        };
        if self.timeout.is_zero() {
            return Err(Error::invalid("the timeout is zero"));
        }
        let transport = match (self.transport, self.pool) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "a pool is set up by pool_with(…), and another one or a transport is given: leave one of them out",
                ));
            }
            (Some(transport), None) => transport,
            (None, set_up) => Arc::new(PoolSetUp::build(set_up, HttpPool::builder())),
        };
        let retry = self.retry.unwrap_or_default();
        Ok(Dispatch(Arc::new(Shared {
            keeps_deadlines: transport.keeps_deadlines(),
            transport,
            credentials,
            budget: retry.new_budget(),
            retry,
            timeout: self.timeout,
            clock: self.clock,
            hooks: self.hooks,
            keys: self.keys,
            throttle: Throttle::new(),
        })))
    }
}

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
        DispatchBuilder {
            transport: None,
            pool: None,
            credentials: None,
            retry: None,
            timeout: Duration::from_secs(30),
            clock: Clock::system(),
            hooks: Hooks::default(),
            keys: KeyVisibility::default(),
            environment: None,
            passes_over_proxies: false,
        }
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
    pub async fn call<O: Operation>(
        &self,
        service: &O::Service,
        operation: &O,
    ) -> Result<O::Output> {
        if trace::listens() {
            return Box::pin(async {
                let span = trace::span_of(service, operation, self.0.keys);
                trace::within(span, self.call_in_span(service, operation)).await
            })
            .await;
        }
        Run::new(self, service, operation)?.go().await
    }

    /// Runs an operation as [`call`](Self::call) does, whose span there is already.
    pub(crate) async fn call_in_span<O: Operation>(
        &self,
        service: &O::Service,
        operation: &O,
    ) -> Result<O::Output> {
        Run::new(self, service, operation)?.go().await
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
            Error::new(
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
        let outcome = run.go().await;
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
