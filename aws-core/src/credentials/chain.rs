//! Several sources of keys, of which the first that has any is used.
//!
//! *Problem:* A wrong identity that is used in silence is worse than an error. *Decision:* A setting that would be
//! passed over is an error that names it. A profile that names a role takes the role, even when it has keys, as other
//! tools do; as the source of another's role its keys come first. Keys that a server calls expired are forgotten and
//! fetched once for all callers. There is no fallback to version 1 of the instance metadata service. A
//! `credential_process` runs without a shell. *Cost:* Configurations that other tools accept with a warning stop here
//! with an error.

use std::sync::Arc;
use std::time::SystemTime;

use super::{
    Container, Credentials, CredentialsError, Environment, Instance, Profile, ProvideCredentials,
    ProvideFuture, VariableLookup, WebIdentity,
};
use crate::shared_config::Variables;
use crate::transport::Transport;

/// The first of several providers that has keys.
///
/// One that has none is passed over; one that is broken ends the search, since keys from further down may be
/// somebody else's.
#[derive(Debug)]
pub struct Chain(Vec<Box<dyn ProvideCredentials>>);

impl Chain {
    /// Makes a chain without providers; [`or`](Self::or) adds to it.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// The usual one: [`Environment`], [`WebIdentity`], [`Profile`], [`Container`], [`Instance`].
    ///
    /// What was set for this process comes before what belongs to its user, and that before what belongs to the
    /// machine. On a machine that is no instance of EC2 and has no keys, it takes up to a second to find that out.
    pub fn standard() -> Self {
        Self::over(VariableLookup::process(), None)
    }

    /// The usual one over these variables, and over the files and services that they name.
    pub fn of(variables: &Variables) -> Self {
        Self::over(VariableLookup::of(variables.clone()), None)
    }

    /// The usual one; the Security Token Service is asked over the transport, if there is one.
    pub(crate) fn over(lookup: VariableLookup, transport: Option<Arc<dyn Transport>>) -> Self {
        let mut web = WebIdentity::over(lookup.clone());
        let mut profile = Profile::over(lookup.clone());
        if let Some(transport) = transport {
            web = web.transport(transport.clone());
            profile = profile.transport(transport);
        }
        Self::new()
            .or(Environment::over(lookup.clone()))
            .or(web)
            .or(profile)
            .or(Container::over(lookup.clone()))
            .or(Instance::over(lookup))
    }

    /// The chain with another provider at its end.
    #[must_use]
    pub fn or(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.0.push(Box::new(provider));
        self
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::standard()
    }
}

impl ProvideCredentials for Chain {
    fn provide(&self, now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(async move {
            let mut absent = Vec::new();
            for provider in &self.0 {
                match provider.provide(now).await {
                    Err(error) if error.is_absent() => absent.push(error.to_string()),
                    outcome => return outcome,
                }
            }
            let why = if absent.is_empty() {
                "the chain is empty".to_owned()
            } else {
                absent.join("; ")
            };
            Err(CredentialsError::absent(format!(
                "no credentials found: {why}"
            )))
        })
    }

    fn forget(&self, used: &Credentials, now: SystemTime) -> bool {
        // Which of them gave the keys is not known; asking again is what may give others.
        for provider in &self.0 {
            provider.forget(used, now);
        }
        true
    }
}
