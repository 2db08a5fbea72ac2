//! The EC2 half: DescribeInstances over a table of instances, and the metadata service of one of them.
//!
//! See the [API reference](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html). Everything
//! else is `InvalidAction`, but DescribeAddresses, which some clients ask for beside, and which has none.

#[cfg(feature = "cli")]
pub(crate) mod args;
mod bucket;
mod error;
mod filter;
mod metadata;
pub(crate) mod options;
mod page;
mod params;
mod row;
pub(crate) mod table;
mod verify;
mod xml;

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response};

use self::bucket::TokenBucket;
use self::error::{Ec2Error, Ec2Result};
use self::metadata::Metadata;
use self::options::Ec2Options;
use self::params::Ec2Params;
use self::table::Ec2Table;
use self::verify::{SignedCall, Verifier};
use crate::encode::form_pairs;
use crate::users::{User, Users};

/// The newest version of the API.
const VERSION: &str = "2016-11-15";
/// The most that a form may hold, in bytes.
const FORM_MAX: usize = 4 << 20;

/// Answers requests to EC2 and to the metadata service.
#[derive(Debug)]
pub(crate) struct Ec2Half {
    verifier: Verifier,
    table: Ec2Table,
    /// One for requests with a filter or a page size, one for those without.
    buckets: Option<[Mutex<TokenBucket>; 2]>,
    metadata: Metadata,
}

/// What a fault makes of the table for one answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableView {
    /// The table before its last so many changes.
    pub(crate) changes_ago: usize,
    /// Instances that are left out.
    pub(crate) lacking: Vec<String>,
}

impl Ec2Half {
    pub(crate) fn new(
        users: Users,
        first: (String, User),
        skew: Duration,
        options: Ec2Options,
    ) -> io::Result<Self> {
        let table = Ec2Table::default();
        if let Some(path) = options.file {
            table.follow(path)?;
        }
        let buckets = options.throttle.then(|| {
            [(100, 20), (50, 10)].map(|(size, refill)| Mutex::new(TokenBucket::new(size, refill)))
        });
        Ok(Self {
            verifier: Verifier {
                users,
                skew,
                v2: !options.refuse_v2,
            },
            metadata: Metadata::new(table.clone(), first),
            table,
            buckets,
        })
    }

    pub(crate) fn table(&self) -> Ec2Table {
        self.table.clone()
    }

