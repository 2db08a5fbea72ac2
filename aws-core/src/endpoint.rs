//! Where a service is, and how buckets are named there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pipeline_pool::Origin;

use crate::error::{Error, Result};

/// How a bucket is named in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Addressing {
    /// In the host at amazonaws.com where DNS and the certificate allow it, else in the path.
    #[default]
    Auto,
    /// In the path: `http://host/bucket/key`.
    Path,
    /// In the host where DNS allows it: `http://bucket.host/key`.
    VirtualHost,
}

/// The address of a service.
///
/// One [`Origin`] is the source of the connection, of the `Host` header and of what is signed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    origin: Origin,
    addressing: Addressing,
}

/// Where the requests about one bucket go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The server, with the bucket in its name or not.
    pub origin: Origin,
    /// Whether the host names the bucket, so that the path does not.
    pub bucket_in_host: bool,
    /// The region to sign for, where an answer has named it; nothing where the host says it, or the client.
    pub region: Option<String>,
}

impl Endpoint {
    /// Reads `http://host[:port]` or `https://host[:port]`.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid), with a sentence that says what is wrong.
    pub fn parse(url: &str) -> Result<Self> {
        let origin = Origin::parse(url).map_err(|e| Error::invalid(e.detail()))?;
        if origin.is_tls() && cfg!(not(feature = "tls")) {
            return Err(Error::invalid(format!(
                "{origin}: https needs the feature tls"
            )));
        }
        Ok(Self::new(origin))
    }

    /// The service at this origin.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            addressing: Addressing::Auto,
        }
    }

    /// The same endpoint with buckets named in this way. Defaults to [`Addressing::Auto`].
    #[must_use]
    pub fn addressing(mut self, addressing: Addressing) -> Self {
        self.addressing = addressing;
        self
    }

    /// The server.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether the host is one of Amazon's.
    pub fn is_amazon(&self) -> bool {
        let host = self.origin.host();
        ["amazonaws.com", "amazonaws.com.cn"].iter().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// Whether requests that are signed for this endpoint may go to `to` too, when an answer says so.
    ///
    /// At Amazon those are the hosts of S3, of any region, alone or behind the name of this bucket; hosts that
    /// customers of Amazon name are not. Elsewhere it is the endpoint's own host and what is below it. The port
    /// stays the same, or becomes 443 with TLS; nothing leads from TLS to without.
    pub fn trusts(&self, to: &Origin, bucket: Option<&str>) -> bool {
        let own = &self.origin;
        let port = to.port() == own.port() || (to.is_tls() && to.port() == 443);
        if (own.is_tls() && !to.is_tls())
            || !port
            || own.unix_path().is_some()
            || to.unix_path().is_some()
        {
            return false;
        }
        if self.is_amazon() {
            return is_s3_host(own.host(), None) && is_s3_host(to.host(), bucket);
        }
        let named = own.host().parse::<IpAddr>().is_err();
        match to.host().strip_suffix(own.host()) {
            Some("") => true,
            Some(above) => named && above.ends_with('.'),
            None => false,
        }
    }

    /// Where requests about `bucket` go.
    pub fn place(&self, bucket: &str) -> Place {
        let host = self.origin.host();
        let named = host.parse::<Ipv4Addr>().is_err() && host.parse::<Ipv6Addr>().is_err();
        let in_host = match self.addressing {
            Addressing::Path => false,
            Addressing::VirtualHost => named && is_dns_label_path(bucket),
            // A wildcard certificate covers one label, so no dots under TLS.
            Addressing::Auto => {
                self.is_amazon()
                    && is_dns_label_path(bucket)
                    && !(self.origin.is_tls() && bucket.contains('.'))
            }
        };
        if in_host && self.origin.unix_path().is_none() {
            let name = format!("{bucket}.{host}");
            if let Ok(origin) = Origin::new(self.origin.is_tls(), &name, self.origin.port()) {
                return Place {
                    origin,
                    bucket_in_host: true,
                    region: None,
                };
            }
        }
        Place {
            origin: self.origin.clone(),
            bucket_in_host: false,
            region: None,
        }
    }
}

