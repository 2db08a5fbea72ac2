//! Fetching the rest of an object whose body was cut.
//!
//! *Problem:* A connection that ends in the middle of a large body costs the caller all of it, though the bytes that came are
//! right. *Decision:* The rest is fetched as a range, under the condition that the object still has the entity tag of
//! the first answer (`If-Match`): bytes of two states of an object are never mixed, and one that was changed meanwhile
//! is the error of the condition. The answer has to be that range of that entity tag. What is compared with a checksum is
//! the bytes of all answers together. Resumes are counted over the whole body, so that a store that cuts every answer
//! ends in the error of the last cut; one that follows another without a byte between them waits first. *Cost:* The request
//! is copied for each get that may be resumed, and each resume is an operation of its own, with attempts, a timeout and
//! a charge. What has no strong entity tag, no known size, or was changed on its way, is not resumed.

use std::time::Duration;

use aws_core::body::{Rest, Resume};
use aws_core::{Body, Error, Result};

use crate::answer::etag;
use crate::answer::object::{Object, ObjectHead};
use crate::object::get::Get;
use crate::object::range::ByteRange;
use crate::request::options::Options;
use crate::request::reading::Reading;

/// The pause before a resume that follows one which brought nothing; it doubles with each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How often the pause doubles at most, to 6.4 seconds.
const DOUBLINGS: u32 = 6;

/// A get as it is asked again, should its body be cut.
#[derive(Clone)]
pub(crate) struct Resumption {
    reading: Reading,
    options: Options,
    times: u32,
}

impl Resumption {
    /// Keeps this request to resume it so many times at most; nothing for no time at all.
    pub(crate) fn of(reading: &Reading, options: &Options, times: u32) -> Option<Box<Self>> {
        (times > 0).then(|| {
            Box::new(Self {
                reading: reading.clone(),
                options: options.clone(),
                times,
            })
        })
    }

    /// Returns the body of an answer, resumed where that can be done.
    pub(crate) fn of_answer(&self, head: &ObjectHead, body: Body) -> Body {
        // A small one is here, and was fetched again if it was cut.
        if body.as_whole().is_some() || etag::is_transformed(head) {
            return body;
        }
        let (Some(etag), Some(size)) = (head.etag(), head.size()) else {
            return body;
        };
        let range = head.range().unwrap_or(0..size);
        body.resumed(Cut {
            reading: self.reading.again_if(etag),
            options: self.options.clone(),
            etag: etag.to_owned(),
            first: range.start,
            end: range.end,
            left: self.times,
            pauses: Pauses::default(),
        })
    }
}

/// A body that may be cut, and how the rest of it is fetched.
struct Cut {
    reading: Reading,
    options: Options,
    etag: String,
    /// The first byte of the body in its object, and the one behind its last.
    first: u64,
    end: u64,
    /// How often it may still be resumed.
    left: u32,
    pauses: Pauses,
}

/// How long to wait before each resume.
#[derive(Default)]
struct Pauses {
    /// How many bytes had been read when it was last resumed.
    read: Option<u64>,
    /// How many resumes brought nothing, one after another.
    fruitless: u32,
}

impl Pauses {
    /// Says how long to wait before the rest behind so many bytes is asked for.
    fn before(&mut self, read: u64) -> Duration {
        if self.read.replace(read) != Some(read) {
            self.fruitless = 0;
            return Duration::ZERO;
        }
        let doublings = self.fruitless.min(DOUBLINGS);
        self.fruitless += 1;
        FIRST_PAUSE * (1 << doublings)
    }
}

impl Resume for Cut {
    fn resume(&mut self, read: u64) -> Option<Rest> {
        let first = self.first.checked_add(read)?;
        if first >= self.end {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let pause = self.pauses.before(read);
        let range = ByteRange::Within(first, self.end - 1);
        let get = Get::rest(self.reading.clone(), range, self.options.clone());
        let (etag, wanted) = (self.etag.clone(), first..self.end);
        Some(Box::pin(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            rest(get.send().await?, &etag, wanted)
        }))
    }
}

/// Takes the body of an answer, which has to be this range of an object with this entity tag.
fn rest(object: Object, etag: &str, wanted: std::ops::Range<u64>) -> Result<Body> {
    if object.head.etag() != Some(etag) {
        return Err(Error::protocol(
            "the rest of the object was answered with another entity tag",
        ));
    }
    if object.head.range() != Some(wanted.clone()) {
        return Err(Error::protocol(format!(
            "the rest of the object was answered with other bytes than {} to {}",
            wanted.start,
            wanted.end - 1
        )));
    }
    Ok(object.body)
}

#[cfg(test)]
mod tests {
    use aws_core::Credentials;

    use super::*;
    use crate::S3Client;

    #[test]
    fn a_resume_waits_where_the_last_one_brought_nothing() {
        let mut pauses = Pauses::default();
        let mut millis = |read| pauses.before(read).as_millis();
        assert_eq!(millis(0), 0, "the first one");
        let waits: Vec<u128> = (0..9).map(|_| millis(0)).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 6400, 6400]);
        assert_eq!((millis(1), millis(1), millis(2)), (0, 100, 0));
    }

    #[test]
    fn nothing_is_asked_for_behind_the_end_or_too_often() {
        let builder = S3Client::builder().endpoint("http://127.0.0.1:1");
        let client = builder.credentials(Credentials::new("i", "s")).build();
        let cut = |left| Cut {
            reading: Reading::new(client.clone().unwrap().bucket("photos"), "k".to_owned()),
            options: Options::default(),
            etag: "\"a\"".to_owned(),
            first: 10,
            end: 20,
            left,
            pauses: Pauses::default(),
        };
        assert!(cut(1).resume(9).is_some());
        assert!(cut(1).resume(10).is_none() && cut(1).resume(u64::MAX).is_none());
        assert!(cut(0).resume(9).is_none());
        let mut twice = cut(2);
        assert!(
            twice.resume(0).is_some() && twice.resume(1).is_some() && twice.resume(2).is_none()
        );
    }
}
