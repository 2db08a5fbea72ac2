//! Where a service is.

use std::fmt;
use std::sync::Arc;

use pipeline_pool::Origin;

use crate::error::{Error, Result};
use crate::shared_config::domains;

/// The address of a service: a server, and the path below which the service is there.
///
/// One [`Origin`] is the source of the connection, of the `Host` header and of what is signed of it. The path stands in
/// front of every request's own, and is signed with it: both versions of signatures are over the path as it is sent
/// ([Version 2](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html#ConstructingTheCanonicalizedResourceElement),
/// [Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)). A gateway
/// that takes the path away has to tell the store of it, as Supabase's does by `X-Forwarded-Prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    origin: Origin,
    /// Empty, or from a slash on without one at the end.
    path: Arc<str>,
}

impl Endpoint {
    /// Reads `http://host[:port][/path]` or `https://host[:port][/path]`. The path is as it is sent, with what is not
    /// allowed there percent-encoded; slashes at its end do not count.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid), with a sentence that says what is wrong.
    pub fn parse(url: &str) -> Result<Self> {
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let path_at = url[after_scheme..]
            .find(['/', '?', '#'])
            .map(|at| at + after_scheme);
        let (server, path) = url.split_at(path_at.unwrap_or(url.len()));
        let path = path.trim_end_matches('/');
        let origin = Origin::parse(server).map_err(|e| Error::invalid(e.detail()))?;
        if let Some(why) = bad_path(path) {
            // What is behind a question mark may be a token, and is not shown.
            return Err(Error::invalid(format!("bad endpoint at {origin}: {why}")));
        }
        if origin.is_tls() && cfg!(not(feature = "tls")) {
            return Err(Error::invalid(format!(
                "{origin}: https needs the feature tls"
            )));
        }
        Ok(Self {
            origin,
            path: path.into(),
        })
    }

    /// The service at this origin.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            path: "".into(),
        }
    }

    /// The server that the endpoint names.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What stands in front of the path of each request, such as `/storage/v1/s3`, percent-encoded and without a slash at
    /// its end; empty where the service has the server to itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the host is one of Amazon's.
    pub fn is_amazon(&self) -> bool {
        let host = self.origin.host();
        domains().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

/// As a URL, such as `https://h/storage/v1/s3`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// What is wrong with the path of an endpoint.
fn bad_path(path: &str) -> Option<&'static str> {
    // RFC 3986, 3.3: unreserved, sub-delims, ':', '@', and percent-encoded octets.
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&b);
    if path.contains(['?', '#']) {
        return Some("it must end after the path, without a query");
    }
    if !path.bytes().all(legal) {
        return Some("the path has a character that must be percent-encoded");
    }
    let hex = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_hexdigit());
    let mut octets = path.split('%').skip(1).map(str::bytes);
    if !octets.all(|mut after| hex(after.next()) && hex(after.next())) {
        return Some("the path has a % that is not followed by two hexadecimal digits");
    }
    if path.split('/').any(|step| step == "." || step == "..") {
        return Some("the path has a step . or ..");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazon_is_told_by_the_whole_of_a_domain() {
        for (url, amazon) in [
            ("http://amazonaws.com", true),
            ("http://sts.eu-west-1.amazonaws.com", true),
            ("http://sts.cn-north-1.amazonaws.com.cn:81", true),
            ("http://s3.eusc-de-east-1.amazonaws.eu", true),
            ("http://s3.us-iso-east-1.c2s.ic.gov", true),
            ("http://sdb.eu-west-1.api.aws", true),
            ("http://notamazonaws.com", false),
            ("http://amazonaws.com.evil.example", false),
            ("http://127.0.0.1:9000", false),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().is_amazon(), amazon, "{url}");
        }
    }

    #[test]
    fn a_path_stands_in_front() {
        for (url, authority, path) in [
            ("http://h", "h", ""),
            ("http://h/", "h", ""),
            ("http://h:81//", "h:81", ""),
            ("http://h/storage/v1/s3", "h", "/storage/v1/s3"),
            ("http://h:81/a%20b/", "h:81", "/a%20b"),
            ("http://[::1]:9/x", "[::1]:9", "/x"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            let found = (endpoint.origin().authority(), endpoint.path());
            assert_eq!(found, (authority, path), "{url}");
            assert_eq!(endpoint.to_string(), format!("http://{authority}{path}"));
        }
    }

    #[test]
    fn a_bad_address_is_refused_with_a_sentence() {
        for url in [
            "",
            "host:80",
            "ftp://h",
            "http://",
            "http://h?x",
            "http://h/?x",
            "http://h/a#b",
            "http://h/a b",
            "http://h/caf\u{e9}",
            "http://h/%2",
            "http://h/%zz",
            "http://h/../x",
            "http://h:99999",
        ] {
            let error = Endpoint::parse(url).expect_err(url);
            assert_eq!(error.kind(), crate::Kind::Invalid);
            assert!(error.to_string().contains("endpoint"), "{error}");
        }
    }

    #[test]
    fn what_may_be_a_token_is_not_shown() {
        for url in [
            "http://h/a?X-Amz-Signature=hidden",
            "http://h?hidden",
            "http://a:hidden@h/b",
        ] {
            let error = Endpoint::parse(url).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hidden"), "{shown}");
        }
    }
}
