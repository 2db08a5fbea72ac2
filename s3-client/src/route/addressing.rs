//! How a bucket is named in a request: in its path, or in front of the host.
//!
//! [Virtual hosting of buckets](https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html)

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use aws_core::Endpoint;
use aws_core::operation::Destination;
use aws_sigv2::escape;
use pipeline_pool::Origin;

/// How a bucket is named in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Addressing {
    /// In the host at amazonaws.com where DNS and the certificate allow it, else in the path.
    #[default]
    Auto,
    /// The bucket stands in the path: `http://host/bucket/key`.
    Path,
    /// In the host where DNS allows it: `http://bucket.host/key`.
    VirtualHost,
}

/// Where the requests about one bucket go, and how they name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BucketAddress {
    /// The server, with the bucket in its name or not.
    pub(crate) origin: Origin,
    /// Whether the host names the bucket, so that the path does not.
    pub(crate) bucket_in_host: bool,
    /// The region to sign for, where an answer has named it; nothing where the host says it, or the client.
    pub(crate) region: Option<String>,
}

impl Destination for BucketAddress {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Addressing {
    /// Where requests about `bucket` go from this endpoint.
    pub(crate) fn of(self, endpoint: &Endpoint, bucket: &str) -> BucketAddress {
        let origin = endpoint.origin();
        let host = origin.host();
        let in_host = match self {
            Self::Path => false,
            Self::VirtualHost => host.parse::<IpAddr>().is_err() && is_dns_label_path(bucket),
            // A wildcard certificate covers one label, so no dots under TLS.
            Self::Auto => {
                endpoint.is_amazon()
                    && is_dns_label_path(bucket)
                    && !(origin.is_tls() && bucket.contains('.'))
            }
        };
        if in_host && origin.unix_path().is_none() {
            let name = format!("{bucket}.{host}");
            if let Ok(origin) = Origin::new(origin.is_tls(), &name, origin.port()) {
                return BucketAddress {
                    origin,
                    bucket_in_host: true,
                    region: None,
                };
            }
        }
        BucketAddress {
            origin: origin.clone(),
            bucket_in_host: false,
            region: None,
        }
    }
}

/// Appends what stands in front of the key: the endpoint's own path, percent-encoded as it is given, and the bucket where it
/// is no part of the host.
pub(crate) fn push_bucket(out: &mut String, prefix: &str, bucket: Option<&str>) {
    out.push_str(prefix);
    out.push('/');
    if let Some(bucket) = bucket {
        // Of what a legal name is made of only the colon behind a tenant needs an escape.
        let name = match bucket.as_bytes().contains(&b':') {
            true => Cow::Owned(escape::component(bucket)),
            false => Cow::Borrowed(bucket),
        };
        out.push_str(&name);
        out.push('/');
    }
}

/// Whether a name can stand in front of a host: lower-case labels of letters, digits and inner hyphens.
fn is_dns_label_path(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.parse::<Ipv4Addr>().is_err()
        && name.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_front(prefix: &str, bucket: Option<&str>) -> String {
        let mut out = String::new();
        push_bucket(&mut out, prefix, bucket);
        out
    }

    #[test]
    fn the_path_of_the_endpoint_comes_first() {
        assert_eq!(in_front("/v1/s3", Some("johnsmith")), "/v1/s3/johnsmith/");
        assert_eq!(in_front("/v1/s3", None), "/v1/s3/");
        assert_eq!(in_front("", None), "/");
    }

    #[test]
    fn the_bucket_of_a_tenant_is_encoded() {
        assert_eq!(in_front("", Some("tenant:photos")), "/tenant%3Aphotos/");
    }

    #[test]
    fn buckets_are_placed() {
        use Addressing::{Auto, Path, VirtualHost};
        let table = [
            (
                "http://s3.amazonaws.com",
                Auto,
                "photos",
                "photos.s3.amazonaws.com",
                true,
            ),
            (
                "http://s3.amazonaws.com",
                Path,
                "photos",
                "s3.amazonaws.com",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                Auto,
                "Photos",
                "s3.amazonaws.com",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                Auto,
                "a_b",
                "s3.amazonaws.com",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                Auto,
                "my.photos",
                "my.photos.s3.amazonaws.com",
                true,
            ),
            (
                "http://s3.amazonaws.com",
                Auto,
                "my..photos",
                "s3.amazonaws.com",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                Auto,
                "10.0.0.1",
                "s3.amazonaws.com",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                Auto,
                "-ab",
                "s3.amazonaws.com",
                false,
            ),
            (
                "http://notamazonaws.com",
                Auto,
                "photos",
                "notamazonaws.com",
                false,
            ),
            (
                "http://127.0.0.1:9000",
                Auto,
                "photos",
                "127.0.0.1:9000",
                false,
            ),
            (
                "http://127.0.0.1:9000",
                VirtualHost,
                "photos",
                "127.0.0.1:9000",
                false,
            ),
            (
                "http://[::1]:9000",
                VirtualHost,
                "photos",
                "[::1]:9000",
                false,
            ),
            (
                "http://store.example:9000",
                Auto,
                "photos",
                "store.example:9000",
                false,
            ),
            (
                "http://store.example:9000",
                VirtualHost,
                "photos",
                "photos.store.example:9000",
                true,
            ),
            (
                "http://localhost:9000",
                Auto,
                "photos",
                "localhost:9000",
                false,
            ),
        ];
        for (url, addressing, bucket, authority, in_host) in table {
            let address = addressing.of(&Endpoint::parse(url).unwrap(), bucket);
            assert_eq!(
                (address.origin.authority(), address.bucket_in_host),
                (authority, in_host),
                "{url} {bucket}"
            );
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_certificate_covers_one_label() {
        let s3 = Endpoint::parse("https://s3.eu-west-1.amazonaws.com").unwrap();
        let address = |bucket| Addressing::Auto.of(&s3, bucket);
        assert!(!address("my.photos").bucket_in_host);
        assert_eq!(
            address("photos").origin.authority(),
            "photos.s3.eu-west-1.amazonaws.com"
        );
    }
}
