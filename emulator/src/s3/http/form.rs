//! Uploads by forms, as far as the engine leaves them open: the name of the file in the key, and session tokens.
//!
//! See [POST Object](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html).

use base64::prelude::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use s3s::Body;

use crate::clock;
use crate::encode::percent_encode;
use crate::s3::config::schema::Node;
use crate::s3::http::auth::Checker;
use crate::s3::http::document::replace_body;
use crate::s3::http::error::Refusal;
use crate::s3::model::error::malformed_xml;

/// The most that a form may send.
const FORM_MAX: usize = 256 << 20;

/// What stands for the name of the user's file.
const FILENAME: &str = "${filename}";

/// The boundary of a form that uploads a file.
pub(in crate::s3) fn boundary(parts: &Parts) -> Option<String> {
    if parts.method != Method::POST {
        return None;
    }
    let value = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (kind, parameters) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let (_, boundary) = parameters.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    (!boundary.is_empty()).then(|| boundary.to_owned())
}

/// The canned access control list that a form names.
#[derive(Clone, Debug)]
pub(in crate::s3) struct FormAcl(pub(in crate::s3) String);

/// The tags that a form names, as `x-amz-tagging` has them.
#[derive(Clone, Debug)]
pub(in crate::s3) struct FormTags(pub(in crate::s3) String);

/// Answers a form that its policy does not allow as S3 does, since it is not the policy that is wrong; and where a
/// browser is sent on, gives the entity tag its quotes.
pub(in crate::s3) fn judged(response: &mut Response<Body>) {
    if response.status() == StatusCode::SEE_OTHER
        && let Some(location) = response.headers_mut().get_mut(LOCATION)
        && let Ok(text) = location.to_str()
        && let Some((rest, etag)) = text.rsplit_once("&etag=")
        && let Ok(quoted) = HeaderValue::try_from(format!("{rest}&etag=%22{etag}%22"))
    {
        *location = quoted;
    }
    const BROKEN: [&str; 2] = [
        "<Code>InvalidPolicyDocument</Code><Message>Policy condition ",
        // The policy is of another bucket than the one that the form was sent to.
        "<Code>InvalidPolicyDocument</Code><Message>Bucket in form ",
    ];
    const DENIED: &str =
        "<Code>AccessDenied</Code><Message>Invalid according to Policy: Policy Condition failed: ";
    let Some(text) = response.body().bytes() else {
        return;
    };
    let text = String::from_utf8_lossy(&text);
    if let Some(broken) = BROKEN.into_iter().find(|broken| text.contains(broken)) {
        let text = text.replacen(broken, DENIED, 1);
        *response.status_mut() = StatusCode::FORBIDDEN;
        replace_body(response, text);
    }
}

/// Reads a form, checks its session token, and puts the name of the file into the key.
pub(in crate::s3) async fn complete(
    parts: &mut Parts,
    body: Body,
    boundary: &str,
    checker: &Checker,
) -> Result<Body, Refusal> {
    let body = Limited::new(body, FORM_MAX).collect().await;
    let body = body.map_err(|_| {
        let message = "Your POST request fields preceding the upload file were too large.";
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "MaxPostPreDataLengthExceededError",
            message,
        )
    })?;
    let body = body.to_bytes();
    let fields = read(&body, boundary);
    checker.check_form_token(|name| {
        let field = fields.iter().find(|f| f.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(field.value(&body)).ok()
    })?;
    let has = |name: &str| fields.iter().any(|f| f.name.eq_ignore_ascii_case(name));
    if has("AWSAccessKeyId") && !has("signature") {
        let message = "Bucket POST must contain a field named 'Signature'.  If it is specified, please check the \
                       order of the fields.";
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidArgument",
            message,
        ));
    }
    let policy = fields
        .iter()
        .find(|f| f.name.eq_ignore_ascii_case("policy"));
    check_expiration(policy.map(|f| f.value(&body)))?;
    // The engine looks for it under the name of the header field.
    let acl = fields.iter().find(|f| f.name.eq_ignore_ascii_case("acl"));
    if let Some(Ok(acl)) = acl.map(|f| std::str::from_utf8(f.value(&body))) {
        parts.extensions.insert(FormAcl(acl.to_owned()));
    }
    let tags = fields
        .iter()
        .find(|f| f.name.eq_ignore_ascii_case("tagging"));
    if let Some(tags) = tags {
        let tags = tagging(tags.value(&body)).ok_or_else(|| Refusal::of(&malformed_xml()))?;
        parts.extensions.insert(FormTags(tags));
    }
    let file = fields
        .last()
        .filter(|f| f.name.eq_ignore_ascii_case("file"));
    let file = file.and_then(|f| f.filename.as_deref());
    let key = fields.iter().find(|f| f.name.eq_ignore_ascii_case("key"));
    let (Some(file), Some(key)) = (file, key) else {
        return Ok(Body::from(body));
    };
    let value = String::from_utf8_lossy(key.value(&body));
    if !value.contains(FILENAME) {
        return Ok(Body::from(body));
    }
    let value = value.replace(FILENAME, file);
    let whole = [&body[..key.start], value.as_bytes(), &body[key.end..]].concat();
    parts.headers.insert(CONTENT_LENGTH, whole.len().into());
    Ok(Body::from(Bytes::from(whole)))
}

