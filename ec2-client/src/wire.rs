//! A request as it goes on the wire, but for its time and signature.

use std::borrow::Cow;
use std::sync::Arc;

use aws_core::operation::Attempt;
use aws_core::v4::{self, Payload, Scope};
use aws_core::{Class, ErrorBody, Overrides, Result, Service};
use aws_sigv2::{date, escape, query};
use pipeline_pool::{Head, Method, Origin, Request};

use crate::client::Ec2Client;
use crate::signature::Signer;

/// The newest version of the API, which has not changed since.
const VERSION: &str = "2016-11-15";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// The service.
#[derive(Debug)]
pub(crate) struct Ec2 {
    pub(crate) signer: Signer,
}

impl Service for Ec2 {
    const REQUEST_ID: Option<&'static str> = Some("requestId");
    const NAME: &'static str = "EC2";
    type Destination = Origin;

    fn signature(&self, _: Option<&Arc<str>>) -> &'static str {
        match self.signer {
            Signer::V4(_) => "V4",
            Signer::V2 => "V2",
        }
    }

    fn learn(&self, _: Option<&Arc<str>>, _: &Head, error: &mut ErrorBody, _: u64) -> bool {
        if matches!(self.signer, Signer::V2) && error.code.as_deref() == Some("AuthFailure") {
            error.add_hint(
                "(the request was signed by Version 2, which regions opened after January 2014 refuse: \
                 use Signature::V4)",
            );
        }
        false
    }

    /// EC2 says `AuthFailure` of keys that are wrong and of dates that are, so that the clock is looked at before it is
    /// reported; the SDKs do the same.
    fn class(&self, _: u16, code: Option<&str>) -> Option<Class> {
        match code? {
            "AuthFailure" => Some(Class::Skewed),
            "EC2ThrottledException" => Some(Class::Throttled),
            _ => None,
        }
    }
}

/// The action and its parameters.
pub(crate) struct UnsignedRequest {
    origin: Origin,
    /// The endpoint's path, and a slash.
    path: String,
    params: Vec<(Cow<'static, str>, String)>,
    options: Overrides,
}

impl UnsignedRequest {
    pub(crate) fn new(client: &Ec2Client, action: &'static str, options: Overrides) -> Self {
        let mut wire = Self {
            origin: client.endpoint().origin().clone(),
            path: format!("{}/", client.endpoint().path()),
            params: Vec::with_capacity(8),
            options,
        };
        wire.param("Action", action);
        wire.param("Version", VERSION);
        wire
    }

    pub(crate) fn param(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.params.push((name.into(), value.into()));
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn overrides(&self) -> &Overrides {
        &self.options
    }

    pub(crate) fn request(&self, service: &Ec2, attempt: &Attempt<'_>) -> Result<Request> {
        match &service.signer {
            Signer::V4(scope) => self.request_v4(scope, attempt),
            Signer::V2 => self.request_v2(attempt),
        }
    }

    fn request_v2(&self, attempt: &Attempt<'_>) -> Result<Request> {
        let time = date::iso8601(attempt.now());
        let params: Vec<(&str, &str)> = self.params.iter().map(|(n, v)| (&**n, &**v)).collect();
        let signed = query::QueryRequest {
            method: Method::Post.as_str(),
            host: self.origin.authority(),
            path: &self.path,
            params: &params,
            time: query::Time::Timestamp(time.as_ref()),
        };
        let form = signed.sign(attempt.credentials(), query::Algorithm::HmacSha256);
        let mut request = Request::new(Method::Post, &self.origin, &self.path)?;
        for (name, value) in fields(attempt) {
            request.header(name, value)?;
        }
        request.body(form);
        Ok(request)
    }

    fn request_v4(&self, scope: &Scope, attempt: &Attempt<'_>) -> Result<Request> {
        let mut form = String::with_capacity(256);
        for (name, value) in &self.params {
            if !form.is_empty() {
                form.push('&');
            }
            escape::push_component(&mut form, name);
            form.push('=');
            escape::push_component(&mut form, value);
        }
        let fields = fields(attempt);
        let host = std::iter::once(("host", self.origin.authority()));
        let signed = v4::Request {
            method: Method::Post.as_str(),
            path: &self.path,
            query: "",
            headers: host.chain(fields.iter().copied()),
            payload: Payload::Bytes(form.as_bytes()),
        };
        let authorization = signed.sign(scope, attempt.credentials(), attempt.now());
        let mut request = Request::new(Method::Post, &self.origin, &self.path)?;
        for (name, value) in fields {
            request.header(name, value)?;
        }
        for (name, value) in authorization.headers() {
            request.header(name, value)?;
        }
        request.body(form);
        Ok(request)
    }
}

/// The fields of a request: what its caller and hooks add, and what they leave out.
fn fields<'a>(attempt: &Attempt<'a>) -> Vec<(&'a str, &'a str)> {
    let added = attempt.headers().iter();
    let mut fields: Vec<_> = added.map(|(n, v)| (n.as_str(), v.as_str())).collect();
    if !fields.iter().any(|(name, _)| *name == "content-type") {
        fields.push(("content-type", FORM));
    }
    fields
}
