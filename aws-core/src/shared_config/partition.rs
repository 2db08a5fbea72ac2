//! Amazon's partitions: which regions they have, and what their hosts are called.
//!
//! The table is that of `partitions.json`, which the [SDKs of
//! AWS](https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json) take host names from, as of
//! botocore 1.44.8; hosts are put together by the rule that the rule sets of most services in the same package have
//! (`endpoint-rule-set-1.json`). What a service has of its own is in its client.

use super::known::Treatment;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};

/// A service of Amazon's, by the names that hosts, variables and files have for it; each client has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceId {
    /// The first label of its hosts, such as `sts`.
    pub host: &'static str,
    /// What follows `AWS_ENDPOINT_URL_`, such as `STS`; in small letters it is the service's name in a `services`
    /// section.
    pub id: &'static str,
    /// The settings of the service alone: see [`SharedConfig::own`](super::SharedConfig::own).
    pub settings: &'static [(&'static str, Treatment)],
}

/// The Security Token Service.
pub(crate) const STS: ServiceId = ServiceId {
    host: "sts",
    id: "STS",
    settings: &[],
};

/// Which of a service's endpoints in a region is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// The one whose cryptography is validated by [FIPS
    /// 140](https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html).
    pub fips: bool,
    /// The one that has [IPv6 addresses too](https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html).
    pub dual_stack: bool,
}

impl Variant {
    /// The one with FIPS, or with IPv6, or both.
    pub const fn new(fips: bool, dual_stack: bool) -> Self {
        Self { fips, dual_stack }
    }
}

/// A group of regions with domains of their own.
#[derive(Debug)]
#[non_exhaustive]
pub struct Partition {
    /// Its name, such as `aws-cn`.
    pub name: &'static str,
    /// How the names of its regions begin.
    prefix: &'static str,
    /// What the names of its hosts end in, such as `amazonaws.com`.
    pub domain: &'static str,
    /// What those of most services end in that have IPv6 addresses too, such as `api.aws`.
    pub dual_stack_domain: &'static str,
}

/// More particular names come first. All of them have FIPS and dual-stack endpoints.
const PARTITIONS: [Partition; 8] = [
    Partition {
        name: "aws-cn",
        prefix: "cn-",
        domain: "amazonaws.com.cn",
        dual_stack_domain: "api.amazonwebservices.com.cn",
    },
    Partition {
        name: "aws-eusc",
        prefix: "eusc-",
        domain: "amazonaws.eu",
        dual_stack_domain: "api.amazonwebservices.eu",
    },
    Partition {
        name: "aws-iso",
        prefix: "us-iso-",
        domain: "c2s.ic.gov",
        dual_stack_domain: "api.aws.ic.gov",
    },
    Partition {
        name: "aws-iso-b",
        prefix: "us-isob-",
        domain: "sc2s.sgov.gov",
        dual_stack_domain: "api.aws.scloud",
    },
    Partition {
        name: "aws-iso-e",
        prefix: "eu-isoe-",
        domain: "cloud.adc-e.uk",
        dual_stack_domain: "api.cloud-aws.adc-e.uk",
    },
    Partition {
        name: "aws-iso-f",
        prefix: "us-isof-",
        domain: "csp.hci.ic.gov",
        dual_stack_domain: "api.aws.hci.ic.gov",
    },
    Partition {
        name: "aws-us-gov",
        prefix: "us-gov-",
        domain: "amazonaws.com",
        dual_stack_domain: "api.aws",
    },
    // As in the SDKs, a region that is in no other partition is in this one.
    Partition {
        name: "aws",
        prefix: "",
        domain: "amazonaws.com",
        dual_stack_domain: "api.aws",
    },
];

/// The domains of Amazon's hosts, in all partitions.
pub fn domains() -> impl Iterator<Item = &'static str> {
    let both = |partition: &'static Partition| [partition.domain, partition.dual_stack_domain];
    PARTITIONS.iter().flat_map(both)
}

