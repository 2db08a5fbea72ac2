//! Amazon's own S3: its endpoints, and its settings in variables and profiles.
//!
//! Hosts are put together as the [rule set of
//! S3](https://github.com/boto/botocore/tree/develop/botocore/data/s3/2006-03-01) in botocore 1.44.8 has them.

use aws_core::shared_config::Treatment::{Harmless, Heeded, Only, Unsupported};
use aws_core::shared_config::{ServiceId, Variant, partition_of};
use aws_core::{Endpoint, Error, Result};

use crate::sign::Signature;
use crate::sign::hosts::region_in;

/// Amazon S3, and the settings below `s3 =` in a profile.
pub(crate) const S3: ServiceId = ServiceId {
    host: "s3",
    id: "S3",
    settings: &[
        ("addressing_style", Heeded),
        ("disable_multiregion_access_points", Harmless),
        (
            "max_bandwidth",
            Unsupported("bandwidth is not limited here"),
        ),
        // Transfers have setters for these, and the command line alone has the settings.
        ("max_concurrent_requests", Harmless),
        ("max_queue_size", Harmless),
        ("multipart_chunksize", Harmless),
        ("multipart_threshold", Harmless),
        ("payload_signing_enabled", Heeded),
        ("preferred_transfer_client", Harmless),
        ("s3_disable_multiregion_access_points", Harmless),
        ("signature_version", Heeded),
        ("target_bandwidth", Harmless),
        ("us_east_1_regional_endpoint", Heeded),
        ("use_accelerate_endpoint", Heeded),
        (
            "use_arn_region",
            Only("false", "what is meant is named, not given by an ARN"),
        ),
        ("use_dualstack_endpoint", Heeded),
    ],
};

/// The region of S3's oldest endpoint.
pub(crate) const GLOBAL: &str = "aws-global";

/// The region to sign for at the endpoint of a region.
pub(crate) fn signed_region(region: &str) -> &str {
    match region {
        GLOBAL => "us-east-1",
        region => region,
    }
}

/// The URL of S3 in a region, such as `https://s3.eu-west-1.amazonaws.com`; `aws-global` is
/// `https://s3.amazonaws.com`.
///
/// # Errors
/// As [`partition_of`].
pub(crate) fn endpoint_of(region: &str, variant: Variant) -> Result<String> {
    if region == GLOBAL && variant == Variant::default() {
        return Ok("https://s3.amazonaws.com".to_owned());
    }
    let region = signed_region(region);
    let domain = partition_of(region)?.domain;
    let fips = if variant.fips { "-fips" } else { "" };
    let dual_stack = if variant.dual_stack { ".dualstack" } else { "" };
    Ok(format!("https://s3{fips}{dual_stack}.{region}.{domain}"))
}

/// The URL of [transfer acceleration](https://docs.aws.amazon.com/AmazonS3/latest/userguide/transfer-acceleration.html)
/// for buckets of a region.
///
/// # Errors
/// As [`partition_of`], and for what S3 does not have: acceleration with FIPS, and in partitions besides Amazon's
/// largest.
pub(crate) fn accelerated_endpoint_of(region: &str, variant: Variant) -> Result<String> {
    if variant.fips {
        return Err(Error::invalid("S3 has no accelerated endpoint with FIPS"));
    }
    let partition = partition_of(signed_region(region))?;
    if partition.name != "aws" {
        let name = partition.name;
        let why = format!("S3 has no accelerated endpoint in the partition {name} of {region}");
        return Err(Error::invalid(why));
    }
    let dual_stack = if variant.dual_stack { ".dualstack" } else { "" };
    Ok(format!("https://s3-accelerate{dual_stack}.amazonaws.com"))
}

