//! Random requests, signed by the crate and by a second signer that was written from Amazon's pages alone: maps
//! and strings instead of streams, and HMAC by its definition instead of prepared keys.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::collections::BTreeMap;

use aws_sigv2::policy::Policy;
use aws_sigv2::query::{self, Algorithm, Time};
use aws_sigv2::s3;
use aws_sigv2::{Credentials, escape};
use proptest::prelude::*;
use sha1::{Digest, Sha1};
use sha2::Sha256;

mod naive {
    use super::*;

    /// RFC 2104, section 2.
    fn hmac<D: Digest>(key: &[u8], text: &[u8]) -> Vec<u8> {
        let mut block = if key.len() > 64 {
            D::digest(key).to_vec()
        } else {
            key.to_vec()
        };
        block.resize(64, 0);
        let padded = |pad: u8, rest: &[u8]| -> Vec<u8> {
            let mut all: Vec<u8> = block.iter().map(|byte| byte ^ pad).collect();
            all.extend_from_slice(rest);
            D::digest(&all).to_vec()
        };
        padded(0x5c, &padded(0x36, text))
    }

    /// RFC 4648, section 4.
    pub(crate) fn base64(bytes: &[u8]) -> String {
        let alphabet: Vec<char> = ('A'..='Z')
            .chain('a'..='z')
            .chain('0'..='9')
            .chain(['+', '/'])
            .collect();
        let mut out = String::new();
        for chunk in bytes.chunks(3) {
            let bits = (0..3).fold(0_usize, |bits, i| {
                bits << 8 | usize::from(*chunk.get(i).unwrap_or(&0))
            });
            for i in 0..4 {
                out.push(if i <= chunk.len() {
                    alphabet[bits >> (18 - 6 * i) & 63]
                } else {
                    '='
                });
            }
        }
        out
    }

    pub(crate) fn sha1(secret: &str, text: &[u8]) -> String {
        base64(&hmac::<Sha1>(secret.as_bytes(), text))
    }

    pub(crate) fn sha256(secret: &str, text: &[u8]) -> String {
        base64(&hmac::<Sha256>(secret.as_bytes(), text))
    }

    pub(crate) fn escape(text: &str) -> String {
        text.bytes()
            .map(|byte| {
                let c = char::from(byte);
                if c.is_ascii_alphanumeric() || "-_.~".contains(c) {
                    c.to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect()
    }

    fn unescape(text: &str) -> Vec<u8> {
        let bytes = text.as_bytes();
        let mut out = Vec::new();
        let mut i = 0;
        while i < bytes.len() {
            let pair = text
                .get(i + 1..i + 3)
                .filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
            match (bytes[i], pair) {
                (b'%', Some(pair)) => {
                    out.push(u8::from_str_radix(pair, 16).unwrap());
                    i += 2;
                }
                (b'+', _) => out.push(b' '),
                (byte, _) => out.push(byte),
            }
            i += 1;
        }
        out
    }

    fn value(raw: &str) -> String {
        let lines: Vec<&str> = raw
            .split("\r\n")
            .map(|line| line.trim_matches([' ', '\t']))
            .collect();
        lines
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    const SIGNED: &str = "acl lifecycle location logging notification partNumber policy requestPayment torrent \
        uploadId uploads versionId versioning versions website delete cors tagging restore \
        response-content-type response-content-language response-expires response-cache-control \
        response-content-disposition response-content-encoding";

    pub(crate) fn string_to_sign(
        request: &Wire,
        credentials: &Credentials,
        expires: Option<u64>,
    ) -> Vec<u8> {
        let mut plain: BTreeMap<String, String> = BTreeMap::new();
        let mut amz: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for (name, raw) in &request.headers {
            let name = name.to_lowercase();
            if name.starts_with("x-amz-") {
                amz.entry(name).or_default().push(value(raw).into_bytes());
            } else if !value(raw).is_empty() {
                plain.entry(name).or_insert_with(|| value(raw));
            }
        }
        let dated = amz.contains_key("x-amz-date");
        let token_held = amz.contains_key("x-amz-security-token");
        let mut sub = BTreeMap::new();
        for (name, value) in &request.query {
            if expires.is_some()
                && name.to_lowercase().starts_with("x-amz-")
                && name != "x-amz-security-token"
            {
                amz.entry(name.to_lowercase())
                    .or_default()
                    .push(unescape(value.as_deref().unwrap_or("")));
            }
            if SIGNED.split_whitespace().any(|signed| signed == name) {
                sub.insert(name, unescape(value.as_deref().unwrap_or("")));
            }
        }
        if let (false, Some(token)) = (token_held, credentials.session_token()) {
            amz.insert(
                "x-amz-security-token".into(),
                vec![value(token).into_bytes()],
            );
        }
        let mut text = format!("{}\n", request.method);
        for name in ["content-md5", "content-type"] {
            text += &format!("{}\n", plain.get(name).cloned().unwrap_or_default());
        }
        match expires {
            Some(expires) => text += &format!("{expires}\n"),
            None if dated => text += "\n",
            None => text += &format!("{}\n", plain.get("date").cloned().unwrap_or_default()),
        }
        let mut text = text.into_bytes();
        for (name, values) in amz {
            text.extend(name.bytes().chain([b':']));
            text.extend(values.join(&b','));
            text.push(b'\n');
        }
        if let Some(bucket) = &request.bucket {
            text.extend(format!("/{bucket}").bytes());
        }
        text.extend(request.path.bytes());
        let mut separator = b'?';
        for (name, value) in sub {
            text.push(separator);
            separator = b'&';
            text.extend(name.bytes());
            if !value.is_empty() {
                text.push(b'=');
                text.extend(value);
            }
        }
        text
    }
}

#[derive(Clone, Debug)]
struct Wire {
    method: String,
    bucket: Option<String>,
    path: String,
    query: Vec<(String, Option<String>)>,
    headers: Vec<(String, String)>,
}

impl Wire {
    fn query_string(&self) -> String {
        let pieces = self.query.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => name.clone(),
        });
        pieces.collect::<Vec<_>>().join("&")
    }
}

fn in_any_case(name: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<bool>(), name.len()).prop_map(move |upper| {
        name.chars()
            .zip(upper)
            .map(|(c, upper)| if upper { c.to_ascii_uppercase() } else { c })
            .collect()
    })
}

fn header() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        4 => "[xX]-[aA][mM][zZ]-[a-cA-C_.-]{1,4}",
        1 => in_any_case("x-amz-date"),
        1 => in_any_case("x-amz-security-token"),
        1 => in_any_case("date"),
        1 => in_any_case("content-md5"),
        1 => in_any_case("content-type"),
        1 => "[a-z]{1,5}(-[a-z]{1,5})?",
    ];
    let line = "[ \t]{0,2}([!-~é€𝄞][ -~\té€]{0,8}[!-~é])?[ \t]{0,2}";
    let folds = prop_oneof![6 => Just(0..1_usize), 1 => Just(2..4_usize)];
    let value = folds
        .prop_flat_map(move |extra| {
            prop::collection::vec(line, extra.start.max(1)..extra.end.max(2))
        })
        .prop_map(|lines| lines.join("\r\n "));
    (name, value)
}