/// Whether a host is one of S3's own, with the bucket in front or not.
fn is_s3_host(host: &str, bucket: Option<&str>) -> bool {
    let Some(name) = [".amazonaws.com", ".amazonaws.com.cn"]
        .iter()
        .find_map(|domain| host.strip_suffix(domain))
    else {
        return false;
    };
    let name = bucket
        .and_then(|bucket| name.strip_prefix(bucket)?.strip_prefix('.'))
        .unwrap_or(name);
    let mut labels = name.split('.');
    let first = labels.next().unwrap_or_default();
    let rest: Vec<&str> = labels.collect();
    let is_region = |label: &str| {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty() && label.bytes().all(legal)
    };
    // s3, s3-eu-west-1, s3-fips, s3-accelerate
    let first = first == "s3" || first.strip_prefix("s3-").is_some_and(is_region);
    let rest = match rest[..] {
        [] | ["dualstack"] => true,
        [region] | ["dualstack", region] => is_region(region),
        _ => false,
    };
    first && rest
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
            let place = Endpoint::parse(url)
                .unwrap()
                .addressing(addressing)
                .place(bucket);
            assert_eq!(
                (place.origin.authority(), place.bucket_in_host),
                (authority, in_host),
                "{url} {bucket}"
            );
        }
    }

    #[test]
    fn some_hosts_are_the_same_party() {
        let table = [
            (
                "http://s3.amazonaws.com",
                "http://photos.s3.amazonaws.com",
                true,
            ),
            (
                "http://s3.amazonaws.com",
                "http://photos.s3-eu-west-1.amazonaws.com",
                true,
            ),
            (
                "http://s3.amazonaws.com",
                "https://photos.s3.eu-west-1.amazonaws.com",
                true,
            ),
            (
                "http://s3.amazonaws.com",
                "http://s3.dualstack.eu-west-1.amazonaws.com",
                true,
            ),
            (
                "http://s3.amazonaws.com",
                "http://s3-fips.us-gov-west-1.amazonaws.com",
                true,
            ),
            // Hosts that are named by customers.
            (
                "http://s3.amazonaws.com",
                "http://other.s3.amazonaws.com",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                "http://s3.x.elb.amazonaws.com",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                "http://ec2-1-2-3-4.compute-1.amazonaws.com",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                "http://photos.amazonaws.com",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                "http://s3.amazonaws.com.evil.example",
                false,
            ),
            (
                "http://s3.amazonaws.com",
                "http://s3.amazonaws.com:8080",
                false,
            ),
            ("http://sdb.amazonaws.com", "http://s3.amazonaws.com", false),
            ("http://store.example:81", "http://store.example:81", true),
            (
                "http://store.example:81",
                "http://eu.store.example:81",
                true,
            ),
            ("http://store.example:81", "http://store.example:82", false),
            (
                "http://store.example:81",
                "http://eustore.example:81",
                false,
            ),
            ("http://store.example:81", "http://example:81", false),
            ("http://127.0.0.1:81", "http://127.0.0.1:81", true),
            ("http://127.0.0.1:81", "http://1.127.0.0.1:81", false),
        ];
        for (own, to, trusted) in table {
            let endpoint = Endpoint::new(Origin::parse(own).unwrap());
            let to = Origin::parse(to).unwrap();
            assert_eq!(endpoint.trusts(&to, Some("photos")), trusted, "{own} {to}");
        }
        let secure = Endpoint::new(Origin::parse("https://store.example").unwrap());
        let plain = Origin::parse("http://store.example:443").unwrap();
        assert!(!secure.trusts(&plain, None));
        let plain = Endpoint::new(Origin::parse("http://store.example").unwrap());
        assert!(plain.trusts(secure.origin(), None));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_certificate_covers_one_label() {
        let s3 = Endpoint::parse("https://s3.eu-west-1.amazonaws.com").unwrap();
        assert!(!s3.place("my.photos").bucket_in_host);
        assert_eq!(
            s3.place("photos").origin.authority(),
            "photos.s3.eu-west-1.amazonaws.com"
        );
    }

    #[test]
    fn a_bad_address_is_refused_with_a_sentence() {
        for url in [
            "",
            "host:80",
            "ftp://h",
            "http://",
            "http://h/path",
            "http://h:99999",
        ] {
            let error = Endpoint::parse(url).expect_err(url);
            assert_eq!(error.kind(), crate::Kind::Invalid);
            assert!(error.to_string().contains("endpoint"), "{error}");
        }
    }
}
