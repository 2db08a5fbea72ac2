//! Fetching an object: [`Bucket::get`].

use std::marker::PhantomData;
use std::ops::RangeBounds;

use aws_core::cache::{Lookup, Snapshot};
use aws_core::operation::Answer;
use aws_core::{Error, KeyVisibility, Result, awaitable};
use pipeline_pool::Method;

use crate::answer::object::{Object, ObjectHead};
use crate::bucket::Bucket;
use crate::cached::{self, CachedOperation};
use crate::checksum::verified;
use crate::client::S3Client;
use crate::idempotency::{self, Row};
use crate::object::range::ByteRange;
use crate::object::read::sealed::VerbSettings;
use crate::object::read::{Always, Mode, ReadObject};
use crate::object::resume::Resumption;
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;
use crate::request::reading::Reading;
use crate::unsigned::UnsignedRequest;

/// The answer to a fetch of what has changed.
#[derive(Debug)]
pub enum Fetched {
    /// It has changed: here it is.
    Object(Object),
    /// It is as it was.
    NotModified(ObjectHead),
}

impl Fetched {
    /// The object, if it has changed.
    pub fn object(self) -> Option<Object> {
        match self {
            Self::Object(object) => Some(object),
            Self::NotModified(_) => None,
        }
    }
}

/// A request to fetch an object; made by [`Bucket::get`].
///
/// [`if_none_match`](ReadObject::if_none_match) and [`if_modified_since`](ReadObject::if_modified_since) change its
/// answer from an [`Object`] to [`Fetched`].
pub type Get<M = Always> = ReadObject<Fetch, M>;

/// What only a [`Get`] can be told.
#[derive(Clone, Debug, Default)]
pub struct Fetch {
    range: Option<ByteRange>,
    verify: bool,
    resumes: u32,
}

impl VerbSettings for Fetch {
    const NAME: &'static str = "Get";
}

impl Bucket {
    /// Fetches an object, or a range of it.
    ///
    /// An object of up to 64 KiB is here whole when this resolves. A larger one is a stream that holds
    /// its connection until it is read to its end or dropped: as many unread objects as the pool has
    /// connections (64 as a rule) leave none for other requests, which fail as busy after their wait.
    ///
    /// [GetObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)
    #[doc(alias("get_object", "GetObject"))]
    pub fn get(&self, key: impl Into<String>) -> Get {
        Get::new(self.clone(), key.into())
    }
}

impl Get {
    /// Fetches these bytes of what was set before.
    pub(super) fn rest(reading: Reading, range: ByteRange, options: Options) -> Self {
        let told = Fetch {
            range: Some(range),
            ..Fetch::default()
        };
        Self::of(reading, told, options)
    }
}

impl<M: Mode> Get<M> {
    /// Fetches these bytes of it, counted from 0: `..1024` or `512..`. Defaults to all.
    ///
    /// A range that begins behind the end is the error `InvalidRange`.
    pub fn range(mut self, range: impl RangeBounds<u64>) -> Self {
        self.told.range = ByteRange::of(range);
        self
    }

    /// Fetches the last `bytes` of it, or all of it if it has fewer.
    pub fn last(mut self, bytes: u64) -> Self {
        self.told.range = Some(ByteRange::last(bytes));
        self
    }

    /// Has the store send the checksums that it keeps, and compares the bytes with one of them, or with the entity
    /// tag where that is their MD5 digest. [`Object::verified_by`] tells whether there was anything to compare with:
    /// there is nothing for ranges and parts, nor for what came in parts and has a checksum of checksums. Defaults to
    /// no; not for stores that keep no checksums and have entity tags that look like MD5 and are not.
    ///
    /// What does not match is an error of [`Kind::Protocol`](crate::Kind::Protocol): of the request when the body is
    /// small, which is then fetched again, else in place of the body's end.
    pub fn verify(mut self, yes: bool) -> Self {
        self.told.verify = yes;
        self
    }

    /// Fetches what is missing when the body is cut, so many times at most for the whole body, instead of ending the body
    /// in the error of the connection. Defaults to 0: the body ends in that error.
    ///
    /// The rest is asked for as a range, under the condition that the object still has the entity tag of the first
    /// answer. Should it have been changed meanwhile, the body ends in the error
    /// [`is_condition_failed`](crate::Error::is_condition_failed): bytes of two objects are never mixed. With
    /// [`verify`](Self::verify), what is compared is all bytes together. A resume that follows one which brought no byte
    /// waits first, 100 milliseconds at the beginning, and up to 6.4 seconds.
    ///
    /// Each resume is a GetObject of its own, with its attempts, its timeout and its price, and the request is kept until the
    /// body is read, which takes some allocations for every get. An object is not resumed whose answer has no entity
    /// tag or a weak one, or does not say its size, or that something on the way has changed.
    ///
    /// ```
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// let film = photos.get("2009/film.mp4").resumes(5).verify(true).await?;
    /// let bytes = film.body.bytes(1 << 30).await?;
    /// # drop(bytes);
    /// # Ok(()) }
    /// ```
    pub fn resumes(mut self, times: u32) -> Self {
        self.told.resumes = times;
        self
    }

