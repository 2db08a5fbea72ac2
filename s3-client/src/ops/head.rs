use aws_core::awaitable;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::SystemTime;

use aws_core::operation::Answer;
use aws_core::{Error, Idempotency, Operation, Result, http_date};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::idempotency;
use crate::object::ObjectHead;
use crate::ops::get::{Always, IfChanged};
use crate::options::Options;
use crate::wire::{Field, S3, Wire};

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
    bucket: Bucket,
    key: String,
    fields: Vec<Field>,
    options: Options,
    mode: PhantomData<M>,
}

impl Head {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self {
            bucket,
            key,
            fields: Vec::new(),
            options: Options::default(),
            mode: PhantomData,
        }
    }
}

impl<M: HeadMode> Head<M> {
    /// Answers only if it has this entity tag.
    pub fn if_match(self, etag: impl Into<String>) -> Self {
        self.field("if-match", etag.into())
    }

    /// Answers only if it has not been stored since.
    pub fn if_unmodified_since(self, time: SystemTime) -> Self {
        self.field("if-unmodified-since", http_date(time).as_ref().to_owned())
    }

    /// Says whether it has another entity tag.
    pub fn if_none_match(self, etag: impl Into<String>) -> Head<IfChanged> {
        self.field("if-none-match", etag.into()).changed()
    }

    /// Says whether it has been stored since.
    pub fn if_modified_since(self, time: SystemTime) -> Head<IfChanged> {
        self.field("if-modified-since", http_date(time).as_ref().to_owned())
            .changed()
    }

    fn changed(self) -> Head<IfChanged> {
        let Self {
            bucket,
            key,
            fields,
            options,
            mode: _,
        } = self;
        Head {
            bucket,
            key,
            fields,
            options,
            mode: PhantomData,
        }
    }

    fn field(mut self, name: &'static str, value: String) -> Self {
        self.fields.retain(|(n, _)| n != name);
        self.fields.push((Cow::Borrowed(name), value));
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such object; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<M::Output> {
        let mut wire = Wire::object(Method::Head, &self.bucket, &self.key)?;
        wire.fields(self.fields);
        wire.options(self.options);
        self.bucket
            .client
            .call(&HeadObject::<M> {
                wire,
                mode: PhantomData,
            })
            .await
    }
}

options!(Head<M>, M: HeadMode);
awaitable!(Head<M>, M::Output, M: HeadMode);

impl<M: HeadMode> fmt::Debug for Head<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

struct HeadObject<M> {
    wire: Wire,
    mode: PhantomData<M>,
}

impl<M: HeadMode> Operation for HeadObject<M> {
    type Output = M::Output;
    const NAME: &'static str = idempotency::HEAD_OBJECT.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::HEAD_OBJECT.idempotency
    }

    fn accepts(&self, status: u16) -> bool {
        status == 200 || (status == 304 && M::MAY_BE_UNCHANGED)
    }

    fn parse(&self, _: &S3, answer: Answer) -> Result<M::Output> {
        if !answer.bytes().is_empty() {
            return Err(Error::protocol("an answer to HEAD has a body"));
        }
        let unchanged = answer.head.status() == 304;
        Ok(M::output(ObjectHead::new(answer.head), unchanged))
    }
}
