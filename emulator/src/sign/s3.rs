//! The string to sign of S3's own scheme, for headers and for presigned links.
//!
//! See [Signing and authenticating REST requests](https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html).

use std::collections::BTreeMap;

use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, DATE, HeaderName};

/// Query parameters that belong to the canonical resource, sorted.
const SUB_RESOURCES: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// The decoded query of a request, in the order sent.
pub(crate) type Query = [(Vec<u8>, Vec<u8>)];

/// Everything of a request that its signature covers.
pub(crate) struct SignedS3<'a> {
    pub(crate) method: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a Query,
    /// Named by the host of a virtual-hosted request.
    pub(crate) bucket: Option<&'a str>,
    /// The path is as it was sent, still encoded.
    pub(crate) path: &'a str,
    /// Stands where a header-signed request has its date.
    pub(crate) expires: Option<&'a [u8]>,
}

impl SignedS3<'_> {
    pub(crate) fn string_to_sign(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let amz = self.amz_headers();
        line(&mut out, self.method.as_bytes());
        line(
            &mut out,
            self.field(&HeaderName::from_static("content-md5")),
        );
        line(&mut out, self.field(&CONTENT_TYPE));
        match self.expires {
            Some(expires) => line(&mut out, expires),
            // The amz date stands among the amz headers, and the plain one then counts for nothing.
            None if amz.contains_key(&b"x-amz-date"[..]) => line(&mut out, b""),
            None => line(&mut out, header(self.headers, &DATE)),
        }
        for (name, value) in amz {
            out.extend_from_slice(&name);
            out.push(b':');
            line(&mut out, &value);
        }
        self.resource(&mut out);
        out
    }

    /// A header, or for a presigned link the query parameter that stands in for it.
    fn field(&self, name: &HeaderName) -> &[u8] {
        let value = header(self.headers, name);
        if !value.is_empty() || self.expires.is_none() {
            return value;
        }
        let is_it = |given: &[u8]| given.eq_ignore_ascii_case(name.as_str().as_bytes());
        let found = self.query.iter().find(|(given, _)| is_it(given));
        found.map_or(b"", |(_, value)| value)
    }

    fn amz_headers(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut amz: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut add = |name: Vec<u8>, value: &[u8]| {
            amz.entry(name)
                .and_modify(|joined| {
                    joined.push(b',');
                    joined.extend_from_slice(value);
                })
                .or_insert_with(|| value.to_vec());
        };
        for (name, value) in self.headers {
            if name.as_str().starts_with("x-amz-") {
                add(name.as_str().into(), value.as_bytes().trim_ascii());
            }
        }
        if self.expires.is_some() {
            for (name, value) in self.query {
                let name = name.to_ascii_lowercase();
                if name.starts_with(b"x-amz-")
                    && !self.headers.keys().any(|h| h.as_str().as_bytes() == name)
                {
                    add(name, value.trim_ascii());
                }
            }
        }
        amz
    }

    fn resource(&self, out: &mut Vec<u8>) {
        if let Some(bucket) = self.bucket {
            out.push(b'/');
            out.extend_from_slice(bucket.as_bytes());
        }
        out.extend_from_slice(self.path.as_bytes());
        let mut separator = b'?';
        for wanted in SUB_RESOURCES {
            let found = self
                .query
                .iter()
                .find(|(name, _)| name == wanted.as_bytes());
            if let Some((name, value)) = found {
                out.push(separator);
                separator = b'&';
                out.extend_from_slice(name);
                if !value.is_empty() {
                    out.push(b'=');
                    out.extend_from_slice(value);
                }
            }
        }
    }
}

