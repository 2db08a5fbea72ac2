//! Checks who signed an S3 request, before the S3 engine sees it.
//!
//! Version 2 is checked to the end here, and the request then goes on marked [`Verified`] and
//! without its signature. Of Version 4 only what the engine leaves open is checked: clock skew,
//! session token, region, the life of links, and that no field of Amazon's is left unsigned.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::prelude::*;
use hyper::header::{AUTHORIZATION, DATE, HOST, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{HeaderMap, StatusCode};

use crate::accounts::Account;
use crate::clock;
use crate::encode::{form_pairs, hmac_sha1_matches};
use crate::s3::http::error::Refusal;
use crate::s3::http::host;
use crate::s3::http::versions::Taken;
use crate::sign::s3::SignedS3;
use crate::users::{User, Users};

const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Marks a request whose signature was right with the account of who signed it.
#[derive(Clone, Debug)]
pub(crate) struct Verified(pub(crate) Arc<Account>);

/// What is left to check of a request's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing: it was right, or there is none.
    Nothing,
    /// That of Version 4 itself.
    Version4,
}

/// How long a link of Version 4 may live at most, in seconds.
const LINK_MAX: i64 = 7 * 86_400;

/// What a request is checked against.
#[derive(Clone, Debug)]
pub(crate) struct Checker {
    pub(crate) users: Users,
    pub(crate) skew: Duration,
    pub(crate) domain: Option<String>,
    pub(crate) taken: Taken,
}

