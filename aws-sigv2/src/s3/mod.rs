//! The S3 scheme: HMAC-SHA1 over the verb, some headers and the resource.
//!
//! What is signed, line by line
//! ([Signing and authenticating REST requests](https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html)):
//!
//! ```text
//! PUT                                     the method
//! 4gJE4saaMU4BqNR0kLY+lw==                Content-MD5, or empty
//! image/jpeg                              Content-Type, or empty
//! Tue, 27 Mar 2007 21:15:45 +0000         Date; empty beside x-amz-date; the expiry in a link
//! x-amz-acl:public-read                   every x-amz- header
//! /johnsmith/photos/puppy.jpg?acl         bucket, path as sent, sub-resources
//! ```
//!
//! The rules, where servers were compared to settle what the page leaves open:
//!
//! - `x-amz-` header names count in any case and are sorted in lowercase. Values lose surrounding blanks, a
//!   folded value is unfolded with one space, blanks inside a line stay, and repeated headers are joined with
//!   `,` in the order sent.
//! - The `Date` slot is empty when an `x-amz-date` header is there. Send one of the two: MinIO signs `Date`
//!   beside `x-amz-date`, the others do not.
//! - The path is signed exactly as sent, escapes and doubled slashes included. An empty path is `/`.
//! - In virtual-host style the bucket is signed as it stands in the `Host` header. Write that in lowercase: Amazon
//!   takes the host in lowercase, Ceph RGW and MinIO as sent.
//! - Sub-resources and response overrides ([`SubResources`]) are sorted by name and signed unescaped, `+`
//!   as a space, because that is how every server reads them. `?acl` and `?acl=` both sign as `?acl`.
//! - Everything else in the query is not signed.
//!
//! Ceph RGW 16 was tried with each of these rules and takes them, but for four kinds of request that it never
//! verifies, whoever signs: a repeated `x-amz-` header (it sees one value; send one header with the values
//! joined by `,`), an `_` in the name of an `x-amz-` header (it reads `-`), a sub-resource given twice, and a
//! link that carries `x-amz-` parameters besides `x-amz-` headers that sort after them.

mod authorization;
mod sub_resources;
mod text;

use std::fmt;

use crate::credentials::Credentials;
use crate::escape;
use crate::mac::{Gathered, SHA1_CHARS};

pub use authorization::{Authorization, SECURITY_TOKEN};
pub use sub_resources::{Server, SubResources};
use text::{Decimal, Text};

/// A request as it goes on the wire.
///
/// `H` is anything that can be walked more than once and yields header names and values: an array or a slice
/// iterator of `(&str, &str)`, or a mapped iterator over the header map of some HTTP library. Only the
/// headers that are signed matter (`x-amz-*`, `Content-MD5`, `Content-Type`, `Date`), but all may be given.
///
/// ```
/// use aws_sigv2::{Credentials, s3};
///
/// let headers = [("Content-Type".to_string(), "text/plain".to_string())];
/// let request = s3::S3Request {
///     method: "PUT",
///     bucket: None,
///     path: "/johnsmith/notes%20of%20today",
///     query: "",
///     headers: headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
/// };
/// let credentials = Credentials::new("AKID", "secret");
/// assert_eq!(request.string_to_sign(&credentials), "PUT\n\ntext/plain\n\n/johnsmith/notes%20of%20today");
/// ```
#[derive(Clone, Copy)]
pub struct S3Request<'a, H> {
    /// The HTTP method, in uppercase.
    pub method: &'a str,
    /// The bucket as the `Host` header carries it (in lowercase), for virtual-host style. `None` for path
    /// style, where `path` already begins with the bucket.
    pub bucket: Option<&'a str>,
    /// The path as sent: percent-encoded, beginning with `/`. See [`escape::path`].
    pub path: &'a str,
    /// The query as sent, without the `?`; may be empty.
    pub query: &'a str,
    /// The headers as sent.
    pub headers: H,
}

/// The same type under a shorter name, for code that names it by its module.
#[doc(hidden)]
pub use self::S3Request as Request;

impl<H> fmt::Debug for S3Request<'_, H> {
    /// Leaves out headers and query: both can hold session tokens and encryption keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Request")
            .field("method", &self.method)
            .field("bucket", &self.bucket)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl<'a, H> S3Request<'a, H>
