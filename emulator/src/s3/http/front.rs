//! What is done with every request that was let in, before and after the engine works it: what the engine refuses
//! and S3 takes, or the other way round.

use std::sync::Arc;

use base64::prelude::*;
use http_body_util::{BodyExt, Limited};
use hyper::header::{CONTENT_LENGTH, RANGE};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use s3s::dto::Range;
use s3s::service::S3Service;
use s3s::{Body, S3Error};

use crate::encode;
use crate::s3::http::document::replace_body;
use crate::s3::http::error::Refusal;
use crate::s3::http::host;
use crate::s3::model::checksums::given::Given;
use crate::s3::model::store::Store;
use crate::s3::ops::archive;

/// The most that a multi-object delete may send: 1,000 keys, escaped, fit well.
const DELETE_BODY_MAX: usize = 8 << 20;

/// The number that a request has, for its answer.
#[derive(Clone, Debug)]
pub(in crate::s3) struct RequestId(pub(in crate::s3) String);

/// The engine that works requests, and the rules around it.
pub(in crate::s3) struct Front {
    pub(in crate::s3) engine: S3Service,
    pub(in crate::s3) store: Arc<Store>,
    pub(in crate::s3) domain: Option<String>,
}

impl Front {
    pub(in crate::s3) async fn call(&self, mut parts: Parts, body: Body) -> Response<Body> {
        let request_id = parts.extensions.get::<RequestId>().cloned();
        match self.answer(&mut parts, body).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(request_id.as_ref().map_or("", |id| &id.0)),
        }
    }

    async fn answer(&self, parts: &mut Parts, body: Body) -> Result<Response<Body>, Refusal> {
        let asked = RequestShape::of(parts, self.domain.as_deref());
        asked.check_length(parts)?;
        check_md5(parts)?;
        asked.check_encryption(parts)?;
        asked.drop_odd_range(parts);
        let body = if asked.is_multi_delete {
            checked_delete(parts, body).await?
        } else {
            body
        };
        let asks_attributes = asked.asks_attributes;
        let (head, ()) = Request::new(()).into_parts();
        let request = Request::from_parts(std::mem::replace(parts, head), body);
        let answered = self.engine.call(request).await;
        let mut response = answered.map_err(|_| {
            let message = "We encountered an internal error. Please try again.";
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
        })?;
        if response.extensions().get::<archive::Begun>().is_some() {
            *response.status_mut() = StatusCode::ACCEPTED;
        }
        if asks_attributes {
            bare_tag(&mut response);
        }
        Ok(response)
    }
}

/// What a request asks for, as far as the rules here differ.
struct RequestShape {
    is_multi_delete: bool,
    /// An object, or a part of one, whose bytes are the body.
    sends_object: bool,
    reads_object: bool,
    asks_attributes: bool,
}

impl RequestShape {
    fn of(parts: &Parts, domain: Option<&str>) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let has = |wanted: &str| {
            let mut names = query.split('&').map(|pair| pair.split('=').next());
            names.any(|name| name == Some(wanted))
        };
        let host = parts.headers.get(hyper::header::HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let path = parts.uri.path().trim_start_matches('/');
        let has_key = match host::bucket(domain, host) {
            Some(_) => !path.is_empty(),
            None => path.split_once('/').is_some_and(|(_, key)| !key.is_empty()),
        };
        let sub_resource = [
            "acl",
            "tagging",
            "retention",
            "legal-hold",
            "uploads",
            "restore",
            "attributes",
        ];
        let plain = has_key && !sub_resource.iter().any(|name| has(name));
        Self {
            is_multi_delete: parts.method == Method::POST && has("delete"),
            sends_object: plain
                && parts.method == Method::PUT
                && !parts.headers.contains_key("x-amz-copy-source"),
            reads_object: plain && matches!(parts.method, Method::GET | Method::HEAD),
            asks_attributes: has_key && parts.method == Method::GET && has("attributes"),
        }
    }

