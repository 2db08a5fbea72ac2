//! A request, and what signing it gives.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv2::mac::{Feed, Sha256, Sink, hash};
use aws_sigv2::{Credentials, escape};

use super::ALGORITHM;
use super::authorization::Authorization;
use super::canonical::{put_path, put_query};
use super::chunk::ChunkSigner;
use super::fields::SignedFields;
use super::hex::Hex;
use super::payload::{Payload, PayloadText};
use super::scope::Scope;
use super::time::AmzDate;
use crate::error::{Error, Result};

/// The longest time that a link works: seven days.
pub const MAX_EXPIRES: Duration = Duration::from_secs(604_800);

const DATE: &str = "x-amz-date";
const CONTENT: &str = "x-amz-content-sha256";
const TOKEN: &str = "x-amz-security-token";

/// A request as it goes on the wire.
///
/// `H` is anything that can be walked more than once and yields header names and values: an array or a slice
/// iterator of `(&str, &str)`, or a mapped iterator over the header map of some HTTP library. They must hold
/// `host`.
#[derive(Clone, Copy)]
pub struct Request<'a, H> {
    /// The HTTP method, in uppercase.
    pub method: &'a str,
    /// The path as sent: percent-encoded, beginning with `/`.
    pub path: &'a str,
    /// The query as sent, without the `?`; may be empty.
    pub query: &'a str,
    /// The headers as sent, `host` among them.
    pub headers: H,
    /// What is signed of the body.
    pub payload: Payload<'a>,
}

impl<H> fmt::Debug for Request<'_, H> {
    /// Leaves out headers and query: both can hold session tokens and encryption keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

