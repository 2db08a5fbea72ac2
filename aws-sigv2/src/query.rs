//! The Query API's scheme: HMAC over all parameters, sorted.
//!
//! SimpleDB accepts nothing else, and older EC2-style services take it
//! ([Signature Version 2 signing process](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/HMACAuth.html)).
//! What is signed:
//!
//! ```text
//! POST                                    the method
//! sdb.amazonaws.com                       the Host header in lowercase, port included if it is there
//! /                                       the path; empty is /
//! AWSAccessKeyId=AKID&Action=...          the parameters, escaped, sorted
//! ```
//!
//! Parameters are sorted by the bytes of their names before escaping, and by value where a name repeats. They
//! are escaped by RFC 3986 (a space is `%20`, `~` stays). The same text is what has to be sent, followed by
//! the signature: as the query of a `GET` or the form body of a `POST`.
//!
//! ```
//! use aws_sigv2::{Credentials, query::{Algorithm, QueryRequest, Time}};
//!
//! let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
//! let request = QueryRequest {
//!     method: "GET",
//!     host: "elasticmapreduce.amazonaws.com",
//!     path: "/",
//!     params: &[("Action", "DescribeJobFlows"), ("Version", "2009-03-31")],
//!     time: Time::Timestamp("2011-10-03T15:19:30"),
//! };
//! assert!(request.sign(&credentials, Algorithm::HmacSha256).ends_with(
//!     "&Signature=i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf%2FMj6vPxyYIs%3D",
//! ));
//! ```

use std::fmt;

use crate::canonical::List;
use crate::credentials::Credentials;
use crate::escape;
use crate::mac::{SHA256_CHARS, Sink};

/// The hash under the HMAC, sent as `SignatureMethod`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `HmacSHA256`, the one that SimpleDB asks for.
    #[default]
    HmacSha256,
    /// `HmacSHA1`, for servers that know nothing else.
    HmacSha1,
}

impl Algorithm {
    /// The value of the `SignatureMethod` parameter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "HmacSHA256",
            Self::HmacSha1 => "HmacSHA1",
        }
    }
}

/// When a request was made, or until when it is good. ISO 8601 in UTC:
/// [`date::iso8601`](crate::date::iso8601).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Time<'a> {
    /// The time of signing. Services refuse what is older than 15 minutes.
    Timestamp(&'a str),
    /// The time after which the request is refused, for a request to be sent later.
    Expires(&'a str),
}

/// A request of the Query API.
#[derive(Clone, Copy)]
pub struct QueryRequest<'a> {
    /// The HTTP method, in uppercase: `GET` or `POST`.
    pub method: &'a str,
    /// The host exactly as in the `Host` header, in any case, with the port if the header has one.
    pub host: &'a str,
    /// The path as sent, `/` for most services.
    pub path: &'a str,
    /// The parameters of the action, unescaped and in any order.
    ///
    /// The parameters of the signature itself are dropped from it (`AWSAccessKeyId`, `Expires`,
    /// `SecurityToken`, `Signature`, `SignatureMethod`, `SignatureVersion`, `Timestamp`), so that what was
    /// signed once can be signed again.
    pub params: &'a [(&'a str, &'a str)],
    /// The time to send.
    pub time: Time<'a>,
}

/// The same type under a shorter name, for code that names it by its module.
#[doc(hidden)]
pub use self::QueryRequest as Request;

impl fmt::Debug for QueryRequest<'_> {
    /// Shows the names of the parameters and not their values, which are the caller's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct ParamNames<'a>(&'a [(&'a str, &'a str)]);
        impl fmt::Debug for ParamNames<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list()
                    .entries(self.0.iter().map(|(name, _)| name))
                    .finish()
            }
        }
        f.debug_struct("QueryRequest")
            .field("method", &self.method)
            .field("host", &self.host)
            .field("path", &self.path)
            .field("params", &ParamNames(self.params))
            .field("time", &self.time)
            .finish()
    }
}

