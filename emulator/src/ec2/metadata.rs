//! The metadata service of an instance, version 2 only.
//!
//! See [Use the Instance Metadata Service](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use base64::prelude::*;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::row::InstanceRow;
use super::table::Ec2Table;
use crate::clock;
use crate::encode::{form_decode, md5};
use crate::users::User;

pub(super) const TOKEN: &str = "x-aws-ec2-metadata-token";
pub(super) const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// The most tokens that are kept.
const TOKENS_MAX: usize = 10_000;
/// The role of instances that have a profile.
const ROLE: &str = "emulator";

#[derive(Debug)]
pub(super) struct Metadata {
    table: Ec2Table,
    /// Whose keys those of the role are.
    first: (String, User),
    tokens: Mutex<Tokens>,
}

/// Tokens, and until when they work, in seconds since 1970.
#[derive(Debug, Default)]
struct Tokens {
    given: u64,
    until: HashMap<String, i64>,
}

impl Metadata {
    pub(super) fn new(table: Ec2Table, first: (String, User)) -> Self {
        Self {
            table,
            first,
            tokens: Mutex::default(),
        }
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn call<B>(
        &self,
        request: &Request<B>,
        now: SystemTime,
    ) -> (Response<String>, bool) {
        if (request.method(), request.uri().path()) == (&Method::PUT, "/latest/api/token") {
            let answer = self.token(request, now);
            let given = answer.is_ok();
            let mut response = response(answer);
            // Some clients take no token without being told how long it works, which is as long as they asked for.
            if let Some(ttl) = request.headers().get(TTL).filter(|_| given) {
                response.headers_mut().insert(TTL, ttl.clone());
            }
            return (response, false);
        }
        let answer = match *request.method() {
            Method::GET => self.get(request, request.uri().path(), now),
            _ => Err(StatusCode::METHOD_NOT_ALLOWED),
        };
        let refused = matches!(answer, Err(StatusCode::UNAUTHORIZED));
        (response(answer), refused)
    }

    fn token<B>(&self, request: &Request<B>, now: SystemTime) -> Result<String, StatusCode> {
        // One that came through a proxy is not the instance's own.
        if request.headers().contains_key("x-forwarded-for") {
            return Err(StatusCode::FORBIDDEN);
        }
        let ttl = request.headers().get(TTL);
        let ttl = ttl.and_then(|ttl| ttl.to_str().ok()?.parse().ok());
        let ttl: i64 = ttl
            .filter(|ttl| (1..=21_600).contains(ttl))
            .ok_or(StatusCode::BAD_REQUEST)?;
        let now = clock::unix(now);
        let mut tokens = self.tokens();
        tokens.until.retain(|_, until| *until > now);
        if tokens.until.len() >= TOKENS_MAX {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        tokens.given += 1;
        let seed = format!("{} {now}", tokens.given);
        let token = format!(
            "AQAE{}==",
            BASE64_URL_SAFE_NO_PAD.encode(md5(seed.as_bytes()))
        );
        tokens.until.insert(token.clone(), now + ttl);
        Ok(token)
    }

    fn get<B>(
        &self,
        request: &Request<B>,
        path: &str,
        now: SystemTime,
    ) -> Result<String, StatusCode> {
        let token = request.headers().get(TOKEN);
        let token = token.and_then(|token| token.to_str().ok());
        let until = token.and_then(|token| self.tokens().until.get(token).copied());
        if until.is_none_or(|until| until <= clock::unix(now)) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let row = self.table.me().ok_or(StatusCode::NOT_FOUND)?;
        let path = String::from_utf8(form_decode(path.replace('+', "%2B").as_bytes()));
        let path = path.map_err(|_| StatusCode::NOT_FOUND)?;
        let found = match path.strip_prefix("/latest/").unwrap_or_default() {
            "dynamic/instance-identity/document" => Some(document(&row)),
            rest => rest
                .strip_prefix("meta-data")
                .and_then(|name| self.leaf(&row, name.trim_start_matches('/'), now)),
        };
        found.ok_or(StatusCode::NOT_FOUND)
    }

    /// What is at a path below `meta-data/`.
    fn leaf(&self, row: &InstanceRow, path: &str, now: SystemTime) -> Option<String> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        if let Some(key) = path.strip_prefix("tags/instance/")
            && row.metadata_tags
        {
            let keys = || row.tags.keys().map(String::as_str).collect::<Vec<_>>();
            return match key {
                "" => Some(keys().join("\n")),
                key => row.tags.get(key).cloned(),
            };
        }
        match path {
            "" => Some(
                "ami-id\nami-launch-index\nhostname\niam/\ninstance-id\ninstance-type\nipv6\nlocal-hostname\n\
                 local-ipv4\nplacement/\npublic-hostname\npublic-ipv4\nreservation-id\nsecurity-groups\ntags/"
                    .to_owned(),
            ),
            "ami-id" => Some(row.image.clone()),
            "ami-launch-index" => Some(row.index.to_string()),
            "instance-id" => Some(row.id.clone()),
            "instance-type" => Some(row.kind.clone()),
            "ipv6" => row.ipv6().first().cloned(),
            "hostname" | "local-hostname" => owned(row.private_dns()),
            "local-ipv4" => owned(row.private_ip()),
            "public-hostname" => owned(row.public_dns()),
            "public-ipv4" => owned(row.public_ip()),
            "reservation-id" => Some(row.reservation.clone()),
            "placement/" => Some("availability-zone\nregion".to_owned()),
            "placement/availability-zone" => Some(row.zone.clone()),
            "placement/region" => Some(row.region().to_owned()),
            "security-groups" => {
                let names: Vec<_> = row.groups.iter().map(|group| &*group.name).collect();
                Some(names.join("\n"))
            }
            "iam/security-credentials/" => row.profile.is_some().then(|| ROLE.to_owned()),
            "iam/security-credentials/emulator" if row.profile.is_some() => Some(self.keys(now)),
            _ => None,
        }
    }

    fn keys(&self, now: SystemTime) -> String {
        let (access_key, user) = &self.first;
        let now = clock::unix(now);
        let expires = Duration::from_secs(6 * 3600).as_secs().cast_signed();
        json!({
            "Code": "Success",
            "LastUpdated": clock::format_iso8601(now),
            "Type": "AWS-HMAC",
            "AccessKeyId": access_key,
            "SecretAccessKey": user.secret,
            "Token": user.token.as_deref().unwrap_or_default(),
            "Expiration": clock::format_iso8601(now + expires),
        })
        .to_string()
    }
}

/// See [Instance identity documents](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html).
fn document(row: &InstanceRow) -> String {
    json!({
        "accountId": row.owner,
        "architecture": row.architecture,
        "availabilityZone": row.zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": row.image,
        "instanceId": row.id,
        "instanceType": row.kind,
        "kernelId": null,
        "pendingTime": row.launched,
        "privateIp": row.private_ip(),
        "ramdiskId": null,
        "region": row.region(),
        "version": "2017-09-30",
    })
    .to_string()
}

fn response(answer: Result<String, StatusCode>) -> Response<String> {
    let (status, kind, body) = match answer {
        Ok(text) => (StatusCode::OK, "text/plain", text),
        Err(status) => {
            let title = format!(
                "{} - {}",
                status.as_u16(),
                status.canonical_reason().unwrap_or("")
            );
            let page = format!(
                "<?xml version=\"1.0\"?>\n<html><head><title>{title}</title></head></html>\n"
            );
            (status, "text/html", page)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
