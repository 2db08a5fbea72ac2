//! Checks who signed a SimpleDB request, and when.

use std::time::{Duration, SystemTime};

use base64::prelude::*;

use super::error::{SdbError, SdbResult};
use super::params::SdbParams;
use crate::clock;
use crate::encode::{hmac_sha1_matches, hmac_sha256_matches};
use crate::s3::http::host::without_port;
use crate::sign::query::string_to_sign;
use crate::users::Users;

/// What the signature covers besides the parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedTarget<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
}

pub(crate) fn verify(
    users: &Users,
    skew: Duration,
    target: SignedTarget<'_>,
    params: &SdbParams,
    now: SystemTime,
) -> SdbResult<()> {
    let missing = || {
        SdbError::new(
            "AuthMissingFailure",
            "AWS was not able to authenticate the request: access credentials are missing",
        )
    };
    let access_key = params.get("AWSAccessKeyId")?.ok_or_else(missing)?;
    let signature = params.get("Signature")?.ok_or_else(missing)?;
    let version = params.get("SignatureVersion")?.unwrap_or_default();
    if version != "2" {
        return Err(SdbError::invalid_value(
            version,
            "SignatureVersion",
            "Only version 2 is supported.",
        ));
    }
    let unknown = || {
        SdbError::new(
            "InvalidClientTokenId",
            "The AWS Access Key Id you provided does not exist in our records.",
        )
    };
    let user = users.get(access_key).ok_or_else(unknown)?;
    let token = params.get("SecurityToken")?.map(str::as_bytes);
    if !user.accepts_token(token) {
        return Err(SdbError::new(
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ));
    }
    let matches = match params.get("SignatureMethod")?.unwrap_or_default() {
        "HmacSHA256" => hmac_sha256_matches,
        "HmacSHA1" => hmac_sha1_matches,
        other => {
            return Err(SdbError::invalid_value(
                other,
                "SignatureMethod",
                "SignatureMethod must be HmacSHA256 or HmacSHA1.",
            ));
        }
    };
    check_date(params, skew, clock::unix(now))?;
    let given = BASE64_STANDARD.decode(signature).unwrap_or_default();
    let SignedTarget { method, host, path } = target;
    // Some clients sign the host without the port that they send it with.
    let right = [host, without_port(host)].iter().any(|host| {
        let string = string_to_sign(method, host, path, &params.0);
        matches(&user.secret, &string, &given)
    });
    if right {
        Ok(())
    } else {
        Err(SdbError::new(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. Consult the service \
             documentation for details.",
        ))
    }
}

fn check_date(params: &SdbParams, skew: Duration, now: i64) -> SdbResult<()> {
    let read = |name: &str, text: &str| {
        clock::parse_iso8601(text)
            .ok_or_else(|| SdbError::invalid_value(text, name, "It must be an ISO 8601 date."))
    };
    let expired = |name: &str, text: &str| {
        SdbError::new(
            "RequestExpired",
            format!("Request has expired. {name} date is {text}"),
        )
    };
    match (params.get("Timestamp")?, params.get("Expires")?) {
        (Some(_), Some(_)) => Err(SdbError::new(
            "InvalidParameterCombination",
            "The parameters Timestamp and Expires cannot be used together.",
        )),
        (Some(text), None) => {
            if now.abs_diff(read("Timestamp", text)?) > skew.as_secs() {
                return Err(expired("Timestamp", text));
            }
            Ok(())
        }
        (None, Some(text)) => {
            if now > read("Expires", text)? {
                return Err(expired("Expires", text));
            }
            Ok(())
        }
        (None, None) => Err(SdbError::missing("Timestamp or Expires")),
    }
}
