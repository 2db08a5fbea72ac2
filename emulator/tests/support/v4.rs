//! S3's Version 4 signature, the short way: it knows as much of it as these tests sign.
//!
//! See [Authenticating Requests](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).

use std::time::{Duration, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::wire::now;

/// Names and values of header fields.
type Fields<'a> = &'a [(&'a str, &'a str)];

#[derive(Clone)]
pub(crate) struct SignerV4 {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) region: String,
    pub(crate) host: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    let mac = mac.chain_update(message).finalize();
    mac.into_bytes().to_vec()
}

/// `20091102T030405Z` of now.
fn stamp() -> String {
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(now()).unwrap());
    let at = time::OffsetDateTime::from(at);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// The query in canonical form: sorted, each parameter with its `=`.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.contains('=') {
            true => pair.to_owned(),
            false => format!("{pair}="),
        })
        .collect();
    pairs.sort();
    pairs.join("&")
}

impl SignerV4 {
    pub(crate) fn new(access_key: &str, secret: &str, host: impl ToString) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret: secret.to_owned(),
            region: "us-east-1".to_owned(),
            host: host.to_string(),
        }
    }

    fn sign(&self, stamp: &str, canonical: &str) -> String {
        let date = &stamp[..8];
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let digest = hex(&Sha256::digest(canonical));
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for step in [date, &self.region, "s3", "aws4_request"] {
            key = mac(&key, step);
        }
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}");
        hex(&mac(&key, &text))
    }

    /// A request whose signature covers all of `signed`, and to which `unsigned` was added afterwards.
    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        (signed, unsigned): (Fields<'_>, Fields<'_>),
        body: &[u8],
    ) -> Vec<u8> {
        let stamp = stamp();
        let hash = hex(&Sha256::digest(body));
        let mut fields = signed.to_vec();
        fields.push(("host", &self.host));
        fields.push(("x-amz-date", &stamp));
        if !signed
            .iter()
            .any(|(name, _)| *name == "x-amz-content-sha256")
        {
            fields.push(("x-amz-content-sha256", &hash));
        }
        fields.sort_unstable();
        let find = |wanted| fields.iter().find(|(name, _)| *name == wanted);
        let payload = find("x-amz-content-sha256").unwrap().1.to_owned();
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = fields
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = canonical_query(query);
        let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}");
        let signature = self.sign(&stamp, &canonical);
        let mut out = format!(
            "{method} {target} HTTP/1.1\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential={}/{}/{}/s3/aws4_request, SignedHeaders={names}, Signature={signature}\r\n\
             content-length: {}\r\n",
            self.access_key,
            &stamp[..8],
            self.region,
            body.len(),
        );
        for (name, value) in fields.iter().chain(unsigned) {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        out.push_str("\r\n");
        [out.as_bytes(), body].concat()
    }

    /// The target of a link that lives for so many seconds.
    pub(crate) fn link(&self, method: &str, target: &str, lifetime: &str) -> String {
        let stamp = stamp();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut pairs = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}%2F{}%2Fs3%2Faws4_request\
             &X-Amz-Date={stamp}&X-Amz-Expires={lifetime}&X-Amz-SignedHeaders=host",
            self.access_key,
            &stamp[..8],
            self.region,
        );
        if !query.is_empty() {
            pairs = format!("{pairs}&{query}");
        }
        let canonical = format!(
            "{method}\n{path}\n{}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD",
            canonical_query(&pairs),
            self.host
        );
        let signature = self.sign(&stamp, &canonical);
        format!("{path}?{pairs}&X-Amz-Signature={signature}")
    }
}
