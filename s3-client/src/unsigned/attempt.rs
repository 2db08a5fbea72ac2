//! The request of one attempt: dated, signed, and with its body as the place wants it.

use std::time::Duration;

use aws_core::operation::Attempt;
use aws_core::v4;
use aws_core::{Error, Result};
use pipeline_pool::Request;

use super::UnsignedRequest;
use crate::checksum::Checksum;
use crate::digest;
use crate::request::body::Payload;
use crate::service::S3;
use crate::sign::{Framing, Signer, Unsigned};

/// Bodies over this size that go over TLS are not hashed for their signature, in bytes.
const MAX_HASHED_BODY: usize = 1 << 20;

/// How long a body waits for the store to want it.
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

/// Bodies from this size on get a connection without neighbours, in bytes.
const MIN_ALONE_BODY: usize = 256 << 10;

impl UnsignedRequest {
    pub(crate) fn request(&self, service: &S3, attempt: &Attempt<'_>) -> Result<Request> {
        let mut request = Request::new(self.method, &self.origin, self.target.encoded())?;
        let signer = self.signer(service);
        let demanded = self.demanded(service, attempt, matches!(signer, Signer::V4(_)))?;
        let (md5, trailer) = match demanded {
            Some(Demanded::Md5(value)) => (Some(value), None),
            Some(Demanded::Trailer(checksum)) => (None, Some(checksum)),
            None => (None, self.payload.trailer()),
        };
        let md5 = md5.as_deref().map(|value| ("content-md5", value));
        let unsigned = Unsigned {
            method: self.method.as_str(),
            authority: self.origin.authority(),
            bucket: self.bucket_of_host(),
            path: self.path(),
            query: self.target.parameters(),
            fields: self.all_fields(attempt).chain(md5),
        };
        let mut chunks = None;
        match signer {
            Signer::Anonymous | Signer::V2 if trailer.is_some() => {
                return Err(Error::invalid(
                    "a checksum that follows a body needs Signature Version 4",
                ));
            }
            Signer::Anonymous => {
                for (name, value) in unsigned.fields {
                    request.header(name, value)?;
                }
            }
            Signer::V2 => unsigned.v2(&mut request, attempt, &service.sub_resources)?,
            Signer::V4(scope) => match self.v4_payload(service.sign_bodies, trailer) {
                Some(payload) => unsigned.v4(&mut request, attempt, &scope, payload)?,
                None => {
                    let framing = self.framing(service.sign_bodies, trailer);
                    let signer = unsigned.v4_chunks(&mut request, attempt, &scope, framing)?;
                    chunks = Some((framing, signer));
                }
            },
        }
        let len = self.payload.len();
        if service.expect_from.is_some_and(|least| len >= least) {
            request.expect_continue(Some(CONTINUE_WAIT));
        }
        match &self.payload {
            Payload::None => {}
            Payload::Whole(body) => {
                request.body(body.clone());
                if body.len() >= MIN_ALONE_BODY {
                    request.alone(true);
                }
            }
            streamed => match chunks {
                None => request.stream(Some(streamed.len()), streamed.open()?),
                Some((framing, signer)) => framing.stream(&mut request, streamed.open()?, signer),
            },
        }
        Ok(request)
    }

    /// How it is signed where it goes.
    pub(crate) fn signer(&self, service: &S3) -> Signer {
        match (service.signer(self.bucket()), &self.region) {
            (Signer::V4(scope), Some(region)) if scope.region() != region => {
                Signer::V4(v4::Scope::s3(region))
            }
            (signer, _) => signer,
        }
    }

    /// The digest that the bucket is known to want of the body, where nothing else goes with it.
    ///
    /// # Errors
    /// When it is a file, which has to be read before.
    fn demanded(
        &self,
        service: &S3,
        attempt: &Attempt<'_>,
        by_v4: bool,
    ) -> Result<Option<Demanded>> {
        let bucket = self.bucket().filter(|_| self.digest_on_demand);
        if !bucket.is_some_and(|name| service.memory.wants_digest(name)) {
            return Ok(None);
        }
        let is_digest = |name: &str| name == "content-md5" || name.starts_with("x-amz-checksum-");
        let follows = self.payload.trailer().is_some();
        if follows || self.all_fields(attempt).any(|(name, _)| is_digest(name)) {
            return Ok(None);
        }
        if let Some(pieces) = self.payload.at_hand() {
            return Ok(Some(Demanded::Md5(digest::of_pieces(&pieces))));
        }
        if self.payload.is_file() {
            return Err(Error::invalid(
                "the store wants a digest of the file, which has not been read for that",
            ));
        }
        Ok(by_v4.then_some(Demanded::Trailer(digest::BEHIND_STREAMS)))
    }

    /// How the body goes in chunks.
    fn framing(&self, sign: bool, trailer: Option<Checksum>) -> Framing {
        Framing {
            len: self.payload.len(),
            signed: sign && !self.origin.is_tls(),
            trailer,
        }
    }

    /// What Version 4 signs of the body; nothing when it goes in chunks.
    fn v4_payload(&self, sign: bool, trailer: Option<Checksum>) -> Option<v4::Payload<'_>> {
        let tls = self.origin.is_tls();
        match &self.payload {
            // Ceph RGW refuses a body in chunks that is empty.
            empty if empty.len() == 0 => Some(v4::Payload::Bytes(&[])),
            _ if trailer.is_some() => None,
            _ if !sign => Some(v4::Payload::Unsigned),
            Payload::Whole(body) if !tls || body.len() <= MAX_HASHED_BODY => {
                Some(v4::Payload::Bytes(body))
            }
            _ if tls => Some(v4::Payload::Unsigned),
            _ => None,
        }
    }

    /// Its own fields and those of the attempt, which come in place of its own of the same name.
    fn all_fields<'a>(
        &'a self,
        attempt: &Attempt<'a>,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        let added = attempt.headers();
        let own = self.fields.iter().map(|(n, v)| (&**n, v.as_str()));
        own.filter(|(name, _)| !added.iter().any(|(other, _)| other == name))
            .chain(added.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

/// What a store wants with a body.
enum Demanded {
    /// Its MD5 digest in Base64, in a field.
    Md5(String),
    /// Such a checksum, behind it.
    Trailer(Checksum),
}
