//! What a GET and a HEAD of an object can be told alike: [`ReadObject`], of which [`Get`](super::get::Get) and
//! [`Head`](super::head::Head) are the two kinds.
//!
//! *Problem:* both operations take the same conditions, versions, parts, keys and response fields, and a condition that
//! may be answered by 304 changes the type of the answer. *Decision:* there is one request with two parameters: the verb
//! keeps what only that verb can be told, and the mode says in the type whether "not modified" is an answer. *Cost:* the
//! compiler calls a `Get` by the longer name in its errors.

use std::fmt;
use std::marker::PhantomData;
use std::time::SystemTime;

use crate::answer::object::{Object, ObjectHead};
use crate::answer::{Fetched, HeadFetched};
use crate::bucket::Bucket;
use crate::request::encryption::CustomerKey;
use crate::request::options::Options;
use crate::request::reading::Reading;

/// The object is read whatever it is: the answer is an [`Object`], or an [`ObjectHead`].
#[derive(Clone, Copy, Debug)]
pub struct Always(());

/// The object is read if it has changed: the answer is [`Fetched`], or [`HeadFetched`].
#[derive(Clone, Copy, Debug)]
pub struct IfChanged(());

/// This says whether a request may be answered by "not modified"; sealed.
pub trait Mode: sealed::Outputs {}

impl Mode for Always {}
impl Mode for IfChanged {}

/// This says which of the two operations a [`ReadObject`] is; sealed.
pub trait Verb: sealed::VerbSettings {}

impl<V: sealed::VerbSettings> Verb for V {}

pub(crate) mod sealed {
    use super::{Object, ObjectHead, fmt};

    pub trait Outputs: Send + Sync + 'static {
        /// What a GET answers with.
        type Object: Send;
        /// What a HEAD answers with.
        type Head: Send;
        /// Whether 304 is an answer.
        const MAY_BE_UNCHANGED: bool;

        /// The output of an answer with an object.
        fn object(object: Object) -> Self::Object;
        /// The object in the output of a GET, if there is one.
        fn object_mut(output: &mut Self::Object) -> Option<&mut Object>;
        /// The output of 304 to a GET, if that is an answer.
        fn unchanged(head: ObjectHead) -> Option<Self::Object>;
        /// The output of a HEAD; `unchanged` says that the answer is 304.
        fn head(head: ObjectHead, unchanged: bool) -> Self::Head;
    }

    pub trait VerbSettings: Clone + Default + fmt::Debug + Send + Sync + 'static {
        /// The name of the request.
        const NAME: &'static str;
    }
}

impl sealed::Outputs for Always {
    type Object = Object;
    type Head = ObjectHead;
    const MAY_BE_UNCHANGED: bool = false;

    fn object(object: Object) -> Object {
        object
    }

    fn object_mut(output: &mut Object) -> Option<&mut Object> {
        Some(output)
    }

    fn unchanged(_: ObjectHead) -> Option<Object> {
        None
    }

    fn head(head: ObjectHead, _: bool) -> ObjectHead {
        head
    }
}

impl sealed::Outputs for IfChanged {
    type Object = Fetched;
    type Head = HeadFetched;
    const MAY_BE_UNCHANGED: bool = true;

    fn object(object: Object) -> Fetched {
        Fetched::Object(object)
    }

    fn object_mut(output: &mut Fetched) -> Option<&mut Object> {
        match output {
            Fetched::Object(object) => Some(object),
            Fetched::NotModified(_) => None,
        }
    }

    fn unchanged(head: ObjectHead) -> Option<Fetched> {
        Some(Fetched::NotModified(head))
    }

    fn head(head: ObjectHead, unchanged: bool) -> HeadFetched {
        match unchanged {
            true => HeadFetched::NotModified(head),
            false => HeadFetched::Head(head),
        }
    }
}

/// A request for an object ([`Get`](crate::request::Get)), or for what is known of it ([`Head`](crate::request::Head)).
///
/// [`if_none_match`](Self::if_none_match) and [`if_modified_since`](Self::if_modified_since) change what it answers
/// with: [`Fetched`] or [`HeadFetched`] tell whether the object has changed.
#[must_use = "nothing is sent until this is awaited"]
pub struct ReadObject<V: Verb, M: Mode = Always> {
    pub(super) reading: Reading,
    /// What only this verb can be told.
    pub(super) told: V,
    pub(super) options: Options,
    mode: PhantomData<M>,
}

impl<V: Verb> ReadObject<V> {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self::of(Reading::new(bucket, key), V::default(), Options::default())
    }
}

impl<V: Verb, M: Mode> ReadObject<V, M> {
    pub(super) fn of(reading: Reading, told: V, options: Options) -> Self {
        Self {
            reading,
            told,
            options,
            mode: PhantomData,
        }
    }

    #[cfg(feature = "fs")]
    pub(crate) fn with(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Reads it only if it has another entity tag.
    pub fn if_none_match(mut self, etag: impl Into<String>) -> ReadObject<V, IfChanged> {
        self.reading.field("if-none-match", etag);
        self.changed()
    }

    /// Reads it only if it has been stored since, to the second.
    pub fn if_modified_since(mut self, time: SystemTime) -> ReadObject<V, IfChanged> {
        self.reading.time("if-modified-since", time);
        self.changed()
    }

    fn changed(self) -> ReadObject<V, IfChanged> {
        ReadObject::of(self.reading, self.told, self.options)
    }

    /// Reads this [version](https://docs.aws.amazon.com/AmazonS3/latest/userguide/RetrievingObjectVersions.html)
    /// of it. Defaults to the current one.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.reading.version(id.into());
        self
    }

    /// Reads one part of an object that came in parts, from 1 to 10,000; the answer says
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
    pub fn response_content_type(self, value: impl Into<String>) -> Self {
        self.response("response-content-type", value)
    }

    /// Has the answer say this language.
    pub fn response_content_language(self, value: impl Into<String>) -> Self {
        self.response("response-content-language", value)
    }

    /// Has the answer say when to look for it again, to the second, in the years 1970 to 9999.
    pub fn response_expires(mut self, time: SystemTime) -> Self {
        self.reading.response_expires(time);
        self
    }

    /// Has the answer say how it may be kept.
    pub fn response_cache_control(self, value: impl Into<String>) -> Self {
        self.response("response-cache-control", value)
    }

    /// Has the answer say under which name it is saved.
    pub fn response_content_disposition(self, value: impl Into<String>) -> Self {
        self.response("response-content-disposition", value)
    }

    /// Has the answer say how the body is compressed.
    pub fn response_content_encoding(self, value: impl Into<String>) -> Self {
        self.response("response-content-encoding", value)
    }

    fn response(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.reading.response(name, value.into());
        self
    }
}

options!(ReadObject<V, M>, V: Verb, M: Mode);

impl<V: Verb, M: Mode> Clone for ReadObject<V, M> {
    fn clone(&self) -> Self {
        Self::of(
            self.reading.clone(),
            self.told.clone(),
            self.options.clone(),
        )
    }
}

impl<V: Verb, M: Mode> fmt::Debug for ReadObject<V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(V::NAME)
            .field("bucket", &self.reading.bucket)
            .field("key", &self.reading.key)
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}
