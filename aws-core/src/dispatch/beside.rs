//! What an answer says beside its result: its identifier, when to come again, what stands in it in place of an error, and
//! whether an error is about keys.

use std::time::{Duration, SystemTime};

use pipeline_pool::Head;

use crate::classify::Class;
use crate::error::Error;
use crate::operation::stated;
use crate::time::parse_http;

/// The service's identifier of the request, where it is in the head.
pub(super) fn request_id(head: &Head) -> Option<&str> {
    let names = ["x-amz-request-id", "x-amzn-requestid"];
    names.iter().find_map(|name| stated(head, name))
}

/// The text of the last element of this name.
pub(super) fn text_of<'a>(body: &'a [u8], element: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.rsplit_once(&format!("<{element}>"))?;
    let (value, _) = rest.split_once('<')?;
    Some(value).filter(|value| (1..=128).contains(&value.len()))
}

/// How long `Retry-After` asks to wait, by the clock of the server that sent it: it is seconds or a date
/// ([RFC 9110, 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
pub(super) fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = parse_http(text)?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Codes of status 403 by which services say that they do not know keys or what was signed with them, or that whoever
/// they belong to may not do this: of [S3](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), of
/// [all services](https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html), and of
/// [EC2](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html).
const REFUSALS_OF_KEYS: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AccountProblem",
    "AuthFailure",
    "AuthorizationFailure",
    "Forbidden",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "NotSignedUp",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "Unauthorized",
    "UnauthorizedAccess",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// Whether an error may come from requests being signed by other keys than were meant. Status 403 has other reasons, too,
/// which their codes tell (`InvalidObjectState` is that an object is archived), and something on the way may give it.
pub(super) fn is_about_keys(error: &Error) -> bool {
    match (error.class(), error.code()) {
        (Class::ExpiredToken, _) => true,
        (_, None) if error.is_foreign() => false,
        _ if error.status() == Some(401) => true,
        (Class::Denied, Some(code)) => REFUSALS_OF_KEYS.contains(&code),
        (class, _) => class == Class::Denied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::ErrorBody;

    #[test]
    fn refusals_are_about_keys_and_other_errors_are_not() {
        let of = |status, code: &str| {
            is_about_keys(&Error::service(status, ErrorBody::new(code, ""), None))
        };
        for (status, code) in [
            (403, "InvalidAccessKeyId"),
            (403, "SignatureDoesNotMatch"),
            (403, "AccessDenied"),
            (400, "ExpiredToken"),
            (401, "Unauthorized"),
        ] {
            assert!(of(status, code), "{code}");
        }
        for (status, code) in [
            (404, "NoSuchKey"),
            (403, "RequestTimeTooSkewed"),
            (403, "InvalidObjectState"),
            (403, "QuotaExceeded"),
            (503, "SlowDown"),
            (400, "InvalidArgument"),
        ] {
            assert!(!of(status, code), "{code}");
        }
        // An answer to HEAD has no code, and neither has a firewall's.
        for (body, about_keys) in [("", true), ("<html>Blocked.</html>", false)] {
            for status in [401, 403] {
                let said = ErrorBody::of_another(body.as_bytes());
                let error = Error::service(status, said, None);
                assert_eq!(is_about_keys(&error), about_keys, "{error}");
            }
        }
        // A service may take a code for that of a clock that is off.
        let error = Error::service(401, ErrorBody::new("AuthFailure", ""), Some(Class::Skewed));
        assert!(is_about_keys(&error));
    }

    #[test]
    fn the_last_element_of_a_name_is_read() {
        let of = |body: &str| text_of(body.as_bytes(), "RequestId").map(str::to_owned);
        let body = "<R><RequestId>a</RequestId><M><RequestId>b-1</RequestId></M></R>";
        assert_eq!(of(body).as_deref(), Some("b-1"));
        let long = format!("<RequestId>{}</RequestId>", "x".repeat(129));
        for nothing in [
            "",
            "<RequestId></RequestId>",
            "<RequestId>a",
            "<RequestID>a</RequestID>",
            &long,
        ] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
        assert_eq!(text_of(b"\xff<RequestId>a</RequestId>", "RequestId"), None);
    }
}
