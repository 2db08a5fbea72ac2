//! What follows a failed attempt: one table, asked once after each failure.
//!
//! [`Course::judge`] takes what is known of the failure ([`Failure`]), what the operation allows ([`Terms`]), the
//! client's [`RetryConfig`] and the time that is left, and answers with a [`Verdict`]. It has no socket, no clock and
//! no lock: the loop in `run.rs` carries the verdict out. Where that turns out to be impossible, for example because
//! the provider of credentials has no others, [`Verdict::otherwise`] says what follows instead.
//!
//! # The table
//!
//! The first row that fits decides.
//!
//! | row | the attempt ended with | provided that | what follows | and if that cannot be done |
//! |---|---|---|---|---|
//! | 1 | any failure | the body was a stream, and has been read from | give up | |
//! | 2 | [`Class::Conflict`] | the operation [does not repeat conflicts](crate::Operation::repeats_conflicts) | give up | |
//! | 3 | an error from which the service [learnt](crate::Service::learn) how to sign: a refusal for the signature, so that nothing was done | this happened fewer than 3 times before | sign again, at once, whatever the operation | |
//! | 4 | status 417 | this is the first one | send again without `Expect`, at once | |
//! | 5 | status 301, 307 or 308 | the request was moved fewer than 3 times before | [move](crate::Operation::redirect), at once | give up |
//! | 6 | status 301, 307 or 308 | it was moved 3 times | give up | |
//! | 7 | [`Class::Skewed`] | the clock was not corrected for this operation before | correct the clock, at once | renew, as in row 8 |
//! | 8 | [`Class::ExpiredToken`] | the credentials were not renewed for this operation before | renew the credentials, at once | give up |
//! | 9 | [`Class::Skewed`], [`Class::ExpiredToken`] | it was tried before | give up | |
//! | 10 | [`Class::Throttled`], [`Class::Conflict`]: it has not run | | retry | give up |
//! | 11 | [`Class::Unavailable`], [`Class::Transient`]: it may have run | the operation is repeatable | retry | give up |
//! | 12 | [`Class::Unavailable`], [`Class::Transient`] | it may run only once | give up | |
//! | 13 | [`Class::NotFound`], [`Class::ConditionFailed`], [`Class::Denied`], [`Class::Other`]: it would fail again | | give up | |
//! | 14 | no answer: [`Kind::Connect`], [`Kind::Closed`], [`Kind::Timeout`], [`Kind::Protocol`] | nothing of the request was sent | retry | give up |
//! | 15 | no answer, of the same kinds | some of it was sent, and the operation is repeatable | retry | give up |
//! | 16 | no answer, of the same kinds | some of it was sent, and it may run only once | give up | |
//! | 17 | no answer: [`Kind::Busy`] (it has waited its time), [`Kind::Invalid`], [`Kind::Credentials`], [`Kind::Body`], [`Kind::File`], [`Kind::Shutdown`] | | give up | |
//!
//! *Retry* waits for the [pause](RetryConfig) first. It needs fewer tries than [`RetryConfig::max_attempts`], a pause
//! that ends within the time of the operation, and one repeat of the client's
//! [budget](RetryConfig::budget). Otherwise the operation gives up.
//!
//! What is done at once costs none of the budget and is not held to `max_attempts`: each can happen a few times only.
//! All of it but a move counts as a try, so that it shortens the retries that follow.
//!
//! # What must hold
//!
//! An operation that may run only once is never sent again after a failure that leaves open whether it has run. Rows
//! 3 to 10 are refusals, in which the service says that it has not; row 14 is a request that never left. A test draws
//! courses of failures at random and holds the table to this.

use std::time::Duration;

use pipeline_pool::Sent;

use crate::classify::{Class, Idempotency, is_of_gateway};
use crate::error::{Error, Kind};
use crate::retry::RetryConfig;

/// How often an operation is sent again because its service learnt how to sign it.
/// An operation can meet three such refusals one after the other: for its version, for its region, and for the digest
/// that its bucket wants.
const MAX_LESSONS: u8 = 3;

/// How often a request follows an answer to another server.
const MAX_MOVES: u8 = 3;

/// Statuses that send a request to another server, with the same method and body
/// ([RFC 9110, 15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4); S3 answers 301 in this sense too).
pub(super) fn is_move(status: u16) -> bool {
    matches!(status, 301 | 307 | 308)
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same request is sent again after this pause, for one repeat of the client's budget.
    Retry(Duration),
    /// The service has learnt how the request has to be signed: it is signed that way and sent again.
    SignAgain,
    /// Something on the way does not know `Expect: 100-continue`: the request is sent again without it
    /// ([RFC 9110, 15.5.18](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.18)).
    DropExpectation,
    /// The request goes to where the answer says, signed for that place.
    Move,
    /// The clock takes over the time of the server, and the request is signed again.
    CorrectClock,
    /// The credentials are fetched anew, and the request is signed with them.
    Renew,
    /// The operation ends with the error of this attempt.
    GiveUp,
}

impl Verdict {
    /// What follows where this cannot be carried out: the budget is empty, the place may not be followed, the clock
    /// was right, or the provider has no other credentials.
    #[must_use]
    pub fn otherwise(self) -> Self {
        match self {
            // Some services have one code for a request and for a token that has expired.
            Self::CorrectClock => Self::Renew,
            _ => Self::GiveUp,
        }
    }

    /// How long to wait before the next attempt.
    pub fn pause(self) -> Duration {
        match self {
            Self::Retry(pause) => pause,
            _ => Duration::ZERO,
        }
    }
}

/// This says why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no answer that could be read.
    Lost(Kind),
    /// The service, or something on the way to it, answered with an error.
    Answered {
        /// The status, where it is known.
        status: Option<u16>,
        /// This says what the error means.
        class: Class,
    },
}

