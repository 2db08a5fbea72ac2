//! What a request signed by the S3 scheme sends: its `Authorization` and its token.

use std::fmt;

/// The header, link parameter and form field that carries a session token.
pub const SECURITY_TOKEN: &str = "x-amz-security-token";

/// What a signed request must send besides what it was given.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "a request is signed once these headers are on it"]
pub struct Authorization<'c> {
    value: String,
    token: Option<&'c str>,
}

impl<'c> Authorization<'c> {
    pub(super) fn new(value: String, token: Option<&'c str>) -> Self {
        Self { value, token }
    }

    /// The value of the `Authorization` header: `AWS AccessKeyId:Signature`.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value of the `Authorization` header, owned.
    #[must_use]
    pub fn into_value(self) -> String {
        self.value
    }

    /// The value of the `x-amz-security-token` header to add. `None` if the credentials have none, or if the
    /// headers already held one: then that one was signed.
    #[must_use]
    pub fn token(&self) -> Option<&'c str> {
        self.token
    }

    /// The headers to add: `Authorization`, and `x-amz-security-token` if there is a token to send.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let token = self.token.map(|token| (SECURITY_TOKEN, token));
        std::iter::once(("Authorization", self.value())).chain(token)
    }
}

impl fmt::Debug for Authorization<'_> {
    /// Leaves out the signature, which is good for a replay as long as the request's date is, and the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public = self.value.rsplit_once(':').map_or("", |(public, _)| public);
        f.debug_struct("Authorization")
            .field("value", &format_args!("{public}:**"))
            .field("token", &self.token.map(|_| format_args!("**")))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_signature_and_token() {
        let authorization = Authorization::new("AWS AKID:c2lnbmF0dXJl".into(), Some("fleeting"));
        assert_eq!(
            format!("{authorization:?}"),
            "Authorization { value: AWS AKID:**, token: Some(**) }"
        );
    }

    #[test]
    fn the_value_is_the_same_owned() {
        let authorization = Authorization::new("AWS A:s".into(), None);
        assert_eq!(authorization.value(), "AWS A:s");
        assert_eq!(authorization.into_value(), "AWS A:s");
    }

    #[test]
    fn headers_to_add() {
        let with = Authorization::new("AWS A:s".into(), Some("t"));
        let added: Vec<_> = with.headers().collect();
        assert_eq!(
            added,
            [("Authorization", "AWS A:s"), ("x-amz-security-token", "t")]
        );
        assert_eq!(
            Authorization::new("AWS A:s".into(), None).headers().count(),
            1
        );
    }
}
