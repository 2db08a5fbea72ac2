//! The S3 half.
//!
//! ```text
//! request ─► auth: Version 2 to its end, of Version 4 what the engine leaves open
//!            ├─► gate: the engine's own check of Version 4 ─┐
//!            └─► (Version 2, or no signature) ──────────────┴─► front: rules before and after the engine
//!                                                               └─► the engine: access, then an operation
//! ```
//!
//! The engine is the s3s crate over a store in memory.

mod access;
mod acl;
mod archive;
mod attributes;
pub(crate) mod auth;
mod checksums;
mod conditions;
mod config;
mod copy;
mod cors;
mod defaults;
mod delete;
pub(crate) mod error;
mod form;
mod front;
mod gate;
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

use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, S3ConfigProvider};
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result};

use self::access::actions::{self, Needs};
use self::access::{Caller, Target};
use self::auth::{Checker, Left, Verified};
use self::front::{Front, RequestId};
use self::schema::Node;
use self::store::Store;
use crate::accounts::Accounts;
use crate::encode;
use crate::faults::Faults;
use crate::users::Users;

/// Answers S3 requests.
pub(crate) struct S3Half {
    checker: Checker,
    gate: S3Service,
    front: Arc<Front>,
}

impl S3Half {
    pub(crate) fn new(checker: Checker, accounts: Accounts, part_min: u64, faults: Faults) -> Self {
        let store = Arc::new(Store::new(part_min, accounts));
        let keys = || {
            let mut keys = SimpleAuth::new();
            for (access_key, user) in checker.users.iter() {
                keys.register(access_key.to_owned(), user.secret.as_str().into());
            }
            keys
        };
        let config = Arc::new(Clock(faults));
        let mut builder = S3ServiceBuilder::new(service::Engine(Arc::clone(&store)));
        builder.set_auth(keys());
        builder.set_access(Access {
            store: Arc::clone(&store),
            users: checker.users.clone(),
        });
        builder.set_route(config::Route {
            store: Arc::clone(&store),
            domain: checker.domain.clone(),
        });
        builder.set_config(Arc::clone(&config) as Arc<dyn S3ConfigProvider>);
        if let Some(domain) = &checker.domain {
            builder.set_host(host::Hosts(domain.clone()));
        }
        let front = Arc::new(Front {
            engine: builder.build(),
            store,
            domain: checker.domain.clone(),
        });
        let gate = gate::gate(
            Arc::clone(&front),
            checker.users.clone(),
            keys(),
            config,
            checker.domain.clone(),
        );
        Self {
            checker,
            gate,
            front,
        }
    }

    /// The answer, and whether the front refused the request.
    pub(crate) async fn call(
        &self,
        request: Request<Body>,
        request_id: &str,
        now: SystemTime,
    ) -> (Response<Body>, bool) {
        let (parts, body) = request.into_parts();
        let cross = cors::Asked::of(&parts).map(|asked| (asked, self.cors_of(&parts)));
        let preflight = parts.method == Method::OPTIONS;
        let (mut response, refused) = if preflight {
            let answer = match (cors::malformed(&parts), &cross) {
                (None, Some((asked, rules))) => asked.preflight(rules.as_ref()),
                (refusal, _) => {
                    Err(refusal.unwrap_or_else(|| error::Refusal::denied("Access Denied")))
                }
            };
            let answer = answer.map(|_| Response::new(Body::empty()));
            (
                answer.unwrap_or_else(|refusal| refusal.into_response(request_id)),
                false,
            )
        } else {
            self.answer(parts, body, request_id, now).await
        };
        finish(&mut response, request_id);
        if let Some((asked, rules)) = cross {
            asked.add_to(response.headers_mut(), rules.as_ref());
        }
        (response, refused)
    }

