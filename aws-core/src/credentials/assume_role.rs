//! Keys of a role, from the Security Token Service, for somebody who has keys.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::fetch::{Fetch, Fetched};
use super::sts::{self, StsEndpoint};
use super::{
    Credentials, CredentialsError, ProvideCredentials, ProvideFuture, Provided, VariableLookup,
};
use crate::transport::Transport;

/// Keys of a role, for somebody who has keys and may take it.
///
/// The Security Token Service is asked at `AWS_ENDPOINT_URL_STS`, else at `AWS_ENDPOINT_URL`, else in the [region](Self::region), else in that of
/// `AWS_REGION` or `AWS_DEFAULT_REGION`, else at `https://sts.amazonaws.com`; the request is signed by Version 4. See
/// [AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html). What a profile says of
/// roles, [`Profile`](super::Profile) does by itself.
///
/// ```
/// use aws_core::credentials::{AssumeRole, Environment};
///
/// let reader = AssumeRole::new(Environment::new(), "arn:aws:iam::123456789012:role/reader")
///     .session("nightly-report")
///     .external_id("example.com");
/// # drop(reader);
/// ```
#[derive(Clone, Debug)]
pub struct AssumeRole {
    source: Arc<dyn ProvideCredentials>,
    role: Role,
    lookup: VariableLookup,
    fetch: Fetch,
}

/// Which role, and what is said when it is taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) session: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) duration: Option<Duration>,
    pub(super) region: Option<String>,
}

impl AssumeRole {
    /// The role of this ARN, taken with keys of this provider.
    pub fn new(source: impl ProvideCredentials + 'static, role: impl Into<String>) -> Self {
        Self {
            source: Arc::new(source),
            role: Role {
                arn: role.into(),
                ..Role::default()
            },
            lookup: VariableLookup::process(),
            fetch: Fetch::new(sts::TIMEOUT),
        }
    }

    /// Finds the variables by this function. Defaults to those of the process.
    #[must_use]
    pub fn lookup(
        mut self,
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.lookup = VariableLookup::from_fn(lookup);
        self
    }

    /// The name of the session: 2 to 64 letters, digits and `_+=,.@-`. Defaults to one of its own.
    #[must_use]
    pub fn session(mut self, name: impl Into<String>) -> Self {
        self.role.session = Some(name.into());
        self
    }

    /// The word that the role's owner has [asked for](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html).
    /// Defaults to none.
    #[must_use]
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.role.external_id = Some(id.into());
        self
    }

    /// How long the keys shall work, 15 minutes to 12 hours, and no longer than the role allows. Defaults to the
    /// service's, an hour.
    #[must_use]
    pub fn duration(mut self, time: Duration) -> Self {
        self.role.duration = Some(time);
        self
    }

    /// The region whose service is asked. Defaults to what variables say.
    #[must_use]
    pub fn region(mut self, name: impl Into<String>) -> Self {
        self.role.region = Some(name.into());
        self
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

    async fn fetch(&self, now: SystemTime) -> Fetched<Provided> {
        let source = self.source.provide(now).await?;
        self.role
            .take(&self.lookup, &self.fetch, &source.credentials, now)
            .await
    }
}

impl Role {
    /// Takes the role, with these keys.
    pub(super) async fn take(
        &self,
        lookup: &VariableLookup,
        fetch: &Fetch,
        keys: &Credentials,
        now: SystemTime,
    ) -> Fetched<Provided> {
        let session = self.session.clone().unwrap_or_else(|| sts::session(now));
        let mut fields = vec![
            ("RoleArn", self.arn.as_str()),
            ("RoleSessionName", &session),
        ];
        if let Some(id) = &self.external_id {
            fields.push(("ExternalId", id));
        }
        let seconds = self.duration.map(|time| time.as_secs());
        if let Some(seconds) = seconds.filter(|seconds| !(900..=43_200).contains(seconds)) {
            return Err(CredentialsError::broken(format!(
                "keys of a role for {seconds} s are not within 900 to 43200 s"
            )));
        }
        let seconds = seconds.map(|seconds| seconds.to_string());
        if let Some(seconds) = &seconds {
            fields.push(("DurationSeconds", seconds));
        }
        let region = self.region.clone().map(|region| ("the region", region));
        let site = StsEndpoint::new(lookup, region)?;
        let provided = site
            .keys(fetch, "AssumeRole", &fields, Some((keys, now)))
            .await?;
        Ok(provided.from_source(format!("the role {}", self.arn)))
    }
}

impl ProvideCredentials for AssumeRole {
    fn provide(&self, now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(self.fetch(now))
    }

    fn forget(&self, used: &Credentials, now: SystemTime) -> bool {
        // Those of the role are new each time.
        self.source.forget(used, now);
        true
    }
}
