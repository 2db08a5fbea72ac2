//! Errors that are answered before the S3 engine sees a request.

use std::borrow::Cow;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use s3s::{Body, S3Error};

use crate::xml;

/// An error document in S3's shape.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    details: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let message = message.into();
        Self {
            status,
            code: Cow::Borrowed(code),
            message,
            details: Vec::new(),
        }
    }

    /// An error of the engine, answered here.
    pub(crate) fn of(error: &S3Error) -> Self {
        let status = error.status_code().unwrap_or(StatusCode::BAD_REQUEST);
        let code = Cow::Owned(error.code().as_str().to_owned());
        let message = error.message().unwrap_or_default().to_owned();
        Self {
            code,
            ..Self::new(status, "", message)
        }
    }

    pub(crate) fn denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    /// Adds an element beside the code and the message.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    pub(crate) fn into_response(self, request_id: &str) -> Response<Body> {
        let mut out = String::from(xml::DECLARATION);
        out.push_str("<Error>");
        xml::element(&mut out, "Code", &self.code);
        xml::element(&mut out, "Message", &self.message);
        for (name, value) in &self.details {
            xml::element(&mut out, name, value);
        }
        xml::element(&mut out, "RequestId", request_id);
        out.push_str("</Error>");
        let mut response = Response::new(Body::from(out));
        *response.status_mut() = self.status;
        let kind = HeaderValue::from_static("application/xml");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}