    /// Sends GetObject, as `.await` does.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such object; otherwise as sending and the
    /// store say.
    pub fn send(self) -> impl Future<Output = Result<M::Object>> + Send {
        S3Client::read(self.ready())
    }

    /// What is to be sent.
    #[inline]
    fn ready(self) -> Result<Call<GetObject<M>>> {
        let mut reading = self.reading;
        if let Some(range) = self.told.range {
            let value = range
                .header()
                .ok_or_else(|| Error::invalid("the range is empty"))?;
            if reading.is_part() {
                return Err(Error::invalid(
                    "a part and a range are asked for: one of them",
                ));
            }
            reading.field("range", value);
        }
        if self.told.verify {
            reading.field("x-amz-checksum-mode", "ENABLED");
        }
        let part = reading.is_part();
        let resumption = Resumption::of(&reading, &self.options, self.told.resumes);
        let mut wire = reading.into_unsigned(Method::Get)?;
        wire.options(self.options);
        let operation = GetObject {
            range: self.told.range,
            part,
            verify: self.told.verify,
            resumption,
            mode: PhantomData,
        };
        Ok(Call::new(wire, operation))
    }
}

awaitable!(Get<M>, M::Object, M: Mode);

struct GetObject<M> {
    range: Option<ByteRange>,
    part: bool,
    verify: bool,
    resumption: Option<Box<Resumption>>,
    mode: PhantomData<M>,
}

impl<M> GetObject<M> {
    /// Whether a whole object is what was asked for.
    fn is_answered_by_whole(&self, head: &ObjectHead) -> bool {
        let Some(range) = self.range else { return true };
        head.size().is_some_and(|size| range.is_whole(size))
    }
}

impl<M: Mode> CachedOperation for GetObject<M> {
    fn lookup<'a>(&self, wire: &'a UnsignedRequest) -> Lookup<'a> {
        cached::lookup(wire, true)
    }

    fn out_of(&self, wire: &UnsignedRequest, snapshot: Snapshot) -> Option<Snapshot> {
        cached::answer(wire, snapshot, M::MAY_BE_UNCHANGED)
    }

    fn is_absence(&self, snapshot: &Snapshot) -> bool {
        cached::is_absence(snapshot)
    }

    fn may_be_kept(&self, head: &pipeline_pool::Head) -> bool {
        cached::may_be_kept(head)
    }
}

impl<M: Mode> S3Operation for GetObject<M> {
    type Output = M::Object;
    const ROW: Row = idempotency::GET_OBJECT;
    const STREAMS: bool = true;

    fn accepts(&self, status: u16) -> bool {
        matches!(status, 200 | 206) || (status == 304 && M::MAY_BE_UNCHANGED)
    }

    fn name_key(output: &mut M::Object, key: Option<String>, keys: KeyVisibility) {
        if let (Some(object), Some(key)) = (M::object_mut(output), key) {
            object.body.name_key(key, keys);
        }
    }

    fn parse(&self, answer: Answer) -> Result<M::Object> {
        let status = answer.head.status();
        let head = ObjectHead::new(answer.head);
        match status {
            304 => M::unchanged(head)
                .ok_or_else(|| Error::protocol("nobody asked whether it has changed")),
            200 if !self.is_answered_by_whole(&head) => Err(Error::protocol(
                "the store answered a range with the whole object",
            )),
            200 if self.part && head.size() != Some(0) => Err(Error::protocol(
                "the store answered a part with the whole object",
            )),
            _ => {
                let mut object = Object {
                    head,
                    body: answer.body,
                    verified_by: None,
                };
                if let Some(resumption) = &self.resumption {
                    object.body = resumption.of_answer(&object.head, object.body);
                }
                if self.verify {
                    (object.body, object.verified_by) = verified(&object.head, object.body)?;
                }
                Ok(M::object(object))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credentials;
    use std::ops::Bound;

    fn header(get: Get) -> Option<Option<String>> {
        get.told.range.map(ByteRange::header)
    }

    #[test]
    fn ranges() {
        let client = S3Client::builder()
            .endpoint("http://h")
            .credentials(Credentials::new("i", "s"));
        let get = client.build().unwrap().bucket("photos").get("k");
        let text = |s: &str| Some(Some(s.to_owned()));
        assert_eq!(header(get.clone().range(..1024)), text("bytes=0-1023"));
        assert_eq!(header(get.clone().range(5..)), text("bytes=5-"));
        assert_eq!(header(get.clone().range(5..=5)), text("bytes=5-5"));
        assert_eq!(header(get.clone().last(7)), text("bytes=-7"));
        assert_eq!(header(get.clone().range(..)), None);
        assert_eq!(header(get.clone().range(0..=u64::MAX)), None);
        assert_eq!(header(get.clone().range(5..5)), Some(None));
        assert_eq!(header(get.clone().range(..0)), Some(None));
        assert_eq!(
            header(
                get.clone()
                    .range((Bound::Excluded(u64::MAX), Bound::Unbounded))
            ),
            Some(None)
        );
        assert_eq!(header(get.last(0)), Some(None));
    }
}
