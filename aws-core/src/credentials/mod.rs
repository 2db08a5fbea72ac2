//! Where keys come from.
//!
//! | provider | reads |
//! |---|---|
//! | [`Credentials`] itself | nothing: fixed keys |
//! | [`Environment`] | `AWS_ACCESS_KEY_ID` and its companions, or the older `AMAZON_ACCESS_KEY_ID` |
//! | [`Profile`] | `~/.aws/credentials` and `~/.aws/config`: keys, roles, programs that print keys |
//! | [`AssumeRole`] | keys of a role from STS, for somebody who has keys |
//! | [`WebIdentity`] | a token in a file, in exchange for keys from STS |
//! | [`Container`] | the service beside a container of ECS or EKS |
//! | [`Instance`] | the metadata service of an EC2 instance, version 2 |
//! | `Sdk` | a provider of the AWS SDK for Rust (feature `aws-credential-types`) |
//! | [`Chain`] | the first of several that has any; [`Chain::standard`] is the usual order |
//! | [`Cached`] | another provider, once for all waiters, and again before expiry |

mod assume_role;
mod cached;
mod chain;
mod container;
mod environment;
mod fetch;
mod instance;
mod json;
mod metadata;
mod process;
mod profile;
#[cfg(feature = "aws-credential-types")]
mod sdk;
mod sts;
mod web_identity;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use crate::shared_config::Variables;
pub use assume_role::AssumeRole;

pub use aws_sigv2::Credentials;
pub use cached::Cached;
pub use chain::Chain;
pub use container::Container;
pub use environment::Environment;
pub use instance::Instance;
pub use metadata::{Metadata, MetadataSession};
pub(crate) use process::words;
pub use profile::Profile;
#[cfg(feature = "aws-credential-types")]
pub use sdk::Sdk;
pub use web_identity::WebIdentity;

/// Keys, and until when they work.
#[derive(Clone, Debug)]
pub struct Provided {
    /// The keys that requests are signed with.
    pub credentials: Credentials,
    /// When they expire; nothing for permanent ones.
    pub expires: Option<SystemTime>,
    /// Where they come from, for errors: `the profile work`. Holds no secret. Nothing where the program has given them.
    pub source: Option<Arc<str>>,
}

impl Provided {
    /// The same keys, told where they come from.
    #[must_use]
    pub fn from_source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl From<Credentials> for Provided {
    fn from(credentials: Credentials) -> Self {
        Self {
            credentials,
            expires: None,
            source: None,
        }
    }
}

/// The future of [`ProvideCredentials::provide`].
pub type ProvideFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Provided, CredentialsError>> + Send + 'a>>;

/// A source of keys.
pub trait ProvideCredentials: fmt::Debug + Send + Sync {
    /// Fetches or reads the keys; `now` is the time by the service's clock.
    fn provide(&self, now: SystemTime) -> ProvideFuture<'_>;

    /// The keys, if they are known without waiting and do not expire soon. Defaults to nothing; asked first
    /// for each request, so it must be quick.
    fn ready(&self, now: SystemTime) -> Option<Credentials> {
        let _ = now;
        None
    }

    /// Where these keys come from that it has given, in the words of [`Provided::source`]: errors by which a service
    /// refuses these keys name it. Defaults to nothing.
    fn source_of(&self, used: &Credentials) -> Option<Arc<str>> {
        let _ = used;
        None
    }

    /// Hears that a service refused these keys as expired, and returns whether asking again may give others.
    /// Defaults to no.
    fn forget(&self, used: &Credentials, now: SystemTime) -> bool {
        let _ = (used, now);
        false
    }
}

impl ProvideCredentials for Credentials {
    fn provide(&self, _now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(std::future::ready(Ok(self.clone().into())))
    }

    fn ready(&self, _now: SystemTime) -> Option<Credentials> {
        Some(self.clone())
    }
}

impl<P: ProvideCredentials + ?Sized> ProvideCredentials for Arc<P> {
    fn provide(&self, now: SystemTime) -> ProvideFuture<'_> {
        (**self).provide(now)
    }

    fn ready(&self, now: SystemTime) -> Option<Credentials> {
        (**self).ready(now)
    }

    fn source_of(&self, used: &Credentials) -> Option<Arc<str>> {
        (**self).source_of(used)
    }

    fn forget(&self, used: &Credentials, now: SystemTime) -> bool {
        (**self).forget(used, now)
    }
}

/// Why there are no keys.
#[derive(Clone)]
pub struct CredentialsError {
    message: String,
    absent: bool,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl CredentialsError {
    /// The source has none, which is no fault: a [`Chain`] goes on to the next.
    pub fn absent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            absent: true,
            source: None,
        }
    }

    /// The source is there but broken, or did not answer. The message must not hold a secret.
    pub fn broken(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            absent: false,
            source: None,
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The error beneath; `Display` tells it already, and [`source`](std::error::Error::source) is what lies beneath it.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }

    /// Whether the source simply has none.
    pub fn is_absent(&self) -> bool {
        self.absent
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialsError")
            .field("message", &self.message)
            .field("absent", &self.absent)
            .field("source", &self.source)
            .finish()
    }
}

impl std::error::Error for CredentialsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause()?.source()
    }
}

/// Looks up variables; replaced in tests, where the process's own environment must stay as it is.
#[derive(Clone)]
pub(crate) struct VariableLookup(Arc<Find>);

type Find = dyn Fn(&str) -> Option<String> + Send + Sync;

impl VariableLookup {
    pub(crate) fn process() -> Self {
        // One that is no UTF-8 is there all the same: what it names is not found then, and is said to be missing.
        let read = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        Self(Arc::new(read))
    }

    /// Those of this moment.
    pub(crate) fn of(variables: Variables) -> Self {
        Self::from_fn(move |name| variables.get(name).map(str::to_owned))
    }

    pub(crate) fn from_fn(f: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(f))
    }

    /// The value; an empty one is as none.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for VariableLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VariableLookup")
    }
}