fn line(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(b'\n');
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a [u8] {
    headers
        .get(name)
        .map_or(b"", |value| value.as_bytes().trim_ascii())
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;

    use super::*;
    use crate::encode::{form_pairs, hmac_sha1_matches};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    /// One example of Amazon's document: request, string to sign, signature.
    fn example(
        (method, host_bucket, target): (&str, Option<&str>, &str),
        headers: &[(&'static str, &'static str)],
        expires: Option<&[u8]>,
        expected: &str,
        signature: &str,
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let signed = SignedS3 {
            method,
            headers: &map,
            query: &form_pairs(query.as_bytes()),
            bucket: host_bucket,
            path,
            expires,
        };
        let string = signed.string_to_sign();
        assert_eq!(String::from_utf8_lossy(&string), expected);
        let signature = BASE64_STANDARD.decode(signature).unwrap();
        assert!(
            hmac_sha1_matches(SECRET, &string, &signature),
            "{method} {target}"
        );
    }

    #[test]
    fn amazons_examples() {
        example(
            ("GET", Some("awsexamplebucket1"), "/photos/puppy.jpg"),
            &[("Date", "Tue, 27 Mar 2007 19:36:42 +0000")],
            None,
            "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/awsexamplebucket1/photos/puppy.jpg",
            "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
        );
        example(
            ("PUT", Some("awsexamplebucket1"), "/photos/puppy.jpg"),
            &[
                ("Content-Type", "image/jpeg"),
                ("Content-Length", "94328"),
                ("Date", "Tue, 27 Mar 2007 21:15:45 +0000"),
            ],
            None,
            "PUT\n\nimage/jpeg\nTue, 27 Mar 2007 21:15:45 +0000\n\
             /awsexamplebucket1/photos/puppy.jpg",
            "iqRzw+ileNPu1fhspnRs8nOjjIA=",
        );
        example(
            (
                "GET",
                Some("awsexamplebucket1"),
                "/?prefix=photos&max-keys=50&marker=puppy",
            ),
            &[("Date", "Tue, 27 Mar 2007 19:42:41 +0000")],
            None,
            "GET\n\n\nTue, 27 Mar 2007 19:42:41 +0000\n/awsexamplebucket1/",
            "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
        );
        example(
            ("GET", Some("awsexamplebucket1"), "/?acl"),
            &[("Date", "Tue, 27 Mar 2007 19:44:46 +0000")],
            None,
            "GET\n\n\nTue, 27 Mar 2007 19:44:46 +0000\n/awsexamplebucket1/?acl",
            "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
        );
    }

    #[test]
    fn amz_headers_fold_and_silence_the_date() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-amz-meta-b", " two "),
            ("x-amz-meta-b", "three"),
            ("x-amz-date", "Tue, 27 Mar 2007 21:20:26 +0000"),
            ("date", "Tue, 27 Mar 2007 21:20:27 +0000"),
            ("x-amz-acl", "private"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        let signed = SignedS3 {
            method: "PUT",
            headers: &headers,
            query: &form_pairs(b"uploads&partNumber=2&x=1&uploadId=a%2Fb"),
            bucket: None,
            path: "/b/%C3%A9",
            expires: None,
        };
        assert_eq!(
            String::from_utf8(signed.string_to_sign()).unwrap(),
            "PUT\n\n\n\nx-amz-acl:private\nx-amz-date:Tue, 27 Mar 2007 21:20:26 +0000\n\
             x-amz-meta-b:two,three\n/b/%C3%A9?partNumber=2&uploadId=a/b&uploads"
        );
    }

    #[test]
    fn presigned_links_sign_amz_parameters() {
        let signed = SignedS3 {
            method: "GET",
            headers: &HeaderMap::new(),
            query: &form_pairs(b"x-amz-security-token=to%2Bken&response-content-type=a%2Fb"),
            bucket: None,
            path: "/b/k",
            expires: Some(b"1175139620"),
        };
        assert_eq!(
            signed.string_to_sign(),
            b"GET\n\n\n1175139620\nx-amz-security-token:to+ken\n/b/k?response-content-type=a/b"
        );
    }

    #[test]
    fn sub_resources_are_sorted() {
        assert!(SUB_RESOURCES.is_sorted());
    }
}