fn parameter() -> impl Strategy<Value = (String, Option<String>)> {
    let name = prop_oneof![
        4 => prop::sample::select(vec![
            "acl", "uploadId", "partNumber", "versionId", "uploads", "policy", "tagging", "delete", "website",
            "response-content-type", "response-content-disposition", "response-expires",
        ]).prop_map(str::to_owned),
        1 => "x-amz-(meta-)?[a-c]{1,2}",
        2 => "[a-zA-Z-]{1,8}",
    ];
    let value = prop_oneof![
        1 => Just(None),
        1 => Just(Some(String::new())),
        3 => ".{0,12}".prop_map(|text| Some(naive::escape(&text))),
        1 => "([a-z+%=/:]|%[0-9a-fA-F]{2}){0,12}".prop_map(Some),
    ];
    (name, value)
}

/// One of each name: servers differ on which of two values counts.
fn unique(query: Vec<(String, Option<String>)>) -> Vec<(String, Option<String>)> {
    let mut seen = std::collections::HashSet::new();
    query
        .into_iter()
        .filter(|(name, _)| seen.insert(name.to_lowercase()))
        .collect()
}

prop_compose! {
    fn wire()(
        method in prop::sample::select(vec!["GET", "PUT", "HEAD", "DELETE", "POST"]),
        bucket in prop::option::of("[a-zA-Z0-9][a-z0-9.-]{2,10}"),
        key in ".{0,20}",
        query in prop::collection::vec(parameter(), 0..6).prop_map(unique),
        headers in prop_oneof![8 => prop::collection::vec(header(), 0..8), 1 => prop::collection::vec(header(), 20..40)],
    ) -> Wire {
        Wire { method: method.into(), bucket, path: format!("/{}", escape::path(&key)), query, headers }
    }
}

fn credentials() -> impl Strategy<Value = Credentials> {
    (
        "[A-Z0-9]{1,20}",
        ".{0,90}",
        prop::option::of("[A-Za-z0-9/+=]{1,60}"),
    )
        .prop_map(|(access, secret, token)| {
            let pair = Credentials::new(access, secret);
            match token {
                Some(token) => pair.with_token(token),
                None => pair,
            }
        })
}

