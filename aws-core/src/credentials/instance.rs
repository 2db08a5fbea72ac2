//! Keys of the role of an EC2 instance.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::fetch::{Fetched, keys};
use super::metadata::{Metadata, NAME};
use super::{
    Credentials, CredentialsError, ProvideCredentials, ProvideFuture, Provided, VariableLookup,
};
use crate::transport::Transport;

/// Keys of the role of an EC2 instance, from its [metadata service](Metadata).
///
/// A service that is not there is no fault: this machine is then no instance. Inside of a container it is also not
/// there when the instance allows its answers one hop only.
///
/// Keys are used beyond their expiry while the service cannot be reached, or gives no newer ones, since EC2 accepts
/// them for longer than it says. They are asked for anew every five minutes then. A service that refuses such keys as
/// expired is believed.
#[derive(Clone, Debug)]
pub struct Instance {
    service: Metadata,
    /// The last keys, which clones share.
    last: Arc<Mutex<Option<Provided>>>,
}

/// How long keys are used whose time is over, until the service is asked again.
const EXPIRY_EXTENSION: Duration = Duration::from_secs(600);

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

impl Instance {
    /// The service that the variables of this process name.
    pub fn new() -> Self {
        Self::over(VariableLookup::process())
    }

    /// The service that variables found by this function name.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::over(VariableLookup::from_fn(lookup))
    }

    pub(super) fn over(lookup: VariableLookup) -> Self {
        Self::of(Metadata::over(lookup))
    }

    fn of(service: Metadata) -> Self {
        Self {
            service,
            last: Arc::default(),
        }
    }

    /// The address of the service, `http://host[:port]`, whatever variables say.
    #[must_use]
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        Self::of(self.service.endpoint(url))
    }

    /// The longest time of one attempt of one request. Defaults to 1 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self::of(self.service.timeout(timeout))
    }

    /// Sends over this transport. Defaults to a pool of its own.
    #[must_use]
    pub fn transport(self, transport: impl Transport + 'static) -> Self {
        Self::of(self.service.transport(transport))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Provided>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys that the service gives, or else the last ones.
    async fn fetch(&self, now: SystemTime) -> Fetched<Provided> {
        let outcome = self.ask().await;
        let mut last = self.lock();
        let mut provided = match outcome {
            Ok(provided) => last.insert(provided).clone(),
            // It is turned off, or has no role any more: nobody has to be waited for.
            Err(error) if error.is_absent() && error.cause().is_none() => {
                *last = None;
                return Err(error);
            }
            Err(error) => last.clone().ok_or(error)?,
        };
        drop(last);
        if is_over(&provided, now) {
            tracing::warn!("keys of the instance's role are used beyond their expiry");
            provided.expires = Some(now + EXPIRY_EXTENSION);
        }
        Ok(provided)
    }

    async fn ask(&self) -> Fetched<Provided> {
        let mut service = self.service.open().await?;
        let roles = service.answer(ROLES).await?;
        let none = || CredentialsError::absent("the instance has no role");
        if roles.status() == 404 {
            return Err(none());
        }
        good(roles.status())?;
        let role = String::from_utf8_lossy(&roles.body);
        let role = role.lines().next().unwrap_or_default().trim();
        if role.is_empty() {
            return Err(none());
        }
        let mut path = ROLES.to_owned();
        aws_sigv2::escape::push_component(&mut path, role);
        let answer = service.answer(&path).await?;
        good(answer.status())?;
        Ok(keys(NAME, &answer.body)?.from_source("the role of this instance"))
    }
}

fn is_over(provided: &Provided, now: SystemTime) -> bool {
    provided.expires.is_some_and(|expires| expires <= now)
}

fn good(status: u16) -> Fetched<()> {
    match status {
        200..300 => Ok(()),
        _ => Err(CredentialsError::broken(format!(
            "no keys from {NAME}: status {status}"
        ))),
    }
}

impl Default for Instance {
    fn default() -> Self {
        Self::new()
    }
}

impl ProvideCredentials for Instance {
    fn provide(&self, now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(self.fetch(now))
    }

    fn forget(&self, used: &Credentials, now: SystemTime) -> bool {
        let mut last = self.lock();
        let same = |last: &Provided| last.credentials == *used && is_over(last, now);
        if last.as_ref().is_some_and(same) {
            *last = None;
        }
        true
    }
}
