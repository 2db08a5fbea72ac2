//! Asking what is known of an object: [`Bucket::head`].

use std::fmt;
use std::marker::PhantomData;
use std::time::SystemTime;

use aws_core::cache::{Lookup, Snapshot};
use aws_core::operation::Answer;
use aws_core::{Error, Result, awaitable};
use pipeline_pool::Method;

use crate::answer::object::ObjectHead;
use crate::bucket::Bucket;
use crate::cached::{self, CachedOperation};
use crate::client::S3Client;
use crate::idempotency::{self, Row};
use crate::object::get::{Always, IfChanged};
use crate::operation::{Call, S3Operation};
use crate::request::encryption::CustomerKey;
use crate::request::options::Options;
use crate::request::reading::Reading;
use crate::unsigned::UnsignedRequest;

/// What a [`Head`] answers with; sealed.
pub trait HeadMode: sealed::HeadMode {}

impl HeadMode for Always {}
impl HeadMode for IfChanged {}

mod sealed {
    use super::ObjectHead;

    pub trait HeadMode: Send + Sync + 'static {
        type Output: Send;
        const MAY_BE_UNCHANGED: bool;
        fn output(head: ObjectHead, unchanged: bool) -> Self::Output;
    }
}

impl sealed::HeadMode for Always {
    type Output = ObjectHead;
    const MAY_BE_UNCHANGED: bool = false;

    fn output(head: ObjectHead, _: bool) -> ObjectHead {
        head
    }
}

impl sealed::HeadMode for IfChanged {
    type Output = HeadFetched;
    const MAY_BE_UNCHANGED: bool = true;

    fn output(head: ObjectHead, unchanged: bool) -> HeadFetched {
        if unchanged {
            HeadFetched::NotModified(head)
        } else {
            HeadFetched::Head(head)
        }
    }
}

/// The answer to a question for what has changed.
#[derive(Clone, Debug)]
pub enum HeadFetched {
    /// It has changed: this is known of it.
    Head(ObjectHead),
    /// It is as it was.
    NotModified(ObjectHead),
}

/// A request for what is known of an object; made by [`Bucket::head`].
///
/// An answer to HEAD has no body, so an error of it has a status and no code.
#[must_use = "nothing is sent until this is awaited"]
pub struct Head<M: HeadMode = Always> {
    reading: Reading,
    checksums: bool,
    options: Options,
    mode: PhantomData<M>,
}

impl Bucket {
    /// Fetches what is known of an object without its body.
    ///
    /// [HeadObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html)
    #[doc(alias = "exists")]
    #[doc(alias("head_object", "HeadObject"))]
    pub fn head(&self, key: impl Into<String>) -> Head {
        Head::new(self.clone(), key.into())
    }
}

impl Head {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self {
            reading: Reading::new(bucket, key),
            checksums: false,
            options: Options::default(),
            mode: PhantomData,
        }
    }
}

impl<M: HeadMode> Head<M> {
    #[cfg(feature = "fs")]
    pub(crate) fn with(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Has the store send the [checksums](ObjectHead::checksum) that it keeps. Defaults to no.
    pub fn checksums(mut self, yes: bool) -> Self {
        self.checksums = yes;
        self
    }

    /// Says whether it has another entity tag.
    pub fn if_none_match(mut self, etag: impl Into<String>) -> Head<IfChanged> {
        self.reading.field("if-none-match", etag);
        self.changed()
    }

    /// Says whether it has been stored since, to the second.
    pub fn if_modified_since(mut self, time: SystemTime) -> Head<IfChanged> {
        self.reading.time("if-modified-since", time);
        self.changed()
    }

    /// Asks about this [version](https://docs.aws.amazon.com/AmazonS3/latest/userguide/RetrievingObjectVersions.html)
    /// of it. Defaults to the current one.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.reading.version(id.into());
        self
    }

    /// Asks about one part of an object that came in parts, from 1 to 10,000; the answer says
    /// [how many](crate::ObjectHead::parts) there are. Any other object has one. Not together with a range.
    pub fn part(mut self, number: u32) -> Self {
        self.reading.part(number);
        self
    }

