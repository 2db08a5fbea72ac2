//! A request as it goes on the wire, but for its date and signature.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use aws_core::operation::Attempt;
use aws_core::v4;
use aws_core::{Endpoint, Error, Result};
use aws_sigv2::escape;
use bytes::Bytes;
use pipeline_pool::{Method, Origin, Request};

use crate::bucket::Bucket;
use crate::checksum::Checksum;
use crate::client::S3Client;
use crate::digest;
use crate::limits;
use crate::request::body::Payload;
use crate::request::options::Options;
use crate::route::BucketAddress;
pub(crate) use crate::service::S3;
use crate::signature::{Framing, Signer, Unsigned, region_of};

/// Bodies over this size that go over TLS are not hashed for their signature.
const HASHED: usize = 1 << 20;

/// How long a body waits for the store to want it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bodies from this size on get a connection without neighbours.
const ALONE: usize = 256 << 10;

pub(crate) type Field = (Cow<'static, str>, String);

pub(crate) struct Wire {
    method: Method,
    origin: Origin,
    bucket: Option<Arc<str>>,
    /// Whether the host names the bucket, so that the signature must.
    bucket_in_host: bool,
    /// Path and query, percent-encoded.
    target: String,
    path_len: usize,
    fields: Vec<Field>,
    payload: Payload,
    /// Whether a digest goes with the body where the bucket is known to want one.
    digest_on_demand: bool,
    patience: Duration,
    /// The region of the place that it was moved to, where that is known.
    region: Option<String>,
    options: Options,
}

impl Wire {
    /// A request about no bucket.
    pub(crate) fn service(method: Method, client: &S3Client) -> Self {
        Self {
            method,
            origin: client.endpoint().origin().clone(),
            bucket: None,
            bucket_in_host: false,
            target: "/".to_owned(),
            path_len: 1,
            fields: Vec::new(),
            payload: Payload::None,
            digest_on_demand: false,
            patience: Duration::ZERO,
            region: None,
            options: Options::default(),
        }
    }

    /// A request about a bucket. Its path ends in a slash: servers refuse a signature over one form and a
    /// request in the other.
    pub(crate) fn bucket_root(method: Method, bucket: &Bucket) -> Result<Self> {
        let (_, wire) = Self::within(method, bucket.clone(), 64)?;
        Ok(wire)
    }

    /// A request about an object.
    pub(crate) fn object(method: Method, bucket: &Bucket, key: &str) -> Result<Self> {
        let (_, wire) = Self::object_of(method, bucket.clone(), key)?;
        Ok(wire)
    }

    /// A request about an object of a bucket that is not needed besides, and the client to send it by.
    pub(crate) fn object_of(method: Method, bucket: Bucket, key: &str) -> Result<(S3Client, Self)> {
        limits::key(key)?;
        let (client, mut wire) = Self::within(method, bucket, key.len() + key.len() / 4 + 16)?;
        escape::push_path(&mut wire.target, key);
        wire.path_len = wire.target.len();
        Ok((client, wire))
    }

    fn within(method: Method, bucket: Bucket, room: usize) -> Result<(S3Client, Self)> {
        if !bucket.legal {
            limits::bucket(&bucket.name)?;
        }
        let Bucket {
            client,
            name,
            place,
            legal: _,
        } = bucket;
        let mut target = String::with_capacity(name.len() + 2 + room);
        target.push('/');
        if !place.bucket_in_host {
            target.push_str(&in_path(&name));
            target.push('/');
        }
        let wire = Self {
            method,
            origin: place.origin,
            bucket: Some(name),
            bucket_in_host: place.bucket_in_host,
            path_len: target.len(),
            target,
            fields: Vec::new(),
            payload: Payload::None,
            digest_on_demand: false,
            patience: Duration::ZERO,
            region: None,
            options: Options::default(),
        };
        Ok((client, wire))
    }

    pub(crate) fn query(&mut self, name: &str, value: &str) {
        self.target.push(if self.target.len() == self.path_len {
            '?'
        } else {
            '&'
        });
        self.target.push_str(name);
        self.target.push('=');
        escape::push_component(&mut self.target, value);
    }

    /// A sub-resource, which has a name only.
    pub(crate) fn flag(&mut self, name: &str) {
        self.target.push(if self.target.len() == self.path_len {
            '?'
        } else {
            '&'
        });
        self.target.push_str(name);
    }

    /// Header fields of its own.
    ///
    /// # Errors
    /// When a value cannot be sent as it is, naming the field.
    pub(crate) fn fields(&mut self, fields: Vec<Field>) -> Result<()> {
        for (name, value) in &fields {
            limits::field(name, value)?;
        }
        self.fields = fields;
        Ok(())
    }

    pub(crate) fn body(&mut self, body: Bytes) {
        self.payload = Payload::Whole(body);
    }

    pub(crate) fn payload(&mut self, payload: Payload) {
        self.payload = payload;
    }

    /// Sends a digest of the body too where the bucket is known to want one.
    pub(crate) fn digest_on_demand(&mut self) {
        self.digest_on_demand = true;
    }

    /// Time beyond the usual for what the server has to do.
    pub(crate) fn patience(&mut self, time: Duration) {
        self.patience = time;
    }

    /// Time beyond that of a small request: with it a line of one megabit a second is not too slow for the body.
    pub(crate) fn extra_time(&self) -> Duration {
        self.patience + Duration::from_secs(self.payload.len() >> 17)
    }

    /// Whether the body can be sent once more.
    pub(crate) fn can_repeat(&self) -> bool {
        self.payload.is_there()
    }

    pub(crate) fn options(&mut self, options: Options) {
        self.options = options;
    }

    pub(crate) fn overrides(&self) -> &Options {
        &self.options
    }

    /// The path, percent-encoded.
    pub(crate) fn path(&self) -> &str {
        &self.target[..self.path_len]
    }

    /// The bucket, where the host names it and the path does not.
    pub(crate) fn bucket_of_host(&self) -> Option<&str> {
        self.bucket.as_deref().filter(|_| self.bucket_in_host)
    }

    /// The key of the object that it is about.
    pub(crate) fn key(&self) -> Option<Cow<'_, str>> {
        let path = self.target[..self.path_len].strip_prefix('/')?;
        let key = match &self.bucket {
            Some(bucket) if !self.bucket_in_host => {
                path.strip_prefix(&*in_path(bucket))?.strip_prefix('/')?
            }
            _ => path,
        };
        (!key.is_empty()).then(|| unescaped(key))
    }

    /// The fields that the operation itself has set.
    pub(crate) fn own_fields(&self) -> &[Field] {
        &self.fields
    }

    pub(crate) fn has_query(&self) -> bool {
        self.target.len() > self.path_len
    }

    pub(crate) fn whole_payload(&self) -> Option<Bytes> {
        self.payload.whole()
    }

    /// The same request, sent to another place.
    pub(crate) fn moved(&self, place: &BucketAddress) -> Self {
        let mut target = String::with_capacity(self.target.len() + 64);
        let mut path = &self.target[..];
        if let Some(bucket) = &self.bucket {
            if !self.bucket_in_host {
                path = &path[1 + in_path(bucket).len()..];
            }
            if !place.bucket_in_host {
                target.push('/');
                target.push_str(&in_path(bucket));
            }
        }
        let query_len = self.target.len() - self.path_len;
        target.push_str(path);
        Self {
            method: self.method,
            origin: place.origin.clone(),
            bucket: self.bucket.clone(),
            bucket_in_host: place.bucket_in_host,
            path_len: target.len() - query_len,
            target,
            fields: self.fields.clone(),
            payload: self.payload.clone(),
            digest_on_demand: self.digest_on_demand,
            options: self.options.clone(),
            patience: self.patience,
            region: place.region.clone().or_else(|| {
                let endpoint = Endpoint::new(place.origin.clone());
                let amazon = endpoint.is_amazon();
                amazon.then(|| region_of(place.origin.host()).to_owned())
            }),
        }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn bucket(&self) -> Option<&Arc<str>> {
        self.bucket.as_ref()
    }

    pub(crate) fn request(&self, service: &S3, attempt: &Attempt<'_>) -> Result<Request> {
        let mut request = Request::new(self.method, &self.origin, &self.target)?;
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
            query: self.target.get(self.path_len + 1..).unwrap_or_default(),
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
            request.expect_continue(Some(PATIENCE));
        }
        match &self.payload {
            Payload::None => {}
            Payload::Whole(body) => {
                request.body(body.clone());
                if body.len() >= ALONE {
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
        match (service.signer(self.bucket.as_ref()), &self.region) {
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
        let bucket = self.bucket.as_deref().filter(|_| self.digest_on_demand);
        if !bucket.is_some_and(|name| service.demands.contains(name)) {
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
            Payload::Whole(body) if !tls || body.len() <= HASHED => Some(v4::Payload::Bytes(body)),
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
    Md5(String),
    Trailer(Checksum),
}

/// The name of a bucket as a path has it. Of what a legal name is made of only the colon behind a tenant needs an escape.
fn in_path(bucket: &str) -> Cow<'_, str> {
    match bucket.split_once(':') {
        None => Cow::Borrowed(bucket),
        Some((tenant, name)) => Cow::Owned(format!("{tenant}%3A{name}")),
    }
}

/// A path as it was before it was escaped.
fn unescaped(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(b) = rest.next() {
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        bytes.push(match b {
            b'%' => (digit().unwrap_or(0) * 16 + digit().unwrap_or(0)) as u8,
            b => b,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Addressing;
    use aws_core::Credentials;
    use std::time::UNIX_EPOCH;

    fn bucket(url: &str, addressing: Addressing) -> Bucket {
        let keys = Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        );
        let builder = S3Client::builder()
            .endpoint(url)
            .addressing(addressing)
            .credentials(keys);
        builder.build().unwrap().bucket("johnsmith")
    }

    fn sent(wire: &Wire, token: Option<&str>) -> (String, Vec<(String, String)>) {
        let keys = Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        );
        let keys = token.map_or(keys.clone(), |t| keys.with_token(t));
        let now = UNIX_EPOCH + Duration::from_secs(1_175_024_202);
        let service = S3::new(Signer::V2);
        let request = wire.request(&service, &Attempt::new(&keys, now)).unwrap();
        let headers = request
            .headers()
            .map(|(n, v)| (n.to_lowercase(), v.to_owned()));
        (request.target().to_owned(), headers.collect())
    }

    fn field<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
        headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    #[test]
    fn a_request_is_signed_for_the_host_it_goes_to() {
        let near = bucket("http://s3.amazonaws.com", Addressing::Auto);
        let wire = Wire::object(Method::Get, &near, "photos/puppy.jpg").unwrap();
        let (target, headers) = sent(&wire, None);
        assert_eq!(target, "/photos/puppy.jpg");
        assert_eq!(field(&headers, "host"), Some("johnsmith.s3.amazonaws.com"));
        assert_eq!(
            field(&headers, "date"),
            Some("Tue, 27 Mar 2007 19:36:42 GMT")
        );
        // The same resource by path has the same signature.
        let far = bucket("http://127.0.0.1:9000", Addressing::Path);
        let wire = Wire::object(Method::Get, &far, "photos/puppy.jpg").unwrap();
        let (by_path, path_headers) = sent(&wire, None);
        assert_eq!(by_path, "/johnsmith/photos/puppy.jpg");
        assert_eq!(
            field(&path_headers, "authorization"),
            field(&headers, "authorization")
        );
        assert_eq!(field(&path_headers, "host"), Some("127.0.0.1:9000"));
    }

    #[test]
    fn a_token_is_sent_and_signed() {
        let wire = Wire::object(Method::Get, &bucket("http://h", Addressing::Path), "k").unwrap();
        let (_, with) = sent(&wire, Some("the-token"));
        let (_, without) = sent(&wire, None);
        assert_eq!(field(&with, "x-amz-security-token"), Some("the-token"));
        assert_ne!(
            field(&with, "authorization"),
            field(&without, "authorization")
        );
    }

    #[test]
    fn fields_of_the_attempt_are_sent_and_signed_in_place_of_its_own() {
        let mut wire =
            Wire::object(Method::Get, &bucket("http://h", Addressing::Path), "k").unwrap();
        wire.fields(vec![("x-amz-acl".into(), "private".to_owned())])
            .unwrap();
        let keys = Credentials::new("id", "secret");
        let added = [
            ("x-amz-acl".to_owned(), "public-read".to_owned()),
            ("x-trace".to_owned(), "7".to_owned()),
        ];
        let attempt = Attempt::new(&keys, UNIX_EPOCH);
        let service = S3::new(Signer::V2);
        let names_and_signature = |attempt: &Attempt<'_>| {
            let request = wire.request(&service, attempt).unwrap();
            let headers: Vec<(String, String)> = request
                .headers()
                .map(|(n, v)| (n.to_lowercase(), v.to_owned()))
                .collect();
            let signature = field(&headers, "authorization").map(str::to_owned);
            (headers, signature)
        };
        let (_, before) = names_and_signature(&attempt);
        let (headers, after) = names_and_signature(&attempt.with_headers(&added));
        assert_eq!(headers.iter().filter(|(n, _)| n == "x-amz-acl").count(), 1);
        assert_eq!(field(&headers, "x-amz-acl"), Some("public-read"));
        assert_eq!(field(&headers, "x-trace"), Some("7"));
        assert_ne!(before, after);
    }

    #[test]
    fn a_request_can_be_moved() {
        let far = bucket("http://h", Addressing::Path);
        let mut wire = Wire::object(Method::Get, &far, "a b/johnsmith/\u{e9}").unwrap();
        wire.query("versionId", "x");
        let place = |url: &str, bucket_in_host| BucketAddress {
            origin: Origin::parse(url).unwrap(),
            bucket_in_host,
            region: None,
        };
        let (_, by_path) = sent(&wire, None);
        let in_host = wire.moved(&place("http://johnsmith.s3.test:81", true));
        assert_eq!(in_host.target, "/a%20b/johnsmith/%C3%A9?versionId=x");
        assert_eq!(&in_host.target[in_host.path_len..], "?versionId=x");
        let (_, headers) = sent(&in_host, None);
        assert_eq!(field(&headers, "host"), Some("johnsmith.s3.test:81"));
        assert_eq!(
            field(&headers, "authorization"),
            field(&by_path, "authorization")
        );
        let back = in_host.moved(&place("http://other", false));
        assert_eq!((&back.target, back.path_len), (&wire.target, wire.path_len));
        for wire in [&wire, &in_host, &back] {
            assert_eq!(wire.key().as_deref(), Some("a b/johnsmith/\u{e9}"));
        }
        let europe = place("http://johnsmith.s3.eu-west-1.amazonaws.com", true);
        let service = S3::new(Signer::V4(v4::Scope::s3("us-east-1")));
        let region = |wire: &Wire| match wire.signer(&service) {
            Signer::V4(scope) => scope.region().to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(region(&wire), "us-east-1");
        assert_eq!(region(&wire.moved(&europe)), "eu-west-1");
        let mut nowhere = place("http://johnsmith.s3.amazonaws.com", true);
        assert_eq!(region(&wire.moved(&nowhere)), "us-east-1");
        nowhere.region = Some("eu-west-1".to_owned());
        assert_eq!(region(&wire.moved(&nowhere)), "eu-west-1");
        let root = Wire::bucket_root(Method::Get, &far).unwrap();
        assert_eq!(root.key(), None);
        let moved = root.moved(&place("http://johnsmith.s3.test", true));
        assert_eq!((moved.target.as_str(), moved.key()), ("/", None));
    }

    #[test]
    fn the_bucket_of_a_tenant_is_escaped_and_found_again() {
        let client = bucket("http://h", Addressing::VirtualHost).client;
        let tenants = client.bucket("tenant:photos");
        let wire = Wire::object(Method::Get, &tenants, "a:b").unwrap();
        assert_eq!(wire.target, "/tenant%3Aphotos/a%3Ab");
        assert_eq!(wire.key().as_deref(), Some("a:b"));
        let there = BucketAddress {
            origin: Origin::parse("http://other").unwrap(),
            bucket_in_host: false,
            region: None,
        };
        assert_eq!(wire.moved(&there).target, wire.target);
        let root = Wire::bucket_root(Method::Get, &tenants).unwrap();
        assert_eq!(
            (root.target.as_str(), root.key()),
            ("/tenant%3Aphotos/", None)
        );
    }

    #[test]
    fn targets_are_escaped() {
        let b = bucket("http://h", Addressing::Path);
        let mut root = Wire::bucket_root(Method::Get, &b).unwrap();
        assert_eq!(root.target, "/johnsmith/");
        root.query("prefix", "a/b c&d=\u{e9}");
        root.query("list-type", "2");
        assert_eq!(
            root.target,
            "/johnsmith/?prefix=a%2Fb%20c%26d%3D%C3%A9&list-type=2"
        );
        for (key, path) in [
            ("a b+c?d", "/johnsmith/a%20b%2Bc%3Fd"),
            ("//x/", "/johnsmith///x/"),
            ("..", "/johnsmith/.."),
        ] {
            assert_eq!(Wire::object(Method::Get, &b, key).unwrap().target, path);
        }
    }
}
