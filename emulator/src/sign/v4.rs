//! Signature Version 4 in the `Authorization` header of a Query request: EC2's.
//!
//! Written from [Amazon's documents](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)
//! only.

use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use sha2::{Digest, Sha256};

use crate::encode::{hex, percent_encode};

/// What an `Authorization` header says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) day: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    signed_headers: Vec<&'a str>,
    pub(crate) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header; some clients leave out the blanks behind the commas.
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let rest = value.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            let mut parts = rest.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let mut scope = field("Credential")?.rsplitn(5, '/');
        let (Some("aws4_request"), Some(service), Some(region), Some(day), Some(access_key)) = (
            scope.next(),
            scope.next(),
            scope.next(),
            scope.next(),
            scope.next(),
        ) else {
            return None;
        };
        Some(Self {
            access_key,
            day,
            region,
            service,
            signed_headers: field("SignedHeaders")?.split(';').collect(),
            signature: field("Signature")?,
        })
    }

    /// Whether the host, and with it the server, is signed.
    pub(crate) fn signs_host(&self) -> bool {
        self.signed_headers.contains(&"host")
    }
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedV4<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// The names and values are decoded.
    pub(crate) query: &'a [(Vec<u8>, Vec<u8>)],
    pub(crate) headers: &'a HeaderMap,
    /// The host as it is signed, which some clients do without the port that they send.
    pub(crate) host: &'a str,
    pub(crate) body: &'a [u8],
    /// The time has the form `20060102T150405Z`.
    pub(crate) date: &'a str,
}

impl SignedV4<'_> {
    fn canonical_request(&self, authorization: &Authorization<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        line(&mut out, self.method.as_bytes());
        line(&mut out, self.path.as_bytes());
        let mut query: Vec<Vec<u8>> = Vec::with_capacity(self.query.len());
        for (name, value) in self.query {
            let mut pair = Vec::new();
            percent_encode(&mut pair, name);
            pair.push(b'=');
            percent_encode(&mut pair, value);
            query.push(pair);
        }
        query.sort_unstable();
        line(&mut out, &query.join(&b'&'));
        for name in &authorization.signed_headers {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            let values: Vec<Vec<u8>> = match *name {
                "host" => vec![self.host.as_bytes().to_vec()],
                _ => {
                    let values = self.headers.get_all(*name).iter();
                    values.map(|value| trimmed(value.as_bytes())).collect()
                }
            };
            line(&mut out, &values.join(&b','));
        }
        line(&mut out, b"");
        line(&mut out, authorization.signed_headers.join(";").as_bytes());
        out.extend_from_slice(hex(&Sha256::digest(self.body)).as_bytes());
        out
    }

    /// Whether the signature is that of this request with this secret, in constant time.
    pub(crate) fn matches(&self, authorization: &Authorization<'_>, secret: &str) -> bool {
        let Authorization {
            day,
            region,
            service,
            signature,
            ..
        } = authorization;
        let digest = hex(&Sha256::digest(self.canonical_request(authorization)));
        let date = self.date;
        let string =
            format!("AWS4-HMAC-SHA256\n{date}\n{day}/{region}/{service}/aws4_request\n{digest}");
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [day, region, service, &"aws4_request"] {
            key = mac(&key, part.as_bytes());
        }
        let Some(given) = unhex(signature) else {
            return false;
        };
        Hmac::<Sha256>::new_from_slice(&key).is_ok_and(|mac| {
            let mac = mac.chain_update(string.as_bytes());
            mac.verify_slice(&given).is_ok()
        })
    }
}

fn line(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(b'\n');
}

/// A field's value without blanks around it, and with one for each run of them within it.
fn trimmed(value: &[u8]) -> Vec<u8> {
    let words = value.split(|b| matches!(b, b' ' | b'\t'));
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // A key of any length will do.
    let mac = Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(message));
    mac.map(|mac| mac.finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::form_pairs;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// The example of "Examples of the complete Version 4 signing process":
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/signing-elements.html>.
    #[test]
    fn the_documented_request_is_right() {
        let value = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date, \
                     Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        let packed = value.replace(", ", ",");
        let mut headers = HeaderMap::new();
        let kind = "application/x-www-form-urlencoded;  charset=utf-8 ";
        headers.insert("content-type", kind.parse().unwrap());
        headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
        let query = form_pairs(b"Version=2010-05-08&Action=ListUsers");
        let signed = SignedV4 {
            method: "GET",
            path: "/",
            query: &query,
            headers: &headers,
            host: "iam.amazonaws.com",
            body: b"",
            date: "20150830T123600Z",
        };
        for value in [value, &packed] {
            let authorization = Authorization::parse(value).unwrap();
            assert_eq!(authorization.access_key, "AKIDEXAMPLE");
            assert!(authorization.signs_host());
            assert!(signed.matches(&authorization, SECRET));
            assert!(!signed.matches(&authorization, "other"));
            let other = SignedV4 {
                body: b"x",
                ..signed
            };
            assert!(!other.matches(&authorization, SECRET));
        }
    }

    #[test]
    fn nonsense_is_none() {
        for value in [
            "",
            "AWS AK:sig",
            "AWS4-HMAC-SHA256 Credential=AK/1/2/3/other, SignedHeaders=host, Signature=00",
            "AWS4-HMAC-SHA256 Credential=AK/1/2/aws4_request, SignedHeaders=host, Signature=00",
            "AWS4-HMAC-SHA256 Credential=AK/1/2/3/aws4_request, Signature=00",
        ] {
            assert_eq!(Authorization::parse(value), None, "{value}");
        }
        assert_eq!((unhex("0g"), unhex("123")), (None, None));
    }
}
