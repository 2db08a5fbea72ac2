//! Checks who signed a request to EC2, and when: by Version 4 in its head, or by Version 2 in its parameters.

use std::time::{Duration, SystemTime};

use base64::prelude::*;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::error::{Ec2Error, Ec2Result};
use super::params::Ec2Params;
use crate::clock;
use crate::encode::{hmac_sha1_matches, hmac_sha256_matches};
use crate::s3::http::host::without_port;
use crate::sign::query::string_to_sign;
use crate::sign::v4::{Authorization, SignedV4};
use crate::users::{User, Users};

/// A request, as far as its signature goes.
pub(super) struct SignedCall<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: &'a [(Vec<u8>, Vec<u8>)],
    pub(super) body: &'a [u8],
    /// Those of query and body.
    pub(super) params: &'a Ec2Params,
}

/// Who may sign, when, and by what.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) users: Users,
    pub(super) skew: Duration,
    /// Whether Version 2 is taken, as in regions opened before 2014.
    pub(super) v2: bool,
}

impl Verifier {
    pub(super) fn verify(&self, call: &SignedCall<'_>, now: SystemTime) -> Ec2Result<()> {
        let now = clock::unix(now);
        match call.headers.get(AUTHORIZATION) {
            Some(value) => {
                let value = value.to_str().unwrap_or_default();
                self.verify_v4(call, value, now)
            }
            None if call.params.get("Signature").is_some() => self.verify_v2(call, now),
            None => Err(Ec2Error::new(
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            )),
        }
    }

    fn verify_v4(&self, call: &SignedCall<'_>, value: &str, now: i64) -> Ec2Result<()> {
        let incomplete = |what: &str| {
            Ec2Error::new(
                "IncompleteSignature",
                format!("The request signature does not conform to AWS standards: {what}"),
            )
        };
        let authorization =
            Authorization::parse(value).ok_or_else(|| incomplete("Authorization header"))?;
        if authorization.service != "ec2" {
            return Err(Ec2Error::auth_failure());
        }
        if !authorization.signs_host() {
            return Err(incomplete("the Host header must be signed"));
        }
        let field = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
        let date = field("x-amz-date").ok_or_else(|| incomplete("X-Amz-Date is missing"))?;
        let at = clock::parse_header_date(date).ok_or_else(|| incomplete("X-Amz-Date"))?;
        if !date.starts_with(authorization.day) {
            return Err(incomplete("the day of the scope is not that of X-Amz-Date"));
        }
        let user = self.user(authorization.access_key, field("x-amz-security-token"))?;
        self.check_age(now, at)?;
        let right = hosts(call.host).into_iter().any(|host| {
            let signed = SignedV4 {
                method: call.method,
                path: call.path,
                query: call.query,
                headers: call.headers,
                host,
                body: call.body,
                date,
            };
            signed.matches(&authorization, &user.secret)
        });
        if right { Ok(()) } else { Err(mismatch()) }
    }

    fn verify_v2(&self, call: &SignedCall<'_>, now: i64) -> Ec2Result<()> {
        let params = call.params;
        let need = |name: &str| params.get(name).ok_or_else(|| Ec2Error::missing(name));
        if !self.v2 {
            return Err(Ec2Error::auth_failure());
        }
        let version = need("SignatureVersion")?;
        if version != "2" {
            return Err(Ec2Error::value(format!(
                "Value ({version}) for parameter SignatureVersion is invalid."
            )));
        }
        let user = self.user(need("AWSAccessKeyId")?, params.get("SecurityToken"))?;
        let matches = match need("SignatureMethod")? {
            "HmacSHA256" => hmac_sha256_matches,
            "HmacSHA1" => hmac_sha1_matches,
            other => {
                return Err(Ec2Error::value(format!(
                    "Value ({other}) for parameter SignatureMethod is invalid."
                )));
            }
        };
        let time = |name: &str, text: &str| {
            let bad =
                || Ec2Error::value(format!("Value ({text}) for parameter {name} is invalid."));
            clock::parse_iso8601(text).ok_or_else(bad)
        };
        match (params.get("Timestamp"), params.get("Expires")) {
            (Some(_), Some(_)) => {
                return Err(Ec2Error::new(
                    "InvalidParameterCombination",
                    "The parameter Timestamp cannot be used with the parameter Expires",
                ));
            }
            (Some(text), None) => self.check_age(now, time("Timestamp", text)?)?,
            (None, Some(text)) if now > time("Expires", text)? => return Err(expired()),
            (None, Some(_)) => {}
            (None, None) => return Err(Ec2Error::missing("Timestamp or Expires")),
        }
        let given = BASE64_STANDARD.decode(need("Signature")?);
        let given = given.unwrap_or_default();
        let right = hosts(call.host).into_iter().any(|host| {
            let string = string_to_sign(call.method, host, call.path, params.pairs());
            matches(&user.secret, &string, &given)
        });
        if right { Ok(()) } else { Err(mismatch()) }
    }

    fn user(&self, access_key: &str, token: Option<&str>) -> Ec2Result<&User> {
        let user = self
            .users
            .get(access_key)
            .ok_or_else(Ec2Error::auth_failure)?;
        match user.accepts_token(token.map(str::as_bytes)) {
            true => Ok(user),
            false => Err(Ec2Error::auth_failure()),
        }
    }

    fn check_age(&self, now: i64, at: i64) -> Ec2Result<()> {
        match now.abs_diff(at) > self.skew.as_secs() {
            true => Err(expired()),
            false => Ok(()),
        }
    }
}

/// The host as it was sent, and without the port, as some clients sign it.
fn hosts(host: &str) -> [&str; 2] {
    [host, without_port(host)]
}

fn expired() -> Ec2Error {
    Ec2Error::new("RequestExpired", "Request has expired.")
}

fn mismatch() -> Ec2Error {
    Ec2Error::new(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details.",
    )
}
