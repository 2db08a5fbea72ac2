//! How requests are signed.

use aws_core::operation::Attempt;
use aws_core::v4::{self, CHUNK, ChunkSigner, Chunks, Scope};
use aws_core::{Endpoint, Error, Result};
use aws_sigv2::s3::{self, SubResources};
use pipeline_pool::Request;

use crate::checksum::{Checksum, Trailing};
use crate::request::body::Pieces;

/// How requests are signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signature {
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

    /// What is usual at an endpoint: [`V4`](Self::V4) at amazonaws.com, in the region that the host names or else
    /// `us-east-1`, and [`V2`](Self::V2) everywhere else.
    pub fn usual(endpoint: &Endpoint) -> Self {
        if endpoint.is_amazon() {
            Self::v4(region_of(endpoint.origin().host()))
        } else {
            Self::V2
        }
    }

    pub(crate) fn signer(&self) -> Result<Signer> {
        match self {
            Self::V2 => Ok(Signer::V2),
            Self::V4 { region } if is_region(region) => Ok(Signer::V4(Scope::s3(region))),
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

/// The region that a host of Amazon's names, else the first of all regions.
pub(crate) fn region_of(host: &str) -> &str {
    region_in(host).unwrap_or("us-east-1")
}

/// The region that a host of Amazon's names.
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

/// A [`Signature`] with what it needs to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    Anonymous,
    V2,
    V4(Scope),
}

/// A request, but for its signature.
pub(crate) struct Unsigned<'a, H> {
    pub(crate) method: &'static str,
    pub(crate) authority: &'a str,
    /// Named by the host, so that Version 2 has to sign it besides the path.
    pub(crate) bucket: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) fields: H,
}

impl<'a, H> Unsigned<'a, H>
where
    H: Iterator<Item = (&'a str, &'a str)> + Clone,
{
    /// The fields, for as long as others live that go with them.
    #[expect(clippy::map_identity, reason = "it shortens their lifetime")]
    fn shorter<'s>(&self) -> impl Iterator<Item = (&'s str, &'s str)> + Clone
    where
        'a: 's,
    {
        self.fields
            .clone()
            .map(|field| -> (&'s str, &'s str) { field })
    }

    pub(crate) fn v2(
        &self,
        request: &mut Request,
        attempt: &Attempt<'_>,
        list: &SubResources,
    ) -> Result<()> {
        let date = attempt.http_date();
        let date = date.as_ref();
        let signed = s3::Request {
            method: self.method,
            bucket: self.bucket,
            path: self.path,
            query: self.query,
            headers: std::iter::once(("date", date)).chain(self.shorter()),
        };
        let authorization = signed.sub_resources(list).sign(attempt.credentials());
        request.header("date", date)?;
        for (name, value) in self.fields.clone() {
            request.header(name, value)?;
        }
        for (name, value) in authorization.headers() {
            request.header(name, value)?;
        }
        Ok(())
    }

    pub(crate) fn v4(
        &self,
        request: &mut Request,
        attempt: &Attempt<'_>,
        scope: &Scope,
        payload: v4::Payload<'_>,
    ) -> Result<()> {
        let signed = v4::Request {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: std::iter::once(("host", self.authority)).chain(self.shorter()),
            payload,
        };
        let authorization = signed.sign(scope, attempt.credentials(), attempt.now());
        for (name, value) in self.fields.clone() {
            request.header(name, value)?;
        }
        for (name, value) in authorization.headers() {
            request.header(name, value)?;
        }
        Ok(())
    }

    /// Signs for a body that goes in chunks; the chunks need the signer, unless they are not signed.
    pub(crate) fn v4_chunks(
        &self,
        request: &mut Request,
        attempt: &Attempt<'_>,
        scope: &Scope,
        framing: Framing,
    ) -> Result<Option<ChunkSigner>> {
        const ENCODING: &str = "content-encoding";
        let is_encoding = |name: &str| name.eq_ignore_ascii_case(ENCODING);
        let mut fields = self.fields.clone();
        let encoding = match fields.find(|(name, _)| is_encoding(name)) {
            Some((_, inner)) => format!("aws-chunked,{inner}"),
            None => "aws-chunked".to_owned(),
        };
        let len = framing.len.to_string();
        let trailer = framing.trailer.map(|sum| ("x-amz-trailer", sum.header()));
        let added = [
            (ENCODING, encoding.as_str()),
            ("x-amz-decoded-content-length", len.as_str()),
        ];
        let added = added.into_iter().chain(trailer);
        let others = self.shorter().filter(|(name, _)| !is_encoding(name));
        let fields = others.chain(added);
        let signed = v4::Request {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: std::iter::once(("host", self.authority)).chain(fields.clone()),
            payload: v4::Payload::UnsignedTrailer,
        };
        let (keys, now) = (attempt.credentials(), attempt.now());
        let (authorization, signer) = match (framing.signed, framing.trailer) {
            (false, _) => (signed.sign(scope, keys, now), None),
            (true, None) => {
                let (authorization, signer) = signed.sign_chunks(scope, keys, now);
                (authorization, Some(signer))
            }
            (true, Some(_)) => {
                let (authorization, signer) = signed.sign_trailed_chunks(scope, keys, now);
                (authorization, Some(signer))
            }
        };
        for (name, value) in fields {
            request.header(name, value)?;
        }
        for (name, value) in authorization.headers() {
            request.header(name, value)?;
        }
        Ok(signer)
    }
}

/// How a body goes in chunks.
#[derive(Clone, Copy)]
pub(crate) struct Framing {
    /// The bytes of the body itself.
    pub(crate) len: u64,
    /// Without a signature there has to be a trailer.
    pub(crate) signed: bool,
    pub(crate) trailer: Option<Checksum>,
}

impl Framing {
    /// The bytes that are sent.
    fn sent(self) -> u64 {
        match self.trailer {
            None => ChunkSigner::encoded_len(self.len, CHUNK),
            Some(sum) => {
                let value = sum.size().div_ceil(3) * 4;
                v4::trailed_len(self.len, CHUNK, self.signed, sum.header().len(), value)
            }
        }
    }

    /// Gives the request its body.
    pub(crate) fn stream(self, request: &mut Request, body: Pieces, signer: Option<ChunkSigner>) {
        let len = Some(self.sent());
        match (self.trailer, signer) {
            (Some(sum), signer) => {
                let chunks = Chunks::trailed(body, signer, Trailing::new(sum), CHUNK);
                request.stream(len, chunks);
            }
            (None, Some(signer)) => request.stream(len, Chunks::new(body, signer, CHUNK)),
            (None, None) => request.stream(Some(self.len), body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_in_host_names() {
        for (host, region) in [
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
            ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("s3.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
            ("photos.s3.me-central-1.amazonaws.com", "me-central-1"),
            (
                "bucket.vpce-1a2b3c4d-5e6f.s3.us-east-2.vpce.amazonaws.com",
                "us-east-2",
            ),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }

    #[test]
    fn the_usual_signature() {
        let usual = |url: &str| Signature::usual(&Endpoint::parse(url).unwrap());
        assert_eq!(
            usual("http://s3.eu-west-1.amazonaws.com"),
            Signature::v4("eu-west-1")
        );
        assert_eq!(usual("http://s3.amazonaws.com"), Signature::v4("us-east-1"));
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
        assert!(Signature::v4("default").signer().is_ok());
    }
}
