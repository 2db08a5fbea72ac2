//! Links that carry their own signature.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_core::awaitable;
use aws_core::{Error, Result, http_date, v4};
use aws_sigv2::s3;
use pipeline_pool::{Method, Origin};

use crate::bucket::Bucket;
use crate::limits;
use crate::sign::Signer;
use crate::unsigned::{Field, UnsignedRequest};

/// How long a link or a form works unless told otherwise: one hour.
pub(crate) const USUAL: Duration = Duration::from_secs(3600);

impl Bucket {
    /// A link that anyone may fetch this object with.
    ///
    /// [Presigned URLs](https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html)
    pub fn presign_get(&self, key: impl Into<String>) -> Presign {
        Presign::new(self.clone(), Method::Get, key.into())
    }

    /// A link that anyone may ask what is known of this object with.
    ///
    /// [Presigned URLs](https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html)
    pub fn presign_head(&self, key: impl Into<String>) -> Presign {
        Presign::new(self.clone(), Method::Head, key.into())
    }

    /// A link that anyone may store this object with, by the method PUT.
    ///
    /// [Presigned URLs](https://docs.aws.amazon.com/AmazonS3/latest/userguide/PresignedUrlUploadObject.html)
    pub fn presign_put(&self, key: impl Into<String>) -> Presign {
        Presign::new(self.clone(), Method::Put, key.into())
    }

    /// A link that anyone may remove this object with, by the method DELETE.
    ///
    /// [Presigned URLs](https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html)
    pub fn presign_delete(&self, key: impl Into<String>) -> Presign {
        Presign::new(self.clone(), Method::Delete, key.into())
    }
}

/// A request for a link; made by [`Bucket::presign_get`] and its like. Nothing is sent to the store for it: what
/// may have to be waited for are credentials.
///
/// The link works as long as its time and the credentials do. It is signed as the client was told
/// ([`S3Builder::signature`](crate::S3Builder::signature)) or has learnt from the answers to its requests: a link cannot
/// find out what the store takes. At a host of which nothing is known yet no link is made. Browsers take `.` and `..` between slashes as steps of a path, so that keys
/// with these cannot be reached by links in them.
#[must_use = "there is no link until this is awaited"]
#[derive(Clone)]
pub struct Presign {
    bucket: Bucket,
    method: Method,
    key: String,
    expires: Duration,
    query: Vec<(Cow<'static, str>, String)>,
    fields: Vec<Field>,
    /// The first setting that no link can have.
    wrong: Option<Error>,
}

impl Presign {
    fn new(bucket: Bucket, method: Method, key: String) -> Self {
        Self {
            bucket,
            method,
            key,
            expires: USUAL,
            query: Vec::new(),
            fields: Vec::new(),
            wrong: None,
        }
    }

    /// How long the link works, in whole seconds: at least 1 s, with Version 4 at most 7 days. Defaults to 1 h.
    #[doc(alias = "expires_in")]
    pub fn expires(mut self, after: Duration) -> Self {
        self.expires = after;
        self
    }

    /// The media type that the user of the link has to send. Defaults to any.
    pub fn content_type(self, value: impl Into<String>) -> Self {
        self.header("content-type", value)
    }

    /// The MD5 digest, in base64, of the one body that may be stored by the link. Defaults to any.
    pub fn content_md5(self, value: impl Into<String>) -> Self {
        self.header("content-md5", value)
    }

    /// An entry of the user's metadata, a name without `x-amz-meta-`, that the user of the link has to send.
    pub fn metadata(self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        let name = format!("x-amz-meta-{}", name.as_ref());
        self.header(name, value)
    }

    /// A header field that the user of the link has to send with this value. Version 2 signs `content-type`,
    /// `content-md5` and `x-amz-…`; Version 4 signs all.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into().to_ascii_lowercase();
        self.fields.retain(|(other, _)| *other != name);
        self.fields.push((Cow::Owned(name), value.into()));
        self
    }

    /// The version of the object. Defaults to the latest.
    pub fn version_id(self, id: impl Into<String>) -> Self {
        self.parameter("versionId", id.into())
    }

    /// The media type that the answer to GET says, in place of the object's own.
    pub fn response_content_type(self, value: impl Into<String>) -> Self {
        self.parameter("response-content-type", value.into())
    }

    /// Under which name browsers save what GET answers, in place of the object's own.
    pub fn response_content_disposition(self, value: impl Into<String>) -> Self {
        self.parameter("response-content-disposition", value.into())
    }

    /// How browsers and proxies may keep what GET answers, in place of the object's own.
    pub fn response_cache_control(self, value: impl Into<String>) -> Self {
        self.parameter("response-cache-control", value.into())
    }

    /// How the answer to GET says that the body is compressed, in place of the object's own.
    pub fn response_content_encoding(self, value: impl Into<String>) -> Self {
        self.parameter("response-content-encoding", value.into())
    }

