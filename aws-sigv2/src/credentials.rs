//! Keys to sign with: an access key, its secret, and the token of temporary ones.

use std::fmt;
use std::sync::Arc;

use hmac::Hmac;
use zeroize::Zeroizing;

use crate::mac::{Feed, Key, Sha1, Sha256};

/// An access key, its secret, and the session token if the pair is temporary.
///
/// A clone shares the original's memory and costs one reference count. The key schedules of HMAC-SHA1 and
/// HMAC-SHA256 are prepared once, when the value is made, so that signing does not repeat them. The secret,
/// the token and the key schedules are overwritten when the last clone is dropped.
///
/// `Debug` prints the access key, which is not secret, and neither of the others.
///
/// ```
/// # use aws_sigv2::Credentials;
/// let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
/// assert_eq!(
///     format!("{credentials:?}"),
///     r#"Credentials { access_key: "AKIAIOSFODNN7EXAMPLE", secret_key: **, session_token: None }"#,
/// );
/// ```
#[derive(Clone)]
pub struct Credentials(Arc<Keys>);

struct Keys {
    access: String,
    secret: Zeroizing<String>,
    token: Option<Zeroizing<String>>,
    sha1: Key<Sha1>,
    sha256: Key<Sha256>,
}

impl Credentials {
    /// A permanent key pair.
    ///
    /// The strings are taken as they are: surrounding blanks are part of the key.
    #[must_use]
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        let secret = Zeroizing::new(secret_key.into());
        Self(Arc::new(Keys {
            access: access_key.into(),
            sha1: Key::new(secret.as_bytes()),
            sha256: Key::new(secret.as_bytes()),
            secret,
            token: None,
        }))
    }

    /// The same pair with the session token that a temporary one needs, in place of any it had.
    ///
    /// Every signer then adds the token to the request: `x-amz-security-token` for S3 (a header, a query
    /// parameter of a presigned link, or a form field), `SecurityToken` for the Query API.
    #[must_use]
    pub fn with_token(self, session_token: impl Into<String>) -> Self {
        Self(Arc::new(Keys {
            access: self.0.access.clone(),
            secret: self.0.secret.clone(),
            token: Some(Zeroizing::new(session_token.into())),
            sha1: self.0.sha1.clone(),
            sha256: self.0.sha256.clone(),
        }))
    }

    /// The access key ID, which travels in the clear with each request.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.0.access
    }

    /// The secret. Keep it out of logs.
    #[must_use]
    pub fn secret_key(&self) -> &str {
        &self.0.secret
    }

    /// The session token of a temporary pair.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.0.token.as_ref().map(|token| token.as_str())
    }

    pub(crate) fn hmac_sha1(&self) -> Feed<Hmac<Sha1>> {
        self.0.sha1.feed()
    }

    pub(crate) fn hmac_sha256(&self) -> Feed<Hmac<Sha256>> {
        self.0.sha256.feed()
    }
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.access == other.0.access
                && self.0.secret == other.0.secret
                && self.0.token == other.0.token)
    }
}

impl Eq for Credentials {}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key())
            .field("secret_key", &format_args!("**"))
            .field(
                "session_token",
                &self.session_token().map(|_| format_args!("**")),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_access_key_alone() {
        let permanent = Credentials::new("AKID", "hush");
        assert_eq!(
            format!("{permanent:?}"),
            r#"Credentials { access_key: "AKID", secret_key: **, session_token: None }"#
        );
        let temporary = permanent.with_token("fleeting");
        assert_eq!(
            format!("{temporary:?}"),
            r#"Credentials { access_key: "AKID", secret_key: **, session_token: Some(**) }"#
        );
        let pretty = format!("{temporary:#?}");
        assert!(
            !pretty.contains("hush") && !pretty.contains("fleeting"),
            "{pretty}"
        );
    }

    #[test]
    fn a_clone_shares_and_equality_is_by_value() {
        let one = Credentials::new("AKID", "hush");
        assert!(Arc::ptr_eq(&one.0, &one.clone().0));
        assert_eq!(one, Credentials::new("AKID", "hush"));
        assert_ne!(one, Credentials::new("AKID", "hash"));
        assert_ne!(one, Credentials::new("AKIE", "hush"));
        assert_ne!(one, one.clone().with_token("t"));
        assert_eq!(one.clone().with_token("t").session_token(), Some("t"));
        assert_eq!(
            one.with_token("t").with_token("u").session_token(),
            Some("u")
        );
    }

    #[test]
    fn keys_of_every_length_are_taken() {
        for length in [0, 1, 20, 63, 64, 65, 200] {
            assert_eq!(
                Credentials::new("a", "k".repeat(length)).secret_key().len(),
                length
            );
        }
    }
}
