//! Asking what is known of an object: [`Bucket::head`].

use std::marker::PhantomData;

use aws_core::cache::{Lookup, Snapshot};
use aws_core::operation::Answer;
use aws_core::{Error, Result, awaitable};
use pipeline_pool::Method;

use crate::answer::object::ObjectHead;
use crate::bucket::Bucket;
use crate::cached::{self, CachedOperation};
use crate::client::S3Client;
use crate::idempotency::{self, Row};
use crate::object::read::sealed::VerbSettings;
use crate::object::read::{Always, Mode, ReadObject};
use crate::operation::{Call, S3Operation};
use crate::unsigned::UnsignedRequest;

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
pub type Head<M = Always> = ReadObject<Look, M>;

/// What only a [`Head`] can be told.
#[derive(Clone, Debug, Default)]
pub struct Look {
    checksums: bool,
}

impl VerbSettings for Look {
    const NAME: &'static str = "Head";
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

impl<M: Mode> Head<M> {
    /// Has the store send the [checksums](ObjectHead::checksum) that it keeps. Defaults to no.
    pub fn checksums(mut self, yes: bool) -> Self {
        self.told.checksums = yes;
        self
    }

    /// Sends HeadObject, as `.await` does.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such object; otherwise as sending and the
    /// store say.
    pub fn send(self) -> impl Future<Output = Result<M::Head>> + Send {
        S3Client::read(self.ready())
    }

    /// What is to be sent.
    fn ready(self) -> Result<Call<HeadObject<M>>> {
        let mut reading = self.reading;
        if self.told.checksums {
            reading.field("x-amz-checksum-mode", "ENABLED");
        }
        let part = reading.is_part();
        let mut wire = reading.into_unsigned(Method::Head)?;
        wire.options(self.options);
        let operation = HeadObject {
            part,
            mode: PhantomData,
        };
        Ok(Call::new(wire, operation))
    }
}

awaitable!(Head<M>, M::Head, M: Mode);

struct HeadObject<M> {
    part: bool,
    mode: PhantomData<M>,
}

impl<M: Mode> CachedOperation for HeadObject<M> {
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

impl<M: Mode> S3Operation for HeadObject<M> {
    type Output = M::Head;
    const ROW: Row = idempotency::HEAD_OBJECT;

    fn accepts(&self, status: u16) -> bool {
        status == 200 || (status == 206 && self.part) || (status == 304 && M::MAY_BE_UNCHANGED)
    }

    fn parse(&self, answer: Answer) -> Result<M::Head> {
        if !answer.bytes().is_empty() {
            return Err(Error::protocol("an answer to HEAD has a body"));
        }
        let unchanged = answer.head.status() == 304;
        Ok(M::head(ObjectHead::new(answer.head), unchanged))
    }
}