    /// In which language the answer to GET says that the body is, in place of the object's own.
    pub fn response_content_language(self, value: impl Into<String>) -> Self {
        self.parameter("response-content-language", value.into())
    }

    /// Until when proxies may keep what GET answers, in place of the object's own; in the years 1970 to 9999.
    pub fn response_expires(mut self, at: SystemTime) -> Self {
        if let Err(error) = limits::time("response-expires", at) {
            self.wrong.get_or_insert(error);
            return self;
        }
        self.parameter("response-expires", http_date(at).as_ref().to_owned())
    }

    /// Any other parameter of the query, for example `uploadId`. Version 2 signs those that it
    /// [knows](crate::settings::SubResources), Version 4 all.
    pub fn query(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameter(name.into(), value.into())
    }

    fn parameter(mut self, name: impl Into<Cow<'static, str>>, value: String) -> Self {
        let name = name.into();
        self.query.retain(|(other, _)| *other != name);
        self.query.push((name, value));
        self
    }

    /// Makes the link and signs it, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken, when the client is anonymous, when no signature
    /// was said and none was learnt, or when the endpoint is a unix socket, which no link can name;
    /// [`Kind::Credentials`](crate::Kind::Credentials) when there are none.
    pub async fn send(self) -> Result<Link> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        let seconds = self.expires.as_secs();
        if seconds == 0 {
            return Err(Error::invalid(format!(
                "a link that expires after {:?} is not valid for a second",
                self.expires
            )));
        }
        for (name, value) in &self.fields {
            limits::link_field(name, value)?;
        }
        for (name, value) in &self.query {
            match &**name {
                "versionId" => limits::version(value)?,
                name => limits::parameter(name, value)?,
            }
        }
        let client = self.bucket.client();
        let wire = UnsignedRequest::object(self.method, &self.bucket, &self.key)?;
        let (wire, signer) = client.placed(wire)?;
        let base = url(wire.origin())?;
        let (path, mut query) = (wire.path(), String::new());
        for (name, value) in &self.query {
            if !query.is_empty() {
                query.push('&');
            }
            aws_sigv2::escape::push_component(&mut query, name);
            query.push('=');
            aws_sigv2::escape::push_component(&mut query, value);
        }
        let (credentials, now) = client.signing().await?;
        let fields = self.fields.iter().map(|(n, v)| (&**n, v.as_str()));
        let (signed, until) = match signer {
            Signer::Anonymous => {
                return Err(Error::invalid(
                    "an anonymous client has nothing to sign a link with",
                ));
            }
            Signer::V2 => {
                let until = unix(now).saturating_add(seconds);
                let request = s3::S3Request {
                    method: self.method.as_str(),
                    bucket: wire.bucket_of_host(),
                    path: &path,
                    query: &query,
                    headers: fields,
                };
                let signed = request.sub_resources(client.sub_resources());
                (signed.presign(&credentials, until), until)
            }
            Signer::V4(scope) => {
                let host = std::iter::once(("host", wire.origin().authority()));
                let request = v4::Request {
                    method: self.method.as_str(),
                    path: &path,
                    query: &query,
                    headers: host.chain(fields),
                    payload: v4::Payload::Unsigned,
                };
                let signed = request.presign(&scope, &credentials, now, self.expires)?;
                (signed, unix(now) + seconds)
            }
        };
        Ok(Link {
            url: format!("{base}{path}?{signed}"),
            path_end: base.len() + path.len(),
            method: self.method,
            fields: self.fields,
            expires: UNIX_EPOCH + Duration::from_secs(until.min(LAST)),
        })
    }
}

/// The end of the calendar's four digits.
const LAST: u64 = 253_402_300_799;

awaitable!(Presign, Link);

impl fmt::Debug for Presign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presign")
            .field("bucket", &self.bucket)
            .field("method", &self.method)
            .field("key", &self.key)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// A link that carries its own signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    url: String,
    path_end: usize,
    method: Method,
    fields: Vec<Field>,
    expires: SystemTime,
}

impl Link {
    /// The whole link. Whoever has it may use it: keep it out of logs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The whole link, owned.
    pub fn into_url(self) -> String {
        self.url
    }

    /// The method that it works with, for example `GET`.
    pub fn method(&self) -> &'static str {
        self.method.as_str()
    }

    /// The header fields that have to be sent with it, names in lowercase.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(n, v)| (&**n, v.as_str()))
    }

    /// From when on it does not work any more, by the server's clock. That of temporary credentials may come
    /// before.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }
}

impl fmt::Debug for Link {
    /// Leaves out the query, which has the signature, and the values of fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("method", &self.method)
            .field("url", &format_args!("{}?**", &self.url[..self.path_end]))
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The start of a link to this server.
pub(crate) fn url(origin: &Origin) -> Result<String> {
    if origin.unix_path().is_some() {
        return Err(Error::invalid(format!("no link can name {origin}")));
    }
    Ok(origin.to_string())
}
