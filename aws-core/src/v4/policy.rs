//! POST policies: browser uploads straight to a bucket, limited by a signed JSON document.
//!
//! The document and its conditions are those of [`aws_sigv2::policy`]; this adds the conditions and fields of
//! [Version 4](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html).

use std::time::SystemTime;

use aws_sigv2::Credentials;
use aws_sigv2::policy::Builder;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ALGORITHM;
use super::hex::Hex;
use super::scope::Scope;
use super::time::AmzDate;

/// The fields of the form, in the order to send them: those that the conditions fix, `x-amz-algorithm`,
/// `x-amz-credential`, `x-amz-date`, `x-amz-security-token` if the credentials are temporary, `policy` and
/// `x-amz-signature`.
///
/// After these come the fields that the user fills in, and last the file, in a field named
/// [`FILE_FIELD`](aws_sigv2::policy::Policy::FILE_FIELD).
#[must_use]
pub fn sign(
    policy: Builder,
    scope: &Scope,
    credentials: &Credentials,
    time: SystemTime,
) -> Vec<(String, String)> {
    let date = AmzDate::new(time);
    let mut credential = format!("{}/", credentials.access_key());
    scope.push(&mut credential, date);
    let policy = policy
        .exact("x-amz-algorithm", ALGORITHM)
        .exact("x-amz-credential", credential)
        .exact("x-amz-date", date.as_ref())
        .build();
    let (document, signature) = sign_document(&policy.json(credentials), scope, credentials, date);
    let mut form: Vec<(String, String)> = policy
        .fields()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if let Some(token) = credentials.session_token() {
        form.push(("x-amz-security-token".into(), token.into()));
    }
    form.push(("policy".into(), document));
    form.push(("x-amz-signature".into(), signature));
    form
}

/// Signs a policy that was written by other means: the values of the form fields `policy` (the document in base64)
/// and `x-amz-signature`.
///
/// The document must hold conditions for `x-amz-algorithm`, `x-amz-credential`, `x-amz-date` and, with temporary
/// credentials, `x-amz-security-token`, and the form these fields.
#[must_use]
pub fn sign_document(
    json: &str,
    scope: &Scope,
    credentials: &Credentials,
    date: AmzDate,
) -> (String, String) {
    let document = STANDARD.encode(json);
    let signature = scope.with_key(credentials, date, |key| key.sign(document.as_bytes()));
    (document, Hex::of(signature).as_str().to_owned())
}
