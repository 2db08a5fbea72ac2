//! A request, and what signing it gives.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_sigv2::{Credentials, escape};

use super::authorization::Authorization;
use super::canonical::{push_path, push_query};
use super::chunk::ChunkSigner;
use super::fields::Fields;
use super::mac::sha256;
use super::payload::{Payload, PayloadText};
use super::scope::Scope;
use super::time::AmzDate;
use super::{ALGORITHM, push_hex};
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
        let mut out = String::new();
        signing.push_canonical(&mut out);
        out
    }

    /// The text that [`sign`](Self::sign) signs.
    #[must_use]
    pub fn string_to_sign(
        &self,
        scope: &Scope,
        credentials: &Credentials,
        time: SystemTime,
    ) -> String {
        let mut out = self.canonical_request(scope, credentials, time);
        let digest = sha256(out.as_bytes());
        out.clear();
        push_string_to_sign(&mut out, scope, AmzDate::new(time), &digest);
        out
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
        // One buffer for all three texts: the last is what is handed out.
        let mut out = String::with_capacity(signing.room());
        signing.push_canonical(&mut out);
        let signature = signature(&mut out, scope, credentials, date);
        out.clear();
        out.push_str(ALGORITHM);
        out.push_str(" Credential=");
        out.push_str(credentials.access_key());
        out.push('/');
        scope.push(&mut out, date);
        out.push_str(", SignedHeaders=");
        signing.fields.push_names(&mut out, ";");
        out.push_str(", Signature=");
        push_hex(&mut out, &signature);
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
        let request = Request {
            payload: Payload::Chunks,
            headers: self.headers.clone(),
            ..*self
        };
        let authorization = request.sign(scope, credentials, time);
        let date = authorization.date;
        let key = scope.key(credentials, date);
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
        let (query, mut out) = self.presign_canonical(scope, credentials, date, expires)?;
        let signature = signature(&mut out, scope, credentials, date);
        let mut query = query;
        query.push_str("&X-Amz-Signature=");
        push_hex(&mut query, &signature);
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
        Ok(self.presign_canonical(scope, credentials, date, expires)?.1)
    }

    fn presign_canonical(
        &self,
        scope: &Scope,
        credentials: &Credentials,
        date: AmzDate,
        expires: Duration,
    ) -> Result<(String, String)> {
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
        let fields = Fields::new(headers.filter(|(name, _)| !replaced(name)));
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
        fields.push_names(&mut query, "%3B");
        if let Some(token) = credentials.session_token() {
            query.push_str("&X-Amz-Security-Token=");
            escape::push_component(&mut query, token);
        }
        let hash = if scope.rules().links_sign_body {
            self.payload.text()
        } else {
            Payload::Unsigned.text()
        };
        let mut out = String::with_capacity(query.len() + self.path.len() + 256);
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
        signing.push_canonical(&mut out);
        Ok((query, out))
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
        let mut fields = Fields::new(self.headers.clone());
        let token = credentials.session_token().filter(|_| !fields.has(TOKEN));
        let add_date = !fields.has(DATE);
        if add_date {
            fields.insert(DATE, date.as_ref());
        }
        let add_content = scope.rules().content_sha256 && !fields.has(CONTENT);
        if add_content {
            fields.insert(CONTENT, hash.as_str());
        }
        if let Some(token) = token {
            fields.insert(TOKEN, token);
        }
        Signing {
            scope,
            method: self.method,
            path: self.path,
            query: self.query,
            hash,
            fields,
            token,
            add_date,
            add_content,
        }
    }
}

/// All that a canonical request is written from.
struct Signing<'s> {
    scope: &'s Scope,
    method: &'s str,
    path: &'s str,
    query: &'s str,
    hash: &'s PayloadText,
    fields: Fields<'s>,
    token: Option<&'s str>,
    add_date: bool,
    add_content: bool,
}

impl Signing<'_> {
    fn push_canonical(&self, out: &mut String) {
        out.push_str(self.method);
        out.push('\n');
        push_path(out, self.path, self.scope.rules());
        out.push('\n');
        push_query(out, self.query);
        out.push('\n');
        self.fields.push_lines(out);
        out.push('\n');
        self.fields.push_names(out, ";");
        out.push('\n');
        out.push_str(self.hash.as_str());
    }

    /// About the bytes of the longest of the texts.
    fn room(&self) -> usize {
        let fields = self.fields.as_slice().iter();
        let fields: usize = fields.map(|(n, v)| 2 * n.len() + v.len() + 3).sum();
        let canonical = self.path.len() + 2 * self.query.len() + fields + 96;
        canonical.max(160 + 2 * self.scope.len() + fields)
    }
}

fn push_string_to_sign(out: &mut String, scope: &Scope, date: AmzDate, digest: &[u8]) {
    out.push_str(ALGORITHM);
    out.push('\n');
    out.push_str(date.as_ref());
    out.push('\n');
    scope.push(out, date);
    out.push('\n');
    push_hex(out, digest);
}

/// The signature of a canonical request, which is used up.
fn signature(
    canonical: &mut String,
    scope: &Scope,
    credentials: &Credentials,
    date: AmzDate,
) -> [u8; 32] {
    let digest = sha256(canonical.as_bytes());
    canonical.clear();
    push_string_to_sign(canonical, scope, date, &digest);
    scope.key(credentials, date).sign(canonical.as_bytes())
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
