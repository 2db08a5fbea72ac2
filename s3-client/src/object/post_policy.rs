//! Forms by which a browser stores an object straight in a bucket.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_core::awaitable;
use aws_core::{Error, Result, v4};
use aws_sigv2::policy::{Builder, Policy};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::limits;
use crate::object::presign::{USUAL, url};
use crate::sign::Signer;
use crate::unsigned::UnsignedRequest;

impl Bucket {
    /// A form by which anyone may store an object within limits: a signed policy.
    ///
    /// ```
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// let form = photos.post_policy().key_starts_with("uploads/").content_length_range(1, 5_000_000);
    /// let form = form.starts_with("Content-Type", "image/").await?;
    /// println!("<form action=\"{}\" method=\"post\" enctype=\"multipart/form-data\">", form.url());
    /// for (name, value) in form.fields() {
    ///     println!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
    /// }
    /// println!("<input name=\"Content-Type\"><input type=\"file\" name=\"file\"></form>");
    /// # Ok(()) }
    /// ```
    ///
    /// [POST Object](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html)
    pub fn post_policy(&self) -> PostPolicy {
        PostPolicy {
            bucket: self.clone(),
            expires: USUAL,
            key: None,
            length: None,
            conditions: Vec::new(),
        }
    }
}

/// What the key of a stored object has to be.
#[derive(Clone)]
enum Key {
    Exact(String),
    Prefix(String),
}

#[derive(Clone)]
enum Condition {
    Exact(String, String),
    Prefix(String, String, Option<String>),
}

/// A request for a form; made by [`Bucket::post_policy`]. Nothing is sent to the store for it: what may have to be
/// waited for are credentials. It is signed as the client was told
/// ([`S3Builder::signature`](crate::S3Builder::signature)) or has learnt from the answers to its requests, since a form
/// cannot find out what the store takes. At a host of which nothing is known yet no form is made.
///
/// Servers refuse a form with a field that no condition names, so each field that the page or the user adds needs
/// one, [`starts_with`](Self::starts_with) with an empty prefix at least.
#[must_use = "there is no form until this is awaited"]
#[derive(Clone)]
pub struct PostPolicy {
    bucket: Bucket,
    expires: Duration,
    key: Option<Key>,
    length: Option<(u64, u64)>,
    conditions: Vec<Condition>,
}