    /// What the bucket of a request lets browsers of other sites do.
    fn cors_of(&self, parts: &Parts) -> Option<Node> {
        let host = parts.headers.get(hyper::header::HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let bucket = host::bucket(self.checker.domain.as_deref(), host);
        let bucket = bucket.or_else(|| {
            let path = parts.uri.path().trim_start_matches('/');
            Some(path.split('/').next()?.to_owned())
        })?;
        let bucket = self.front.store.bucket(&bucket).ok()?;
        Node::parse(&bucket.configs.get("cors")?)
    }

    async fn answer(
        &self,
        mut parts: Parts,
        body: Body,
        request_id: &str,
        now: SystemTime,
    ) -> (Response<Body>, bool) {
        let left = match self.checker.check(&mut parts, now) {
            Ok(left) => left,
            Err(refusal) => return (refusal.into_response(request_id), true),
        };
        parts.extensions.insert(RequestId(request_id.to_owned()));
        let body = match form::boundary(&parts) {
            None => body,
            // The engine checks the signature of a form itself, since it is in the body.
            Some(boundary) => {
                match form::complete(&mut parts, body, &boundary, &self.checker).await {
                    Ok(body) => body,
                    Err(refusal) => return (refusal.into_response(request_id), true),
                }
            }
        };
        if left == Left::Nothing {
            let mut response = self.front.call(parts, body).await;
            form::judged(&mut response);
            return (response, false);
        }
        let answered = self.gate.call(Request::from_parts(parts, body)).await;
        let response = answered.unwrap_or_else(|_| {
            let message = "We encountered an internal error. Please try again.";
            let status = hyper::StatusCode::INTERNAL_SERVER_ERROR;
            error::Refusal::new(status, "InternalError", message).into_response(request_id)
        });
        (response, false)
    }
}

/// Puts another text in the place of a body.
fn replace_body(response: &mut Response<Body>, text: String) {
    if let Some(length) = response.headers_mut().get_mut(CONTENT_LENGTH) {
        *length = text.len().into();
    }
    *response.body_mut() = Body::from(text);
}

/// Gives every document what the engine leaves out: references in place of carriage returns, which readers of XML
/// take for line feeds, and in errors the number of the request.
fn finish(response: &mut Response<Body>, request_id: &str) {
    let kind = response.headers().get(CONTENT_TYPE);
    let is_xml = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/xml"));
    let Some(text) = response
        .body()
        .bytes()
        .filter(|text| is_xml && !text.is_empty())
    else {
        return;
    };
    let Ok(text) = std::str::from_utf8(&text) else {
        return;
    };
    let lacks_id = !response.status().is_success()
        && text.ends_with("</Error>")
        && !text.contains("<RequestId>");
    if !lacks_id && !text.contains('\r') {
        return;
    }
    let mut text = text.replace('\r', "&#13;");
    if lacks_id {
        text.truncate(text.len() - "</Error>".len());
        crate::xml::element(&mut text, "RequestId", request_id);
        text.push_str("</Error>");
    }
    replace_body(response, text);
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

/// Lets in who may do what is asked.
struct Access {
    store: Arc<Store>,
    users: Users,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let verified = cx.extensions_mut().get::<Verified>();
        let account = verified.map(|verified| Arc::clone(&verified.0));
        let by_form = || {
            let user = self.users.get(&cx.credentials()?.access_key)?;
            Some(Arc::clone(&user.account))
        };
        let caller = Caller(account.or_else(by_form));
        cx.extensions_mut().insert(caller.clone());
        let (bucket, key) = match cx.s3_path() {
            S3Path::Root => ("", None),
            S3Path::Bucket { bucket } => (&**bucket, None),
            S3Path::Object { bucket, key } => (&**bucket, Some(&**key)),
        };
        let query = encode::form_pairs(cx.uri().query().unwrap_or_default().as_bytes());
        let version = query.iter().find(|(name, _)| name == b"versionId");
        let version = version.and_then(|(_, id)| std::str::from_utf8(id).ok());
        let operation = cx.s3_op().name();
        let (action, needs) = actions::of_operation(operation, version.is_some());
        if needs == Needs::Account {
            return caller.0.map(|_| ()).ok_or_else(access::denied);
        }
        let request = access::Request {
            caller: &caller,
            headers: cx.headers(),
            query: cx.uri().query(),
        };
        let target = Target {
            bucket,
            key,
            version,
        };
        request.check(&self.store, (action, needs), target)?;
        let source = access::copy_source(cx.headers());
        let source = source.filter(|_| operation == "CopyObject" || operation == "UploadPartCopy");
        let source_bucket = source.as_ref().map(|(bucket, ..)| bucket.as_str());
        access::check_expected(&self.store, cx.headers(), bucket, source_bucket)?;
        if let Some((bucket, key, version)) = &source {
            let of_version = version.is_some();
            let needs = actions::of_operation("GetObject", of_version);
            let target = Target {
                bucket,
                key: Some(key),
                version: version.as_deref(),
            };
            request.check(&self.store, needs, target)?;
        }
        Ok(())
    }
}
