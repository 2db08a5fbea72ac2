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
        let mut request = self.unsigned_request()?;
        let signer = self.signer(service);
        let demanded = self.demanded(service, attempt, matches!(signer, Signer::V4(_)))?;
        let (md5, trailer) = match demanded {
            Some(Demanded::Md5(value)) => (Some(value), None),
            Some(Demanded::Trailer(checksum)) => (None, Some(checksum)),
            None => (None, self.payload.trailer()),
        };
        let fields = self.all_fields(attempt, md5.as_deref());
        let unsigned = Unsigned {
            method: self.method.as_str(),
            bucket: self.bucket_of_host(),
            query: self.target.parameters(),
            fields: &fields,
        };
        let mut chunks = None;
        match signer {
            Signer::Anonymous | Signer::V2 if trailer.is_some() => {
                return Err(Error::invalid(
                    "a checksum that follows a body needs Signature Version 4",
                ));
            }
            Signer::Anonymous => {
                for (name, value) in fields {
                    request.header(name, value)?;
                }
            }
            Signer::V2 => unsigned.v2(&mut request, attempt, &service.sub_resources)?,
            Signer::V4(scope) => {
                let host = self.origin().authority();
                match self.v4_payload(service.sign_bodies, trailer) {
                    Some(payload) => unsigned.v4(&mut request, attempt, host, &scope, payload)?,
                    None => {
                        let framing = self.framing(service.sign_bodies, trailer);
                        let signer =
                            unsigned.v4_chunks(&mut request, attempt, host, &scope, framing)?;
                        chunks = Some((framing, signer));
                    }
                }
            }
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

    /// The request line and `host`.
    fn unsigned_request(&self) -> Result<Request> {
        let target = |head: &mut String| {
            self.target.push_path(head, self.bucket_in_other_host());
            self.target.push_query(head);
        };
        let request = Request::encoded(self.method, self.origin(), self.target.room(), target);
        Ok(request?)
    }

    /// How it is signed where it goes.
    pub(crate) fn signer(&self, service: &S3) -> Signer {
        let region = self.place.as_ref().and_then(|place| place.region.as_ref());
        match (service.signer(self.bucket()), region) {
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
        let fields = self.all_fields(attempt, None);
        if follows || fields.iter().any(|(name, _)| is_digest(name)) {
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
            signed: sign && !self.origin().is_tls(),
            trailer,
        }
    }

    /// What Version 4 signs of the body; nothing when it goes in chunks.
    fn v4_payload(&self, sign: bool, trailer: Option<Checksum>) -> Option<v4::Payload<'_>> {
        let tls = self.origin().is_tls();
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

    /// Its own fields and those of the attempt, which come in place of its own of the same name, and a digest of the body.
    /// Most requests have none, for which nothing is allocated.
    fn all_fields<'a>(
        &'a self,
        attempt: &Attempt<'a>,
        md5: Option<&'a str>,
    ) -> Vec<(&'a str, &'a str)> {
        let added = attempt.headers();
        if self.fields.is_empty() && added.is_empty() && md5.is_none() {
            return Vec::new();
        }
        let own = self.fields.iter().map(|(n, v)| (&**n, v.as_str()));
        let own = own.filter(|(name, _)| !added.iter().any(|(other, _)| other == name));
        let mut fields = Vec::with_capacity(self.fields.len() + added.len() + 1);
        fields.extend(own);
        fields.extend(added.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        fields.extend(md5.map(|value| ("content-md5", value)));
        fields
    }
}

/// What a store wants with a body.
enum Demanded {
    /// Its MD5 digest in Base64, in a field.
    Md5(String),
    /// Such a checksum, behind it.
    Trailer(Checksum),
}