proptest! {
    #[test]
    fn s3_headers(wire in wire(), credentials in credentials()) {
        let query = wire.query_string();
        let request = s3::S3Request {
            method: &wire.method,
            bucket: wire.bucket.as_deref(),
            path: &wire.path,
            query: &query,
            headers: wire.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        };
        let text = naive::string_to_sign(&wire, &credentials, None);
        prop_assert_eq!(request.string_to_sign(&credentials), String::from_utf8_lossy(&text));
        let signature = naive::sha1(credentials.secret_key(), &text);
        let expected = format!("AWS {}:{signature}", credentials.access_key());
        let authorization = request.sign(&credentials);
        prop_assert_eq!(authorization.value(), expected);
    }

    #[test]
    fn s3_links(wire in wire(), credentials in credentials(), expires in any::<u64>()) {
        let query = wire.query_string();
        let request = s3::S3Request {
            method: &wire.method,
            bucket: wire.bucket.as_deref(),
            path: &wire.path,
            query: &query,
            headers: wire.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        };
        let text = naive::string_to_sign(&wire, &credentials, Some(expires));
        prop_assert_eq!(request.presign_string_to_sign(&credentials, expires), String::from_utf8_lossy(&text));
        let signature = naive::escape(&naive::sha1(credentials.secret_key(), &text));
        let link = request.presign(&credentials, expires);
        prop_assert!(link.starts_with(&query));
        prop_assert!(link.ends_with(&format!("&Signature={signature}")), "{}", link);
        let again = s3::S3Request { method: request.method, bucket: request.bucket, path: request.path,
            query: &link, headers: request.headers.clone() };
        prop_assert_eq!(again.presign(&credentials, expires), link.clone());
    }

    #[test]
    fn queries(
        credentials in credentials(),
        params in prop::collection::btree_map("[ -~é日]{1,8}", ".{0,12}", 0..30),
        order in any::<prop::sample::Index>(),
        host in "[a-zA-Z0-9.-]{1,20}(:[0-9]{1,5})?",
        sha1 in any::<bool>(),
        stale in any::<bool>(),
    ) {
        let mut raw: Vec<(&str, &str)> = params.iter().map(|(name, value)| (&**name, &**value)).collect();
        if !raw.is_empty() {
            let by = order.index(raw.len());
            raw.rotate_left(by);
        }
        if stale {
            raw.push(("Signature", "old"));
            raw.insert(0, ("Timestamp", "old"));
        }
        let algorithm = if sha1 { Algorithm::HmacSha1 } else { Algorithm::HmacSha256 };
        let request = query::QueryRequest {
            method: "POST", host: &host, path: "/", params: &raw, time: Time::Timestamp("2009-04-15T00:00:00Z"),
        };

        let mut all: BTreeMap<&str, &str> = params.iter().map(|(name, value)| (&**name, &**value)).collect();
        all.insert("AWSAccessKeyId", credentials.access_key());
        all.insert("SignatureVersion", "2");
        all.insert("SignatureMethod", if sha1 { "HmacSHA1" } else { "HmacSHA256" });
        all.insert("Timestamp", "2009-04-15T00:00:00Z");
        if let Some(token) = credentials.session_token() {
            all.insert("SecurityToken", token);
        }
        let pairs: Vec<String> =
            all.iter().map(|(name, value)| format!("{}={}", naive::escape(name), naive::escape(value))).collect();
        let text = format!("POST\n{}\n/\n{}", host.to_lowercase(), pairs.join("&"));
        prop_assert_eq!(&request.string_to_sign(&credentials, algorithm), &text);
        let secret = credentials.secret_key();
        let signature =
            if sha1 { naive::sha1(secret, text.as_bytes()) } else { naive::sha256(secret, text.as_bytes()) };
        let expected = format!("{}&Signature={}", pairs.join("&"), naive::escape(&signature));
        prop_assert_eq!(request.sign(&credentials, algorithm), expected);
    }

    #[test]
    fn policies_are_json(
        credentials in credentials(),
        exact in prop::collection::vec(("[ -~é]{1,8}|\\PC{1,4}", any::<String>()), 0..5),
        prefixes in prop::collection::vec((any::<String>(), any::<String>()), 0..3),
        (min, max) in any::<(u64, u64)>(),
        expires in any::<u64>(),
    ) {
        let mut builder = Policy::builder().expires(expires).content_length_range(min, max);
        let mut conditions = vec![serde_json::json!(["content-length-range", min, max])];
        for (field, value) in &exact {
            builder = builder.exact(field, value);
            conditions.push(serde_json::json!({ field.as_str(): value }));
        }
        for (field, prefix) in &prefixes {
            builder = builder.starts_with(field, prefix);
            conditions.push(serde_json::json!(["starts-with", format!("${field}"), prefix]));
        }
        if let Some(token) = credentials.session_token() {
            conditions.push(serde_json::json!({ "x-amz-security-token": token }));
        }
        let policy = builder.build();
        let json: serde_json::Value = serde_json::from_str(&policy.json(&credentials)).unwrap();
        prop_assert_eq!(&json["conditions"], &serde_json::Value::from(conditions));
        prop_assert_eq!(json.as_object().unwrap().len(), 2);

        let form = policy.sign(&credentials);
        let fixed = exact.iter().filter(|(field, _)| field != "bucket").count();
        let (name, document) = &form[fixed + 1];
        prop_assert_eq!(name, "policy");
        prop_assert_eq!(document, &naive::base64(policy.json(&credentials).as_bytes()));
        prop_assert_eq!(&form[fixed + 2].1, &naive::sha1(credentials.secret_key(), document.as_bytes()));
    }
}