where
    H: Clone + IntoIterator<Item = (&'a str, &'a str)>,
{
    /// The text that [`sign`](Self::sign) signs, with the `x-amz-security-token` line of the credentials
    /// unless the headers hold that header.
    ///
    /// Sub-resource values that are not UTF-8 once unescaped are signed byte by byte and shown here with
    /// replacement characters.
    #[must_use]
    pub fn string_to_sign(&self, credentials: &Credentials) -> String {
        self.sub_resources(SubResources::base())
            .string_to_sign(credentials)
    }

    /// Signs the request for the `Authorization` header.
    ///
    /// Give the headers a `Date` or an `x-amz-date` ([`date::http`](crate::date::http)): servers refuse a
    /// request without one, and one that is more than 15 minutes off.
    pub fn sign<'c>(&self, credentials: &'c Credentials) -> Authorization<'c> {
        self.sub_resources(SubResources::base()).sign(credentials)
    }

    /// Signs the request as a link that anyone may use until `expires_unix`, in seconds since 1970, and
    /// returns the whole query to send.
    ///
    /// That is the query of the request, then `AWSAccessKeyId`, `Expires`, `x-amz-security-token` if the
    /// credentials are temporary, and `Signature`; earlier values of these four are dropped, so a link can
    /// be signed again.
    ///
    /// Whoever uses the link must send the `Content-MD5`, `Content-Type` and `x-amz-` headers that were
    /// given here, and no others of these. Parameters of the query that begin with `x-amz-` are signed as if
    /// they were headers: Amazon S3 takes all of them that way, Ceph RGW `x-amz-meta-` and the token, others
    /// none. A `Date` header is not signed.
    ///
    /// MinIO refuses a link with a parameter that has no `=`: write `acl=` for it.
    #[must_use]
    pub fn presign(&self, credentials: &Credentials, expires_unix: u64) -> String {
        self.sub_resources(SubResources::base())
            .presign(credentials, expires_unix)
    }

    /// The text that [`presign`](Self::presign) signs.
    #[must_use]
    pub fn presign_string_to_sign(&self, credentials: &Credentials, expires_unix: u64) -> String {
        self.sub_resources(SubResources::base())
            .presign_string_to_sign(credentials, expires_unix)
    }

    /// Signs with the sub-resources of this endpoint in place of the base list.
    ///
    /// ```
    /// use aws_sigv2::{Credentials, s3::{S3Request, SubResources}};
    ///
    /// let list = SubResources::BASE.with("encryption");
    /// let request = S3Request { method: "GET", bucket: None, path: "/b/", query: "encryption", headers: [] };
    /// let credentials = Credentials::new("AKID", "secret");
    /// assert_eq!(request.string_to_sign(&credentials), "GET\n\n\n\n/b/");
    /// assert_eq!(request.sub_resources(&list).string_to_sign(&credentials), "GET\n\n\n\n/b/?encryption");
    /// ```
    pub fn sub_resources<'r>(&'r self, list: &'r SubResources) -> Signer<'r, 'a, H> {
        Signer {
            request: self,
            list,
        }
    }
}

/// A [`S3Request`] together with the sub-resources that its server signs; see [`S3Request::sub_resources`].
#[must_use]
pub struct Signer<'r, 'a, H> {
    request: &'r S3Request<'a, H>,
    list: &'r SubResources,
}

impl<H> fmt::Debug for Signer<'_, '_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("request", self.request)
            .field("list", self.list)
            .finish()
    }
}

impl<'a, H> Signer<'_, 'a, H>
where
    H: Clone + IntoIterator<Item = (&'a str, &'a str)>,
{
    /// See [`S3Request::string_to_sign`].
    #[must_use]
    pub fn string_to_sign(&self, credentials: &Credentials) -> String {
        self.text(credentials, None).readable()
    }

    /// See [`S3Request::sign`].
    pub fn sign<'c>(&self, credentials: &'c Credentials) -> Authorization<'c> {
        let text = self.text(credentials, None);
        let mut gathered = Gathered::new(credentials.hmac_sha1());
        text.write(&mut gathered);
        let signature = gathered.into_feed().finish_base64();
        Authorization::new(credentials.access_key(), signature, text.added_token())
    }

    /// See [`S3Request::presign`].
    #[must_use]
    pub fn presign(&self, credentials: &Credentials, expires_unix: u64) -> String {
        let text = self.text(credentials, Some(expires_unix));
        let mut feed = credentials.hmac_sha1();
        text.write(&mut feed);
        let token = text.added_token();

        let fixed =
            "&AWSAccessKeyId=&Expires=18446744073709551615&x-amz-security-token=&Signature=".len();
        let variable = self.request.query.len() + token.map_or(0, escape::component_len);
        // A base64 signature escapes to at most 3 characters for each of its own.
        let escaped = escape::component_len(credentials.access_key()) + 3 * SHA1_CHARS;
        let mut query = String::with_capacity(fixed + variable + escaped);
        for piece in self
            .request
            .query
            .split('&')
            .filter(|piece| !piece.is_empty())
        {
            let name = piece.split_once('=').map_or(piece, |(name, _)| name);
            if !is_link_parameter(name) {
                query.push_str(piece);
                query.push('&');
            }
        }
        query.push_str("AWSAccessKeyId=");
        escape::push_component(&mut query, credentials.access_key());
        query.push_str("&Expires=");
        query.push_str(Decimal::of(expires_unix).as_str());
        if let Some(token) = token {
            query.push_str("&x-amz-security-token=");
            escape::push_component(&mut query, token);
        }
        query.push_str("&Signature=");
        escape::push_component(&mut query, feed.finish_base64().as_str());
        query
    }

    /// See [`S3Request::presign_string_to_sign`].
    #[must_use]
    pub fn presign_string_to_sign(&self, credentials: &Credentials, expires_unix: u64) -> String {
        self.text(credentials, Some(expires_unix)).readable()
    }

    #[inline(always)]
    fn text<'s, 'c>(
        &'s self,
        credentials: &'c Credentials,
        expires: Option<u64>,
    ) -> Text<'s, 'a, 'c, H> {
        Text::new(
            self.request,
            self.list,
            credentials.session_token(),
            expires,
        )
    }
}

/// Whether a query parameter is one that [`S3Request::presign`] writes.
fn is_link_parameter(name: &str) -> bool {
    matches!(name, "AWSAccessKeyId" | "Expires" | "Signature")
        || name.eq_ignore_ascii_case(SECURITY_TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_headers_and_query() {
        let request = S3Request {
            method: "GET",
            bucket: Some("photos"),
            path: "/cat",
            query: "x-amz-security-token=fleeting",
            headers: [("x-amz-server-side-encryption-customer-key", "secret")],
        };
        assert_eq!(
            format!("{request:?}"),
            r#"S3Request { method: "GET", bucket: Some("photos"), path: "/cat", .. }"#
        );
        let list = SubResources::of(Server::AwsPage);
        let signer = request.sub_resources(&list);
        assert_eq!(
            format!("{signer:?}"),
            format!("Signer {{ request: {request:?}, list: {list:?} }}")
        );
    }
}
