//! What a signed request has to carry.

use std::fmt;

use super::payload::PayloadText;
use super::time::AmzDate;

/// What a signed request must send besides what it was given.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "a request is signed once these headers are on it"]
pub struct Authorization<'c> {
    pub(super) value: String,
    pub(super) date: AmzDate,
    pub(super) add_date: bool,
    pub(super) content_sha256: Option<PayloadText>,
    pub(super) token: Option<&'c str>,
}

impl<'c> Authorization<'c> {
    /// The value of the `Authorization` header.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The signature: 64 hexadecimal digits.
    #[must_use]
    pub fn signature(&self) -> &str {
        let start = self.value.len().saturating_sub(64);
        self.value.get(start..).unwrap_or_default()
    }

    /// The session token to send, if the credentials have one and the headers held none.
    #[must_use]
    pub fn token(&self) -> Option<&'c str> {
        self.token
    }

    /// The headers to add: `authorization`, and of `x-amz-date`, `x-amz-content-sha256` and
    /// `x-amz-security-token` those that are needed and that the request did not hold.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let date = self.add_date.then_some(("x-amz-date", self.date.as_ref()));
        let hash = self.content_sha256.as_ref();
        let hash = hash.map(|text| ("x-amz-content-sha256", text.as_str()));
        let token = self.token.map(|token| ("x-amz-security-token", token));
        std::iter::once(("authorization", self.value()))
            .chain(date)
            .chain(hash)
            .chain(token)
    }
}

impl fmt::Debug for Authorization<'_> {
    /// Leaves out the signature, which is good for a replay as long as the request's date is, and the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public = self.value.rsplit_once('=').map_or("", |(public, _)| public);
        f.debug_struct("Authorization")
            .field("value", &format_args!("{public}=**"))
            .field("date", &self.date)
            .field("token", &self.token.map(|_| format_args!("**")))
            .finish_non_exhaustive()
    }
}
