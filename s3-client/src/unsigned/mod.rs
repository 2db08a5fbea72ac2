//! A request as it goes on the wire, but for its date and signature.

mod attempt;
mod target;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use aws_core::{Error, Result};
use bytes::Bytes;
use pipeline_pool::{Method, Origin};

use self::target::Target;

use crate::bucket::Bucket;
use crate::client::S3Client;
use crate::limits;
use crate::request::body::Payload;
use crate::request::options::Options;
use crate::route::BucketAddress;
use crate::sign::hosts::region_of;

/// A header field: its name in lower case, and its value.
pub(crate) type Field = (Cow<'static, str>, String);

/// The request of an operation, the same for all its attempts.
pub(crate) struct UnsignedRequest {
    method: Method,
    target: Target,
    /// Where it was moved to, if it was.
    place: Option<Box<BucketAddress>>,
    /// The fields that the operation sets.
    fields: Vec<Field>,
    payload: Payload,
    /// Whether a digest goes with the body where the bucket is known to want one.
    digest_on_demand: bool,
    /// What the server may need for its work beyond the usual.
    server_time: Duration,
    options: Options,
}

impl UnsignedRequest {
    #[inline]
    fn new(method: Method, target: Target) -> Self {
        Self {
            method,
            target,
            place: None,
            fields: Vec::new(),
            payload: Payload::None,
            digest_on_demand: false,
            server_time: Duration::ZERO,
            options: Options::default(),
        }
    }

    /// A request about no bucket.
    pub(crate) fn service(method: Method, client: &S3Client) -> Self {
        Self::new(method, Target::service(client.clone()))
    }

    /// A request about a bucket. Its path ends in a slash: servers refuse a signature over one form and a
    /// request in the other.
    pub(crate) fn bucket_root(method: Method, bucket: &Bucket) -> Result<Self> {
        bucket.check()?;
        Ok(Self::new(method, Target::within(bucket.clone(), None)))
    }

    /// A request about an object.
    pub(crate) fn object(method: Method, bucket: &Bucket, key: &str) -> Result<Self> {
        Self::object_of(method, bucket.clone(), key.to_owned())
    }

    /// A request about an object of a bucket that is not needed besides.
    #[inline]
    pub(crate) fn object_of(method: Method, bucket: Bucket, key: String) -> Result<Self> {
        limits::key(&key).map_err(|error| bucket.refused(error, &key))?;
        bucket.check()?;
        Ok(Self::new(method, Target::within(bucket, Some(key))))
    }

    /// The client that it goes by.
    #[inline]
    pub(crate) fn client(&self) -> &S3Client {
        self.target.client()
    }

    /// A parameter of the query; its value is percent-encoded.
    pub(crate) fn query(&mut self, name: &str, value: &str) {
        self.target.query(name, value);
    }

    /// The version of the object that it is about.
    pub(crate) fn version(&mut self, id: &str) -> Result<()> {
        limits::version(id).map_err(|error| self.refused(error))?;
        self.query("versionId", id);
        Ok(())
    }

    /// A sub-resource, which has a name only.
    pub(crate) fn flag(&mut self, name: &str) {
        self.target.flag(name);
    }

    /// Header fields of its own.
    ///
    /// # Errors
    /// When a value cannot be sent as it is, naming the field.
    #[inline]
    pub(crate) fn fields(&mut self, fields: Vec<Field>) -> Result<()> {
        for (name, value) in &fields {
            limits::field(name, value).map_err(|error| self.refused(error))?;
        }
        self.fields = fields;
        Ok(())
    }

    /// The error of a request that cannot be made, told what it is about.
    pub(crate) fn refused(&self, error: Error) -> Error {
        error.about(self.bucket(), self.key(), self.client().key_visibility())
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
    pub(crate) fn server_time(&mut self, time: Duration) {
        self.server_time = time;
    }

    /// Time beyond that of a small request: with it a line of one megabit a second is not too slow for the body.
    pub(crate) fn extra_time(&self) -> Duration {
        match self.payload.len() >> 17 {
            0 => self.server_time,
            secs => self.server_time + Duration::from_secs(secs),
        }
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
    pub(crate) fn path(&self) -> String {
        let mut path = String::with_capacity(self.target.room());
        self.target
            .push_path(&mut path, self.bucket_in_other_host());
        path
    }

    /// The bucket, where the host names it and the path does not.
    pub(crate) fn bucket_of_host(&self) -> Option<&str> {
        let bucket = self.target.bucket()?;
        let in_host = self.bucket_in_other_host();
        let in_host = in_host.unwrap_or(bucket.place().bucket_in_host);
        in_host.then_some(bucket.name())
    }

    /// Whether the host of the place that it was moved to names the bucket; nothing if it was not moved.
    fn bucket_in_other_host(&self) -> Option<bool> {
        self.place.as_ref().map(|place| place.bucket_in_host)
    }

    /// The key of the object that it is about, as it was given.
    pub(crate) fn key(&self) -> Option<&str> {
        self.target.key()
    }

    /// That key, owned, for whom needs the request no more.
    pub(crate) fn take_key(&mut self) -> Option<String> {
        self.target.take_key()
    }

    /// The fields that the operation itself has set.
    pub(crate) fn own_fields(&self) -> &[Field] {
        &self.fields
    }

    pub(crate) fn has_query(&self) -> bool {
        !self.target.parameters().is_empty()
    }

    pub(crate) fn whole_payload(&self) -> Option<Bytes> {
        self.payload.whole()
    }

    /// A request that asks where its bucket is, at the same server.
    pub(crate) fn ask_location(&self) -> Option<Self> {
        let mut ask = Self::new(Method::Get, self.target.bucket_root()?);
        ask.place.clone_from(&self.place);
        ask.flag("location");
        Some(ask)
    }

    /// Whether a refusal loses the body, which can be read once only.
    pub(crate) fn is_lost_by_refusal(&self) -> bool {
        self.payload.is_once()
    }

    /// Whether a refusal says why, and costs no more than a small request: it has words, and the body can be sent
    /// again.
    pub(crate) fn may_be_refused(&self) -> bool {
        self.method != Method::Head && !self.is_lost_by_refusal() && self.extra_time().is_zero()
    }

    /// The same request, sent to another place.
    pub(crate) fn moved(&self, place: &BucketAddress) -> Self {
        let mut place = place.clone();
        let region = place.region.take();
        place.region = region.or_else(|| region_of(place.origin.host()).map(str::to_owned));
        Self {
            method: self.method,
            target: self.target.again(),
            place: Some(Box::new(place)),
            fields: self.fields.clone(),
            payload: self.payload.clone(),
            digest_on_demand: self.digest_on_demand,
            options: self.options.clone(),
            server_time: self.server_time,
        }
    }

    /// The server that the request goes to.
    #[inline]
    pub(crate) fn origin(&self) -> &Origin {
        match (&self.place, self.target.bucket()) {
            (Some(place), _) => &place.origin,
            (None, Some(bucket)) => &bucket.place().origin,
            (None, None) => self.client().endpoint().origin(),
        }
    }

    #[inline]
    pub(crate) fn bucket(&self) -> Option<&Arc<str>> {
        self.target.bucket_name()
    }
}
