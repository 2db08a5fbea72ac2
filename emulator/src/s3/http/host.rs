//! Which bucket a `Host` header names.

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// The bucket in front of `domain`, ports aside; `None` asks for the path style.
pub(crate) fn bucket(domain: Option<&str>, host: &str) -> Option<String> {
    let domain = domain?.to_ascii_lowercase();
    let host = without_port(host).to_ascii_lowercase();
    let bucket = host
        .strip_suffix(without_port(&domain))?
        .strip_suffix('.')?;
    (!bucket.is_empty()).then(|| bucket.to_owned())
}

/// `host` without a `:port` at its end.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Tells the S3 engine what [`bucket`] says.
#[derive(Debug)]
pub(crate) struct Hosts(pub(crate) String);

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let parsed = VirtualHost::new(self.0.as_str());
        Ok(match bucket(Some(&self.0), host) {
            Some(bucket) => parsed.with_bucket(bucket),
            None => parsed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_stand_in_front_of_the_domain() {
        let domain = Some("s3.example.com:80");
        assert_eq!(
            bucket(domain, "a.b.S3.Example.com:8080").as_deref(),
            Some("a.b")
        );
        assert_eq!(bucket(domain, "s3.example.com"), None);
        assert_eq!(bucket(domain, ".s3.example.com"), None);
        assert_eq!(bucket(domain, "evils3.example.com"), None);
        assert_eq!(bucket(domain, "127.0.0.1:9000"), None);
        assert_eq!(bucket(None, "b.s3.example.com"), None);
    }
}
