//! Keys of the role of an EC2 instance.

use std::time::{Duration, SystemTime};

use super::fetch::{Outcome, keys};
use super::metadata::{Metadata, NAME};
use super::{CredentialsError, Lookup, ProvideCredentials, ProvideFuture, Provided};
use crate::transport::Transport;

/// Keys of the role of an EC2 instance, from its [metadata service](Metadata).
///
/// A service that is not there is no fault: this machine is then no instance. Inside of a container it is also not
/// there when the instance allows its answers one hop only.
#[derive(Clone, Debug)]
pub struct Instance(Metadata);

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

impl Instance {
    /// The service that the variables of this process name.
    pub fn new() -> Self {
        Self::over(Lookup::process())
    }

    /// The service that variables found by this function name.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::over(Lookup::from_fn(lookup))
    }

    pub(super) fn over(lookup: Lookup) -> Self {
        Self(Metadata::over(lookup))
    }

    /// The address of the service, `http://host[:port]`, whatever variables say.
    #[must_use]
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        Self(self.0.endpoint(url))
    }

    /// The longest time of one attempt of one request. Defaults to 1 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }

    /// Sends over this transport. Defaults to a pool of its own.
    #[must_use]
    pub fn transport(self, transport: impl Transport + 'static) -> Self {
        Self(self.0.transport(transport))
    }

    async fn fetch(&self) -> Outcome<Provided> {
        let mut service = self.0.open().await?;
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
        keys(NAME, &answer.body)
    }
}

fn good(status: u16) -> Outcome<()> {
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
    fn provide(&self, _now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(self.fetch())
    }
}