/// What a new bucket's `LocationConstraint` says at this endpoint, unless it is told: at Amazon the region, outside of
/// `us-east-1`, which is said by saying nothing. Nothing at other stores, whose regions need not have names.
pub(crate) fn location_of(
    endpoint: &Endpoint,
    told: Option<&str>,
    signature: Option<&Signature>,
) -> Option<String> {
    let signed = match signature {
        Some(Signature::V4 { region }) => Some(&**region),
        _ => None,
    };
    let named = told.or_else(|| region_in(endpoint.origin().host()));
    let region = named.or(signed).filter(|_| endpoint.is_amazon())?;
    (region != "us-east-1").then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn variant(fips: bool, dual_stack: bool) -> Variant {
        Variant::new(fips, dual_stack)
    }

    const PLAIN: Variant = variant(false, false);
    const FIPS: Variant = variant(true, false);
    const DUAL: Variant = variant(false, true);

    #[test]
    fn the_settings_that_are_heeded_are_those_of_the_documentation() {
        let page = include_str!("settings.rs");
        let rows = page.lines().filter(|line| line.starts_with("//! | `"));
        let mut told: Vec<&str> = rows.filter_map(|line| line.split('`').nth(1)).collect();
        told.sort_unstable();
        let heeded = S3.settings.iter().filter(|(_, what)| *what == Heeded);
        let mut heeded: Vec<&str> = heeded.map(|(name, _)| *name).collect();
        heeded.sort_unstable();
        assert!(heeded.len() >= 6);
        assert_eq!(told, heeded);
    }

    /// Hosts as botocore 1.43.11 makes them for the same settings.
    #[test]
    fn endpoints_of_all_partitions() {
        for (region, variant, host) in [
            ("eu-west-1", PLAIN, "s3.eu-west-1.amazonaws.com"),
            ("us-east-1", PLAIN, "s3.us-east-1.amazonaws.com"),
            ("aws-global", PLAIN, "s3.amazonaws.com"),
            ("aws-global", FIPS, "s3-fips.us-east-1.amazonaws.com"),
            ("us-east-2", FIPS, "s3-fips.us-east-2.amazonaws.com"),
            ("eu-west-1", DUAL, "s3.dualstack.eu-west-1.amazonaws.com"),
            (
                "us-west-2",
                variant(true, true),
                "s3-fips.dualstack.us-west-2.amazonaws.com",
            ),
            ("us-gov-west-1", FIPS, "s3-fips.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", PLAIN, "s3.cn-north-1.amazonaws.com.cn"),
            (
                "cn-north-1",
                DUAL,
                "s3.dualstack.cn-north-1.amazonaws.com.cn",
            ),
            ("eusc-de-east-1", PLAIN, "s3.eusc-de-east-1.amazonaws.eu"),
            ("us-iso-east-1", PLAIN, "s3.us-iso-east-1.c2s.ic.gov"),
            ("us-isob-east-1", PLAIN, "s3.us-isob-east-1.sc2s.sgov.gov"),
            ("eu-isoe-west-1", PLAIN, "s3.eu-isoe-west-1.cloud.adc-e.uk"),
            (
                "us-isof-south-1",
                PLAIN,
                "s3.us-isof-south-1.csp.hci.ic.gov",
            ),
            ("mx-central-1", PLAIN, "s3.mx-central-1.amazonaws.com"),
        ] {
            let url = endpoint_of(region, variant).unwrap();
            assert_eq!(url, format!("https://{host}"));
        }
    }

    #[test]
    fn acceleration_is_of_the_largest_partition() {
        let url = accelerated_endpoint_of;
        let plain = url("eu-west-1", PLAIN).unwrap();
        assert_eq!(plain, "https://s3-accelerate.amazonaws.com");
        let dual = url("aws-global", DUAL).unwrap();
        assert_eq!(dual, "https://s3-accelerate.dualstack.amazonaws.com");
        for (region, variant, said) in [
            ("eu-west-1", FIPS, "FIPS"),
            ("cn-north-1", PLAIN, "aws-cn"),
            ("us-gov-west-1", PLAIN, "aws-us-gov"),
            ("auto", PLAIN, "auto"),
        ] {
            let error = url(region, variant).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn buckets_are_made_in_the_region_of_amazons_endpoint() {
        let v4 = Signature::v4;
        for (url, told, signature, location) in [
            (
                "https://s3.eu-west-1.amazonaws.com",
                None,
                Signature::V2,
                Some("eu-west-1"),
            ),
            (
                "https://s3.eu-west-1.amazonaws.com",
                Some("eu-west-1"),
                v4("eu-west-1"),
                Some("eu-west-1"),
            ),
            (
                "https://s3.amazonaws.com",
                Some("eu-west-1"),
                v4("us-east-1"),
                Some("eu-west-1"),
            ),
            (
                "https://s3.amazonaws.com",
                None,
                v4("eu-west-1"),
                Some("eu-west-1"),
            ),
            (
                "https://s3.cn-north-1.amazonaws.com.cn",
                None,
                v4("cn-north-1"),
                Some("cn-north-1"),
            ),
            (
                "https://s3.us-east-1.amazonaws.com",
                None,
                v4("us-east-1"),
                None,
            ),
            (
                "https://s3.amazonaws.com",
                Some("us-east-1"),
                v4("us-east-1"),
                None,
            ),
            ("https://s3.amazonaws.com", None, Signature::V2, None),
            (
                "https://store.example",
                Some("eu-west-1"),
                v4("eu-west-1"),
                None,
            ),
            (
                "https://s3.eu-west-1.store.example",
                None,
                Signature::V2,
                None,
            ),
        ] {
            let endpoint = Endpoint::parse(&url.replace("https", "http")).unwrap();
            let found = location_of(&endpoint, told, Some(&signature));
            assert_eq!(found.as_deref(), location, "{url} {told:?} {signature:?}");
        }
    }
}