/// The partition of a region.
///
/// # Errors
/// [`Kind::Invalid`](crate::Kind::Invalid) when the name is not of the form of Amazon's regions, as `auto` or
/// `garage` are: such a store has an endpoint of its own; or when it is one of the older names that say FIPS, such
/// as `fips-us-east-1`.
pub fn partition_of(region: &str) -> Result<&'static Partition> {
    check(region)?;
    let mut partitions = PARTITIONS.iter();
    let found = partitions.find(|partition| region.starts_with(partition.prefix));
    // The last one has all that begin with nothing in particular.
    Ok(found.unwrap_or(&PARTITIONS[PARTITIONS.len() - 1]))
}

/// The URL of a service in a region of Amazon's by the rule that most services keep to, such as
/// `https://sts.eu-west-1.amazonaws.com`. Whether the region has the service is not known here: a host that does not
/// exist is an error when it is looked up.
///
/// # Errors
/// As [`partition_of`].
pub fn endpoint_of(service: ServiceId, region: &str, variant: Variant) -> Result<String> {
    let partition = partition_of(region)?;
    let fips = if variant.fips { "-fips" } else { "" };
    let domain = match variant.dual_stack {
        true => partition.dual_stack_domain,
        false => partition.domain,
    };
    Ok(format!("https://{}{fips}.{region}.{domain}", service.host))
}

/// The endpoint of a client that was told one, or a region, both or neither: the one told, else that of the region,
/// else that of `us-east-1`.
///
/// # Errors
/// As [`Endpoint::parse`] and [`endpoint_of`], and when a variant is asked for of an endpoint that was told.
pub fn choose_endpoint(
    service: ServiceId,
    told: Option<&str>,
    region: Option<&str>,
    variant: Variant,
) -> Result<Endpoint> {
    match told {
        Some(_) if variant != Variant::default() => Err(Error::invalid(
            "FIPS (fips(…), AWS_USE_FIPS_ENDPOINT) and dual stack (dual_stack(…), AWS_USE_DUALSTACK_ENDPOINT) choose among \
             Amazon's endpoints, and an endpoint of its own is set: leave one of them out",
        )),
        Some(url) => Endpoint::parse(url),
        None => Endpoint::parse(&endpoint_of(
            service,
            region.unwrap_or("us-east-1"),
            variant,
        )?),
    }
}

