//! Signs requests: what is known of one is put in order, and its signature is added.

use aws_core::Result;
use aws_core::operation::Attempt;
use aws_core::v4::{self, CHUNK, ChunkSigner, Chunks, Scope};
use aws_sigv2::s3::{self, SubResources};
use pipeline_pool::{FieldName, Request};

use crate::checksum::{Checksum, Trailing};
use crate::request::body::Pieces;

const AUTHORIZATION: FieldName = FieldName::from_static("authorization");
const DATE: FieldName = FieldName::from_static("date");

/// A [`Signature`](crate::Signature) with what it needs to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    Anonymous,
    V2,
    V4(Scope),
}

/// A request, but for its signature. The path that is signed is that of the request which the signature is added to.
pub(crate) struct Unsigned<'a> {
    pub(crate) method: &'static str,
    /// Named by the host, so that Version 2 has to sign it besides the path.
    pub(crate) bucket: Option<&'a str>,
    pub(crate) query: &'a str,
    pub(crate) fields: &'a [(&'a str, &'a str)],
}

impl Unsigned<'_> {
    /// The path of a request with this query.
    #[inline]
    fn path<'r>(&self, request: &'r Request) -> &'r str {
        let target = request.target();
        match self.query.len() {
            0 => target,
            // With the question mark.
            query => &target[..target.len() - query - 1],
        }
    }

    pub(crate) fn v2(
        &self,
        request: &mut Request,
        attempt: &Attempt<'_>,
        list: &SubResources,
    ) -> Result<()> {
        let date = attempt.http_date();
        let date = date.as_ref();
        let signed = s3::S3Request {
            method: self.method,
            bucket: self.bucket,
            path: self.path(request),
            query: self.query,
            headers: std::iter::once(("date", date)).chain(self.fields.iter().copied()),
        };
        let authorization = signed.sub_resources(list).sign(attempt.credentials());
        request.field(DATE, &[date])?;
        for (name, value) in self.fields {
            request.header(name, value)?;
        }
        request.field(AUTHORIZATION, &authorization.parts())?;
        if let Some(token) = authorization.token() {
            request.header(s3::SECURITY_TOKEN, token)?;
        }
        Ok(())
    }

    pub(crate) fn v4(
        &self,
        request: &mut Request,
        attempt: &Attempt<'_>,
        host: &str,
        scope: &Scope,
        payload: v4::Payload<'_>,
    ) -> Result<()> {
        let signed = v4::Request {
            method: self.method,
            path: self.path(request),
            query: self.query,
            headers: std::iter::once(("host", host)).chain(self.fields.iter().copied()),
            payload,
        };
        let authorization = signed.sign(scope, attempt.credentials(), attempt.now());
        for (name, value) in self.fields {
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
        host: &str,
        scope: &Scope,
        framing: Framing,
    ) -> Result<Option<ChunkSigner>> {
        const ENCODING: &str = "content-encoding";
        let is_encoding = |name: &str| name.eq_ignore_ascii_case(ENCODING);
        let mut own = self.fields.iter();
        let encoding = match own.find(|(name, _)| is_encoding(name)) {
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
        let own = self.fields.iter().copied();
        let own = own.filter(|(name, _)| !is_encoding(name));
        let fields: Vec<(&str, &str)> = own.chain(added).collect();
        let signed = v4::Request {
            method: self.method,
            path: self.path(request),
            query: self.query,
            headers: std::iter::once(("host", host)).chain(fields.iter().copied()),
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
