//! The S3 half.
//!
//! ```text
//! request ─► auth: Version 2 to its end, of Version 4 what the engine leaves open
//!            ├─► gate: the engine's own check of Version 4 ─┐
//!            └─► (Version 2, or no signature) ──────────────┴─► front: rules before and after the engine
//!                                                               └─► the engine: access, then an operation
//! ```
//!
//! The engine is the s3s crate over a store in memory, and in a folder where there is one: [`keep`].

mod access;
mod config;
pub(crate) mod http;
mod keep;
mod model;
mod ops;

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, S3ConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};

use self::access::engine::Access;
use self::config::route::Route;
use self::config::schema::Node;
use self::http::auth::{Checker, Left};
use self::http::document::finish;
use self::http::error::Refusal;
use self::http::front::{Front, RequestId};
use self::http::{cors, form, gate, host};
use self::model::store::Store;
use self::ops::service::Engine;
use crate::accounts::Accounts;
use crate::disk::DiskOptions;
use crate::faults::Faults;

/// Answers S3 requests.
pub(crate) struct S3Half {
    checker: Checker,
    gate: S3Service,
    front: Arc<Front>,
}

impl S3Half {
    pub(crate) fn new(
        checker: Checker,
        accounts: Accounts,
        part_min: u64,
        faults: Faults,
        disk: Option<&DiskOptions>,
    ) -> io::Result<Self> {
        let store = Arc::new(Store::open(part_min, accounts, disk)?);
        let keys = || {
            let mut keys = SimpleAuth::new();
            for (access_key, user) in checker.users.iter() {
                keys.register(access_key.to_owned(), user.secret.as_str().into());
            }
            keys
        };
        let config = Arc::new(Clock(faults));
        let mut builder = S3ServiceBuilder::new(Engine(Arc::clone(&store)));
        builder.set_auth(keys());
        builder.set_access(Access {
            store: Arc::clone(&store),
            users: checker.users.clone(),
        });
        builder.set_route(Route {
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
        Ok(Self {
            checker,
            gate,
            front,
        })
    }

    /// The answer, and whether the front refused the request.
    pub(crate) async fn call(
        &self,
        request: Request<Body>,
        request_id: &str,
        now: SystemTime,
    ) -> (Response<Body>, bool) {
        let (parts, body) = request.into_parts();
        let cross = cors::CorsRequest::of(&parts).map(|asked| (asked, self.cors_of(&parts)));
        let preflight = parts.method == Method::OPTIONS;
        let (mut response, refused) = if preflight {
            let answer = match (cors::malformed(&parts), &cross) {
                (None, Some((asked, rules))) => asked.preflight(rules.as_ref()),
                (refusal, _) => Err(refusal.unwrap_or_else(|| Refusal::denied("Access Denied"))),
            };
            let answer = answer.map(|_| Response::new(Body::empty()));
            (
                answer.unwrap_or_else(|refusal| refusal.into_response(request_id)),
                false,
            )
        } else {
            self.answer(parts, body, request_id, now).await
        };
        // What an answer tells of is as safe as was asked for before it goes, also what another request wrote.
        if let Err(error) = self.front.store.keeping.settle().await {
            response = Refusal::of(&error).into_response(request_id);
        }
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
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Refusal::new(status, "InternalError", message).into_response(request_id)
        });
        (response, false)
    }
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
