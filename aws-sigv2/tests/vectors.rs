//! Every directory under `tests/vectors`: what Amazon published, and what boto and botocore signed. How they
//! came about is told by `derive.py` there and by the `source` file of each.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aws_sigv2::policy::{Builder, Policy, sign_document};
use aws_sigv2::query::{self, Algorithm, Time};
use aws_sigv2::s3::{self, Server, SubResources};
use aws_sigv2::{Credentials, escape};

/// How many directories were there when this was written; more are welcome.
const AT_LEAST: usize = 145;

struct Vector {
    name: String,
    path: PathBuf,
}

impl Vector {
    fn all(prefix: &str) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
        let mut found: Vec<Self> = fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .map(|path| Self {
                name: path.file_name().unwrap().to_str().unwrap().to_owned(),
                path,
            })
            .filter(|vector| vector.name.starts_with(prefix))
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(!found.is_empty(), "{prefix}");
        found
    }

    fn get(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.path.join(file)).ok()
    }

    fn read(&self, file: &str) -> String {
        self.get(file)
            .unwrap_or_else(|| panic!("{}/{file}", self.name))
    }

    fn credentials(&self) -> Credentials {
        let text = self.read("credentials");
        let mut lines = text.lines();
        let pair = Credentials::new(lines.next().unwrap(), lines.next().unwrap());
        match lines.next() {
            Some(token) => pair.with_token(token),
            None => pair,
        }
    }

    fn request(&self) -> Wire {
        let text = self.read("request");
        let mut lines: Vec<String> = Vec::new();
        for line in text.strip_suffix("\r\n").unwrap().split("\r\n") {
            if line.starts_with([' ', '\t']) || line.is_empty() {
                let last = lines.last_mut().unwrap();
                last.push_str("\r\n");
                last.push_str(line);
            } else {
                lines.push(line.to_owned());
            }
        }
        let start = lines.remove(0);
        let (method, target) = start.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Wire {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: lines
                .iter()
                .map(|line| {
                    line.split_once(':')
                        .map(|(name, value)| (name.into(), value.into()))
                        .unwrap()
                })
                .collect(),
        }
    }
}

#[derive(Clone)]
struct Wire {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
}

impl Wire {
    fn s3<'a>(
        &'a self,
        bucket: Option<&'a str>,
    ) -> s3::S3Request<'a, impl Clone + IntoIterator<Item = (&'a str, &'a str)>> {
        s3::S3Request {
            method: &self.method,
            bucket,
            path: &self.path,
            query: &self.query,
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        }
    }
}

#[test]
fn all_are_here_and_of_a_known_kind() {
    let all = Vector::all("");
    assert!(all.len() >= AT_LEAST, "{}", all.len());
    for vector in &all {
        let kind = vector.name.split('-').next().unwrap();
        assert!(
            ["s3", "link", "query", "policy"].contains(&kind),
            "{}",
            vector.name
        );
        let source = vector.read("source");
        assert!(
            source.starts_with("Published: ") || source.starts_with("Derived: "),
            "{}",
            vector.name
        );
    }
}

#[test]
fn s3_headers() {
    for vector in Vector::all("s3-") {
        let (wire, bucket, credentials) =
            (vector.request(), vector.get("bucket"), vector.credentials());
        let request = wire.s3(bucket.as_deref());
        let list = match vector.get("sub-resources").as_deref() {
            None => SubResources::BASE,
            Some("boto") => SubResources::of(Server::Boto),
            Some(other) => panic!("{}: {other}", vector.name),
        };
        let signer = request.sub_resources(&list);
        assert_eq!(
            signer.string_to_sign(&credentials),
            vector.read("string-to-sign"),
            "{}",
            vector.name
        );
        let authorization = signer.sign(&credentials);
        assert_eq!(
            authorization.value(),
            vector.read("authorization"),
            "{}",
            vector.name
        );

        let held = wire
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("x-amz-security-token"));
        let token = if held {
            None
        } else {
            credentials.session_token()
        };
        assert_eq!(authorization.token(), token, "{}", vector.name);
        if let Some(printed) = vector.get("published") {
            assert_ne!(
                authorization.value().rsplit_once(':').unwrap().1,
                printed,
                "{}",
                vector.name
            );
            assert!(vector.read("source").contains("Erratum"), "{}", vector.name);
        }
    }
}