/// The document of a form's tags as a header field has them, or nothing if it is none.
fn tagging(document: &[u8]) -> Option<String> {
    let root = Node::parse(document).filter(|root| root.name == "Tagging")?;
    let mut out = Vec::new();
    for tag in root.child("TagSet")?.all("Tag") {
        if !out.is_empty() {
            out.push(b'&');
        }
        percent_encode(&mut out, tag.child("Key")?.text.as_bytes());
        out.push(b'=');
        percent_encode(&mut out, tag.text_of("Value").as_bytes());
    }
    String::from_utf8(out).ok()
}

/// Refuses a policy whose expiration is not in ISO 8601's form, of which the engine takes more than S3 does.
fn check_expiration(policy: Option<&[u8]>) -> Result<(), Refusal> {
    let policy = policy.and_then(|text| BASE64_STANDARD.decode(text).ok());
    let policy = policy.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    let expiration = policy
        .as_ref()
        .and_then(|policy| policy["expiration"].as_str());
    if expiration.is_none_or(|text| clock::parse_iso8601(text).is_some()) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::BAD_REQUEST,
        "InvalidPolicyDocument",
        "Invalid Policy: Invalid 'expiration' value",
    ))
}

/// A part of a form: its name, and where its value is.
struct FormField {
    name: String,
    filename: Option<String>,
    start: usize,
    end: usize,
}

impl FormField {
    fn value<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        &body[self.start..self.end]
    }
}

/// The parts up to the file, which is the last that counts.
fn read(body: &[u8], boundary: &str) -> Vec<FormField> {
    let delimiter = format!("--{boundary}");
    let mut fields = Vec::new();
    let Some(first) = find(body, delimiter.as_bytes(), 0) else {
        return fields;
    };
    let mut at = first + delimiter.len();
    let delimiter = format!("\r\n{delimiter}");
    while let Some(head_end) = find(body, b"\r\n\r\n", at) {
        let head = String::from_utf8_lossy(&body[at..head_end]);
        let start = head_end + 4;
        let Some(end) = find(body, delimiter.as_bytes(), start) else {
            break;
        };
        let filename = parameter(&head, "filename");
        let name = parameter(&head, "name").unwrap_or_default();
        // Some clients send a filename with every field, as if all were files.
        let is_file = name.eq_ignore_ascii_case("file");
        fields.push(FormField {
            name,
            // Some browsers send the path.
            filename: filename.map(|f| f.rsplit(['/', '\\']).next().unwrap_or_default().to_owned()),
            start,
            end,
        });
        if is_file {
            break;
        }
        at = end + delimiter.len();
    }
    fields
}

/// A quoted parameter of a part's `Content-Disposition`.
fn parameter(head: &str, name: &str) -> Option<String> {
    let (_, rest) = head.split_once(&format!("; {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.to_owned())
}

fn find(text: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(wanted.len())
        .position(|window| window == wanted)
        .map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_up_to_the_file() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nuser/${filename}\r\n\
                     --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\\\a\\\\cat.jpg\"\r\n\r\n\0\r\n--y\r\n\
                     --x\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\nx\r\n--x--\r\n";
        let fields = read(body, "x");
        let names: Vec<_> = fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["key", "file"]);
        assert_eq!(fields[0].value(body), b"user/${filename}");
        assert_eq!(fields[1].filename.as_deref(), Some("cat.jpg"));
        assert_eq!(fields[1].value(body), b"\0\r\n--y");
        for nonsense in [
            &b""[..],
            b"--x",
            b"--x\r\n\r\n",
            b"--x\r\nname=\r\n\r\nv",
            b"\xff",
        ] {
            assert!(read(nonsense, "x").is_empty());
        }
    }
    #[test]
    fn a_policy_of_another_bucket_denies() {
        let text = "<Error><Code>InvalidPolicyDocument</Code><Message>Bucket in form field 'a' does not match bucket \
                    in URL 'b'</Message></Error>";
        let mut response = Response::new(Body::from(text.to_owned()));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        judged(&mut response);
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let text = response.body().bytes().unwrap();
        assert!(text.starts_with(b"<Error><Code>AccessDenied</Code>"));
    }

    #[test]
    fn tags_of_a_form_are_a_document() {
        let tags = |inside: &str| {
            let document = format!("<Tagging><TagSet>{inside}</TagSet></Tagging>");
            tagging(document.as_bytes())
        };
        let two = "<Tag><Key>a&amp;b</Key><Value>1 2</Value></Tag><Tag><Key>c</Key></Tag>";
        assert_eq!(tags(two).as_deref(), Some("a%26b=1%202&c="));
        assert_eq!(tags("").as_deref(), Some(""));
        assert_eq!(tags("<Tag><Value>1</Value></Tag>"), None);
        assert_eq!(tagging(b"a=b"), None);
        assert_eq!(tagging(b"<Tags><TagSet/></Tags>"), None);
    }
}