impl Checker {
    /// Lets the request pass, perhaps marked and stripped of its signature, or refuses it.
    pub(crate) fn check(&self, parts: &mut Parts, now: SystemTime) -> Result<Left, Refusal> {
        let now = clock::unix(now);
        let query = form_pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let authorization = parts
            .headers
            .get(AUTHORIZATION)
            .map(|value| value.as_bytes().trim_ascii().to_vec());
        // An empty field is as good as none.
        if authorization.as_ref().is_some_and(Vec::is_empty) {
            parts.headers.remove(AUTHORIZATION);
        }
        let authorization = authorization.filter(|value| !value.is_empty());
        let presigned = find(&query, b"Signature").is_some();
        match authorization {
            Some(_) if presigned || find(&query, b"X-Amz-Signature").is_some() => {
                Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "InvalidArgument",
                    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                     Signature query string parameter or the Authorization header should be \
                     specified",
                ))
            }
            Some(value) => {
                if let Some(pair) = value.strip_prefix(b"AWS ") {
                    self.taken.check_v2()?;
                    self.check_header(parts, &query, pair, now)?;
                    Ok(Left::Nothing)
                } else if value.starts_with(b"AWS4-HMAC-SHA256") {
                    self.check_v4_header(&parts.headers, &value, now)?;
                    Ok(Left::Version4)
                } else {
                    Err(Refusal::new(
                        StatusCode::BAD_REQUEST,
                        "InvalidArgument",
                        "Unsupported Authorization Type",
                    ))
                }
            }
            None if presigned => {
                self.taken.check_v2()?;
                self.check_link(parts, &query, now)?;
                Ok(Left::Nothing)
            }
            None => self.check_v4_link(&parts.headers, &query),
        }
    }

    fn check_header(
        &self,
        parts: &mut Parts,
        query: &[(Vec<u8>, Vec<u8>)],
        pair: &[u8],
        now: i64,
    ) -> Result<(), Refusal> {
        let malformed = || {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                "InvalidArgument",
                "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
            )
        };
        let pair = std::str::from_utf8(pair).map_err(|_| malformed())?;
        let (access_key, signature) = pair.trim().rsplit_once(':').ok_or_else(malformed)?;
        let user = self.user(access_key)?;
        self.check_date(&parts.headers, now)?;
        let token = parts.headers.get(&TOKEN).map(HeaderValue::as_bytes);
        check_token(user, token)?;
        self.check_signature(parts, query, user, (access_key, signature), None)?;
        parts.headers.remove(AUTHORIZATION);
        parts.extensions.insert(Verified(Arc::clone(&user.account)));
        Ok(())
    }

    fn check_link(
        &self,
        parts: &mut Parts,
        query: &[(Vec<u8>, Vec<u8>)],
        now: i64,
    ) -> Result<(), Refusal> {
        let field = |name: &[u8]| {
            find(query, name)
                .and_then(|value| std::str::from_utf8(value).ok())
                .ok_or_else(|| {
                    Refusal::denied(
                        "Query-string authentication requires the Signature, Expires and \
                         AWSAccessKeyId parameters",
                    )
                })
        };
        let (access_key, signature, expires) = (
            field(b"AWSAccessKeyId")?,
            field(b"Signature")?,
            field(b"Expires")?,
        );
        let user = self.user(access_key)?;
        let until: i64 = expires.parse().map_err(|_| {
            Refusal::denied(format!(
                "Invalid date (should be seconds since epoch): {expires}"
            ))
        })?;
        if now > until {
            return Err(Refusal::denied("Request has expired")
                .with("Expires", clock::format_iso8601(until))
                .with("ServerTime", clock::format_iso8601(now)));
        }
        let token = parts.headers.get(&TOKEN).map(HeaderValue::as_bytes);
        check_token(
            user,
            token.or_else(|| find_ignoring_case(query, TOKEN.as_str())),
        )?;
        let signed = Some(expires.as_bytes());
        self.check_signature(parts, query, user, (access_key, signature), signed)?;
        unsign(parts)?;
        parts.extensions.insert(Verified(Arc::clone(&user.account)));
        Ok(())
    }

    fn check_signature(
        &self,
        parts: &Parts,
        query: &[(Vec<u8>, Vec<u8>)],
        user: &User,
        (access_key, signature): (&str, &str),
        expires: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let given = BASE64_STANDARD.decode(signature).unwrap_or_default();
        let host = parts
            .headers
            .get(HOST)
            .and_then(|value| value.to_str().ok());
        let bucket = host::bucket(self.domain.as_deref(), host.unwrap_or_default());
        let mut signed = SignedS3 {
            method: parts.method.as_str(),
            headers: &parts.headers,
            query,
            bucket: bucket.as_deref(),
            path: parts.uri.path(),
            expires,
        };
        let string = signed.string_to_sign();
        if hmac_sha1_matches(&user.secret, &string, &given) {
            return Ok(());
        }
        // `/bucket` and `/bucket/` are one resource; some clients sign one and send the other.
        let other = other_bucket_form(signed.path);
        if let (None, Some(other)) = (&bucket, &other) {
            signed.path = other;
            if hmac_sha1_matches(&user.secret, &signed.string_to_sign(), &given) {
                return Ok(());
            }
        }
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your key and signing method.",
        )
        .with("AWSAccessKeyId", access_key)
        .with("StringToSign", String::from_utf8_lossy(&string))
        .with("SignatureProvided", signature))
    }

    fn check_v4_header(&self, headers: &HeaderMap, value: &[u8], now: i64) -> Result<(), Refusal> {
        self.check_date(headers, now)?;
        let token = headers.get(&TOKEN).map(HeaderValue::as_bytes);
        let text = String::from_utf8_lossy(value);
        let credential = text
            .split([' ', ','])
            .find_map(|part| part.strip_prefix("Credential="));
        self.taken
            .check_v4(credential, "AuthorizationHeaderMalformed")?;
        self.check_v4_token(credential, token)?;
        let signed = text
            .split([' ', ','])
            .find_map(|part| part.strip_prefix("SignedHeaders="));
        check_signed(headers, signed.unwrap_or_default(), &[])
    }

    fn check_v4_link(
        &self,
        headers: &HeaderMap,
        query: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<Left, Refusal> {
        if find(query, b"X-Amz-Signature").is_none() {
            return Ok(Left::Nothing);
        }
        let credential = find(query, b"X-Amz-Credential").map(String::from_utf8_lossy);
        let credential = credential.as_deref();
        self.taken
            .check_v4(credential, "AuthorizationQueryParametersError")?;
        self.check_v4_token(credential, find_ignoring_case(query, TOKEN.as_str()))?;
        let lifetime = find(query, b"X-Amz-Expires").map(String::from_utf8_lossy);
        check_lifetime(&lifetime.unwrap_or_default())?;
        let signed = find(query, b"X-Amz-SignedHeaders").map(String::from_utf8_lossy);
        // Who follows a link may say what its body is, which was not known when it was signed.
        let free = ["x-amz-content-sha256"];
        check_signed(headers, &signed.unwrap_or_default(), &free)?;
        Ok(Left::Version4)
    }

    fn check_v4_token(
        &self,
        credential: Option<&str>,
        token: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let access_key = credential.and_then(|scope| scope.split('/').next());
        match access_key {
            Some(access_key) => check_token(self.user(access_key)?, token),
            None => Ok(()),
        }
    }

    /// Checks the version of a form's signature and its session token; its signature and conditions are checked by the
    /// engine.
    pub(crate) fn check_form_token<'f>(
        &self,
        field: impl Fn(&str) -> Option<&'f str>,
    ) -> Result<(), Refusal> {
        let (by_v2, by_v4) = (field("AWSAccessKeyId"), field("x-amz-credential"));
        match (by_v2, by_v4) {
            (Some(_), _) => self.taken.check_v2()?,
            (None, Some(scope)) => {
                let code = "AuthorizationQueryParametersError";
                self.taken.check_v4(Some(scope), code)?;
            }
            (None, None) => {}
        }
        let credential = by_v2.or(by_v4);
        self.check_v4_token(credential, field(TOKEN.as_str()).map(str::as_bytes))
    }

    fn user(&self, access_key: &str) -> Result<&User, Refusal> {
        self.users.get(access_key).ok_or_else(|| {
            Refusal::new(
                StatusCode::FORBIDDEN,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            )
            .with("AWSAccessKeyId", access_key)
        })
    }

    fn check_date(&self, headers: &HeaderMap, now: i64) -> Result<(), Refusal> {
        let date = headers
            .get(&AMZ_DATE)
            .or_else(|| headers.get(DATE))
            .and_then(|value| value.to_str().ok());
        let Some(at) = date.and_then(clock::parse_header_date) else {
            return Err(Refusal::denied(
                "AWS authentication requires a valid Date or x-amz-date header",
            ));
        };
        if now.abs_diff(at) > self.skew.as_secs() {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            )
            .with("RequestTime", date.unwrap_or_default())
            .with("ServerTime", clock::format_iso8601(now))
            .with(
                "MaxAllowedSkewMilliseconds",
                self.skew.as_millis().to_string(),
            ));
        }
        Ok(())
    }
}

