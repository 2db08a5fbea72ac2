//! Keys from a provider of the AWS SDK for Rust.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as SdkProvider;
use aws_credential_types::provider::error::CredentialsError as SdkError;

use super::{Credentials, CredentialsError, ProvideCredentials, ProvideFuture, Provided};

/// Keys of a provider of the AWS SDK for Rust, such as those of the crate `aws-config`.
///
/// What the provider gives is kept as [`Cached`](super::Cached) says, so it need not keep it itself.
///
/// ```
/// use std::time::SystemTime;
/// use aws_core::credentials::{ProvideCredentials, Sdk};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let theirs = aws_credential_types::Credentials::new("AKID", "secret", None, None, "example");
/// let ours = Sdk::new(theirs).provide(SystemTime::now()).await.unwrap();
/// assert_eq!(ours.credentials.access_key(), "AKID");
/// # }
/// ```
///
/// Profiles with [single sign-on](https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html), which
/// [`Profile`](super::Profile) refuses, are read by `aws_config::profile::ProfileFileCredentialsProvider` of the crate
/// `aws-config` with its feature `sso`. A builder of a client takes the region and the endpoint of the same profile by
/// `from_env`, and the keys by `credentials`, as setters count first:
///
/// ```
/// use aws_core::credentials::{Chain, Environment, Sdk};
/// use aws_credential_types::provider::ProvideCredentials;
///
/// // theirs: aws_config::profile::ProfileFileCredentialsProvider::builder().profile_name("work").build()
/// fn keys(theirs: impl ProvideCredentials + 'static) -> Chain {
///     Chain::new().or(Environment::new()).or(Sdk::new(theirs))
/// }
/// # drop(keys(aws_credential_types::Credentials::new("AKID", "secret", None, None, "example")));
/// ```
pub struct Sdk<P>(P);

impl<P: SdkProvider> Sdk<P> {
    /// The keys of this provider.
    pub fn new(provider: P) -> Self {
        Self(provider)
    }
}

impl<P: SdkProvider> ProvideCredentials for Sdk<P> {
    fn provide(&self, _now: SystemTime) -> ProvideFuture<'_> {
        Box::pin(async move {
            let theirs = self.0.provide_credentials().await.map_err(|error| {
                let absent = matches!(error, SdkError::CredentialsNotLoaded(_));
                let message = "the provider of the SDK gave no keys";
                let ours = match absent {
                    true => CredentialsError::absent(message),
                    false => CredentialsError::broken(message),
                };
                ours.with_source(error)
            })?;
            let keys = Credentials::new(theirs.access_key_id(), theirs.secret_access_key());
            let credentials = match theirs.session_token() {
                Some(token) => keys.with_token(token),
                None => keys,
            };
            Ok(Provided {
                credentials,
                expires: theirs.expiry(),
                source: Some("the provider of the SDK".into()),
            })
        })
    }
}

impl<P: fmt::Debug> fmt::Debug for Sdk<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sdk").field(&self.0).finish()
    }
}
