//! What a signature costs, beside what its hashing alone does: the best of many rounds, in nanoseconds.
//!
//! `cargo bench -p aws-sigv2 --bench sign [part of a name]`

#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use aws_sigv2::query::{self, Algorithm, Time};
use aws_sigv2::{Credentials, date, mac, s3};
use hmac::{Hmac, KeyInit, Mac};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const HOST: (&str, &str) = ("host", "photos.s3.eu-west-1.amazonaws.com");
const PATH: &str = "/2009/thumbnails/cat%20with%20hat.jpg";

fn main() {
    let keys = Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET);
    let temporary = keys.clone().with_token("t".repeat(400));
    let now = SystemTime::now();

    show("the date of a header", || {
        black_box(date::http(black_box(now)).as_ref().len())
    });
    let date = date::http(now);
    let get = s3::S3Request {
        method: "GET",
        bucket: Some("photos"),
        path: black_box(PATH),
        query: "",
        headers: [HOST, ("date", date.as_ref())],
    };
    let text = get.string_to_sign(&keys);
    let hmac = Hmac::<sha1::Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
    show("the MAC of a GET alone", || {
        let mut mac = hmac.clone();
        mac.update(black_box(text.as_bytes()));
        black_box(mac.finalize().into_bytes().len())
    });
    show("S3, GET", || black_box(get.sign(&keys).value().len()));
    show("S3, GET with its date", || {
        let date = date::http(black_box(now));
        let headers = [HOST, ("date", date.as_ref())];
        black_box(s3::S3Request { headers, ..get }.sign(&keys).value().len())
    });
    show("S3, GET with a token of 400 bytes", || {
        black_box(get.sign(&temporary).value().len())
    });
    let date = ("date", date.as_ref());
    let put = s3::S3Request {
        method: "PUT",
        bucket: get.bucket,
        path: PATH,
        query: "",
        headers: [
            HOST,
            ("content-type", "image/jpeg"),
            ("x-amz-meta-mood", "sleepy"),
            ("x-amz-acl", "private"),
            date,
        ],
    };
    show("S3, PUT with two x-amz- headers", || {
        black_box(put.sign(&keys).value().len())
    });
    let part = s3::S3Request {
        query: black_box("partNumber=7&uploadId=VXBsb2FkIElEIGZvciA2aWWpbmcncyBteS1tb3Zp"),
        ..get
    };
    show("S3, GET of a part", || {
        black_box(part.sign(&keys).value().len())
    });
    show("S3, link", || {
        black_box(get.presign(&keys, 1_175_139_620).len())
    });

    for attributes in [1, 4, 16] {
        let names: Vec<[String; 3]> = (0..attributes)
            .map(|i| ["Name", "Value", "Replace"].map(|part| format!("Attribute.{i}.{part}")))
            .collect();
        let mut params = vec![
            ("Action", "PutAttributes"),
            ("DomainName", "users"),
            ("ItemName", "user 1234"),
            ("Version", "2009-04-15"),
        ];
        for [name, value, replace] in &names {
            params.push((name, "mail"));
            params.push((value, "ann@example.com"));
            params.push((replace, "true"));
        }
        let time = date::iso8601(now);
        let request = query::QueryRequest {
            method: "POST",
            host: "sdb.amazonaws.com",
            path: "/",
            params: &params,
            time: Time::Timestamp(time.as_ref()),
        };
        let text = request.string_to_sign(&keys, Algorithm::HmacSha256);
        let key = mac::Key::<mac::Sha256>::new(SECRET.as_bytes());
        show(&format!("the MAC of a put of {attributes} alone"), || {
            black_box(key.sign(black_box(text.as_bytes())).len())
        });
        show(&format!("Query, put of {attributes} attributes"), || {
            black_box(request.sign(&keys, Algorithm::HmacSha256).len())
        });
    }
}

/// The best round is the one that the machine disturbed least.
fn show(name: &str, work: impl Fn() -> usize) {
    const ROUNDS: u32 = 500;
    const EACH: u32 = 400;
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    if wanted.is_some_and(|part| !name.contains(&part)) {
        return;
    }
    let round = || {
        let start = Instant::now();
        for _ in 0..EACH {
            work();
        }
        start.elapsed()
    };
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or(Duration::MAX);
    let each = best.as_nanos() / u128::from(EACH);
    let mut out = std::io::stdout();
    writeln!(out, "{name}: {each} ns").unwrap();
}
