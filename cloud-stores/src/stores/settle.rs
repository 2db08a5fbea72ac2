//! Conditional writes whose answer may be lost.
//!
//! *Problem:* The clients send a conditional write once: a second run would meet the first. So a lost answer ends it, and
//! whether it was done is not known. *Decision:* The thing is read, consistently, and its version tells. If the write was
//! not done, the very same one is sent again: whichever of the two comes first, the other is refused, and a refusal is
//! looked into in the same way. *Cost:* One read for each lost answer. What was to be made where there was nothing, was made,
//! and was removed by somebody else before that read, is made a second time.
//!
//! ```text
//!   send ──► done                            Written
//!    ▲  └──► refused, nothing lost before    Conflict
//!    │  └──► lost, or refused after that ──► read the version
//!    │                                         │ ours is in it      Written
//!    │                                         │ another came first Conflict
//!    │                                         │ cannot be told     the error of the lost answer
//!    └────────── at most three times ──────────┘ as it was before
//! ```

use aws_core::Class;

use crate::error::{Error, Result};
use crate::version::{Fate, Version};

/// How often a write is sent at most.
const MAX_SENDS: usize = 3;

/// How a conditional write ended well.
pub(super) enum Settled<T, S> {
    /// It was answered.
    Answered(T),
    /// Its answer was lost, and this was read afterwards; nothing if there is nothing any more.
    Seen(Option<S>),
}

/// What was read of a thing.
pub(super) trait Versioned {
    fn version(&self) -> &Version;
}

/// Sends a conditional write until it is known what became of it. `fate` tells that from what is `look`ed at.
pub(super) async fn settled<T, S, Sent, Looked>(
    send: impl Fn() -> Sent + Send,
    look: impl Fn() -> Looked + Send,
    fate: impl Fn(Option<&Version>) -> Fate + Send,
) -> Result<Settled<T, S>>
where
    T: Send,
    S: Versioned + Send,
    Sent: Future<Output = aws_core::Result<T>> + Send,
    Looked: Future<Output = Result<Option<S>>> + Send,
{
    let mut lost: Option<aws_core::Error> = None;
    for _ in 0..MAX_SENDS {
        let error = match send().await {
            Ok(answer) => return Ok(Settled::Answered(answer)),
            Err(error) => error,
        };
        let uncertain = is_uncertain(&error);
        if lost.is_none() && !uncertain {
            return Err(refused(error));
        }
        if uncertain || lost.is_none() {
            lost = Some(error);
        }
        let seen = match look().await {
            Ok(seen) => seen,
            Err(_) => break,
        };
        match fate(seen.as_ref().map(S::version)) {
            Fate::Written => return Ok(Settled::Seen(seen)),
            Fate::NotYet => {}
            Fate::Overtaken => return Err(conflict()),
            Fate::Unknown => break,
        }
    }
    Err(match lost {
        Some(lost) => Error::unknown_outcome(lost),
        None => conflict(),
    })
}

/// A write that was surely not done. S3 says of a condition on what is not there that it is not there.
fn refused(error: aws_core::Error) -> Error {
    if error.is_condition_failed() || error.code() == Some("NoSuchKey") {
        conflict()
    } else {
        error.into()
    }
}

pub(super) fn conflict() -> Error {
    Error::conflict("somebody else has changed it meanwhile")
}

/// Whether the service may have done what this is the failure of.
fn is_uncertain(error: &aws_core::Error) -> bool {
    let said_no = error.kind() == aws_core::Kind::Service
        && !matches!(error.class(), Class::Unavailable | Class::Transient);
    error.may_have_been_sent() && !said_no
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use aws_core::{Error as Failure, ErrorBody};

    use super::*;
    use crate::Kind;

    struct Seen(Version);

    impl Versioned for Seen {
        fn version(&self) -> &Version {
            &self.0
        }
    }

    fn lost() -> Failure {
        // The answer has begun, and broke off.
        Failure::protocol("the connection ended")
    }

    fn refusal() -> Failure {
        Failure::service(412, ErrorBody::new("PreconditionFailed", ""), None)
    }

    fn unsent() -> Failure {
        Failure::new(aws_core::Kind::Connect, "no route")
    }

    /// Runs a first write with these answers, and what is read then: how it ends, and how often it was sent and read.
    async fn run(
        answers: Vec<Result<(), Failure>>,
        reads: Vec<Result<Option<Version>>>,
        own: &Version,
    ) -> (Result<bool>, usize, usize) {
        let (sends, looks) = (answers.len(), reads.len());
        let answers = Mutex::new(VecDeque::from(answers));
        let reads = Mutex::new(VecDeque::from(reads));
        let done = settled(
            || {
                let answer = answers.lock().unwrap().pop_front();
                async move { answer.expect("one more was sent") }
            },
            || {
                let read = reads.lock().unwrap().pop_front();
                async move { read.expect("one more was read").map(|seen| seen.map(Seen)) }
            },
            |seen| own.fate(None, seen),
        )
        .await;
        let left = (answers.lock().unwrap().len(), reads.lock().unwrap().len());
        let told = done.map(|settled| matches!(settled, Settled::Seen(Some(_))));
        (told, sends - left.0, looks - left.1)
    }

    #[tokio::test]
    async fn what_the_version_tells_is_told() {
        let own = Version::after(None);
        let other = Version::after(None);
        let blind = Version::unconditional();
        let kind = |result: Result<bool>| result.unwrap_err().kind();

        let (done, ..) = run(vec![Ok(())], vec![], &own).await;
        assert!(!done.unwrap());
        let (done, ..) = run(vec![Err(refusal())], vec![], &own).await;
        assert_eq!(kind(done), Kind::Conflict);
        let (done, ..) = run(vec![Err(unsent())], vec![], &own).await;
        assert_eq!(kind(done), Kind::Unavailable);
        // Done, and lost.
        let (done, ..) = run(vec![Err(lost())], vec![Ok(Some(own.clone()))], &own).await;
        assert!(done.unwrap());
        // Not done; the second is.
        let (done, sent, read) = run(vec![Err(lost()), Ok(())], vec![Ok(None)], &own).await;
        assert!(done.is_ok() && (sent, read) == (2, 1));
        // Not done when it was looked at, but then: the second is refused because of the first.
        let reads = vec![Ok(None), Ok(Some(own.clone()))];
        let (done, ..) = run(vec![Err(lost()), Err(refusal())], reads, &own).await;
        assert!(done.unwrap());
        // Somebody else was first.
        let (done, ..) = run(vec![Err(lost())], vec![Ok(Some(other.clone()))], &own).await;
        assert_eq!(kind(done), Kind::Conflict);
        let reads = vec![Ok(None), Ok(Some(other))];
        let (done, ..) = run(vec![Err(lost()), Err(refusal())], reads, &own).await;
        assert_eq!(kind(done), Kind::Conflict);
        // Nobody can tell.
        let (done, ..) = run(vec![Err(lost())], vec![Ok(Some(blind))], &own).await;
        assert_eq!(kind(done), Kind::Unavailable);
        let (done, ..) = run(vec![Err(lost())], vec![Err(unsent().into())], &own).await;
        assert_eq!(kind(done), Kind::Unavailable);
        // Enough is enough.
        let answers = vec![Err(lost()), Err(unsent()), Err(lost()), Ok(())];
        let (done, sent, read) = run(answers, vec![Ok(None), Ok(None), Ok(None)], &own).await;
        assert_eq!((kind(done), sent, read), (Kind::Unavailable, 3, 3));
    }
}
