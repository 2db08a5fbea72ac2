//! The SimpleDB half: the Query protocol over a store in memory.
//!
//! See the [API reference](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_Operations.html).

mod error;
mod params;
mod select;
mod store;
mod token;
mod verify;
mod xml;

use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Limited};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use s3s::Body;

use self::error::{Error, Result};
use self::params::{Params, Values, checked, domain_name};
use self::store::{Domains, Item};
use self::verify::{Target, verify};
use crate::clock;
use crate::encode::{form_pairs, hex, md5};
use crate::users::Users;
use crate::xml::element;

/// The most that a form may hold, in bytes; a full batch, escaped, fits.
const FORM_MAX: usize = 2 << 20;
const API_VERSION: &str = "2009-04-15";

/// Answers SimpleDB requests.
#[derive(Debug)]
pub(crate) struct SdbHalf {
    users: Users,
    skew: Duration,
    domains: Domains,
}

/// What an action answers: the inside of its result, if it has one, and its price.
struct Answer {
    result: Option<String>,
    box_usage: f64,
}

impl SdbHalf {
    pub(crate) fn new(users: Users, skew: Duration) -> Self {
        Self {
            users,
            skew,
            domains: Domains::default(),
        }
    }

    /// The answer, and whether the signature check refused the request.
    pub(crate) async fn call(
        &self,
        request: Request<Body>,
        serial: u64,
        now: SystemTime,
    ) -> (Response<Body>, bool) {
        let request_id = request_id(serial);
        let (answer, refused) = match read(request).await {
            Ok((call, params)) => {
                let verified = verify(&self.users, self.skew, call.target(), &params, now);
                match verified {
                    Ok(()) => (self.act(&params), false),
                    Err(error) => (Err(error), true),
                }
            }
            Err(error) => (Err(error), false),
        };
        let (status, body) = match answer {
            Ok((action, answer)) => {
                let result = answer.result.as_deref();
                let body = xml::response(action, result, &request_id, answer.box_usage);
                (hyper::StatusCode::OK, body)
            }
            Err(error) => {
                let body = xml::error(&error, &request_id, PRICE_ERROR);
                (error.status(), body)
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("text/xml");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        (response, refused)
    }

    fn act(&self, params: &Params) -> Result<(&'static str, Answer)> {
        let action = params
            .get("Action")?
            .filter(|action| !action.is_empty())
            .ok_or_else(|| {
                Error::new("MissingAction", "No action was supplied with this request.")
            })?;
        let version = params.require("Version")?;
        if version != API_VERSION {
            return Err(Error::new(
                "NoSuchVersion",
                format!(
                    "The requested version ({version}) of service AmazonSimpleDB does not exist."
                ),
            ));
        }
        Ok(match action {
            "CreateDomain" => ("CreateDomain", self.create_domain(params)?),
            "DeleteDomain" => ("DeleteDomain", self.delete_domain(params)?),
            "ListDomains" => ("ListDomains", self.list_domains(params)?),
            "DomainMetadata" => ("DomainMetadata", self.domain_metadata(params)?),
            "PutAttributes" => ("PutAttributes", self.put(params)?),
            "BatchPutAttributes" => ("BatchPutAttributes", self.batch_put(params)?),
            "GetAttributes" => ("GetAttributes", self.get(params)?),
            "DeleteAttributes" => ("DeleteAttributes", self.delete(params)?),
            "BatchDeleteAttributes" => ("BatchDeleteAttributes", self.batch_delete(params)?),
            "Select" => ("Select", self.select(params)?),
            other => {
                return Err(Error::new(
                    "InvalidAction",
                    format!("The action {other} is not valid for this web service."),
                ));
            }
        })
    }

    fn create_domain(&self, params: &Params) -> Result<Answer> {
        self.domains
            .create(domain_name(params.require("DomainName")?)?)?;
        Ok(Answer::empty(PRICE_DOMAIN))
    }

    fn delete_domain(&self, params: &Params) -> Result<Answer> {
        self.domains
            .delete(domain_name(params.require("DomainName")?)?);
        Ok(Answer::empty(PRICE_DOMAIN))
    }

    fn list_domains(&self, params: &Params) -> Result<Answer> {
        let max = params.number("MaxNumberOfDomains", 1, 100)?.unwrap_or(100);
        let after = match params.get("NextToken")? {
            Some(token) => token::read(token, "ListDomains")?,
            None => Vec::new(),
        };
        let after = after.first().map_or("", String::as_str);
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let (names, more) = self.domains.list(after, max);
        let mut out = String::new();
        for name in &names {
            element(&mut out, "DomainName", name);
        }
        if let Some(last) = names.last().filter(|_| more) {
            element(&mut out, "NextToken", &token::write("ListDomains", &[last]));
        }
        Ok(Answer::of(out, PRICE_LIST))
    }

    fn domain_metadata(&self, params: &Params) -> Result<Answer> {
        let metadata = self.domain(params)?.metadata();
        let mut out = String::new();
        for (name, count) in [
            ("ItemCount", metadata.items),
            ("ItemNamesSizeBytes", metadata.item_bytes),
            ("AttributeNameCount", metadata.names),
            ("AttributeNamesSizeBytes", metadata.name_bytes),
            ("AttributeValueCount", metadata.values),
            ("AttributeValuesSizeBytes", metadata.value_bytes),
        ] {
            element(&mut out, name, &count.to_string());
        }
        let now = clock::unix(SystemTime::now());
        element(&mut out, "Timestamp", &now.to_string());
        Ok(Answer::of(out, PRICE_LIST))
    }

    fn domain(&self, params: &Params) -> Result<std::sync::Arc<store::Domain>> {
        self.domains
            .get(domain_name(params.require("DomainName")?)?)
    }

    fn put(&self, params: &Params) -> Result<Answer> {
        let domain = self.domain(params)?;
        let item = item_name(params)?;
        let changes = params.attributes("", Values::Required)?;
        domain.put(item, &changes, params.expected()?.as_ref())?;
        Ok(Answer::empty(price_write(changes.len())))
    }

    fn batch_put(&self, params: &Params) -> Result<Answer> {
        let domain = self.domain(params)?;
        let batch = params.items(Values::Required)?;
        domain.put_all(&batch)?;
        let pairs = batch.iter().map(|(_, changes)| changes.len());
        Ok(Answer::empty(pairs.map(price_write).sum()))
    }

    fn get(&self, params: &Params) -> Result<Answer> {
        params.flag("ConsistentRead")?;
        let domain = self.domain(params)?;
        let item = item_name(params)?;
        let names = params.list("AttributeName")?;
        if names.len() > 256 {
            return Err(Error::new(
                "TooManyRequestedAttributes",
                "Too many attributes requested.",
            ));
        }
        let mut out = String::new();
        let mut pairs = 0;
        if let Some(item) = domain.read().get(item) {
            let wanted = |name: &str| names.is_empty() || names.contains(&name);
            pairs = write_item(&mut out, item, wanted);
        }
        Ok(Answer::of(out, price_read(pairs)))
    }

    fn delete(&self, params: &Params) -> Result<Answer> {
        let domain = self.domain(params)?;
        let item = item_name(params)?;
        let changes = params.attributes("", Values::Optional)?;
        domain.delete(item, &changes, params.expected()?.as_ref())?;
        Ok(Answer::empty(price_write(changes.len())))
    }

    fn batch_delete(&self, params: &Params) -> Result<Answer> {
        let domain = self.domain(params)?;
        let batch = params.items(Values::Optional)?;
        domain.delete_all(&batch)?;
        let pairs = batch.iter().map(|(_, changes)| changes.len());
        Ok(Answer::empty(pairs.map(price_write).sum()))
    }

    fn select(&self, params: &Params) -> Result<Answer> {
        params.flag("ConsistentRead")?;
        let expression = params.require("SelectExpression")?;
        let query = select::parse::parse(expression)?;
        let domain = self.domains.get(&query.domain)?;
        let after = params
            .get("NextToken")?
            .map(|token| token::read(token, expression))
            .transpose()?;
        let page = select::eval::run(&query, &domain.read(), after)?;
        let mut out = page.body;
        if let Some(last) = &page.next {
            let parts: Vec<&str> = last.iter().map(String::as_str).collect();
            element(&mut out, "NextToken", &token::write(expression, &parts));
        }
        Ok(Answer::of(out, price_select(page.items)))
    }
}

impl Answer {
    fn empty(box_usage: f64) -> Self {
        Self {
            result: None,
            box_usage,
        }
    }

    fn of(result: String, box_usage: f64) -> Self {
        Self {
            result: Some(result),
            box_usage,
        }
    }
}

fn item_name(params: &Params) -> Result<&str> {
    checked(params.require("ItemName")?, "ItemName")
}

/// Appends the attributes that are wanted, and counts their pairs.
fn write_item(out: &mut String, item: &Item, wanted: impl Fn(&str) -> bool) -> usize {
    let mut pairs = 0;
    for (name, values) in item.iter().filter(|(name, _)| wanted(name)) {
        for value in values {
            xml::attribute(out, name, value);
            pairs += 1;
        }
    }
    pairs
}

// Machine hours in the order of those that Amazon charges; only their use is real, not their sum.
const PRICE_DOMAIN: f64 = 0.005_559_027_8;
const PRICE_LIST: f64 = 0.000_007_175_9;
const PRICE_ERROR: f64 = 0.000_021_990_7;

fn price_write(pairs: usize) -> f64 {
    0.000_021_990_7 + 0.000_000_000_2 * (pairs as f64).powi(3)
}

fn price_read(pairs: usize) -> f64 {
    0.000_009_320_2 + 0.000_000_002 * (pairs as f64).powi(2)
}

fn price_select(items: usize) -> f64 {
    0.000_014_000_0 + 0.000_000_08 * items as f64
}

fn request_id(serial: u64) -> String {
    let id = hex(&md5(&serial.to_le_bytes()));
    let mut out = String::with_capacity(36);
    for (index, digit) in id.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}

/// The parts of a request that stay when its parameters are taken out.
struct Call {
    method: Method,
    host: String,
    path: String,
}

impl Call {
    fn target(&self) -> Target<'_> {
        Target {
            method: self.method.as_str(),
            host: &self.host,
            path: &self.path,
        }
    }
}

async fn read(request: Request<Body>) -> Result<(Call, Params)> {
    let (parts, body) = request.into_parts();
    let mut pairs = form_pairs(parts.uri.query().unwrap_or_default().as_bytes());
    if parts.method == Method::POST {
        let body = Limited::new(body, FORM_MAX)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    Error::new(
                        "RequestEntityTooLarge",
                        "The request is larger than the service accepts.",
                    )
                } else {
                    Error::new("RequestTimeout", "The request was not read to its end.")
                }
            })?;
        pairs.extend(form_pairs(&body.to_bytes()));
    }
    let host = parts.headers.get(HOST).map(HeaderValue::as_bytes);
    let call = Call {
        method: parts.method,
        host: String::from_utf8_lossy(host.unwrap_or_default()).into_owned(),
        path: parts.uri.path().to_owned(),
    };
    Ok((call, Params(pairs)))
}
