//! Which servers may see a request that was signed for an endpoint.

use std::net::IpAddr;

use aws_core::Endpoint;
use pipeline_pool::Origin;

/// Whether requests that are signed for this endpoint may go to `to` too, when an answer says so.
///
/// At Amazon those are the hosts of S3, of any region, alone or behind the name of this bucket; hosts that
/// customers of Amazon name are not. Elsewhere it is the endpoint's own host and what is below it. The port
/// stays the same, or becomes 443 with TLS; nothing leads from TLS to without.
pub(super) fn trusts(endpoint: &Endpoint, to: &Origin, bucket: Option<&str>) -> bool {
    let own = endpoint.origin();
    let port = to.port() == own.port() || (to.is_tls() && to.port() == 443);
    if (own.is_tls() && !to.is_tls())
        || !port
        || own.unix_path().is_some()
        || to.unix_path().is_some()
    {
        return false;
    }
    if endpoint.is_amazon() {
        return is_s3_host(own.host(), None) && is_s3_host(to.host(), bucket);
    }
    let named = own.host().parse::<IpAddr>().is_err();
    match to.host().strip_suffix(own.host()) {
        Some("") => true,
        Some(above) => named && above.ends_with('.'),
        None => false,
    }
}

/// Whether a host is one of S3's own, with the bucket in front or not.
fn is_s3_host(host: &str, bucket: Option<&str>) -> bool {
    let below = |domain| host.strip_suffix(domain)?.strip_suffix('.');
    let Some(name) = aws_core::shared_config::domains().find_map(below) else {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            (
                "http://s3.eusc-de-east-1.amazonaws.eu",
                "http://photos.s3.eusc-de-east-1.amazonaws.eu",
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
            assert_eq!(
                trusts(&endpoint, &to, Some("photos")),
                trusted,
                "{own} {to}"
            );
        }
        let secure = Endpoint::new(Origin::parse("https://store.example").unwrap());
        let plain = Origin::parse("http://store.example:443").unwrap();
        assert!(!trusts(&secure, &plain, None));
        let plain = Endpoint::new(Origin::parse("http://store.example").unwrap());
        assert!(trusts(&plain, secure.origin(), None));
    }
}