#[test]
fn links() {
    for vector in Vector::all("link-") {
        let (wire, bucket, credentials) =
            (vector.request(), vector.get("bucket"), vector.credentials());
        let request = wire.s3(bucket.as_deref());
        let expires: u64 = vector.read("expires").parse().unwrap();
        assert_eq!(
            request.presign_string_to_sign(&credentials, expires),
            vector.read("string-to-sign"),
            "{}",
            vector.name
        );
        let mut expected = wire.query.clone();
        if !expected.is_empty() {
            expected.push('&');
        }
        expected += &format!(
            "AWSAccessKeyId={}&Expires={expires}",
            credentials.access_key()
        );
        if let Some(token) = credentials.session_token() {
            expected += &format!("&x-amz-security-token={}", escape::component(token));
        }
        expected += &format!(
            "&Signature={}",
            escape::component(&vector.read("signature"))
        );
        let query = request.presign(&credentials, expires);
        assert_eq!(query, expected, "{}", vector.name);

        let again = Wire {
            query,
            ..wire.clone()
        };
        let signed_again = again.s3(bucket.as_deref()).presign(&credentials, expires);
        assert_eq!(
            signed_again, expected,
            "{}: a link is signed again",
            vector.name
        );
    }
}

#[test]
fn queries() {
    for vector in Vector::all("query-") {
        let (wire, credentials) = (vector.request(), vector.credentials());
        let pairs: Vec<(String, String)> =
            serde_json::from_str(&vector.read("params.json")).unwrap();
        let mut params: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let time = vector.read("time");
        let (kind, time) = time.trim_end().split_once(' ').unwrap();
        let algorithm = match vector.read("algorithm").trim_end() {
            "HmacSHA1" => Algorithm::HmacSha1,
            _ => Algorithm::default(),
        };
        assert_eq!(algorithm.name(), vector.read("algorithm").trim_end());
        for _ in 0..2 {
            let request = query::QueryRequest {
                method: &wire.method,
                host: wire.headers[0].1.trim(),
                path: &wire.path,
                params: &params,
                time: if kind == "Expires" {
                    Time::Expires(time)
                } else {
                    Time::Timestamp(time)
                },
            };
            assert_eq!(
                request.string_to_sign(&credentials, algorithm),
                vector.read("string-to-sign"),
                "{}",
                vector.name
            );
            assert_eq!(
                request.sign(&credentials, algorithm),
                vector.read("signed"),
                "{}",
                vector.name
            );
            params.reverse();
        }
    }
}

#[test]
fn policies() {
    for vector in Vector::all("policy-") {
        let credentials = vector.credentials();
        let (document, policy, signature) = (
            vector.read("document"),
            vector.read("policy"),
            vector.read("signature"),
        );
        assert_eq!(
            sign_document(&document, &credentials),
            (policy, signature),
            "{}",
            vector.name
        );

        let calls: Vec<Vec<serde_json::Value>> =
            serde_json::from_str(&vector.read("fields.json")).unwrap();
        let built = calls
            .iter()
            .fold(Policy::builder(), |builder, arguments| {
                call(builder, arguments)
            })
            .build();
        let json: serde_json::Value = serde_json::from_str(&built.json(&credentials)).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(json, expected, "{}", vector.name);

        let form: BTreeMap<String, String> = built.sign(&credentials).into_iter().collect();
        let (policy, signature) = sign_document(&built.json(&credentials), &credentials);
        assert_eq!(
            (&form["policy"], &form["signature"]),
            (&policy, &signature),
            "{}",
            vector.name
        );
        assert_eq!(
            form.get("x-amz-security-token").map(String::as_str),
            credentials.session_token()
        );
    }
}

fn call(builder: Builder, call: &[serde_json::Value]) -> Builder {
    let text = |i: usize| call[i].as_str().unwrap();
    let number = |i: usize| call[i].as_u64().unwrap();
    match text(0) {
        "expires" => builder.expires(number(1)),
        "bucket" => builder.bucket(text(1)),
        "key" => builder.key(text(1)),
        "key_starts_with" => builder.key_starts_with(text(1)),
        "exact" => builder.exact(text(1), text(2)),
        "starts_with" => builder.starts_with(text(1), text(2)),
        "content_length_range" => builder.content_length_range(number(1), number(2)),
        other => panic!("{other}"),
    }
}
