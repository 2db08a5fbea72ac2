//! What a status means, in words: for answers that say nothing else, as those to HEAD.

use crate::classify::is_of_gateway;

/// What this status of an answer says ([RFC 9110, 15](https://www.rfc-editor.org/rfc/rfc9110#section-15)), with what is
/// behind it most often.
pub(super) fn in_words(status: u16) -> &'static str {
    match status {
        301 | 307 | 308 => "moved: the request belongs to another server or region",
        304 => "not modified",
        400 => {
            "bad request, without a reason: expired credentials and a wrong region are usual ones"
        }
        401 => "unauthorized: the credentials are not accepted",
        403 => {
            "forbidden: these credentials may not do this, or it does not exist and they may not list what does"
        }
        404 => "not found: it does not exist",
        405 => "method not allowed: it cannot be asked this",
        408 => "request timeout: the server waited too long for the request",
        409 => "conflict: another request or the state of the thing is in the way",
        411 => "length required",
        412 => "precondition failed: a condition of the request does not hold",
        413 => "content too large: the server does not take a body of this size",
        416 => "range not satisfiable: the range begins behind the end",
        417 => "expectation failed",
        429 => "too many requests: the server asks for fewer",
        500 => "internal server error",
        501 => "not implemented by this server",
        503 => "service unavailable: the server is busy, or asks for fewer requests",
        505 => "HTTP version not supported",
        status if is_of_gateway(status) => {
            "a gateway had no answer of the service that it could pass on"
        }
        status => match status / 100 {
            4 => "the server refused the request",
            5 => "the server failed",
            _ => "a status that this operation does not expect",
        },
    }
}