impl QueryRequest<'_> {
    /// The text that [`sign`](Self::sign) signs.
    #[must_use]
    pub fn string_to_sign(&self, c: &Credentials, a: Algorithm) -> String {
        let mut text = Vec::new();
        self.put_head(&mut text);
        let mut text = String::from_utf8(text).unwrap_or_default();
        self.push_params(&mut text, c, a);
        text
    }

    /// Signs the request and returns what to send, as the query string or as the body of an
    /// `application/x-www-form-urlencoded` form: the escaped, sorted parameters, those of the signature
    /// among them, and last the `Signature`.
    #[must_use]
    pub fn sign(&self, c: &Credentials, a: Algorithm) -> String {
        let mut out = String::new();
        self.push_params(&mut out, c, a);
        let signature = match a {
            Algorithm::HmacSha256 => {
                let mut feed = c.hmac_sha256();
                self.put_head(&mut feed);
                feed.put(out.as_bytes());
                feed.finish_base64()
            }
            Algorithm::HmacSha1 => {
                let mut feed = c.hmac_sha1();
                self.put_head(&mut feed);
                feed.put(out.as_bytes());
                feed.finish_base64()
            }
        };
        out.push_str("&Signature=");
        escape::push_component(&mut out, signature.as_str());
        out
    }

    fn put_head<S: Sink>(&self, out: &mut S) {
        out.put(self.method.as_bytes());
        out.put_byte(b'\n');
        out.put_lower(self.host);
        out.put_byte(b'\n');
        if !self.path.starts_with('/') {
            out.put_byte(b'/');
        }
        out.put(self.path.as_bytes());
        out.put_byte(b'\n');
    }

    fn push_params(&self, out: &mut String, c: &Credentials, a: Algorithm) {
        let mut all = List::new();
        all.push(("AWSAccessKeyId", c.access_key()));
        all.push(("SignatureMethod", a.name()));
        all.push(("SignatureVersion", "2"));
        all.push(match self.time {
            Time::Timestamp(time) => ("Timestamp", time),
            Time::Expires(time) => ("Expires", time),
        });
        if let Some(token) = c.session_token() {
            all.push(("SecurityToken", token));
        }
        for &(name, value) in self
            .params
            .iter()
            .filter(|(name, _)| !is_of_signature(name))
        {
            all.push((name, value));
        }
        all.sort_by(Ord::cmp);

        let length = |(name, value): &(&str, &str)| {
            escape::component_len(name) + escape::component_len(value) + 2
        };
        let signature = "&Signature=".len() + 3 * SHA256_CHARS;
        out.reserve(all.as_slice().iter().map(length).sum::<usize>() + signature);
        for (i, (name, value)) in all.as_slice().iter().enumerate() {
            if i > 0 {
                out.push('&');
            }
            escape::push_component(out, name);
            out.push('=');
            escape::push_component(out, value);
        }
    }
}

fn is_of_signature(name: &str) -> bool {
    matches!(
        name,
        "AWSAccessKeyId"
            | "Expires"
            | "SecurityToken"
            | "Signature"
            | "SignatureMethod"
            | "SignatureVersion"
            | "Timestamp"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_values() {
        let request = QueryRequest {
            method: "POST",
            host: "sdb.amazonaws.com",
            path: "/",
            params: &[("Action", "Select"), ("SelectExpression", "private")],
            time: Time::Timestamp("2009-04-15T00:00:00Z"),
        };
        let text = format!("{request:?}");
        assert!(
            text.contains("SelectExpression") && !text.contains("private"),
            "{text}"
        );
    }

    #[test]
    fn signing_allocates_the_output_once() {
        let credentials = Credentials::new("AKID", "hush").with_token("a/b+c==");
        let request = QueryRequest {
            method: "POST",
            host: "sdb.amazonaws.com",
            path: "/",
            params: &[("Attribute.1.Value", "é ~/"), ("Action", "PutAttributes")],
            time: Time::Timestamp("2009-04-15T00:00:00Z"),
        };
        let mut out = String::new();
        request.push_params(&mut out, &credentials, Algorithm::HmacSha256);
        let reserved = out.capacity();
        assert!(request.sign(&credentials, Algorithm::HmacSha256).len() <= reserved);
    }
}