impl<'a, H> Request<'a, H>
where
    H: Clone + IntoIterator<Item = (&'a str, &'a str)>,
{
    /// The text whose digest is in the [string to sign](Self::string_to_sign).
    #[must_use]
    pub fn canonical_request(
        &self,
        scope: &Scope,
        credentials: &Credentials,
        time: SystemTime,
    ) -> String {
        let (hash, date) = (self.payload.text(), AmzDate::new(time));
        let signing = self.signing(scope, credentials, &date, &hash);
        signing.readable()
    }

    /// The text that [`sign`](Self::sign) signs.
    #[must_use]
    pub fn string_to_sign(
        &self,
        scope: &Scope,
        credentials: &Credentials,
        time: SystemTime,
    ) -> String {
        let canonical = self.canonical_request(scope, credentials, time);
        let (date, mut name, mut out) = (AmzDate::new(time), String::new(), Vec::new());
        scope.push(&mut name, date);
        put_string_to_sign(
            &mut out,
            &name,
            date,
            &Hex::of(hash::<Sha256>(canonical.as_bytes())),
        );
        text(out)
    }

    /// Signs the request for the `Authorization` header.
    ///
    /// Servers refuse a time that is more than 15 minutes off. `x-amz-date`, `x-amz-content-sha256` and
    /// `x-amz-security-token` are signed as the headers have them, and else added.
    pub fn sign<'c>(
        &self,
        scope: &Scope,
        credentials: &'c Credentials,
        time: SystemTime,
    ) -> Authorization<'c> {
        let (hash, date) = (self.payload.text(), AmzDate::new(time));
        let signing = self.signing(scope, credentials, &date, &hash);
        // What is signed goes straight into its hash, and is copied from what is sent where it is in there.
        let mut out = String::with_capacity(signing.room(credentials));
        out.push_str(ALGORITHM);
        out.push_str(" Credential=");
        out.push_str(credentials.access_key());
        out.push('/');
        let name = out.len();
        scope.push(&mut out, date);
        let name = name..out.len();
        out.push_str(", SignedHeaders=");
        let names = out.len();
        signing.fields.push_names(&mut out);
        let mut canonical = Feed::<Sha256>::new();
        signing.put_canonical(&mut canonical, &out[names..]);
        let digest = Hex::of(canonical.finish());
        let signature = sign_digest(scope, credentials, date, &out[name], &digest);
        out.push_str(", Signature=");
        out.push_str(signature.as_str());
        Authorization {
            value: out,
            date,
            add_date: signing.add_date,
            content_sha256: signing.add_content.then_some(hash),
            token: signing.token.and(credentials.session_token()),
        }
    }

    /// Signs a request whose body goes in chunks that are signed each by themselves, whatever
    /// [`payload`](Self::payload) says.
    ///
    /// The headers must hold `x-amz-decoded-content-length`, the length of the body without the signatures,
    /// and `content-encoding: aws-chunked`; the length of the body with them is [`ChunkSigner::encoded_len`].
    /// See [the S3 documentation](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html).
    pub fn sign_chunks<'c>(
        &self,
        scope: &Scope,
        credentials: &'c Credentials,
        time: SystemTime,
    ) -> (Authorization<'c>, ChunkSigner) {
        self.sign_chunks_as(Payload::Chunks, scope, credentials, time)
    }

    pub(super) fn sign_chunks_as<'c>(
        &self,
        payload: Payload<'a>,
        scope: &Scope,
        credentials: &'c Credentials,
        time: SystemTime,
    ) -> (Authorization<'c>, ChunkSigner) {
        let request = Request {
            payload,
            headers: self.headers.clone(),
            ..*self
        };
        let authorization = request.sign(scope, credentials, time);
        let date = authorization.date;
        let key = scope.with_key(credentials, date, Arc::clone);
        let chunks = ChunkSigner::new(key, scope, date, authorization.signature());
        (authorization, chunks)
    }

    /// Signs the request as a link that anyone may use for `expires` from `time` on, whole seconds, and returns
    /// the whole query to send.
    ///
    /// That is the query of the request, then `X-Amz-Algorithm`, `-Credential`, `-Date`, `-Expires`,
    /// `-SignedHeaders`, `-Security-Token` if the credentials are temporary, and `-Signature`; earlier values of
    /// these are dropped, so a link can be signed again. Whoever uses the link must send the headers that were
    /// given here, with these values. Links of S3 do not sign the body.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when `expires` is not 1 to 604,800 seconds.
    pub fn presign(
        &self,
        scope: &Scope,
        credentials: &Credentials,
        time: SystemTime,
        expires: Duration,
    ) -> Result<String> {
        let date = AmzDate::new(time);
        let mut canonical = Feed::<Sha256>::new();
        let mut query = self.link(scope, credentials, date, expires, &mut canonical)?;
        let digest = Hex::of(canonical.finish());
        let mut name = String::with_capacity(scope.len());
        scope.push(&mut name, date);
        let signature = sign_digest(scope, credentials, date, &name, &digest);
        query.push_str("&X-Amz-Signature=");
        query.push_str(signature.as_str());
        Ok(query)
    }

    /// The text whose digest [`presign`](Self::presign) signs.
    ///
    /// # Errors
    /// As [`presign`](Self::presign).
    pub fn presign_canonical_request(
        &self,
        scope: &Scope,
        credentials: &Credentials,
        time: SystemTime,
        expires: Duration,
    ) -> Result<String> {
        let date = AmzDate::new(time);
        let mut out = Vec::new();
        self.link(scope, credentials, date, expires, &mut out)?;
        Ok(text(out))
    }

    /// The query of a link but for its signature; its canonical request goes into `out`.
    fn link<S: Sink>(
        &self,
        scope: &Scope,
        credentials: &Credentials,
        date: AmzDate,
        expires: Duration,
        out: &mut S,
    ) -> Result<String> {
        let seconds = expires.as_secs();
        if !(1..=MAX_EXPIRES.as_secs()).contains(&seconds) {
            return Err(Error::invalid(format!(
                "a link that expires after {seconds} s is not within 1 to {} s",
                MAX_EXPIRES.as_secs()
            )));
        }
        let headers = self.headers.clone().into_iter();
        let replaced = |name: &str| {
            [DATE, CONTENT, TOKEN]
                .iter()
                .any(|own| own.eq_ignore_ascii_case(name))
        };
        let mut fields = SignedFields::new();
        fields.extend(headers.filter(|(name, _)| !replaced(name)));
        let mut query = String::with_capacity(self.query.len() + 384);
        for piece in self.query.split('&').filter(|piece| !piece.is_empty()) {
            let name = piece.split_once('=').map_or(piece, |(name, _)| name);
            if !is_link_parameter(name) {
                query.push_str(piece);
                query.push('&');
            }
        }
        query.push_str("X-Amz-Algorithm=");
        query.push_str(ALGORITHM);
        query.push_str("&X-Amz-Credential=");
        let mut credential = String::with_capacity(64);
        credential.push_str(credentials.access_key());
        credential.push('/');
        scope.push(&mut credential, date);
        escape::push_component(&mut query, &credential);
        query.push_str("&X-Amz-Date=");
        query.push_str(date.as_ref());
        query.push_str("&X-Amz-Expires=");
        query.push_str(&seconds.to_string());
        query.push_str("&X-Amz-SignedHeaders=");
        let mut names = String::with_capacity(64);
        fields.push_names(&mut names);
        query.push_str(&names.replace(';', "%3B"));
        if let Some(token) = credentials.session_token() {
            query.push_str("&X-Amz-Security-Token=");
            escape::push_component(&mut query, token);
        }
        let hash = if scope.rules().links_sign_body {
            self.payload.text()
        } else {
            Payload::Unsigned.text()
        };
        let signing = Signing {
            scope,
            method: self.method,
            path: self.path,
            query: &query,
            hash: &hash,
            fields,
            token: None,
            add_date: false,
            add_content: false,
        };
        signing.put_canonical(out, &names);
        Ok(query)
    }

    fn signing<'s>(
        &'s self,
        scope: &'s Scope,
        credentials: &'s Credentials,
        date: &'s AmzDate,
        hash: &'s PayloadText,
    ) -> Signing<'s>
    where
        'a: 's,
    {
        // The list of the fields is some size, so it is filled where it stays.
        let mut signing = Signing {
            scope,
            method: self.method,
            path: self.path,
            query: self.query,
            hash,
            fields: SignedFields::new(),
            token: None,
            add_date: false,
            add_content: false,
        };
        let fields = &mut signing.fields;
        fields.extend(self.headers.clone());
        signing.token = credentials.session_token().filter(|_| !fields.has(TOKEN));
        signing.add_date = !fields.has(DATE);
        signing.add_content = scope.rules().content_sha256 && !fields.has(CONTENT);
        if signing.add_date {
            fields.insert(DATE, date.as_ref());
        }
        if signing.add_content {
            fields.insert(CONTENT, hash.as_str());
        }
        if let Some(token) = signing.token {
            fields.insert(TOKEN, token);
        }
        signing
    }
}

