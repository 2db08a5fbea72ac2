//! What a rule can see of a request.

use hyper::header::{HOST, HeaderMap};
use hyper::{Method, Uri};

use crate::encode::form_pairs;
use crate::s3::http::host;

/// The service that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// The request is one to Amazon S3.
    S3,
    /// The request is one to Amazon SimpleDB.
    SimpleDb,
    /// The request is one to Amazon EC2.
    Ec2,
    /// The metadata service of an EC2 instance.
    Metadata,
}

/// A request, as far as rules decide on it. Nothing of it has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// The service that it is for.
    pub service: Service,
    /// The method: `GET`.
    pub method: String,
    /// The operation, by the service's name of it: `GetObject`, `PutAttributes`, `DescribeInstances`; of the metadata
    /// service, its path below `/latest/`. Empty when it is none.
    pub operation: String,
    /// The bucket or domain that it is about.
    pub resource: Option<String>,
    /// The key of the object or the name of the item that it is about; of a list of instances, the token of its page.
    pub key: Option<String>,
    /// The query as it came, without its `?`.
    pub query: String,
}

impl Seen {
    pub(crate) fn s3(method: &str, uri: &Uri, headers: &HeaderMap, domain: Option<&str>) -> Self {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let in_host = host.and_then(|host| host::bucket(domain, host));
        let path = decode(uri.path().strip_prefix('/').unwrap_or_default());
        let (bucket, key) = match in_host {
            Some(bucket) => (bucket, path),
            None => match path.split_once('/') {
                Some((bucket, key)) => (bucket.to_owned(), key.to_owned()),
                None => (path, String::new()),
            },
        };
        let some = |text: String| (!text.is_empty()).then_some(text);
        let (resource, key) = (some(bucket), some(key));
        let query = uri.query().unwrap_or_default().to_owned();
        let operation = s3_operation(method, resource.is_some(), key.is_some(), &query, headers);
        Self {
            service: Service::S3,
            method: method.to_owned(),
            operation,
            resource,
            key,
            query,
        }
    }

    pub(crate) fn metadata(method: &Method, uri: &Uri) -> Self {
        let path = uri.path();
        Self {
            service: Service::Metadata,
            method: method.as_str().to_owned(),
            operation: decode(path.strip_prefix("/latest/").unwrap_or_default()),
            resource: None,
            key: None,
            query: uri.query().unwrap_or_default().to_owned(),
        }
    }

    /// A request of one of the Query APIs.
    pub(crate) fn form(service: Service, method: &Method, uri: &Uri, body: &[u8]) -> Self {
        let query = uri.query().unwrap_or_default();
        let mut pairs = form_pairs(query.as_bytes());
        pairs.extend(form_pairs(body));
        let find = |name: &str| {
            let found = pairs.iter().find(|(n, _)| n == name.as_bytes());
            found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        Self {
            service,
            method: method.as_str().to_owned(),
            operation: find("Action").unwrap_or_default(),
            resource: find("DomainName"),
            key: match service {
                Service::Ec2 => find("NextToken"),
                _ => find("ItemName"),
            },
            query: query.to_owned(),
        }
    }
}

fn decode(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |b: u8| char::from(b).to_digit(16);
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push((high * 16 + low) as u8);
                    after
                }
                _ => {
                    out.push(b'%');
                    tail
                }
            },
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The sub-resources, by the stem of the operations on them: for a bucket, for an object.
const SUB_RESOURCES: [(&str, &str, &str); 25] = [
    ("accelerate", "BucketAccelerateConfiguration", ""),
    ("acl", "BucketAcl", "ObjectAcl"),
    ("analytics", "BucketAnalyticsConfiguration", ""),
    ("attributes", "", "ObjectAttributes"),
    ("cors", "BucketCors", ""),
    ("encryption", "BucketEncryption", ""),
    ("inventory", "BucketInventoryConfiguration", ""),
    ("legal-hold", "", "ObjectLegalHold"),
    ("lifecycle", "BucketLifecycleConfiguration", ""),
    ("location", "BucketLocation", ""),
    ("logging", "BucketLogging", ""),
    ("metrics", "BucketMetricsConfiguration", ""),
    ("notification", "BucketNotificationConfiguration", ""),
    ("object-lock", "ObjectLockConfiguration", ""),
    ("ownershipControls", "BucketOwnershipControls", ""),
    ("policy", "BucketPolicy", ""),
    ("policyStatus", "BucketPolicyStatus", ""),
    ("publicAccessBlock", "PublicAccessBlock", ""),
    ("replication", "BucketReplication", ""),
    ("requestPayment", "BucketRequestPayment", ""),
    ("retention", "", "ObjectRetention"),
    ("tagging", "BucketTagging", "ObjectTagging"),
    ("torrent", "", "ObjectTorrent"),
    ("versioning", "BucketVersioning", ""),
    ("website", "BucketWebsite", ""),
];