/// Refuses fields of Amazon's that the signature does not cover.
///
/// [Create a canonical request](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html): "you
/// must also include" all `x-amz-*` headers.
fn check_signed(headers: &HeaderMap, signed: &str, free: &[&str]) -> Result<(), Refusal> {
    let covered = |name: &str| signed.split(';').any(|it| it.eq_ignore_ascii_case(name));
    let names = headers.keys().map(HeaderName::as_str);
    let left: Vec<_> = names
        .filter(|name| name.starts_with("x-amz-") && !free.contains(name) && !covered(name))
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    let message = "There were headers present in the request which were not signed";
    Err(Refusal::denied(message).with("HeadersNotSigned", left.join(", ")))
}

/// Refuses a link of Version 4 that would live for more than a week.
fn check_lifetime(seconds: &str) -> Result<(), Refusal> {
    let message = match seconds.parse::<i64>() {
        Err(_) => "X-Amz-Expires should be a number",
        // It was over before it began.
        Ok(..0) => return Err(Refusal::denied("Request has expired")),
        Ok(seconds) if seconds > LINK_MAX => {
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less              than 604800 seconds"
        }
        Ok(_) => return Ok(()),
    };
    let code = "AuthorizationQueryParametersError";
    Err(Refusal::new(StatusCode::BAD_REQUEST, code, message))
}

fn check_token(user: &User, token: Option<&[u8]>) -> Result<(), Refusal> {
    if user.accepts_token(token) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::BAD_REQUEST,
        "InvalidToken",
        "The provided token is malformed or otherwise invalid.",
    ))
}

fn find<'a>(query: &'a [(Vec<u8>, Vec<u8>)], name: &[u8]) -> Option<&'a [u8]> {
    query
        .iter()
        .find(|(given, _)| given == name)
        .map(|(_, value)| value.as_slice())
}

fn find_ignoring_case<'a>(query: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    query
        .iter()
        .find(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value.as_slice())
}

fn other_bucket_form(path: &str) -> Option<String> {
    let bucket = path.strip_prefix('/')?;
    match bucket.strip_suffix('/') {
        Some(bare) if !bare.is_empty() && !bare.contains('/') => Some(format!("/{bare}")),
        None if !bucket.is_empty() && !bucket.contains('/') => Some(format!("/{bucket}/")),
        _ => None,
    }
}

/// Takes the signature out of a checked link, and makes headers of the headers it carries.
fn unsign(parts: &mut Parts) -> Result<(), Refusal> {
    let invalid = || {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidURI",
            "Couldn't parse the specified URI.",
        )
    };
    let mut kept = String::new();
    for pair in parts.uri.query().unwrap_or_default().split('&') {
        let Some((name, value)) = form_pairs(pair.as_bytes()).pop() else {
            continue;
        };
        if matches!(
            name.as_slice(),
            b"AWSAccessKeyId" | b"Signature" | b"Expires"
        ) {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        if lower.starts_with(b"x-amz-") || lower == b"content-type" || lower == b"content-md5" {
            let name = HeaderName::from_bytes(&lower).map_err(|_| invalid())?;
            let value = HeaderValue::from_bytes(&value).map_err(|_| invalid())?;
            parts.headers.entry(name).or_insert(value);
            continue;
        }
        if !kept.is_empty() {
            kept.push('&');
        }
        kept.push_str(pair);
    }
    let path = parts.uri.path();
    let target = if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{kept}")
    };
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    uri.path_and_query = Some(PathAndQuery::try_from(target).map_err(|_| invalid())?);
    parts.uri = hyper::Uri::from_parts(uri).map_err(|_| invalid())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bucket_paths_have_another_form() {
        for (path, other) in [
            ("/b", Some("/b/")),
            ("/b/", Some("/b")),
            ("/", None),
            ("//", None),
            ("/b/k", None),
            ("/b/k/", None),
        ] {
            assert_eq!(other_bucket_form(path).as_deref(), other, "{path}");
        }
    }

    #[test]
    fn unsigning_keeps_the_rest_of_the_query_as_sent() {
        let (mut parts, ()) = hyper::Request::get(
            "/b/k?Expires=1&uploadId=a%2Fb&Signature=x%3D&x-amz-acl=private&AWSAccessKeyId=AK&acl",
        )
        .body(())
        .unwrap()
        .into_parts();
        unsign(&mut parts).unwrap();
        assert_eq!(parts.uri, "/b/k?uploadId=a%2Fb&acl");
        assert_eq!(parts.headers["x-amz-acl"], "private");
    }
}
