use std::time::SystemTime;

use super::{CredentialsError, Environment, Profile, ProvideCredentials, ProvideFuture};

/// The first of several providers that has keys.
///
/// One that has none is passed over; one that is broken ends the search, since keys from further down may be
/// somebody else's.
#[derive(Debug)]
pub struct Chain(Vec<Box<dyn ProvideCredentials>>);

impl Chain {
    /// A chain of none; [`or`](Self::or) adds to it.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// The usual one: [`Environment`], then [`Profile`].
    pub fn standard() -> Self {
        Self::new().or(Environment::new()).or(Profile::new())
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
}