fn s3_operation(method: &str, bucket: bool, key: bool, query: &str, headers: &HeaderMap) -> String {
    let has = |name: &str| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    };
    let copies = headers.contains_key("x-amz-copy-source");
    let verb = match method {
        "GET" => "Get",
        "HEAD" => "Head",
        "PUT" => "Put",
        "DELETE" => "Delete",
        _ => "",
    };
    if bucket && !verb.is_empty() {
        for (name, of_bucket, of_object) in SUB_RESOURCES {
            let stem = if key { of_object } else { of_bucket };
            if has(name) && !stem.is_empty() {
                return format!("{verb}{stem}");
            }
        }
    }
    let name = match (method, bucket, key) {
        ("GET", false, _) => "ListBuckets",
        ("GET", true, false) if has("versions") => "ListObjectVersions",
        ("GET", true, false) if has("uploads") => "ListMultipartUploads",
        ("GET", true, false) if query.contains("list-type=2") => "ListObjectsV2",
        ("GET", true, false) => "ListObjects",
        ("HEAD", true, false) => "HeadBucket",
        ("PUT", true, false) => "CreateBucket",
        ("DELETE", true, false) => "DeleteBucket",
        ("POST", true, false) if has("delete") => "DeleteObjects",
        ("POST", true, false) => "PostObject",
        ("GET", true, true) if has("uploadId") => "ListParts",
        ("GET", true, true) => "GetObject",
        ("HEAD", true, true) => "HeadObject",
        ("PUT", true, true) if has("partNumber") && copies => "UploadPartCopy",
        ("PUT", true, true) if has("partNumber") => "UploadPart",
        ("PUT", true, true) if copies => "CopyObject",
        ("PUT", true, true) => "PutObject",
        ("DELETE", true, true) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", true, true) => "DeleteObject",
        ("POST", true, true) if has("uploads") => "CreateMultipartUpload",
        ("POST", true, true) if has("uploadId") => "CompleteMultipartUpload",
        _ => "",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_s3_are_named() {
        let none = HeaderMap::new();
        let mut copy = HeaderMap::new();
        copy.insert("x-amz-copy-source", "/b/k".parse().unwrap());
        for (method, target, headers, operation, bucket, key) in [
            ("GET", "/", &none, "ListBuckets", None, None),
            (
                "GET",
                "/b/?list-type=2",
                &none,
                "ListObjectsV2",
                Some("b"),
                None,
            ),
            (
                "GET",
                "/b?versions",
                &none,
                "ListObjectVersions",
                Some("b"),
                None,
            ),
            ("PUT", "/b", &none, "CreateBucket", Some("b"), None),
            (
                "GET",
                "/b/a%20b/c",
                &none,
                "GetObject",
                Some("b"),
                Some("a b/c"),
            ),
            ("PUT", "/b/k", &copy, "CopyObject", Some("b"), Some("k")),
            (
                "PUT",
                "/b/k?partNumber=1&uploadId=x",
                &none,
                "UploadPart",
                Some("b"),
                Some("k"),
            ),
            (
                "POST",
                "/b/k?uploadId=x",
                &none,
                "CompleteMultipartUpload",
                Some("b"),
                Some("k"),
            ),
            (
                "POST",
                "/b/?delete",
                &none,
                "DeleteObjects",
                Some("b"),
                None,
            ),
            (
                "GET",
                "/b/?versioning",
                &none,
                "GetBucketVersioning",
                Some("b"),
                None,
            ),
            (
                "PUT",
                "/b/k?tagging",
                &none,
                "PutObjectTagging",
                Some("b"),
                Some("k"),
            ),
            ("GET", "/b/%zz", &none, "GetObject", Some("b"), Some("%zz")),
        ] {
            let seen = Seen::s3(method, &target.parse().unwrap(), headers, None);
            assert_eq!(
                (
                    seen.operation.as_str(),
                    seen.resource.as_deref(),
                    seen.key.as_deref()
                ),
                (operation, bucket, key),
                "{method} {target}"
            );
        }
        let mut hosted = HeaderMap::new();
        hosted.insert("host", "b.s3.test:80".parse().unwrap());
        let seen = Seen::s3("GET", &"/k".parse().unwrap(), &hosted, Some("s3.test"));
        assert_eq!(
            (seen.resource.as_deref(), seen.key.as_deref()),
            (Some("b"), Some("k"))
        );
    }

    #[test]
    fn requests_of_simpledb_are_named() {
        let form = b"Action=PutAttributes&DomainName=d+1&ItemName=i%2F1";
        let sdb = Service::SimpleDb;
        let seen = Seen::form(sdb, &Method::POST, &"/".parse().unwrap(), form);
        assert_eq!(seen.operation, "PutAttributes");
        assert_eq!(
            (seen.resource.as_deref(), seen.key.as_deref()),
            (Some("d 1"), Some("i/1"))
        );
        let target = "/?Action=ListDomains".parse().unwrap();
        let seen = Seen::form(sdb, &Method::GET, &target, b"");
        assert_eq!(
            (seen.operation.as_str(), seen.resource),
            ("ListDomains", None)
        );
    }
}
