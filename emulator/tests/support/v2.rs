//! S3's Version 2 signature, the short way: it knows as much of it as these tests sign.

use std::time::{Duration, UNIX_EPOCH};

use base64::prelude::*;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::wire::now;

const SUB_RESOURCES: [&str; 18] = [
    "acl",
    "cors",
    "delete",
    "lifecycle",
    "location",
    "object-lock",
    "partNumber",
    "policy",
    "requestPayment",
    "response-content-type",
    "restore",
    "tagging",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    /// Added to the clock, in seconds.
    pub(crate) drift: i64,
    pub(crate) host: String,
}

impl Signer {
    pub(crate) fn new(access_key: &str, secret: &str, host: impl ToString) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret: secret.to_owned(),
            token: None,
            drift: 0,
            host: host.to_string(),
        }
    }

    pub(crate) fn mac(&self, message: &str) -> String {
        let mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).unwrap();
        BASE64_STANDARD.encode(mac.chain_update(message).finalize().into_bytes())
    }

    /// A request with its signature in its head.
    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        self.request_over(method, target, &resource(target), headers, body)
    }

    /// The same, signed over another resource than the target names.
    pub(crate) fn request_over(
        &self,
        method: &str,
        target: &str,
        resource: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let date = u64::try_from(now() + self.drift).unwrap();
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(date));
        let mut headers = headers.to_vec();
        if let Some(token) = &self.token {
            headers.push(("x-amz-security-token", token));
        }
        let find = |name| {
            let found = headers.iter().find(|(given, _)| *given == name);
            found.map_or("", |(_, value)| value)
        };
        let mut amz: Vec<_> = headers
            .iter()
            .filter(|(name, _)| name.starts_with("x-amz-"))
            .collect();
        amz.sort();
        let amz = amz.iter().map(|(name, value)| format!("{name}:{value}\n"));
        let amz: Vec<_> = amz.collect();
        let signature = self.mac(&format!(
            "{method}\n{}\n{}\n{date}\n{}{resource}",
            find("content-md5"),
            find("content-type"),
            amz.concat(),
        ));
        let mut out = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\ndate: {date}\r\n\
             authorization: AWS {}:{signature}\r\ncontent-length: {}\r\n",
            self.host,
            self.access_key,
            body.len(),
        );
        for (name, value) in headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        out.push_str("\r\n");
        [out.as_bytes(), body].concat()
    }

    /// The target of a link that lives for so many seconds.
    pub(crate) fn link(&self, method: &str, target: &str, lifetime: i64) -> String {
        let expires = now() + self.drift + lifetime;
        let token = self.token.as_ref();
        let amz = token.map(|token| format!("x-amz-security-token:{token}\n"));
        let signature = self.mac(&format!(
            "{method}\n\n\n{expires}\n{}{}",
            amz.unwrap_or_default(),
            resource(target),
        ));
        let mut link = format!(
            "{target}{}AWSAccessKeyId={}&Expires={expires}&Signature={}",
            if target.contains('?') { '&' } else { '?' },
            self.access_key,
            signature
                .replace('+', "%2B")
                .replace('/', "%2F")
                .replace('=', "%3D"),
        );
        if let Some(token) = token {
            link.push_str(&format!("&x-amz-security-token={token}"));
        }
        link
    }

    /// A bare GET of a link.
    pub(crate) fn follow(&self, link: &str) -> Vec<u8> {
        format!("GET {link} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host).into_bytes()
    }
}

fn resource(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut signed: Vec<_> = query
        .split('&')
        .filter(|pair| SUB_RESOURCES.contains(&pair.split('=').next().unwrap()))
        .map(|pair| pair.replace("%2F", "/"))
        .collect();
    signed.sort();
    if signed.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", signed.join("&"))
    }
}
