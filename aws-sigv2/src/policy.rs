//! POST policies: browser uploads straight to a bucket, limited by a signed JSON document.
//!
//! The policy says until when and what may be uploaded
//! ([POST object](https://docs.aws.amazon.com/AmazonS3/latest/userguide/HTTPPOSTForms.html)). It goes into an HTML form
//! with its signature, and the browser posts that form with the file. A condition that demands one exact value
//! also becomes a form field, and so does a prefix with [a value to start from](Builder::starts_with);
//! limits on the length do not.
//!
//! ```
//! use aws_sigv2::{Credentials, policy::Policy};
//!
//! let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
//! let policy = Policy::builder()
//!     .expires(1_196_510_400) // 2007-12-01T12:00:00.000Z
//!     .bucket("johnsmith")
//!     .key_starts_with("user/eric/")
//!     .exact("acl", "public-read")
//!     .content_length_range(1, 1_048_576)
//!     .build();
//! assert_eq!(
//!     policy.json(&credentials),
//!     concat!(
//!         r#"{"expiration":"2007-12-01T12:00:00.000Z","conditions":[{"bucket":"johnsmith"},"#,
//!         r#"["starts-with","$key","user/eric/"],{"acl":"public-read"},"#,
//!         r#"["content-length-range",1,1048576]]}"#,
//!     ),
//! );
//! let form = policy.sign(&credentials);
//! let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
//! assert_eq!(names, ["key", "acl", "AWSAccessKeyId", "policy", "signature"]);
//! assert_eq!(form[0].1, "user/eric/${filename}");
//! // The file itself goes last, into a field of this name: servers ignore fields after it.
//! assert_eq!(Policy::FILE_FIELD, "file");
//! ```

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::credentials::Credentials;
use crate::date;
use crate::mac::Sink;
use crate::s3::SECURITY_TOKEN;

/// A POST policy: an expiry and conditions.
///
/// Two builds of the same conditions in the same order are the same document, byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    expires: SystemTime,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Exact {
        field: String,
        value: String,
    },
    StartsWith {
        field: String,
        prefix: String,
        value: Option<String>,
    },
    ContentLength {
        min: u64,
        max: u64,
    },
}

/// An expiry: a [`SystemTime`], or seconds since 1970 as `u64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry(SystemTime);

impl From<SystemTime> for Expiry {
    fn from(time: SystemTime) -> Self {
        Self(time)
    }
}

impl From<u64> for Expiry {
    fn from(seconds: u64) -> Self {
        // Past this the calendar's four digits end, and the platform's clock may too.
        const LAST: u64 = 253_402_300_799;
        Self(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.min(LAST)))
    }
}

/// Collects the conditions of a [`Policy`]; made by [`Policy::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder(Policy);

impl Policy {
    /// The name of the form field for the file, which must be the last one.
    pub const FILE_FIELD: &'static str = "file";

    /// Starts a policy without conditions that has already expired: give it an
    /// [expiry](Builder::expires), a [bucket](Builder::bucket) and a [key](Builder::key).
    pub fn builder() -> Builder {
        Builder(Self {
            expires: SystemTime::UNIX_EPOCH,
            conditions: Vec::new(),
        })
    }

    /// The document that [`sign`](Self::sign) signs, before base64. Temporary credentials add a condition
    /// for their token.
    #[must_use]
    pub fn json(&self, credentials: &Credentials) -> String {
        let mut out = String::with_capacity(64 + 64 * self.conditions.len());
        out.push_str("{\"expiration\":\"");
        out.push_str(date::iso8601_millis(self.expires).as_ref());
        out.push_str("\",\"conditions\":[");
        let length = out.len();
        let separate = |out: &mut String| {
            if out.len() > length {
                out.push(',');
            }
        };
        for condition in &self.conditions {
            separate(&mut out);
            condition.push_json(&mut out);
        }
        if let Some(token) = credentials.session_token() {
            separate(&mut out);
            push_exact(&mut out, SECURITY_TOKEN, token);
        }
        out.push_str("]}");
        out
    }

