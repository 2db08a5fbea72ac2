//! What a client is told of signatures.

use aws_core::v4::Scope;
use aws_core::{Endpoint, Error, Result};

use super::hosts;
use super::signer::Signer;

/// How requests are signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signature {
    /// As the store wants it.
    ///
    /// At stores whose host tells what they take, that is [`V4`](Self::V4) in the region that the host names: Amazon,
    /// Cloudflare R2, Backblaze B2, Wasabi, DigitalOcean, Scaleway, Google, Linode, OVHcloud, Hetzner, Oracle and
    /// Tigris. At all other hosts requests are signed by [`V2`](Self::V2) until the store refuses one for that, in any
    /// of the words that stores have for it. The same request is then sent again by `V4`, and the client keeps to that;
    /// it also changes the region where the store names another one, for the bucket in question. `STORES.md` in the
    /// repository tells what each store takes.
    ///
    /// This costs one refused request for each client, and a second one at a store which has a region of its own and
    /// does not name it in the first refusal. That is so however many tasks begin at once: while nothing is known, one
    /// request goes first, and the others wait for its answer, for 5 s at most. Where that one could not be sent
    /// again or could not be told why it is refused (a body that can be read only once, a body over 128 KiB, HEAD), a
    /// [`GetBucketLocation`](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html) is sent ahead
    /// of it. Refusals for a wrong key (`SignatureDoesNotMatch`, `InvalidAccessKeyId`, `AccessDenied`) change nothing.
    ///
    /// Links and forms are signed as is known when they are made, and fail at a host of which nothing is known.
    #[default]
    Auto,
    /// [Signature Version 2](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html): what Ceph
    /// RGW, MinIO, Swift, Riak CS and older appliances take, and Amazon for buckets made before June 2020.
    V2,
    /// [Signature Version 4](https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
    ///
    /// Bodies at hand are signed with their digest, but for those over 1 MiB that go over TLS. Streamed bodies are
    /// signed chunk by chunk, over TLS not at all. [`S3Builder::sign_bodies`](crate::S3Builder::sign_bodies)
    /// turns that off.
    V4 {
        /// The region of the buckets, for example `eu-west-1`; `us-east-1` for most stores that are not Amazon's.
        region: String,
    },
}

impl Signature {
    /// Signature Version 4 in this region, for example `eu-west-1`.
    pub fn v4(region: impl Into<String>) -> Self {
        Self::V4 {
            region: region.into(),
        }
    }

    /// What [`Auto`](Self::Auto) begins with at an endpoint: [`V4`](Self::V4) where the host tells that, in the region
    /// that it names or else the store's usual one, and [`V2`](Self::V2) everywhere else.
    pub fn usual(endpoint: &Endpoint) -> Self {
        hosts::region_of(endpoint.origin().host()).map_or(Self::V2, Self::v4)
    }

    /// What signs in this way; nothing for [`Auto`](Self::Auto).
    pub(crate) fn signer(&self) -> Result<Option<Signer>> {
        match self {
            Self::Auto => Ok(None),
            Self::V2 => Ok(Some(Signer::V2)),
            Self::V4 { region } if is_region(region) => Ok(Some(Signer::V4(Scope::s3(region)))),
            Self::V4 { region } => Err(Error::invalid(format!(
                "the region {region:?} is not 1 to 64 letters, digits, hyphens and underscores"
            ))),
        }
    }
}

/// Whether a text can be the name of a region: it becomes part of what is signed, and of a list of words in a header.
pub(crate) fn is_region(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_at_a_host() {
        let usual = |url: &str| Signature::usual(&Endpoint::parse(url).unwrap());
        assert_eq!(
            usual("http://s3.eu-west-1.amazonaws.com"),
            Signature::v4("eu-west-1")
        );
        assert_eq!(
            usual("http://0123.r2.cloudflarestorage.com"),
            Signature::v4("auto")
        );
        for url in ["http://127.0.0.1:9000", "http://s3.eu-west-1.example.com"] {
            assert_eq!(usual(url), Signature::V2, "{url}");
        }
    }

    #[test]
    fn a_bad_region_is_refused() {
        for region in ["", "a b", "a/b", "eu\r\nx", "caf\u{e9}", &"x".repeat(65)] {
            let error = Signature::v4(region).signer().unwrap_err();
            assert!(error.to_string().contains("region"), "{error}");
        }
        assert!(Signature::v4("default").signer().unwrap().is_some());
        assert_eq!(Signature::default().signer().unwrap(), None);
    }
}