/// Whether it is of the form `eu-west-1`: at least two words, then a number.
fn check(region: &str) -> Result<()> {
    let says_fips = region.starts_with("fips-") || region.ends_with("-fips");
    if says_fips {
        let plain = region.trim_start_matches("fips-").trim_end_matches("-fips");
        return Err(Error::invalid(format!(
            "{region:?} is an older name for FIPS: say the region {plain:?}, and FIPS by AWS_USE_FIPS_ENDPOINT=true or \
             the builder's fips(true)"
        )));
    }
    let labels: Vec<&str> = region.split('-').collect();
    let legal = |label: &&str| {
        let small = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        !label.is_empty() && label.bytes().all(small)
    };
    let number = |label: &&str| label.bytes().all(|b| b.is_ascii_digit());
    let of_form = region.len() <= 64
        && labels.len() >= 3
        && labels.iter().all(legal)
        && labels.last().is_some_and(number);
    if of_form {
        return Ok(());
    }
    let shown: String = region.chars().take(80).collect();
    Err(Error::invalid(format!(
        "the region {shown:?} is not of the form of Amazon's (such as \"eu-west-1\"), so that an endpoint has to be set: \
         AWS_ENDPOINT_URL, or the builder's endpoint(…)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Variant = Variant::new(false, false);
    const FIPS: Variant = Variant::new(true, false);
    const DUAL: Variant = Variant::new(false, true);
    const BOTH: Variant = Variant::new(true, true);

    /// Hosts as botocore 1.43.11 makes them for the same settings.
    #[test]
    fn endpoints_of_all_partitions() {
        let ec2 = ServiceId {
            host: "ec2",
            id: "EC2",
            settings: &[],
        };
        for (service, region, variant, host) in [
            (ec2, "eu-west-1", PLAIN, "ec2.eu-west-1.amazonaws.com"),
            (ec2, "mx-central-1", PLAIN, "ec2.mx-central-1.amazonaws.com"),
            (ec2, "eu-west-1", DUAL, "ec2.eu-west-1.api.aws"),
            (ec2, "us-east-2", FIPS, "ec2-fips.us-east-2.amazonaws.com"),
            (ec2, "us-east-1", BOTH, "ec2-fips.us-east-1.api.aws"),
            (ec2, "cn-north-1", PLAIN, "ec2.cn-north-1.amazonaws.com.cn"),
            (
                ec2,
                "cn-north-1",
                DUAL,
                "ec2.cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                ec2,
                "eusc-de-east-1",
                PLAIN,
                "ec2.eusc-de-east-1.amazonaws.eu",
            ),
            (
                ec2,
                "eusc-de-east-1",
                DUAL,
                "ec2.eusc-de-east-1.api.amazonwebservices.eu",
            ),
            (
                STS,
                "us-gov-west-1",
                PLAIN,
                "sts.us-gov-west-1.amazonaws.com",
            ),
            (STS, "us-iso-east-1", PLAIN, "sts.us-iso-east-1.c2s.ic.gov"),
            (
                STS,
                "us-iso-east-1",
                DUAL,
                "sts.us-iso-east-1.api.aws.ic.gov",
            ),
            (
                STS,
                "us-isob-east-1",
                PLAIN,
                "sts.us-isob-east-1.sc2s.sgov.gov",
            ),
            (
                STS,
                "eu-isoe-west-1",
                PLAIN,
                "sts.eu-isoe-west-1.cloud.adc-e.uk",
            ),
            (
                STS,
                "us-isof-south-1",
                PLAIN,
                "sts.us-isof-south-1.csp.hci.ic.gov",
            ),
        ] {
            let url = endpoint_of(service, region, variant).unwrap();
            assert_eq!(url, format!("https://{host}"));
        }
        assert_eq!(partition_of("us-gov-west-1").unwrap().name, "aws-us-gov");
    }

    #[test]
    fn what_was_told_counts_first() {
        let choose = |told, region, variant| {
            let chosen = choose_endpoint(STS, told, region, variant);
            chosen.map(|endpoint| endpoint.origin().host().to_owned())
        };
        assert_eq!(
            choose(Some("http://h/p"), Some("eu-west-1"), PLAIN).unwrap(),
            "h"
        );
        if cfg!(feature = "tls") {
            let usual = choose(None, None, PLAIN).unwrap();
            assert_eq!(usual, "sts.us-east-1.amazonaws.com");
            let other = choose(None, Some("eu-west-1"), FIPS).unwrap();
            assert_eq!(other, "sts-fips.eu-west-1.amazonaws.com");
        }
        for variant in [FIPS, DUAL, BOTH] {
            let error = choose(Some("http://h"), None, variant).unwrap_err();
            assert!(error.to_string().contains("endpoint of its own"), "{error}");
        }
    }

    #[test]
    fn regions_of_other_stores_have_no_endpoint_here() {
        for region in [
            "",
            "auto",
            "garage",
            "default",
            "eu",
            "eu-west",
            "eu west 1",
            "EU-WEST-1",
            "eu--1",
            "evil.example/x-y-1",
            "eu-west-1.evil-1",
        ] {
            let error = endpoint_of(STS, region, PLAIN).expect_err(region);
            assert!(error.to_string().contains("AWS_ENDPOINT_URL"), "{error}");
        }
        let long = format!("us-{}-1", "e".repeat(60));
        assert!(endpoint_of(STS, &long, PLAIN).is_err());
        for region in ["fips-us-east-1", "us-east-1-fips"] {
            let error = endpoint_of(STS, region, PLAIN).unwrap_err().to_string();
            assert!(
                error.contains("\"us-east-1\"") && error.contains("FIPS"),
                "{error}"
            );
        }
    }
}
