//! Providers of the AWS SDK for Rust.

use std::time::{Duration, UNIX_EPOCH};

use aws_core::credentials::{ProvideCredentials, Sdk};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as SdkProvider, future};

use crate::{HIDDEN, now};

#[derive(Debug)]
struct Fails(bool);

impl SdkProvider for Fails {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(match self.0 {
            true => CredentialsError::not_loaded("none here"),
            false => CredentialsError::provider_error("it broke"),
        }))
    }
}

#[tokio::test]
async fn keys_come_with_token_and_expiry() {
    let expires = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    let theirs = Credentials::new("AKID", HIDDEN, Some("t".into()), Some(expires), "test");
    let sdk = Sdk::new(theirs);
    let provided = sdk.provide(now()).await.unwrap();
    assert_eq!(provided.credentials.access_key(), "AKID");
    assert_eq!(provided.credentials.secret_key(), HIDDEN);
    assert_eq!(provided.credentials.session_token(), Some("t"));
    assert_eq!(provided.expires, Some(expires));
    assert!(!format!("{sdk:?} {provided:?}").contains(HIDDEN));
}

#[tokio::test]
async fn absent_and_broken_are_told_apart() {
    assert!(
        Sdk::new(Fails(true))
            .provide(now())
            .await
            .unwrap_err()
            .is_absent()
    );
    assert!(
        !Sdk::new(Fails(false))
            .provide(now())
            .await
            .unwrap_err()
            .is_absent()
    );
}