    /// Refuses an object whose length is not told before it comes.
    fn check_length(&self, parts: &Parts) -> Result<(), Refusal> {
        if !self.sends_object || parts.headers.contains_key(CONTENT_LENGTH) {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::LENGTH_REQUIRED,
            "MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        ))
    }

    /// Refuses a read that says how an object is to be encrypted.
    ///
    /// [GetObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html): "Encryption request headers,
    /// like x-amz-server-side-encryption, should not be sent for the GET requests, if your object uses server-side
    /// encryption [...]. If you include the header [...], you'll get an HTTP 400 Bad Request error."
    fn check_encryption(&self, parts: &Parts) -> Result<(), Refusal> {
        if !self.reads_object || !parts.headers.contains_key("x-amz-server-side-encryption") {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidArgument",
            "x-amz-server-side-encryption header is not supported for this operation.",
        ))
    }

    /// Takes out a range that is not one, or of more than one piece: the whole is answered as if nothing was asked.
    ///
    /// [RFC 9110, 14.2](https://www.rfc-editor.org/rfc/rfc9110.html#section-14.2): a server may ignore the field, and
    /// S3 "doesn't support retrieving multiple ranges of data per GET request".
    fn drop_odd_range(&self, parts: &mut Parts) {
        let is_odd = |text: &str| Range::parse(text).is_err();
        let range = parts.headers.get(RANGE);
        if self.reads_object && range.is_some_and(|range| range.to_str().map_or(true, is_odd)) {
            parts.headers.remove(RANGE);
        }
    }
}

/// Refuses a digest that is none, which the engine overlooks.
fn check_md5(parts: &Parts) -> Result<(), Refusal> {
    let digest = parts.headers.get("content-md5");
    if digest.is_none_or(|digest| !digest.as_bytes().trim_ascii().is_empty()) {
        return Ok(());
    }
    let message = "The Content-MD5 you specified is not valid.";
    Err(Refusal::new(
        StatusCode::BAD_REQUEST,
        "InvalidDigest",
        message,
    ))
}

/// Reads the body of a multi-object delete, which S3 does not take without a digest.
async fn checked_delete(parts: &Parts, body: Body) -> Result<Body, Refusal> {
    let bad = |code, message| Refusal::new(StatusCode::BAD_REQUEST, code, message);
    let digest = parts.headers.get("content-md5");
    let mut sums = Given::of_fields(&parts.headers);
    let trailers = parts.extensions.get::<s3s::TrailingHeaders>();
    // The hash that Version 4 signs is not one of those that the operation asks for.
    if digest.is_none() && !sums.has_value() && trailers.is_none() {
        return Err(bad(
            "InvalidRequest",
            "Missing required header for this request: Content-MD5",
        ));
    }
    let body = Limited::new(body, DELETE_BODY_MAX).collect().await;
    let body = body.map_err(|error| match error.downcast::<S3Error>() {
        Ok(error) => Refusal::of(&error),
        Err(_) => bad("MaxMessageLengthExceeded", "Your request was too big."),
    })?;
    let body = body.to_bytes();
    if let Some(digest) = digest {
        let digest = BASE64_STANDARD.decode(digest.as_bytes()).ok();
        let digest = digest.filter(|digest| digest.len() == 16).ok_or_else(|| {
            bad(
                "InvalidDigest",
                "The Content-MD5 you specified is not valid.",
            )
        })?;
        if digest != encode::md5(&body) {
            return Err(bad(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
    }
    if let Some(behind) = trailers.and_then(s3s::TrailingHeaders::take) {
        sums.trailing(&behind);
    }
    if sums.has_value() {
        sums.check(&body).map_err(|error| Refusal::of(&error))?;
    }
    Ok(Body::from(body))
}

/// Takes the quotes off the entity tag of an object's attributes, where S3 has none.
///
/// [GetObjectAttributes](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html) shows the tag
/// of its document without quotes; the engine writes all tags with them.
fn bare_tag(response: &mut Response<Body>) {
    let Some(text) = response.body().bytes() else {
        return;
    };
    let text = String::from_utf8_lossy(&text);
    let bare = text
        .replacen("<ETag>\"", "<ETag>", 1)
        .replacen("\"</ETag>", "</ETag>", 1);
    replace_body(response, bare);
}