    /// The key that it was [encrypted](CustomerKey) with.
    pub fn customer_key(mut self, key: CustomerKey) -> Self {
        self.reading.customer_key(key);
        self
    }

    /// Answers only if it has this entity tag; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed).
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.reading.field("if-match", etag);
        self
    }

    /// Answers only if it has not been stored since, to the second; else the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed).
    pub fn if_unmodified_since(mut self, time: SystemTime) -> Self {
        self.reading.time("if-unmodified-since", time);
        self
    }

    /// Has the answer say this media type.
    pub fn response_content_type(mut self, value: impl Into<String>) -> Self {
        self.reading.response("response-content-type", value.into());
        self
    }

    /// Has the answer say this language.
    pub fn response_content_language(mut self, value: impl Into<String>) -> Self {
        self.reading
            .response("response-content-language", value.into());
        self
    }

    /// Has the answer say when to look for it again, to the second, in the years 1970 to 9999.
    pub fn response_expires(mut self, time: SystemTime) -> Self {
        self.reading.response_expires(time);
        self
    }

    /// Has the answer say how it may be kept.
    pub fn response_cache_control(mut self, value: impl Into<String>) -> Self {
        self.reading
            .response("response-cache-control", value.into());
        self
    }

    /// Has the answer say under which name it is saved.
    pub fn response_content_disposition(mut self, value: impl Into<String>) -> Self {
        self.reading
            .response("response-content-disposition", value.into());
        self
    }

    /// Has the answer say how the body is compressed.
    pub fn response_content_encoding(mut self, value: impl Into<String>) -> Self {
        self.reading
            .response("response-content-encoding", value.into());
        self
    }

    fn changed(self) -> Head<IfChanged> {
        Head {
            reading: self.reading,
            checksums: self.checksums,
            options: self.options,
            mode: PhantomData,
        }
    }

    /// Sends HeadObject, as `.await` does.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such object; otherwise as sending and the
    /// store say.
    pub fn send(self) -> impl Future<Output = Result<M::Output>> + Send {
        S3Client::read(self.ready())
    }

    /// What is to be sent, and by which client.
    fn ready(self) -> Result<(S3Client, Call<HeadObject<M>>)> {
        let mut reading = self.reading;
        if self.checksums {
            reading.field("x-amz-checksum-mode", "ENABLED");
        }
        let part = reading.is_part();
        let (client, mut wire) = reading.into_unsigned(Method::Head)?;
        wire.options(self.options);
        let operation = HeadObject {
            part,
            mode: PhantomData,
        };
        Ok((client, Call::new(wire, operation)))
    }
}

options!(Head<M>, M: HeadMode);
awaitable!(Head<M>, M::Output, M: HeadMode);

impl<M: HeadMode> fmt::Debug for Head<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("bucket", &self.reading.bucket)
            .field("key", &self.reading.key)
            .finish_non_exhaustive()
    }
}

struct HeadObject<M> {
    part: bool,
    mode: PhantomData<M>,
}

impl<M: HeadMode> CachedOperation for HeadObject<M> {
    fn lookup<'a>(&self, wire: &'a UnsignedRequest) -> Lookup<'a> {
        cached::lookup(wire, false)
    }

    fn out_of(&self, wire: &UnsignedRequest, snapshot: Snapshot) -> Option<Snapshot> {
        // An object that a put of this client has stored has none, and a HEAD is asked for little else.
        snapshot.head.header("last-modified")?;
        let mut answer = cached::answer(wire, snapshot, M::MAY_BE_UNCHANGED)?;
        answer.body = bytes::Bytes::new();
        Some(answer)
    }
}

impl<M: HeadMode> S3Operation for HeadObject<M> {
    type Output = M::Output;
    const ROW: Row = idempotency::HEAD_OBJECT;

    fn accepts(&self, status: u16) -> bool {
        status == 200 || (status == 206 && self.part) || (status == 304 && M::MAY_BE_UNCHANGED)
    }

    fn parse(&self, answer: Answer) -> Result<M::Output> {
        if !answer.bytes().is_empty() {
            return Err(Error::protocol("an answer to HEAD has a body"));
        }
        let unchanged = answer.head.status() == 304;
        Ok(M::output(ObjectHead::new(answer.head), unchanged))
    }
}
