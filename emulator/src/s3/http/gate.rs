//! Has signatures of Version 4 checked by the engine before anything else looks at a request.
//!
//! The engine that checks does nothing else: what it lets through is taken off it by a route for everything, with
//! the chunks of its body already put together, and goes on like a request whose Version 2 signature was right.

use std::sync::Arc;

use hyper::http::Extensions;
use hyper::http::uri::PathAndQuery;
use hyper::{HeaderMap, Method, Request, Uri};
use s3s::auth::SimpleAuth;
use s3s::config::S3ConfigProvider;
use s3s::route::S3Route;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Request, S3Response, S3Result, s3_error};

use crate::encode;
use crate::s3::http::auth::Verified;
use crate::s3::http::front::Front;
use crate::s3::http::host;
use crate::s3::model::error::denied;
use crate::users::Users;

/// The parameters of a signed link, which have done their work once it is checked.
const SIGNATURE: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];

/// No operation is ever asked of it.
struct Nothing;

impl s3s::S3 for Nothing {}

/// The engine that checks, in front of `front`.
pub(in crate::s3) fn gate(
    front: Arc<Front>,
    users: Users,
    keys: SimpleAuth,
    config: Arc<dyn S3ConfigProvider>,
    domain: Option<String>,
) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Nothing);
    builder.set_auth(keys);
    builder.set_config(config);
    builder.set_route(Through { front, users });
    if let Some(domain) = domain {
        builder.set_host(host::Hosts(domain));
    }
    builder.build()
}

/// Takes what was let through.
struct Through {
    front: Arc<Front>,
    users: Users,
}

#[async_trait::async_trait]
impl S3Route for Through {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, _: &mut Extensions) -> bool {
        true
    }

    async fn check_access(&self, _: &mut S3Request<Body>) -> S3Result<()> {
        Ok(())
    }

    async fn call(&self, mut request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let access_key = request.credentials.take().map(|keys| keys.access_key);
        let user = access_key.and_then(|access_key| self.users.get(&access_key));
        let user = user.ok_or_else(denied)?;
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = request.method;
        parts.headers = request.headers;
        parts.uri = unsigned(&request.uri, &mut parts.headers)
            .ok_or_else(|| s3_error!(InvalidURI, "Couldn't parse the specified URI."))?;
        parts.extensions = request.extensions;
        for name in ["authorization", "x-amz-decoded-content-length"] {
            parts.headers.remove(name);
        }
        parts.extensions.insert(Verified(Arc::clone(&user.account)));
        if let Some(trailers) = request.trailing_headers {
            parts.extensions.insert(trailers);
        }
        let answer = self.front.call(parts, request.input).await;
        let (head, body) = answer.into_parts();
        let mut response = S3Response::with_status(body, head.status);
        response.headers = head.headers;
        response.extensions = head.extensions;
        Ok(response)
    }
}

/// The address without the signature of a link; the header fields that it carries become such.
fn unsigned(uri: &Uri, headers: &mut HeaderMap) -> Option<Uri> {
    let query = uri.query().unwrap_or_default();
    if !query.contains("X-Amz-Signature=") {
        return Some(uri.clone());
    }
    let mut kept = Vec::new();
    for pair in query.split('&') {
        let Some((name, value)) = encode::form_pairs(pair.as_bytes()).pop() else {
            continue;
        };
        let name = String::from_utf8(name).ok()?;
        if SIGNATURE.contains(&name.as_str()) {
            continue;
        }
        if name.to_ascii_lowercase().starts_with("x-amz-") {
            let name = hyper::header::HeaderName::try_from(name).ok()?;
            let value = hyper::header::HeaderValue::try_from(value).ok()?;
            headers.entry(name).or_insert(value);
            continue;
        }
        kept.push(pair);
    }
    let mut target = uri.path().to_owned();
    if !kept.is_empty() {
        target.push('?');
        target.push_str(&kept.join("&"));
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checked_link_loses_its_signature() {
        let uri = Uri::from_static(
            "/b/k?X-Amz-Algorithm=A&X-Amz-Signature=s&versionId=a%2Fb&X-Amz-Acl=private&acl",
        );
        let mut headers = HeaderMap::new();
        let bare = unsigned(&uri, &mut headers).unwrap();
        assert_eq!(bare, "/b/k?versionId=a%2Fb&acl");
        assert_eq!(headers["x-amz-acl"], "private");
        let plain = Uri::from_static("/b/k?versionId=1");
        assert_eq!(unsigned(&plain, &mut headers), Some(plain));
    }
}