impl PostPolicy {
    /// The one key that may be stored. A policy needs this or [`key_starts_with`](Self::key_starts_with).
    ///
    /// Servers put the name of the user's file in place of `${filename}`, so that a key with that in it is refused
    /// by its own policy.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(Key::Exact(key.into()));
        self
    }

    /// Any key with this prefix may be stored; the form's own is the prefix with the name of the user's file.
    pub fn key_starts_with(mut self, prefix: impl Into<String>) -> Self {
        self.key = Some(Key::Prefix(prefix.into()));
        self
    }

    /// How long the form works: at least a second. Defaults to 1 h.
    #[doc(alias = "expires_in")]
    pub fn expires(mut self, after: Duration) -> Self {
        self.expires = after;
        self
    }

    /// The fewest and the most bytes of the file. Defaults to what the store takes.
    pub fn content_length_range(mut self, min: u64, max: u64) -> Self {
        self.length = Some((min, max));
        self
    }

    /// The media type that the object gets.
    pub fn content_type(self, value: impl Into<String>) -> Self {
        self.exact("Content-Type", value)
    }

    /// The [canned access control list](https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl)
    /// that the object gets, for example `public-read`.
    pub fn acl(self, value: impl Into<String>) -> Self {
        self.exact("acl", value)
    }

    /// An entry of the user's metadata that the object gets; a name without `x-amz-meta-`.
    pub fn metadata(self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.exact(format!("x-amz-meta-{}", name.as_ref()), value)
    }

    /// Where the browser is sent afterwards.
    pub fn success_redirect(self, url: impl Into<String>) -> Self {
        self.exact("success_action_redirect", url)
    }

    /// The status of the answer: 200, 201 (with a document that names the object) or 204. Defaults to 204.
    pub fn success_status(self, status: u16) -> Self {
        self.exact("success_action_status", status.to_string())
    }

    /// A field that the form has, with this value.
    pub fn exact(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.conditions
            .push(Condition::Exact(field.into(), value.into()));
        self
    }

    /// A field that the user or the page adds, with a value that begins with this; an empty prefix allows all.
    pub fn starts_with(mut self, field: impl Into<String>, prefix: impl Into<String>) -> Self {
        self.conditions
            .push(Condition::Prefix(field.into(), prefix.into(), None));
        self
    }

    /// A field that the form has with this value, which the page may change as long as it begins with the prefix.
    pub fn starts_with_value(
        mut self,
        field: impl Into<String>,
        prefix: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        let condition = Condition::Prefix(field.into(), prefix.into(), Some(value.into()));
        self.conditions.push(condition);
        self
    }

    /// Makes the form and signs its policy, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when it has no key, when a limit is broken, when the client is
    /// anonymous, when no signature was said and none was learnt, or when the endpoint is a unix socket; [`Kind::Credentials`](crate::Kind::Credentials) when there
    /// are none.
    pub async fn send(self) -> Result<PostForm> {
        if self.expires < Duration::from_secs(1) {
            return Err(Error::invalid(format!(
                "a form that expires after {:?} is not valid for a second",
                self.expires
            )));
        }
        let client = self.bucket.client();
        let wire = UnsignedRequest::bucket_root(Method::Post, &self.bucket)?;
        let (wire, signer) = client.placed(wire)?;
        let url = format!("{}{}", url(wire.origin())?, wire.path());
        let (credentials, now) = client.signing().await?;
        let expires = now
            .checked_add(self.expires)
            .ok_or_else(|| Error::invalid("a form cannot expire after the end of the calendar"))?;
        let policy = self.policy(expires)?;
        let fields = match signer {
            Signer::Anonymous => {
                return Err(Error::invalid(
                    "an anonymous client has nothing to sign a form with",
                ));
            }
            Signer::V2 => policy.build().sign(&credentials),
            Signer::V4(scope) => v4::policy::sign(policy, &scope, &credentials, now),
        };
        Ok(PostForm {
            url,
            fields,
            expires,
        })
    }

    fn policy(self, expires: SystemTime) -> Result<Builder> {
        let policy = Policy::builder()
            .expires(expires)
            .bucket(self.bucket.name());
        let mut policy = match self.key {
            Some(Key::Exact(key)) => {
                limits::key(&key)?;
                policy.key(key)
            }
            Some(Key::Prefix(prefix)) if prefix.is_empty() => policy.key_starts_with(prefix),
            Some(Key::Prefix(prefix)) => {
                limits::key(&prefix)?;
                policy.key_starts_with(prefix)
            }
            None => {
                return Err(Error::invalid(
                    "the form has no key: give it one, or a prefix of one",
                ));
            }
        };
        for condition in self.conditions {
            policy = match condition {
                Condition::Exact(field, value) => policy.exact(field, value),
                Condition::Prefix(field, prefix, None) => policy.starts_with(field, prefix),
                Condition::Prefix(field, prefix, Some(value)) => {
                    policy.starts_with_value(field, prefix, value)
                }
            };
        }
        match self.length {
            None => Ok(policy),
            Some((min, max)) if min <= max && min <= limits::MAX_PUT => {
                Ok(policy.content_length_range(min, max))
            }
            Some((min, max)) => Err(Error::invalid(format!(
                "no file has {min} to {max} bytes, up to the limit of {}",
                limits::MAX_PUT
            ))),
        }
    }
}

awaitable!(PostPolicy, PostForm);

impl fmt::Debug for PostPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostPolicy")
            .field("bucket", &self.bucket)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// A form that carries its own signature.
#[derive(Clone, PartialEq, Eq)]
pub struct PostForm {
    url: String,
    fields: Vec<(String, String)>,
    expires: SystemTime,
}

impl PostForm {
    /// The name of the field for the file, which must be the last one: servers ignore what comes after it.
    pub const FILE_FIELD: &'static str = Policy::FILE_FIELD;

    /// Where the form is posted to, as `multipart/form-data`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The fields of the form, names and values, in the order to send them; the file goes last. Whoever has them
    /// may use them: keep them out of logs.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// From when on it does not work any more, by the server's clock.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }
}

impl fmt::Debug for PostForm {
    /// Leaves out the values of fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("PostForm")
            .field("url", &self.url)
            .field("fields", &names)
            .field("expires", &self.expires)
            .finish()
    }
}
