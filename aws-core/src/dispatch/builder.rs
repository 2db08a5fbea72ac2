//! What a dispatcher is built with, and what of it the environment says.

use std::sync::Arc;
use std::time::Duration;

use pipeline_pool::{HttpPool, HttpPoolBuilder};

use super::pool::{PoolSetUp, is_proxied, pool_of};
use super::{Dispatch, Shared};
use crate::clock::Clock;
use crate::credentials::{Cached, Chain, ProvideCredentials, VariableLookup};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::event::{AttemptEvent, Hooks, Middleware, OnAttempt};
use crate::retry::RetryConfig;
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
    pub(super) fn new() -> Self {
        Self {
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
