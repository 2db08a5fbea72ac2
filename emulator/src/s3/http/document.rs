//! The documents of answers, as the engine leaves them and as S3 has them.

use hyper::Response;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use s3s::Body;

use crate::xml;

/// Puts another text in the place of a body.
pub(in crate::s3) fn replace_body(response: &mut Response<Body>, text: String) {
    if let Some(length) = response.headers_mut().get_mut(CONTENT_LENGTH) {
        *length = text.len().into();
    }
    *response.body_mut() = Body::from(text);
}

/// Gives every document what the engine leaves out: references in place of carriage returns, which readers of XML
/// take for line feeds, and in errors the number of the request.
pub(in crate::s3) fn finish(response: &mut Response<Body>, request_id: &str) {
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
        xml::element(&mut text, "RequestId", request_id);
        text.push_str("</Error>");
    }
    replace_body(response, text);
}
