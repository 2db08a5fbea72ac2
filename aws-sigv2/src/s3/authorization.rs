//! What a request signed by the S3 scheme sends: its `Authorization` and its token.

use std::borrow::Cow;
use std::fmt;

use crate::mac::Signature;

/// The header, link parameter and form field that carries a session token.
pub const SECURITY_TOKEN: &str = "x-amz-security-token";

/// What a signed request must send besides what it was given.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "a request is signed once these headers are on it"]
pub struct Authorization<'c> {
    access_key: &'c str,
    signature: Signature,
    token: Option<&'c str>,
}

impl<'c> Authorization<'c> {
    pub(super) fn new(access_key: &'c str, signature: Signature, token: Option<&'c str>) -> Self {
        Self {
            access_key,
            signature,
            token,
        }
    }

    /// Returns the value of the `Authorization` header: `AWS AccessKeyId:Signature`. It is made anew for each call.
    #[must_use]
    pub fn value(&self) -> String {
        self.parts().concat()
    }

    /// Returns the four pieces that are [`value`](Self::value) one after another, for a program that writes them into a
    /// buffer without a string in between. Where there is a [`token`](Self::token), it has to be sent too.
    #[inline]
    #[must_use]
    pub fn parts(&self) -> [&str; 4] {
        ["AWS ", self.access_key, ":", self.signature.as_str()]
    }

    /// The value of the `x-amz-security-token` header to add. `None` if the credentials have none, or if the
    /// headers already held one: then that one was signed.
    #[must_use]
    pub fn token(&self) -> Option<&'c str> {
        self.token
    }

    /// The headers to add: `Authorization`, and `x-amz-security-token` if there is a token to send.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, Cow<'c, str>)> {
        let token = self
            .token
            .map(|token| (SECURITY_TOKEN, Cow::Borrowed(token)));
        std::iter::once(("Authorization", Cow::Owned(self.value()))).chain(token)
    }
}

impl fmt::Debug for Authorization<'_> {
    /// Leaves out the signature, which is good for a replay as long as the request's date is, and the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("value", &format_args!("AWS {}:**", self.access_key))
            .field("token", &self.token.map(|_| format_args!("**")))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::{Key, Sha1};

    /// The second case of RFC 2202.
    fn authorization(token: Option<&str>) -> Authorization<'_> {
        let mut feed = Key::<Sha1>::new(b"Jefe").feed();
        crate::mac::Sink::put(&mut feed, b"what do ya want for nothing?");
        Authorization::new("AKID", feed.finish_base64(), token)
    }

    const VALUE: &str = "AWS AKID:7/zfauXrL6LSdBbV8YTfnCWafHk=";

    #[test]
    fn debug_hides_signature_and_token() {
        assert_eq!(
            format!("{:?}", authorization(Some("fleeting"))),
            "Authorization { value: AWS AKID:**, token: Some(**) }"
        );
    }

    #[test]
    fn headers_to_add() {
        let with = authorization(Some("t"));
        let added: Vec<_> = with.headers().collect();
        let token = ("x-amz-security-token", "t".into());
        assert_eq!(added, [("Authorization", VALUE.into()), token]);
        assert_eq!(with.parts().concat(), VALUE);
        assert_eq!(authorization(None).headers().count(), 1);
    }
}