    /// The answer of EC2, and whether the signature check refused the request.
    pub(crate) async fn call<B>(
        &self,
        request: Request<B>,
        request_id: &str,
        now: SystemTime,
        view: &TableView,
    ) -> (Response<String>, bool)
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let (answer, refused) = match Limited::new(body, FORM_MAX).collect().await {
            Ok(body) => self.answer(&parts, &body.to_bytes(), request_id, now, view),
            Err(_) => {
                let cut = "The request was not read to its end.";
                (Err(Ec2Error::new("RequestTimeout", cut)), false)
            }
        };
        let (status, body) = match answer {
            Ok(body) => (hyper::StatusCode::OK, body),
            Err(error) => (error.status(), xml::error(&error, request_id)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("text/xml;charset=UTF-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        (response, refused)
    }

    fn answer(
        &self,
        parts: &Parts,
        body: &Bytes,
        request_id: &str,
        now: SystemTime,
        view: &TableView,
    ) -> (Ec2Result<String>, bool) {
        let query = form_pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let mut pairs = query.clone();
        pairs.extend(form_pairs(body));
        let params = Ec2Params::new(pairs);
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let call = SignedCall {
            method: parts.method.as_str(),
            host: host.unwrap_or_default(),
            path: parts.uri.path(),
            headers: &parts.headers,
            query: &query,
            body,
            params: &params,
        };
        match self.verifier.verify(&call, now) {
            Ok(()) => (self.act(&params, request_id, view), false),
            Err(error) => (Err(error), true),
        }
    }

    fn act(&self, params: &Ec2Params, request_id: &str, view: &TableView) -> Ec2Result<String> {
        let version = params
            .get("Version")
            .ok_or_else(|| Ec2Error::missing("Version"))?;
        if version.len() != VERSION.len() || !("2006"..=VERSION).contains(&version) {
            let text =
                format!("The requested version ({version}) of service AmazonEC2 does not exist");
            return Err(Ec2Error::new("NoSuchVersion", text));
        }
        let action = params
            .get("Action")
            .ok_or_else(|| Ec2Error::missing("Action"))?;
        let inside = match action {
            "DescribeInstances" => self.describe_instances(params, view)?,
            "DescribeAddresses" => "<addressesSet/>".to_owned(),
            other => {
                let text = format!("The action {other} is not valid for this web service.");
                return Err(Ec2Error::new("InvalidAction", text));
            }
        };
        Ok(xml::response(action, version, request_id, &inside))
    }

    fn describe_instances(&self, params: &Ec2Params, view: &TableView) -> Ec2Result<String> {
        let filters = params.filters()?;
        let (ids, size) = (params.list("InstanceId"), params.page_size()?);
        if let Some([bounded, unbounded]) = &self.buckets {
            let small = size.is_some() || !filters.is_empty();
            let bucket = if small { bounded } else { unbounded };
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            if !bucket.take(Instant::now()) {
                return Err(Ec2Error::new(
                    "RequestLimitExceeded",
                    "Request limit exceeded.",
                ));
            }
        }
        if size.is_some() && !ids.is_empty() {
            return Err(Ec2Error::new(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            ));
        }
        if params.get("DryRun").is_some_and(|dry| dry == "true") {
            let text = "Request would have succeeded, but DryRun flag is set.";
            return Err(Ec2Error::new("DryRunOperation", text));
        }
        let rows = self.table.rows(view.changes_ago);
        if let Some(id) = ids.iter().find(|id| !rows.contains_key(**id)) {
            let text = format!("The instance ID '{id}' does not exist");
            return Err(Ec2Error::new("InvalidInstanceID.NotFound", text));
        }
        let found = rows.values().filter(|row| {
            (ids.is_empty() || ids.contains(&&*row.id))
                && filters.iter().all(|filter| filter.accepts(row))
                && !view.lacking.contains(&row.id)
        });
        let scope = format!("{filters:?} {ids:?}");
        let page = page::cut(found, size, params.get("NextToken"), &scope)?;
        Ok(xml::instances(&page.rows, page.next.as_deref()))
    }

    /// The answer of the metadata service, and whether it refused the request.
    pub(crate) fn metadata<B>(
        &self,
        request: &Request<B>,
        now: SystemTime,
    ) -> (Response<String>, bool) {
        self.metadata.call(request, now)
    }
}

/// Whether these are parameters of a request to EC2 and not to SimpleDB, which has the same form.
pub(crate) fn is_ec2(pairs: &[(Vec<u8>, Vec<u8>)]) -> bool {
    pairs.iter().any(|(name, value)| match name.as_slice() {
        b"Action" => matches!(
            value.as_slice(),
            b"DescribeInstances" | b"DescribeAddresses"
        ),
        b"Version" => value == VERSION.as_bytes(),
        _ => false,
    })
}

/// Whether a request is signed for EC2 by Version 4.
pub(crate) fn is_signed_for_ec2<B>(request: &Request<B>) -> bool {
    let value = request.headers().get(AUTHORIZATION);
    let value = value.and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.contains("/ec2/aws4_request"))
}

/// Whether a request is for the metadata service: it has one of its fields, or is below its path and not signed.
pub(crate) fn is_metadata<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    let below = path == "/latest" || path.starts_with("/latest/");
    let headers = request.headers();
    below
        && (headers.contains_key(metadata::TOKEN)
            || headers.contains_key(metadata::TTL)
            || (!headers.contains_key(AUTHORIZATION) && request.uri().query().is_none()))
}
