//! Hosts that tell how a store wants requests signed: one table, with a row for each form of host.
//!
//! A row is here only where a document of the store's says that it takes Version 4, and where the host says the region
//! or the store has one for all. All other hosts are asked.

/// Where the region of a store is told.
#[derive(Clone, Copy)]
enum Named {
    /// By the label that stands for `{region}`.
    ByLabel,
    /// By a label that looks like a region of Amazon's, wherever it is; else it is this one.
    LikeAmazon(&'static str),
    /// The same for all hosts.
    Always(&'static str),
}

/// A form of host: `*` stands for one label or more, `{region}` for one.
struct Row {
    host: &'static str,
    region: Named,
}

const fn row(host: &'static str, region: Named) -> Row {
    Row { host, region }
}

use Named::{Always, ByLabel, LikeAmazon};

/// The stores, with the source of each.
#[rustfmt::skip]
const HOSTS: &[Row] = &[
    // Amazon, by its partitions: https://docs.aws.amazon.com/general/latest/gr/s3.html and
    // https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json
    row("*.amazonaws.com", LikeAmazon("us-east-1")),
    row("*.amazonaws.com.cn", LikeAmazon("cn-north-1")),
    row("*.amazonaws.eu", LikeAmazon("eusc-de-east-1")),
    row("*.c2s.ic.gov", LikeAmazon("us-iso-east-1")),
    row("*.sc2s.sgov.gov", LikeAmazon("us-isob-east-1")),
    row("*.cloud.adc-e.uk", LikeAmazon("eu-isoe-west-1")),
    row("*.csp.hci.ic.gov", LikeAmazon("us-isof-south-1")),
    // Cloudflare R2, with a jurisdiction or without: https://developers.cloudflare.com/r2/api/s3/api/
    row("*.r2.cloudflarestorage.com", Always("auto")),
    // Backblaze B2: https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api
    row("s3.{region}.backblazeb2.com", ByLabel),
    // Wasabi: https://docs.wasabi.com/docs/what-are-the-service-urls-for-wasabis-different-storage-regions
    row("*.wasabisys.com", LikeAmazon("us-east-1")),
    // DigitalOcean Spaces: https://docs.digitalocean.com/products/spaces/reference/s3-compatibility/
    row("{region}.digitaloceanspaces.com", ByLabel),
    // Scaleway: https://www.scaleway.com/en/docs/object-storage/concepts/#endpoint
    row("s3.{region}.scw.cloud", ByLabel),
    // Google, through its XML API: https://cloud.google.com/storage/docs/aws-simple-migration
    row("storage.googleapis.com", Always("auto")),
    // Linode: https://techdocs.akamai.com/cloud-computing/docs/access-buckets-and-files-through-urls
    row("{region}.linodeobjects.com", ByLabel),
    // OVHcloud: https://help.ovhcloud.com/csm/en-public-cloud-storage-s3-location?id=kb_article_view&sysparm_article=KB0047384
    row("s3.{region}.io.cloud.ovh.net", ByLabel),
    row("s3.{region}.perf.cloud.ovh.net", ByLabel),
    row("s3.{region}.io.cloud.ovh.us", ByLabel),
    // Hetzner: https://docs.hetzner.com/storage/object-storage/overview/
    row("{region}.your-objectstorage.com", ByLabel),
    // Oracle: https://docs.oracle.com/en-us/iaas/Content/Object/Tasks/s3compatibleapi.htm
    row("*.compat.objectstorage.{region}.oraclecloud.com", ByLabel),
    // Tigris: https://www.tigrisdata.com/docs/sdks/s3/
    row("t3.storage.dev", Always("auto")),
    row("fly.storage.tigris.dev", Always("auto")),
];

/// The region for which requests to this host are signed by Version 4, if the host tells that it takes that.
pub(crate) fn region_of(host: &str) -> Option<&str> {
    HOSTS.iter().find_map(|row| {
        let label = matched(row.host, host)?;
        match row.region {
            ByLabel => label,
            LikeAmazon(usual) => Some(region_in(host).unwrap_or(usual)),
            Always(region) => Some(region),
        }
    })
}

/// Whether a host is of this form, and the label that stands for `{region}` in it.
fn matched<'h>(form: &str, host: &'h str) -> Option<Option<&'h str>> {
    let mut labels = host.rsplit('.');
    let mut region = None;
    for part in form.rsplit('.') {
        let label = labels.next().filter(|label| !label.is_empty())?;
        match part {
            "{region}" => region = Some(label),
            // It is the first of its form: what is left of the host belongs to it too.
            "*" => return Some(region),
            part if part == label => {}
            _ => return None,
        }
    }
    labels.next().is_none().then_some(region)
}

