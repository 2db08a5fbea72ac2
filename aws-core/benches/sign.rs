//! What a signature costs: the best of many rounds, in nanoseconds.
//!
//! `cargo bench -p aws-core --bench sign [part of a name]`

#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use aws_core::Credentials;
use aws_core::v4::{Payload, Request, Scope};
use aws_sigv2::{date, s3};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const HOST: (&str, &str) = ("host", "photos.s3.eu-west-1.amazonaws.com");
const PATH: &str = "/2009/thumbnails/cat%20with%20hat.jpg";

fn main() {
    let keys = Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    );
    let temporary = keys.clone().with_token("t".repeat(400));
    let scope = Scope::s3("eu-west-1");
    let now = SystemTime::now();
    let body = vec![7; 4096];
    let get = |headers| Request {
        method: "GET",
        path: black_box(PATH),
        query: "",
        headers,
        payload: Payload::Bytes(&[]),
    };
    let put = Request {
        method: "PUT",
        payload: Payload::Bytes(&body),
        ..get([HOST])
    };
    let unsigned = Request {
        payload: Payload::Unsigned,
        ..put
    };

    show("V2, GET", || {
        let date = date::http(now);
        let request = s3::S3Request {
            method: "GET",
            bucket: Some("photos"),
            path: black_box(PATH),
            query: "",
            headers: [HOST, ("date", date.as_ref())],
        };
        black_box(request.sign(&keys).value().len())
    });
    let text = get([HOST]).canonical_request(&scope, &keys, now);
    let then = get([HOST]).string_to_sign(&scope, &keys, now);
    let hmac = Hmac::<Sha256>::new_from_slice(keys.secret_key().as_bytes()).unwrap();
    show("V4, GET, its hash and MAC alone", || {
        let digest = Sha256::digest(black_box(text.as_bytes()));
        let mut mac = hmac.clone();
        mac.update(black_box(then.as_bytes()));
        black_box(mac.finalize().into_bytes()[0] ^ digest[0]).into()
    });
    show("V4, GET", || {
        black_box(get([HOST]).sign(&scope, &keys, now).value().len())
    });
    show("V4, GET with a token of 400 bytes", || {
        black_box(get([HOST]).sign(&scope, &temporary, now).value().len())
    });
    show("V4, PUT of 4 KiB", || {
        black_box(put.sign(&scope, &keys, now).value().len())
    });
    show("V4, PUT of 4 KiB, body not signed", || {
        black_box(unsigned.sign(&scope, &keys, now).value().len())
    });
    let hour = Duration::from_secs(3600);
    show("V4, link", || {
        black_box(get([HOST]).presign(&scope, &keys, now, hour).unwrap().len())
    });

    let identity = aws_credential_types::Credentials::new(
        keys.access_key(),
        keys.secret_key(),
        None,
        None,
        "bench",
    )
    .into();
    let url = format!("https://{}{PATH}", HOST.1);
    show("V4, GET, by the crate aws-sigv4", || {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name("s3")
            .time(now)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let body = SignableBody::Bytes(&[]);
        let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), body).unwrap();
        black_box(sign(request, &params).unwrap().signature().len())
    });
}

/// The best round is the one that the machine disturbed least.
fn show(name: &str, work: impl Fn() -> usize) {
    const ROUNDS: u32 = 200;
    const EACH: u32 = 1000;
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    if wanted.is_some_and(|part| !name.contains(&part)) {
        return;
    }
    let round = || {
        let start = Instant::now();
        for _ in 0..EACH {
            work();
        }
        start.elapsed() / EACH
    };
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or_default();
    let mut out = std::io::stdout();
    writeln!(out, "{name}: {} ns", best.as_nanos()).unwrap();
}