/// All that a canonical request is written from.
struct Signing<'s> {
    scope: &'s Scope,
    method: &'s str,
    path: &'s str,
    query: &'s str,
    hash: &'s PayloadText,
    fields: SignedFields<'s>,
    token: Option<&'s str>,
    add_date: bool,
    add_content: bool,
}

impl Signing<'_> {
    /// Writes the canonical request; `names` are those of the fields.
    fn put_canonical<S: Sink>(&self, out: &mut S, names: &str) {
        out.put(self.method.as_bytes());
        out.put_byte(b'\n');
        put_path(out, self.path, self.scope.rules());
        out.put_byte(b'\n');
        put_query(out, self.query);
        out.put_byte(b'\n');
        self.fields.put_lines(out, names);
        out.put_byte(b'\n');
        out.put(names.as_bytes());
        out.put_byte(b'\n');
        out.put(self.hash.as_str().as_bytes());
    }

    fn readable(&self) -> String {
        let (mut names, mut out) = (String::new(), Vec::new());
        self.fields.push_names(&mut names);
        self.put_canonical(&mut out, &names);
        text(out)
    }

    /// At least the bytes of the value of the `Authorization` header.
    fn room(&self, credentials: &Credentials) -> usize {
        let fields = self.fields.as_slice().iter();
        let names: usize = fields.map(|(name, _)| name.len() + 1).sum();
        let fixed = " Credential=/, SignedHeaders=, Signature=".len() + ALGORITHM.len() + 64;
        fixed + credentials.access_key().len() + self.scope.len() + names
    }
}

/// What is written here is made of texts.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// The signature of the digest of a canonical request.
fn sign_digest(
    scope: &Scope,
    credentials: &Credentials,
    date: AmzDate,
    name: &str,
    digest: &Hex,
) -> Hex {
    scope.with_key(credentials, date, |key| {
        let mut mac = key.feed();
        put_string_to_sign(&mut mac, name, date, digest);
        Hex::of(mac.finish())
    })
}

/// Writes the string to sign; `name` is that of the scope and day.
fn put_string_to_sign<S: Sink>(out: &mut S, name: &str, date: AmzDate, digest: &Hex) {
    out.put(ALGORITHM.as_bytes());
    out.put_byte(b'\n');
    out.put(date.as_bytes());
    out.put_byte(b'\n');
    out.put(name.as_bytes());
    out.put_byte(b'\n');
    out.put(digest.as_bytes());
}

/// Whether a query parameter is one that a link of this version or its signature consists of.
fn is_link_parameter(name: &str) -> bool {
    [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
    ]
    .iter()
    .any(|own| own.eq_ignore_ascii_case(name))
}