/// A failed attempt, as far as the decision needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What made the attempt fail.
    pub cause: Cause,
    /// How much of the request was written: all of it where there is an answer.
    pub sent: Sent,
    /// Whether the service [learnt](crate::Service::learn) from it how to sign.
    pub learnt: bool,
    /// How long the server asks to wait, by its `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// What an error says of the attempt that it ended.
    pub fn of(error: &Error) -> Self {
        let cause = match error.kind() {
            Kind::Service => Cause::Answered {
                status: error.status(),
                class: error.class(),
            },
            kind => Cause::Lost(kind),
        };
        Self {
            cause,
            sent: error.sent(),
            learnt: false,
            retry_after: error.retry_after(),
        }
    }

    /// What an error says of one part of a request. The request was answered: an answer that says nothing of the part,
    /// or makes no sense of it, is not a lost one, and would be the same again.
    pub fn of_part(error: &Error) -> Self {
        let cause = Cause::Answered {
            status: error.status(),
            class: error.class(),
        };
        Self {
            cause,
            ..Self::of(error)
        }
    }

    /// Whether the attempt may run at the server still, now or later: it was sent, and the service has not answered
    /// it. What comes from a gateway is no answer of the service.
    pub fn may_still_run(&self) -> bool {
        match self.cause {
            Cause::Lost(_) => self.sent != Sent::No,
            Cause::Answered { status, .. } => status.is_some_and(is_of_gateway),
        }
    }

    /// Whether the same request may succeed later (rows 10 to 17).
    pub fn passes(&self, idempotency: Idempotency) -> bool {
        let repeatable = idempotency == Idempotency::Repeatable;
        match self.cause {
            Cause::Answered { class, .. } => match class {
                Class::Throttled | Class::Conflict => true,
                Class::Unavailable | Class::Transient => repeatable,
                Class::NotFound
                | Class::ConditionFailed
                | Class::Skewed
                | Class::ExpiredToken
                | Class::Denied
                | Class::Other => false,
            },
            Cause::Lost(kind) => match kind {
                Kind::Connect | Kind::Closed | Kind::Timeout | Kind::Protocol => {
                    repeatable || self.sent == Sent::No
                }
                Kind::Busy
                | Kind::Invalid
                | Kind::Credentials
                | Kind::Body
                | Kind::File
                | Kind::Shutdown
                | Kind::Service => false,
            },
        }
    }
}

/// This says what an operation allows after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whether it may run twice.
    pub idempotency: Idempotency,
    /// Whether its request [can be made again](crate::Operation::can_repeat).
    pub can_repeat: bool,
    /// Whether it may succeed [after a conflict](crate::Operation::repeats_conflicts).
    pub repeats_conflicts: bool,
}

/// What has happened to an operation so far.
#[derive(Clone, Debug)]
pub struct Course {
    attempts: u32,
    /// How much of any attempt was sent.
    sent: Sent,
    moves: u8,
    lessons: u8,
    expects: bool,
    clock_corrected: bool,
    renewed: bool,
    may_still_run: bool,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            attempts: 0,
            sent: Sent::No,
            moves: 0,
            lessons: 0,
            expects: true,
            clock_corrected: false,
            renewed: false,
            may_still_run: false,
        }
    }
}

impl Course {
    /// Notes that another attempt begins.
    pub fn begin(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
    }

    /// How many attempts have begun.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How much of any failed attempt was sent.
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// Whether a large body may wait until the server wants it.
    pub fn expects(&self) -> bool {
        self.expects
    }

    /// Whether a failed attempt [may still run](Failure::may_still_run).
    pub fn may_still_run(&self) -> bool {
        self.may_still_run
    }

    /// What follows this failure of the attempt that began last. `left` is what is left of the operation's time.
    pub fn judge(
        &mut self,
        failure: &Failure,
        terms: &Terms,
        retry: &RetryConfig,
        left: Duration,
    ) -> Verdict {
        self.sent = self.sent.max(failure.sent);
        self.may_still_run |= failure.may_still_run();
        let (status, class) = match failure.cause {
            Cause::Answered { status, class } => (status, Some(class)),
            Cause::Lost(_) => (None, None),
        };
        if !terms.can_repeat || (class == Some(Class::Conflict) && !terms.repeats_conflicts) {
            return Verdict::GiveUp;
        }
        if failure.learnt && self.lessons < MAX_LESSONS {
            self.lessons += 1;
            return Verdict::SignAgain;
        }
        if status == Some(417) && self.expects {
            self.expects = false;
            return Verdict::DropExpectation;
        }
        if status.is_some_and(is_move) {
            if self.moves >= MAX_MOVES {
                return Verdict::GiveUp;
            }
            self.moves += 1;
            return Verdict::Move;
        }
        match class {
            Some(Class::Skewed) if !self.clock_corrected => {
                self.clock_corrected = true;
                Verdict::CorrectClock
            }
            Some(Class::ExpiredToken) if !self.renewed => {
                self.renewed = true;
                Verdict::Renew
            }
            _ if failure.passes(terms.idempotency) => self.retry(failure, retry, left),
            _ => Verdict::GiveUp,
        }
    }

    /// A further try, if there may be one and its pause ends in time.
    pub(super) fn retry(&self, failure: &Failure, retry: &RetryConfig, left: Duration) -> Verdict {
        // A move says that the request has not run.
        let tries = self.attempts.saturating_sub(u32::from(self.moves));
        if tries >= retry.attempts() {
            return Verdict::GiveUp;
        }
        match retry.pause(tries, failure.retry_after) {
            pause if pause < left => Verdict::Retry(pause),
            _ => Verdict::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests;
