//! Random requests, signed also by the crate `aws-sigv4`.

use std::time::Duration;

use aws_core::Credentials;
use aws_core::v4::{Payload, Request, Scope};
use aws_sigv2::escape;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use proptest::prelude::*;

use crate::at;

#[derive(Clone, Debug)]
struct Sample {
    s3: bool,
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    unsigned: bool,
    region: &'static str,
    token: Option<String>,
    unix: u64,
    expires: u64,
}

impl Sample {
    fn keys(&self) -> Credentials {
        let keys = Credentials::new("AKID", "hush");
        match &self.token {
            Some(token) => keys.with_token(token.clone()),
            None => keys,
        }
    }

    fn service(&self) -> &'static str {
        if self.s3 { "s3" } else { "sdb" }
    }

    fn ours(&self, link: bool) -> String {
        let scope = match self.s3 {
            true => Scope::s3(self.region),
            false => Scope::new(self.region, self.service()),
        };
        let host = std::iter::once(("host", "h.example:8080"));
        let request = Request {
            method: self.method,
            path: &self.path,
            query: &self.query,
            headers: host.chain(self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()))),
            payload: match self.unsigned {
                true => Payload::Unsigned,
                false => Payload::Bytes(&self.body),
            },
        };
        let (keys, time) = (self.keys(), at(self.unix));
        if link {
            let expires = Duration::from_secs(self.expires);
            let query = request.presign(&scope, &keys, time, expires).unwrap();
            query.rsplit_once('=').unwrap().1.to_owned()
        } else {
            request.sign(&scope, &keys, time).signature().to_owned()
        }
    }

    fn theirs(&self, link: bool) -> String {
        let mut settings = SigningSettings::default();
        if self.s3 {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if link {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(self.expires));
        } else if self.s3 {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let token = self.token.clone();
        let identity =
            aws_credential_types::Credentials::new("AKID", "hush", token, None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service())
            .time(at(self.unix))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let body = match self.unsigned || (link && self.s3) {
            true => SignableBody::UnsignedPayload,
            false => SignableBody::Bytes(&self.body),
        };
        let uri = match self.query.is_empty() {
            true => format!("http://h.example:8080{}", self.path),
            false => format!("http://h.example:8080{}?{}", self.path, self.query),
        };
        let headers = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let request = SignableRequest::new(self.method, uri, headers, body).unwrap();
        sign(request, &params).unwrap().signature().to_owned()
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9._~-]{0,8}",
        "[ -~]{1,12}",
        "[\u{e9}\u{20ac}\u{1d11e}/+&=%? ]{1,6}",
    ]
}

fn sample() -> impl Strategy<Value = Sample> {
    let path = prop::collection::vec(
        prop_oneof![3 => text(), 1 => Just(".".to_owned()), 1 => Just("..".to_owned())],
        0..5,
    )
    .prop_map(|segments| format!("/{}", escape::path(&segments.join("/"))));
    let pair = (text(), prop::option::of(text())).prop_map(|(name, value)| {
        let name = escape::component(&format!("q{name}"));
        match value {
            Some(value) => format!("{name}={}", escape::component(&value)),
            None => name,
        }
    });
    let query = prop::collection::vec(pair, 0..6).prop_map(|pairs| pairs.join("&"));
    let header = (
        "x-amz-meta-[a-f]{1,3}|Content-Type|Range|X-Amz-Acl",
        "[!-~]{0,6}( {0,3}[!-~]{1,6}){0,3} {0,2}",
    );
    // The other signer writes repeated names in an order of its own, so each is there once.
    let headers = prop::collection::vec(header, 0..30).prop_map(|mut headers| {
        headers.sort_by_key(|h| h.0.to_ascii_lowercase());
        headers.dedup_by_key(|h| h.0.to_ascii_lowercase());
        headers.reverse();
        headers
    });
    let request = (
        any::<bool>(),
        path,
        query,
        headers,
        prop::collection::vec(any::<u8>(), 0..99),
    );
    let rest = (
        prop::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD"]),
        prop::sample::select(vec!["us-east-1", "eu-west-1", "default"]),
        prop::option::of("[a-zA-Z0-9/+=]{1,300}"),
        0..4_000_000_000_u64,
        1..=604_800_u64,
        any::<bool>(),
    );
    (request, rest).prop_map(
        |((s3, path, query, headers, body), (method, region, token, unix, expires, unsigned))| {
            Sample {
                s3,
                method,
                path,
                query,
                headers,
                body,
                unsigned: unsigned && s3,
                region,
                token,
                unix,
                expires,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn another_signer_agrees(sample in sample()) {
        prop_assert_eq!(sample.ours(false), sample.theirs(false));
        prop_assert_eq!(sample.ours(true), sample.theirs(true));
    }
}
