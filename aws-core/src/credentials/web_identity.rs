//! Keys of a role, from the Security Token Service, in exchange for a token in a file.

use std::time::{Duration, SystemTime};

use super::assume_role::Role;
use super::fetch::{Fetch, Fetched};
use super::sts::{self, StsEndpoint};
use super::{CredentialsError, ProvideCredentials, ProvideFuture, Provided, VariableLookup};
use crate::transport::Transport;

/// Keys of a role, in exchange for a token of an identity provider: pods of Kubernetes with a service account, and
/// jobs of build services.
///
/// The token is in the file that `AWS_WEB_IDENTITY_TOKEN_FILE` names, read anew each time; the role is
/// `AWS_ROLE_ARN`, the name of the session `AWS_ROLE_SESSION_NAME` (else one of its own). The Security Token Service
/// is asked at `AWS_ENDPOINT_URL_STS`, else at `AWS_ENDPOINT_URL`, else in the region of `AWS_REGION` or `AWS_DEFAULT_REGION`, else at
/// `https://sts.amazonaws.com`. See
/// [AssumeRoleWithWebIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
#[derive(Clone, Debug)]
pub struct WebIdentity {
    lookup: VariableLookup,
    /// The file and the role, where a profile says them.
    given: Option<(String, Role)>,
    fetch: Fetch,
}

const FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE: &str = "AWS_ROLE_ARN";
const SESSION: &str = "AWS_ROLE_SESSION_NAME";

impl WebIdentity {
    /// What the variables of this process name.
    pub fn new() -> Self {
        Self::over(VariableLookup::process())
    }

    /// What variables found by this function name.
    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::over(VariableLookup::from_fn(lookup))
    }

    /// The longest time of one attempt; there are three. Defaults to 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.fetch = self.fetch.with_timeout(timeout);
        self
    }

    /// Sends over this transport. Defaults to a pool of its own.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.fetch = self.fetch.with_transport(transport);
        self
    }

    pub(super) fn over(lookup: VariableLookup) -> Self {
        Self {
            lookup,
            given: None,
            fetch: Fetch::new(sts::TIMEOUT),
        }
    }

    /// The token of this file for this role.
    pub(super) fn of(lookup: VariableLookup, fetch: Fetch, file: String, role: Role) -> Self {
        Self {
            lookup,
            given: Some((file, role)),
            fetch,
        }
    }

    fn file_and_role(&self) -> Fetched<(String, Role)> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        match (self.lookup.get(FILE), self.lookup.get(ROLE)) {
            (Some(file), Some(arn)) => {
                let session = self.lookup.get(SESSION);
                let role = Role {
                    arn,
                    session,
                    ..Role::default()
                };
                Ok((file, role))
            }
            (Some(_), None) => Err(CredentialsError::broken(format!(
                "{FILE} is set, but {ROLE} is not"
            ))),
            // A role alone may be meant for another way to take it.
            (None, _) => Err(CredentialsError::absent(format!("{FILE} is not set"))),
        }
    }

    async fn fetch(&self, now: SystemTime) -> Fetched<Provided> {
        let (file, role) = self.file_and_role()?;
        let token = std::fs::read_to_string(&file).map_err(|cause| {
            CredentialsError::broken(format!("{FILE}: cannot read {file}")).with_source(cause)
        })?;
        let session = role.session.unwrap_or_else(|| sts::session(now));
        let fields = [
            ("RoleArn", role.arn.as_str()),
            ("RoleSessionName", &session),
            ("WebIdentityToken", token.trim()),
        ];
        let region = role.region.map(|region| ("the region", region));
        let site = StsEndpoint::new(&self.lookup, region)?;
        let provided = site
            .keys(&self.fetch, "AssumeRoleWithWebIdentity", &fields, None)
            .await?;
        Ok(provided.from_source(format!("the role {}", role.arn)))
    }
}

impl Default for WebIdentity {
    fn default() -> Self {
        Self::new()
    }
}

impl ProvideCredentials for WebIdentity {
    fn provide(&self, now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(self.fetch(now))
    }
}