/// The region of Amazon's form that a host names.
pub(crate) fn region_in(host: &str) -> Option<&str> {
    host.split('.')
        .map(|label| label.strip_prefix("s3-").unwrap_or(label))
        .map(|label| label.strip_prefix("fips-").unwrap_or(label))
        .find(|label| is_amazon_region(label))
}

/// `eu-west-1`, `us-gov-east-1`, `ap-southeast-2`: words, then a number.
fn is_amazon_region(label: &str) -> bool {
    let words: Vec<&str> = label.split('-').collect();
    let [first, middle @ .., last] = words.as_slice() else {
        return false;
    };
    let is_word = |w: &&str| w.len() > 1 && w.bytes().all(|b| b.is_ascii_lowercase());
    first.len() <= 4
        && is_word(first)
        && !middle.is_empty()
        && middle.iter().all(is_word)
        && (1..=2).contains(&last.len())
        && last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hosts as their stores' documents have them, and the regions in these documents.
    const TOLD: &[(&str, &str)] = &[
        ("s3.amazonaws.com", "us-east-1"),
        ("s3-external-1.amazonaws.com", "us-east-1"),
        ("s3-accelerate.amazonaws.com", "us-east-1"),
        ("s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3-eu-west-1.amazonaws.com", "eu-west-1"),
        (
            "s3.dualstack.ap-southeast-2.amazonaws.com",
            "ap-southeast-2",
        ),
        ("s3-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("s3-fips-us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("photos.s3.me-central-1.amazonaws.com", "me-central-1"),
        (
            "bucket.vpce-1a2b3c4d-5e6f.s3.us-east-2.vpce.amazonaws.com",
            "us-east-2",
        ),
        // The name of a bucket is no region.
        ("photos-backup-1.s3.amazonaws.com", "us-east-1"),
        ("s3.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
        ("s3.amazonaws.com.cn", "cn-north-1"),
        ("s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("s3.us-iso-west-1.c2s.ic.gov", "us-iso-west-1"),
        ("s3.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        ("s3.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        ("s3.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        ("0123.r2.cloudflarestorage.com", "auto"),
        ("0123.eu.r2.cloudflarestorage.com", "auto"),
        ("s3.us-west-004.backblazeb2.com", "us-west-004"),
        ("s3.wasabisys.com", "us-east-1"),
        ("s3.eu-central-2.wasabisys.com", "eu-central-2"),
        ("nyc3.digitaloceanspaces.com", "nyc3"),
        ("s3.fr-par.scw.cloud", "fr-par"),
        ("storage.googleapis.com", "auto"),
        ("us-ord-1.linodeobjects.com", "us-ord-1"),
        ("s3.eu-west-par.io.cloud.ovh.net", "eu-west-par"),
        ("s3.gra.perf.cloud.ovh.net", "gra"),
        ("s3.us-east-va.io.cloud.ovh.us", "us-east-va"),
        ("fsn1.your-objectstorage.com", "fsn1"),
        (
            "ns.compat.objectstorage.sa-saopaulo-1.oraclecloud.com",
            "sa-saopaulo-1",
        ),
        ("t3.storage.dev", "auto"),
        ("fly.storage.tigris.dev", "auto"),
    ];

    #[test]
    fn hosts_tell_their_region() {
        for (host, region) in TOLD {
            assert_eq!(region_of(host), Some(*region), "{host}");
        }
    }

    #[test]
    fn each_row_has_an_example() {
        for row in HOSTS {
            let shown = TOLD
                .iter()
                .any(|(host, _)| matched(row.host, host).is_some());
            assert!(shown, "{}", row.host);
        }
    }

    #[test]
    fn other_hosts_tell_nothing() {
        for host in [
            "127.0.0.1",
            "::1",
            "localhost",
            "minio.example",
            "s3.eu-west-1.example.com",
            "amazonaws.com",
            "notamazonaws.com",
            "s3.amazonaws.com.evil.example",
            "r2.cloudflarestorage.com",
            "evilr2.cloudflarestorage.com",
            "s3.backblazeb2.com",
            "f004.backblazeb2.com",
            "a.s3.us-west-004.backblazeb2.com",
            ".digitaloceanspaces.com",
            "digitaloceanspaces.com",
            "a.storage.googleapis.com",
            "s3..scw.cloud",
        ] {
            assert_eq!(region_of(host), None, "{host}");
        }
    }
}