    /// The form's fields that the conditions fix, without those of the signature.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.conditions.iter().filter_map(Condition::field)
    }

    /// The fields of the form, in the order to send them: those that the conditions fix, then
    /// `AWSAccessKeyId`, `policy`, `signature`, and `x-amz-security-token` if the credentials are temporary.
    ///
    /// The bucket is not a field, it is where the form is posted to. After these fields come those that the
    /// user fills in, and last the file, in a field named [`FILE_FIELD`](Self::FILE_FIELD).
    #[must_use]
    pub fn sign(&self, credentials: &Credentials) -> Vec<(String, String)> {
        let (policy, signature) = sign_document(&self.json(credentials), credentials);
        let mut form: Vec<(String, String)> = self
            .fields()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        form.push(("AWSAccessKeyId".into(), credentials.access_key().into()));
        form.push(("policy".into(), policy));
        form.push(("signature".into(), signature));
        if let Some(token) = credentials.session_token() {
            form.push((SECURITY_TOKEN.into(), token.into()));
        }
        form
    }

    /// [`sign`](Self::sign), and last an empty field named [`FILE_FIELD`](Self::FILE_FIELD), for callers that
    /// turn a list of fields into a form and put the file in at that place.
    #[must_use]
    pub fn sign_with_file_field(&self, credentials: &Credentials) -> Vec<(String, String)> {
        let mut form = self.sign(credentials);
        form.push((Self::FILE_FIELD.into(), String::new()));
        form
    }
}

/// Signs a policy that was written by other means: the values of the form fields `policy` (the document in
/// base64) and `signature`.
///
/// With temporary credentials the document must hold the condition `{"x-amz-security-token": ...}`, and the
/// form that field.
#[must_use]
pub fn sign_document(json: &str, credentials: &Credentials) -> (String, String) {
    let policy = STANDARD.encode(json);
    let mut feed = credentials.hmac_sha1();
    feed.put(policy.as_bytes());
    let signature = feed.finish_base64().as_str().to_owned();
    (policy, signature)
}

impl Builder {
    /// Until when the form may be used. Defaults to 1970: a policy that was given no expiry lets nothing in.
    pub fn expires(mut self, at: impl Into<Expiry>) -> Self {
        self.0.expires = at.into().0;
        self
    }

    /// The bucket that the form is posted to.
    pub fn bucket(self, name: impl Into<String>) -> Self {
        self.exact("bucket", name)
    }

    /// The one key that may be written. Servers put the name of the user's file in place of `${filename}` in the
    /// form's field, so a key with that in it needs [`key_starts_with`](Self::key_starts_with).
    pub fn key(self, key: impl Into<String>) -> Self {
        self.exact("key", key)
    }

    /// Any key with this prefix. The form's field becomes the prefix and `${filename}`, the name of the
    /// user's file.
    pub fn key_starts_with(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        let value = format!("{prefix}${{filename}}");
        self.starts_with_value("key", prefix, value)
    }

    /// A field that must have exactly this value, such as `acl`, `success_action_status`, `Content-Type` or
    /// any `x-amz-meta-` name. It becomes a form field.
    pub fn exact(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.conditions.push(Condition::Exact {
            field: field.into(),
            value: value.into(),
        });
        self
    }

    /// A field whose value must begin with this; an empty prefix allows any value. The user, or the page,
    /// supplies the field.
    pub fn starts_with(mut self, field: impl Into<String>, prefix: impl Into<String>) -> Self {
        self.0.conditions.push(Condition::StartsWith {
            field: field.into(),
            prefix: prefix.into(),
            value: None,
        });
        self
    }

    /// [`starts_with`](Self::starts_with), with the value that the form's field has.
    pub fn starts_with_value(
        mut self,
        field: impl Into<String>,
        prefix: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.0.conditions.push(Condition::StartsWith {
            field: field.into(),
            prefix: prefix.into(),
            value: Some(value.into()),
        });
        self
    }

    /// Limits of the file's length in bytes, both inclusive.
    pub fn content_length_range(mut self, min: u64, max: u64) -> Self {
        self.0
            .conditions
            .push(Condition::ContentLength { min, max });
        self
    }

    /// The policy.
    #[must_use]
    pub fn build(self) -> Policy {
        self.0
    }
}

