//! The S3 half: signatures of Version 2 are checked here, everything else is the s3s engine over
//! a store in memory.

mod acl;
mod archive;
mod attributes;
pub(crate) mod auth;
mod checksums;
mod conditions;
mod config;
mod copy;
mod delete;
pub(crate) mod error;
mod form;
mod grants;
pub(crate) mod host;
mod list;
mod list_versions;
mod lock;
mod multipart;
mod object;
mod object_settings;
mod rules;
mod schema;
mod service;
mod store;
mod versions;

use std::sync::Arc;
use std::time::SystemTime;

use base64::prelude::*;
use http_body_util::{BodyExt, Limited};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, S3ConfigProvider};
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result, s3_error};

use self::auth::{Checker, Verified};
use self::checksums::Given;
use self::error::Refusal;
use self::store::Store;
use crate::encode;
use crate::faults::Faults;

/// The account that all buckets belong to.
pub(crate) const ACCOUNT: &str = "123456789012";

/// The most that a multi-object delete may send: 1,000 keys, escaped, fit well.
const DELETE_BODY_MAX: usize = 8 << 20;

/// Answers S3 requests.
pub(crate) struct S3Half {
    checker: Checker,
    engine: S3Service,
}

impl S3Half {
    pub(crate) fn new(checker: Checker, part_min: u64, faults: Faults) -> Self {
        let store = Arc::new(Store::new(part_min));
        let mut builder = S3ServiceBuilder::new(service::Engine(Arc::clone(&store)));
        let mut keys = SimpleAuth::new();
        for (access_key, user) in checker.users.iter() {
            keys.register(access_key.to_owned(), user.secret.as_str().into());
        }
        builder.set_auth(keys);
        builder.set_access(Access(Arc::clone(&store)));
        builder.set_route(config::Route {
            store,
            domain: checker.domain.clone(),
        });
        builder.set_config(Arc::new(Clock(faults)));
        if let Some(domain) = &checker.domain {
            builder.set_host(host::Hosts(domain.clone()));
        }
        Self {
            checker,
            engine: builder.build(),
        }
    }

    /// The answer, and whether the front refused the request.
    pub(crate) async fn call(
        &self,
        request: Request<Body>,
        request_id: &str,
        now: SystemTime,
    ) -> (Response<Body>, bool) {
        let (mut parts, body) = request.into_parts();
        if let Err(refusal) = self.checker.check(&mut parts, now) {
            return (refusal.into_response(request_id), true);
        }
        let body = if let Some(boundary) = form::boundary(&parts) {
            match form::complete(&mut parts, body, &boundary, &self.checker).await {
                Ok(body) => body,
                Err(refusal) => return (refusal.into_response(request_id), true),
            }
        } else if is_multi_delete(&parts) {
            match checked_delete(&parts, body).await {
                Ok(body) => body,
                Err(refusal) => return (refusal.into_response(request_id), false),
            }
        } else {
            body
        };
        let answered = self.engine.call(Request::from_parts(parts, body)).await;
        let mut response = answered.unwrap_or_else(|_| {
            let message = "We encountered an internal error. Please try again.";
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
                .into_response(request_id)
        });
        if response.extensions().get::<archive::Begun>().is_some() {
            *response.status_mut() = StatusCode::ACCEPTED;
        }
        (response, false)
    }
}

fn is_multi_delete(parts: &Parts) -> bool {
    parts.method == Method::POST
        && parts
            .uri
            .query()
            .is_some_and(|query| query.split('&').any(|p| p == "delete" || p == "delete="))
}

/// Reads the body of a multi-object delete, which S3 does not take without a digest.
async fn checked_delete(parts: &Parts, body: Body) -> Result<Body, Refusal> {
    let bad = |code, message| Refusal::new(StatusCode::BAD_REQUEST, code, message);
    let digest = parts.headers.get("content-md5");
    let sums = Given::of_fields(&parts.headers);
    // The hash that Version 4 signs is not one of those that the operation asks for.
    let behind = parts.headers.contains_key("x-amz-trailer");
    if digest.is_none() && !sums.has_value() && !behind {
        return Err(bad(
            "InvalidRequest",
            "Missing required header for this request: Content-MD5",
        ));
    }
    let body = Limited::new(body, DELETE_BODY_MAX)
        .collect()
        .await
        .map_err(|_| bad("MaxMessageLengthExceeded", "Your request was too big."))?
        .to_bytes();
    if let Some(digest) = digest {
        let digest = BASE64_STANDARD
            .decode(digest.as_bytes())
            .ok()
            .filter(|digest| digest.len() == 16)
            .ok_or_else(|| {
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
    if sums.has_value() && !behind {
        sums.check(&body)
            .map_err(|_| bad("BadDigest", "The checksum you specified did not match."))?;
    }
    Ok(Body::from(body))
}

/// Has the engine, which looks at the machine's clock, take dates that fit the emulator's.
struct Clock(Faults);

impl S3ConfigProvider for Clock {
    fn snapshot(&self) -> Arc<S3Config> {
        let mut config = S3Config::default();
        let off = self.0.clock_ahead().unsigned_abs();
        let most = &mut config.presigned_url_max_skew_time_secs;
        *most = most.saturating_add(u32::try_from(off).unwrap_or(u32::MAX));
        Arc::new(config)
    }
}

/// Lets in what either half of the signature check has let in, and everybody to what everybody may read.
struct Access(Arc<Store>);

impl Access {
    fn is_for_everybody(&self, cx: &S3AccessContext<'_>) -> bool {
        let S3Path::Object { bucket, key } = cx.s3_path() else {
            return false;
        };
        let query = encode::form_pairs(cx.uri().query().unwrap_or_default().as_bytes());
        let version = query.iter().find(|(name, _)| name == b"versionId");
        let version = version.and_then(|(_, id)| std::str::from_utf8(id).ok());
        matches!(cx.s3_op().name(), "GetObject" | "HeadObject")
            && self
                .0
                .find(bucket, key, version)
                .is_ok_and(|(object, _)| grants::let_everybody_read(&object.headers))
    }
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let verified = cx.extensions_mut().get::<Verified>().is_some();
        if !(verified || cx.credentials().is_some() || self.is_for_everybody(cx)) {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let bucket = cx.s3_path().get_bucket_name();
        match bucket.filter(|bucket| self.0.bucket(bucket).is_ok()) {
            Some(_) => check_owner(cx.headers()),
            None => Ok(()),
        }
    }
}

/// Refuses what is meant for the buckets of another account.
///
/// [Verifying bucket ownership](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html)
fn check_owner(headers: &HeaderMap) -> S3Result<()> {
    let expected = [
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
    ];
    let mut expected = expected.iter().filter_map(|name| headers.get(*name));
    if expected.all(|account| account == ACCOUNT) {
        return Ok(());
    }
    Err(s3_error!(AccessDenied, "Access Denied"))
}
