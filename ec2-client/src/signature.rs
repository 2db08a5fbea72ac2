//! How requests are signed, and for where.

use aws_core::v4::Scope;
use aws_core::{Error, Result};

/// This says how requests are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signature {
    /// [Signature Version 4](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html), which every region
    /// takes. The default.
    #[default]
    V4,
    /// Signature Version 2 of the Query APIs with HMAC-SHA256: for servers that take nothing newer. Of Amazon's, regions
    /// opened after January 2014 refuse it with `AuthFailure`, and the error then says so.
    V2,
}

/// The service of the scope in every region.
const SERVICE: &str = "ec2";

/// What there is to sign with besides keys.
#[derive(Clone, Debug)]
pub(crate) enum Signer {
    V4(Scope),
    V2,
}

impl Signer {
    pub(crate) fn new(signature: Signature, region: &str) -> Self {
        match signature {
            Signature::V4 => Self::V4(Scope::new(region, SERVICE)),
            Signature::V2 => Self::V2,
        }
    }
}

/// The name of a region: it becomes part of a host and of what is signed.
pub(crate) fn check_region(region: &str) -> Result<()> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=64).contains(&region.len()) && region.bytes().all(legal) && !region.starts_with('-') {
        return Ok(());
    }
    let shown: String = region.chars().take(80).collect();
    Err(Error::invalid(format!(
        "the region {shown:?} is not 1 to 64 lower-case letters, digits and hyphens"
    )))
}

/// The region that a host of Amazon's names, else the first of all.
pub(crate) fn region_of(host: &str) -> &str {
    const DOMAINS: [&str; 4] = [
        ".amazonaws.com",
        ".amazonaws.com.cn",
        ".api.aws",
        ".api.amazonwebservices.com.cn",
    ];
    let name = DOMAINS.iter().find_map(|domain| host.strip_suffix(domain));
    let region = name.and_then(|name| {
        // The endpoint of a VPC is `vpce-ID.ec2.REGION.vpce`: https://docs.aws.amazon.com/vpc/latest/privatelink/
        if let Some(name) = name.strip_suffix(".vpce") {
            return name.split_once(".ec2.").map(|(_, region)| region);
        }
        let names = ["ec2.", "ec2-fips."];
        names.iter().find_map(|service| name.strip_prefix(service))
    });
    region
        .filter(|region| check_region(region).is_ok())
        .unwrap_or("us-east-1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_name_their_regions() {
        for (host, region) in [
            ("ec2-fips.us-west-2.amazonaws.com", "us-west-2"),
            ("ec2.eu-west-1.amazonaws.com", "eu-west-1"),
            ("ec2.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("ec2.eu-west-1.api.aws", "eu-west-1"),
            ("ec2.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"),
            (
                "vpce-0a1b-2c3d.ec2.eu-west-1.vpce.amazonaws.com",
                "eu-west-1",
            ),
            (
                "vpce-0a1b-2c3d-eu-west-1a.ec2.eu-west-1.vpce.amazonaws.com",
                "eu-west-1",
            ),
            ("vpce-0a1b.s3.eu-west-1.vpce.amazonaws.com", "us-east-1"),
            ("127.0.0.1", "us-east-1"),
            ("ec2.amazonaws.com", "us-east-1"),
            ("ec2.x.y.amazonaws.com", "us-east-1"),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }

    #[test]
    fn what_is_no_region_is_refused() {
        for region in [
            "",
            "eu west",
            "EU-WEST-1",
            "a.b",
            "-a",
            "evil.example/",
            &"a".repeat(65),
        ] {
            assert!(check_region(region).is_err(), "{region}");
        }
    }
}
