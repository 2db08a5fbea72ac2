//! How a fault is brought about.

use std::fmt;
use std::io;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{
    CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use hyper::{Request, Response, StatusCode};
use s3s::Body;

use super::fault::{Fault, FaultKind, Gate};
use super::seen::{Seen, Service};
use crate::xml;

/// How a connection ends instead of an answer.
#[derive(Debug)]
pub(crate) enum Gone {
    /// The connection ends by a reset.
    Reset,
    /// The connection ends after these bytes.
    Garbage(Bytes),
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was ended on purpose")
    }
}

impl std::error::Error for Gone {}

/// What becomes of a request before it runs.
pub(crate) enum Begin {
    /// It runs.
    Serve(Request<Body>),
    /// This is its answer.
    Answer(Response<Body>),
    /// There is none.
    Gone(Gone),
}

pub(crate) async fn begin(
    fault: &Fault,
    seen: &Seen,
    request: Request<Body>,
    request_id: &str,
) -> Begin {
    let outcome = match &fault.kind {
        FaultKind::Delay(time) => {
            tokio::time::sleep(*time).await;
            return Begin::Serve(request);
        }
        FaultKind::Hold(gate) => {
            gate.pass().await;
            return Begin::Serve(request);
        }
        FaultKind::Error {
            status,
            code,
            retry_after,
            ..
        } => {
            let busy = match seen.service {
                Service::S3 => "SlowDown",
                Service::SimpleDb => "ServiceUnavailable",
                Service::Ec2 | Service::Metadata => "RequestLimitExceeded",
            };
            let code = code.as_deref().unwrap_or(busy);
            let mut response = error(seen.service, *status, code, &[], request_id);
            let retry_after = retry_after.as_deref();
            set(&mut response, RETRY_AFTER, retry_after);
            Begin::Answer(response)
        }
        FaultKind::Redirect {
            status,
            endpoint,
            region,
        } => Begin::Answer(redirect(
            seen,
            &request,
            *status,
            endpoint,
            region.as_deref(),
            request_id,
        )),
        FaultKind::ResetBefore => Begin::Gone(Gone::Reset),
        FaultKind::Garbage(bytes) => Begin::Gone(Gone::Garbage(bytes.clone())),
        FaultKind::None
        | FaultKind::ResetAfter
        | FaultKind::Cut(_)
        | FaultKind::Stall(..)
        | FaultKind::WrongDate(_)
        | FaultKind::Stale(_)
        | FaultKind::Lacking(_) => {
            return Begin::Serve(request);
        }
    };
    if !fault.early {
        let mut body = request.into_body();
        // An error means that the rest will not come.
        while let Some(Ok(_)) = body.frame().await {}
    }
    outcome
}

pub(crate) async fn finish(
    fault: &Fault,
    mut response: Response<Body>,
) -> Result<Response<Body>, Gone> {
    match &fault.kind {
        FaultKind::ResetAfter => Err(Gone::Reset),
        FaultKind::WrongDate(text) => {
            set(&mut response, DATE, Some(text));
            Ok(response)
        }
        FaultKind::Cut(bytes) => Ok(interrupt(response, *bytes, None).await),
        FaultKind::Stall(bytes, gate) => Ok(interrupt(response, *bytes, Some(gate.clone())).await),
        _ => Ok(response),
    }
}

fn set(response: &mut Response<Body>, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        response.headers_mut().insert(name, value);
    }
}

fn error(
    service: Service,
    status: u16,
    code: &str,
    details: &[(&str, &str)],
    request_id: &str,
) -> Response<Body> {
    let message = "This error is there on purpose.";
    let mut out = String::from(xml::DECLARATION);
    match service {
        Service::S3 => {
            out.push_str("<Error>");
            xml::element(&mut out, "Code", code);
            xml::element(&mut out, "Message", message);
            for (name, value) in details {
                xml::element(&mut out, name, value);
            }
            xml::element(&mut out, "RequestId", request_id);
            out.push_str("</Error>");
        }
        Service::SimpleDb => {
            out.push_str("<Response><Errors><Error>");
            xml::element(&mut out, "Code", code);
            xml::element(&mut out, "Message", message);
            out.push_str("<BoxUsage>0.0000219907</BoxUsage></Error></Errors>");
            xml::element(&mut out, "RequestID", request_id);
            out.push_str("</Response>");
        }
        // The metadata service has pages for people; nobody reads what is in them.
        Service::Ec2 | Service::Metadata => {
            out.push_str("<Response><Errors><Error>");
            xml::element(&mut out, "Code", code);
            xml::element(&mut out, "Message", message);
            out.push_str("</Error></Errors>");
            xml::element(&mut out, "RequestID", request_id);
            out.push_str("</Response>");
        }
    }
    let mut response = Response::new(Body::from(out));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn redirect(
    seen: &Seen,
    request: &Request<Body>,
    status: u16,
    endpoint: &str,
    region: Option<&str>,
    request_id: &str,
) -> Response<Body> {
    let code = match status {
        301 | 308 => "PermanentRedirect",
        _ => "TemporaryRedirect",
    };
    let host = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, host)| host);
    let bucket = seen.resource.as_deref().unwrap_or_default();
    let details = [("Endpoint", host), ("Bucket", bucket)];
    let mut response = error(seen.service, status, code, &details, request_id);
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let location = format!("{}{target}", endpoint.trim_end_matches('/'));
    set(&mut response, LOCATION, Some(&location));
    set(
        &mut response,
        HeaderName::from_static("x-amz-bucket-region"),
        region,
    );
    response
}

/// Stops the body of an answer after so many bytes: until the gate is open, or for good.
async fn interrupt(response: Response<Body>, bytes: u64, gate: Option<Gate>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    // Answers come from memory: there is nothing to wait for, and nothing that fails.
    let whole = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let at = usize::try_from(bytes).unwrap_or(usize::MAX);
    if at >= whole.len() {
        return Response::from_parts(parts, Body::from(whole));
    }
    parts
        .headers
        .entry(CONTENT_LENGTH)
        .or_insert_with(|| HeaderValue::from(whole.len()));
    let start = whole.slice(..at);
    let rest = whole.slice(at..);
    let pieces = stream::unfold(AnswerPiece::Start, move |piece| {
        let (start, rest, gate) = (start.clone(), rest.clone(), gate.clone());
        async move {
            match piece {
                AnswerPiece::Start => Some((Ok(Frame::data(start)), AnswerPiece::Rest)),
                AnswerPiece::Rest => {
                    // What was sent so far has to leave first.
                    tokio::task::yield_now().await;
                    let Some(gate) = gate else {
                        let ended = io::Error::other("the answer is cut on purpose");
                        return Some((Err(ended), AnswerPiece::End));
                    };
                    gate.pass().await;
                    Some((Ok(Frame::data(rest)), AnswerPiece::End))
                }
                AnswerPiece::End => None,
            }
        }
    });
    Response::from_parts(parts, Body::http_body_unsync(StreamBody::new(pieces)))
}

enum AnswerPiece {
    Start,
    Rest,
    End,
}
