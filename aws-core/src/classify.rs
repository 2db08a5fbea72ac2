//! What an error answer means, and which operations may run twice: what the [table of
//! verdicts](crate::dispatch::verdict) decides by.

use std::time::{Duration, SystemTime};

/// Whether the server may run an operation twice with the same outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Idempotency {
    /// Running it again changes nothing, and gives the same answer.
    Repeatable,
    /// A second run does something else, or its answer would be misleading: it is tried again only when the
    /// first surely did not run.
    Once,
}

/// What an error answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The thing asked for is not there.
    NotFound,
    /// A condition of the request did not hold.
    ConditionFailed,
    /// Refused because another request about the same thing was under way: it has not run, and may succeed now.
    Conflict,
    /// Refused because there are too many requests: it has not run.
    Throttled,
    /// The service is busy or away: it may have run.
    Unavailable,
    /// The two clocks disagree: it has not run.
    Skewed,
    /// An error within the service that may pass: it may have run.
    Transient,
    /// The session token of the credentials has expired: it has not run.
    ExpiredToken,
    /// The request was not allowed.
    Denied,
    /// Anything else: the same request would fail again.
    Other,
}

/// What a status and an error code mean, as far as services agree on it.
///
/// The code decides where it is known, since proxies and services disagree about statuses.
pub fn class_of(status: u16, code: Option<&str>) -> Class {
    match code.unwrap_or_default() {
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "LimitExceededException"
        | "TooManyRequests"
        | "TooManyRequestsException"
        | "PriorRequestNotComplete" => Class::Throttled,
        "ServiceUnavailable" | "Busy" | "Unavailable" => Class::Unavailable,
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => Class::Skewed,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => Class::ExpiredToken,
        "InternalError" | "InternalFailure" | "RequestTimeout" | "RequestTimeoutException" => {
            Class::Transient
        }
        // Both are refusals: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
        "OperationAborted" | "ConditionalRequestConflict" => Class::Conflict,
        "PreconditionFailed" | "ConditionalCheckFailed" => Class::ConditionFailed,
        code if code.starts_with("NoSuch") => Class::NotFound,
        _ => match status {
            401 | 403 => Class::Denied,
            404 => Class::NotFound,
            408 | 500 => Class::Transient,
            status if is_of_gateway(status) => Class::Transient,
            412 => Class::ConditionFailed,
            429 => Class::Throttled,
            503 => Class::Unavailable,
            _ => Class::Other,
        },
    }
}

/// Whether a status comes from something on the way to the service, which did not understand its answer or has not
/// waited for it: the request may still run. Besides 502 and 504 those are statuses of
/// [Cloudflare](https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/) (520 to
/// 524, 527 and 530), of nginx (499) and of older proxies (598, 599).
pub(crate) fn is_of_gateway(status: u16) -> bool {
    matches!(status, 499 | 502 | 504 | 520..=524 | 527 | 530 | 598 | 599)
}

/// How far a clock has to be off before a refusal without a reason is laid to that: services allow five to fifteen
/// minutes.
const MIN_SKEW: Duration = Duration::from_secs(300);

/// Whether a request that was signed at this time by our clock was refused for its time, as far as that can be told
/// from an answer without a body, such as the one to HEAD. A service that does say its reason is believed.
pub(crate) fn is_skewed(
    status: u16,
    code: Option<&str>,
    signed: SystemTime,
    server: Option<SystemTime>,
) -> bool {
    let apart = |server: SystemTime| {
        let ahead = server.duration_since(signed);
        ahead.unwrap_or_else(|behind| behind.duration()) >= MIN_SKEW
    };
    status == 403 && code.is_none() && server.is_some_and(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let table = [
            (503, Some("SlowDown"), Class::Throttled),
            (503, Some("ServiceUnavailable"), Class::Unavailable),
            (503, None, Class::Unavailable),
            (429, None, Class::Throttled),
            (503, Some("RequestLimitExceeded"), Class::Throttled),
            (400, Some("Throttling"), Class::Throttled),
            (500, Some("InternalError"), Class::Transient),
            (502, None, Class::Transient),
            (520, None, Class::Transient),
            (524, None, Class::Transient),
            (526, None, Class::Other),
            (505, None, Class::Other),
            (409, Some("OperationAborted"), Class::Conflict),
            (409, Some("ConditionalRequestConflict"), Class::Conflict),
            (501, Some("NotImplemented"), Class::Other),
            (400, Some("RequestTimeout"), Class::Transient),
            (408, None, Class::Transient),
            (403, Some("RequestTimeTooSkewed"), Class::Skewed),
            (400, Some("ExpiredToken"), Class::ExpiredToken),
            (403, Some("ExpiredTokenException"), Class::ExpiredToken),
            (403, Some("SignatureDoesNotMatch"), Class::Denied),
            (404, Some("NoSuchKey"), Class::NotFound),
            (400, Some("NoSuchDomain"), Class::NotFound),
            (404, None, Class::NotFound),
            (412, None, Class::ConditionFailed),
            (409, Some("ConditionalCheckFailed"), Class::ConditionFailed),
            (409, Some("BucketNotEmpty"), Class::Other),
            (301, Some("PermanentRedirect"), Class::Other),
        ];
        for (status, code, class) in table {
            assert_eq!(class_of(status, code), class, "{status} {code:?}");
        }
    }

    #[test]
    fn a_refusal_without_a_reason_may_be_for_the_time() {
        let signed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let minutes = |n: u64| Duration::from_secs(n * 60);
        for (status, code, server, skewed) in [
            (403, None, Some(signed + minutes(5)), true),
            (403, None, Some(signed - minutes(5)), true),
            (403, None, Some(signed + minutes(4)), false),
            (403, None, None, false),
            (403, Some("AccessDenied"), Some(signed + minutes(60)), false),
            (404, None, Some(signed + minutes(60)), false),
        ] {
            let found = is_skewed(status, code, signed, server);
            assert_eq!(found, skewed, "{status} {code:?} {server:?}");
        }
    }
}