impl Condition {
    fn push_json(&self, out: &mut String) {
        match self {
            Self::Exact { field, value } => push_exact(out, field, value),
            Self::StartsWith { field, prefix, .. } => {
                out.push_str("[\"starts-with\",\"$");
                push_escaped(out, field);
                out.push_str("\",");
                push_string(out, prefix);
                out.push(']');
            }
            Self::ContentLength { min, max } => {
                push_formatted(out, format_args!("[\"content-length-range\",{min},{max}]"));
            }
        }
    }

    fn field(&self) -> Option<(&str, &str)> {
        match self {
            Self::Exact { field, .. } if field == "bucket" => None,
            Self::Exact { field, value } => Some((field, value)),
            Self::StartsWith { field, value, .. } => {
                value.as_deref().map(|value| (field.as_str(), value))
            }
            Self::ContentLength { .. } => None,
        }
    }
}

fn push_exact(out: &mut String, field: &str, value: &str) {
    out.push('{');
    push_string(out, field);
    out.push(':');
    push_string(out, value);
    out.push('}');
}

fn push_string(out: &mut String, s: &str) {
    out.push('"');
    push_escaped(out, s);
    out.push('"');
}

/// Escapes what [JSON](https://www.rfc-editor.org/rfc/rfc8259#section-7) must have escaped. A leading `$` in
/// a policy needs nothing more in an exact condition.
fn push_escaped(out: &mut String, s: &str) {
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => push_formatted(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}

fn push_formatted(out: &mut String, text: fmt::Arguments<'_>) {
    // A String takes everything, so this has no error to report.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials::new("AKID", "hush")
    }

    #[test]
    fn json_is_escaped() {
        let policy = Policy::builder()
            .exact("x-amz-meta-\"\\", "a\nb c\r\t\u{1}\u{1f}é\u{7f}")
            .build();
        assert_eq!(
            policy.json(&credentials()),
            "{\"expiration\":\"1970-01-01T00:00:00.000Z\",\"conditions\":\
             [{\"x-amz-meta-\\\"\\\\\":\"a\\nb c\\r\\t\\u0001\\u001fé\u{7f}\"}]}"
        );
    }

    #[test]
    fn conditions_and_fields() {
        let policy = Policy::builder()
            .expires(SystemTime::UNIX_EPOCH + Duration::from_millis(1_196_510_400_500))
            .bucket("b")
            .key("k")
            .exact("x-amz-meta-uuid", "14365123651274")
            .starts_with("x-amz-meta-tag", "")
            .starts_with_value("Content-Type", "image/", "image/png")
            .content_length_range(0, u64::MAX)
            .build();
        assert_eq!(
            policy.json(&credentials()),
            "{\"expiration\":\"2007-12-01T12:00:00.500Z\",\"conditions\":[{\"bucket\":\"b\"},{\"key\":\"k\"},\
             {\"x-amz-meta-uuid\":\"14365123651274\"},[\"starts-with\",\"$x-amz-meta-tag\",\"\"],\
             [\"starts-with\",\"$Content-Type\",\"image/\"],[\"content-length-range\",0,18446744073709551615]]}"
        );
        let form = policy.sign_with_file_field(&credentials());
        let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "key",
                "x-amz-meta-uuid",
                "Content-Type",
                "AWSAccessKeyId",
                "policy",
                "signature",
                "file"
            ]
        );
    }

    #[test]
    fn a_token_is_a_condition_and_a_field() {
        let temporary = credentials().with_token("tok\"en");
        let policy = Policy::builder().expires(0).build();
        assert!(
            policy
                .json(&temporary)
                .ends_with("[{\"x-amz-security-token\":\"tok\\\"en\"}]}")
        );
        assert_eq!(
            policy.sign(&temporary).last(),
            Some(&("x-amz-security-token".into(), "tok\"en".into()))
        );
        assert!(policy.json(&credentials()).ends_with("\"conditions\":[]}"));
    }

    #[test]
    fn far_expiries_do_not_panic() {
        let policy = Policy::builder().expires(u64::MAX).build();
        assert!(
            policy
                .json(&credentials())
                .contains("9999-12-31T23:59:59.000Z")
        );
    }
}
