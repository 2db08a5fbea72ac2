//! Each row of the table, by its number, and what must hold whatever happens.

use proptest::prelude::*;

use super::*;
use crate::envelope::ErrorBody;
use Idempotency::{Once, Repeatable};
use Verdict::{CorrectClock, DropExpectation, GiveUp, Move, Renew, SignAgain};

/// Whether an operation of either sort is tried again.
const BOTH: [Idempotency; 2] = [Repeatable, Once];

const LEFT: Duration = Duration::from_secs(30);

fn terms(idempotency: Idempotency) -> Terms {
    Terms {
        idempotency,
        can_repeat: true,
        repeats_conflicts: true,
    }
}

/// Pauses are the longest possible: 100, 200, 400 … ms.
fn config() -> RetryConfig {
    RetryConfig::new()
        .backoff(Duration::from_millis(100), Duration::from_secs(60))
        .random(|| 1.0)
}

fn retry(ms: u64) -> Verdict {
    Verdict::Retry(Duration::from_millis(ms))
}

fn answered(status: u16, class: Class) -> Failure {
    Failure {
        cause: Cause::Answered {
            status: Some(status),
            class,
        },
        sent: Sent::All,
        learnt: false,
        retry_after: None,
    }
}

fn lost(kind: Kind, sent: Sent) -> Failure {
    Failure {
        cause: Cause::Lost(kind),
        sent,
        learnt: false,
        retry_after: None,
    }
}

fn lesson() -> Failure {
    Failure {
        learnt: true,
        ..answered(400, Class::Other)
    }
}

/// What follows each of these failures of one operation.
fn course(idempotency: Idempotency, failures: &[Failure]) -> Vec<Verdict> {
    let mut course = Course::default();
    let judge = |failure| {
        course.begin();
        course.judge(failure, &terms(idempotency), &config(), LEFT)
    };
    failures.iter().map(judge).collect()
}

/// What follows a failure of the first attempt.
fn first(idempotency: Idempotency, failure: Failure) -> Verdict {
    course(idempotency, &[failure])[0]
}

/// One failure of every sort.
fn all() -> Vec<Failure> {
    let mut all = vec![lesson(), answered(417, Class::Other)];
    all.extend([301, 307, 308].map(|status| answered(status, Class::Other)));
    all.extend(CLASSES.map(|class| answered(400, class)));
    for sent in [Sent::No, Sent::Part, Sent::All] {
        all.extend(KINDS.map(|kind| lost(kind, sent)));
    }
    all
}

const CLASSES: [Class; 10] = [
    Class::NotFound,
    Class::ConditionFailed,
    Class::Conflict,
    Class::Throttled,
    Class::Unavailable,
    Class::Skewed,
    Class::Transient,
    Class::ExpiredToken,
    Class::Denied,
    Class::Other,
];

/// All but [`Kind::Service`], which is an answer.
const KINDS: [Kind; 10] = [
    Kind::Invalid,
    Kind::Credentials,
    Kind::Busy,
    Kind::Connect,
    Kind::Timeout,
    Kind::Closed,
    Kind::Protocol,
    Kind::Body,
    Kind::File,
    Kind::Shutdown,
];

#[test]
fn row_1_a_body_that_is_gone_is_not_sent_again() {
    for failure in all() {
        let mut course = Course::default();
        course.begin();
        let consumed = Terms {
            can_repeat: false,
            ..terms(Repeatable)
        };
        let verdict = course.judge(&failure, &consumed, &config(), LEFT);
        assert_eq!(verdict, GiveUp, "{failure:?}");
    }
}

#[test]
fn row_2_a_conflict_that_the_operation_does_not_repeat_is_its_end() {
    let stubborn = Terms {
        repeats_conflicts: false,
        ..terms(Repeatable)
    };
    let judge = |failure| {
        let mut course = Course::default();
        course.begin();
        course.judge(&failure, &stubborn, &config(), LEFT)
    };
    assert_eq!(judge(answered(409, Class::Conflict)), GiveUp);
    assert_eq!(judge(answered(503, Class::Throttled)), retry(100));
}

#[test]
fn row_3_what_the_service_learnt_is_tried_three_times() {
    for idempotency in BOTH {
        let verdicts = course(idempotency, &[lesson(), lesson(), lesson(), lesson()]);
        assert_eq!(verdicts, [SignAgain, SignAgain, SignAgain, GiveUp]);
    }
    // It comes before all that the same answer might mean besides.
    let moved = Failure {
        learnt: true,
        ..answered(301, Class::Other)
    };
    assert_eq!(first(Once, moved), SignAgain);
    let verdicts = course(Once, &[moved, moved, moved, moved]);
    assert_eq!(verdicts, [SignAgain, SignAgain, SignAgain, Move]);
}

#[test]
fn row_4_an_expectation_is_dropped_once() {
    for idempotency in BOTH {
        let refused = answered(417, Class::Other);
        assert_eq!(
            course(idempotency, &[refused, refused]),
            [DropExpectation, GiveUp]
        );
    }
    let mut course = Course::default();
    assert!(course.expects());
    course.begin();
    let refused = answered(417, Class::Other);
    course.judge(&refused, &terms(Once), &config(), LEFT);
    assert!(!course.expects());
}

#[test]
fn row_5_a_request_is_moved() {
    for status in [301, 307, 308] {
        for class in CLASSES {
            for idempotency in BOTH {
                if class != Class::Conflict {
                    let verdict = first(idempotency, answered(status, class));
                    assert_eq!(verdict, Move, "{status} {class:?}");
                }
            }
        }
    }
    // RFC 9110, 15.4: 302 and 303 may change the method; 304 is no redirect.
    for status in [300, 302, 303, 304, 305] {
        assert_eq!(first(Repeatable, answered(status, Class::Other)), GiveUp);
    }
    assert_eq!(Move.otherwise(), GiveUp);
}

#[test]
fn row_6_a_request_is_not_moved_for_ever() {
    let moved = answered(307, Class::Other);
    let verdicts = course(Repeatable, &[moved; 4]);
    assert_eq!(verdicts, [Move, Move, Move, GiveUp]);
}

#[test]
fn row_7_a_clock_is_corrected_once() {
    for idempotency in BOTH {
        let skewed = answered(403, Class::Skewed);
        let verdicts = course(idempotency, &[skewed, skewed]);
        assert_eq!(verdicts, [CorrectClock, GiveUp], "the second is row 9");
    }
    assert_eq!(CorrectClock.otherwise(), Renew);
}

#[test]
fn row_8_credentials_are_renewed_once() {
    for idempotency in BOTH {
        let expired = answered(400, Class::ExpiredToken);
        let verdicts = course(idempotency, &[expired, expired]);
        assert_eq!(verdicts, [Renew, GiveUp], "the second is row 9");
    }
    assert_eq!(Renew.otherwise(), GiveUp);
}

#[test]
fn row_9_clock_and_credentials_do_not_stand_for_each_other() {
    let (skewed, expired) = (
        answered(403, Class::Skewed),
        answered(400, Class::ExpiredToken),
    );
    let verdicts = course(Once, &[skewed, expired, skewed, expired]);
    assert_eq!(verdicts, [CorrectClock, Renew, GiveUp, GiveUp]);
    let verdicts = course(Once, &[expired, skewed, expired, skewed]);
    assert_eq!(verdicts, [Renew, CorrectClock, GiveUp, GiveUp]);
}

#[test]
fn row_10_a_refusal_is_retried_whatever_the_operation() {
    for class in [Class::Throttled, Class::Conflict] {
        for idempotency in BOTH {
            assert_eq!(first(idempotency, answered(503, class)), retry(100));
        }
    }
}

#[test]
fn rows_11_and_12_what_may_have_run_is_retried_if_it_is_repeatable() {
    for class in [Class::Unavailable, Class::Transient] {
        assert_eq!(first(Repeatable, answered(500, class)), retry(100));
        assert_eq!(first(Once, answered(500, class)), GiveUp);
    }
}

#[test]
fn row_13_what_would_fail_again_is_not_retried() {
    for class in [
        Class::NotFound,
        Class::ConditionFailed,
        Class::Denied,
        Class::Other,
    ] {
        for idempotency in BOTH {
            assert_eq!(first(idempotency, answered(400, class)), GiveUp);
        }
    }
}

const PASSING: [Kind; 4] = [Kind::Connect, Kind::Closed, Kind::Timeout, Kind::Protocol];

#[test]
fn row_14_what_was_not_sent_is_retried_whatever_the_operation() {
    for kind in PASSING {
        for idempotency in BOTH {
            let verdict = first(idempotency, lost(kind, Sent::No));
            assert_eq!(verdict, retry(100), "{kind:?}");
        }
    }
}

#[test]
fn rows_15_and_16_what_was_sent_is_retried_if_it_is_repeatable() {
    for kind in PASSING {
        for sent in [Sent::Part, Sent::All] {
            assert_eq!(first(Repeatable, lost(kind, sent)), retry(100));
            assert_eq!(first(Once, lost(kind, sent)), GiveUp, "{kind:?} {sent:?}");
        }
    }
}

#[test]
fn row_17_what_no_server_has_refused_is_not_retried() {
    for kind in KINDS {
        if !PASSING.contains(&kind) {
            for sent in [Sent::No, Sent::Part, Sent::All] {
                for idempotency in BOTH {
                    assert_eq!(first(idempotency, lost(kind, sent)), GiveUp, "{kind:?}");
                }
            }
        }
    }
}

#[test]
fn a_retry_needs_a_try_and_time() {
    let busy = answered(503, Class::Throttled);
    let verdicts = course(Once, &[busy; 4]);
    assert_eq!(verdicts, [retry(100), retry(200), retry(400), GiveUp]);
    let left = |left: u64, failure: Failure| {
        let mut course = Course::default();
        course.begin();
        course.judge(
            &failure,
            &terms(Once),
            &config(),
            Duration::from_millis(left),
        )
    };
    assert_eq!(left(101, busy), retry(100));
    assert_eq!(left(100, busy), GiveUp, "its end would be the deadline");
    let asked = Failure {
        retry_after: Some(Duration::from_secs(3)),
        ..busy
    };
    assert_eq!(left(3101, asked), retry(3100));
    assert_eq!(left(3100, asked), GiveUp);
    assert_eq!(retry(100).otherwise(), GiveUp, "the budget is empty");
}

#[test]
fn only_a_move_is_no_try() {
    let busy = answered(503, Class::Throttled);
    let (moved, refused) = (answered(307, Class::Other), answered(417, Class::Other));
    let verdicts = course(Once, &[moved, moved, busy]);
    assert_eq!(verdicts[2], retry(100));
    let verdicts = course(Once, &[lesson(), refused, busy]);
    assert_eq!(verdicts[2], retry(400));
    let all_tries = [lesson(), refused, answered(403, Class::Skewed), busy];
    assert_eq!(course(Once, &all_tries)[3], GiveUp);
}

#[test]
fn what_is_done_at_once_has_no_pause() {
    for verdict in [SignAgain, DropExpectation, Move, CorrectClock, Renew] {
        assert_eq!(verdict.pause(), Duration::ZERO);
    }
    assert_eq!(retry(7).pause(), Duration::from_millis(7));
}

#[test]
fn what_a_service_has_answered_runs_no_more() {
    for (failure, runs) in [
        (lost(Kind::Closed, Sent::No), false),
        (lost(Kind::Closed, Sent::Part), true),
        (lost(Kind::Timeout, Sent::All), true),
        (answered(500, Class::Transient), false),
        (answered(503, Class::Unavailable), false),
        (answered(502, Class::Transient), true),
        (answered(504, Class::Transient), true),
        (answered(404, Class::NotFound), false),
    ] {
        assert_eq!(failure.may_still_run(), runs, "{failure:?}");
        let mut course = Course::default();
        course.begin();
        course.judge(&failure, &terms(Repeatable), &config(), LEFT);
        assert_eq!(
            (course.may_still_run(), course.sent()),
            (runs, failure.sent)
        );
        // What one attempt has done is not undone by the next.
        course.begin();
        course.judge(
            &lost(Kind::Connect, Sent::No),
            &terms(Repeatable),
            &config(),
            LEFT,
        );
        assert_eq!(
            (course.may_still_run(), course.sent()),
            (runs, failure.sent)
        );
    }
}

#[test]
fn a_part_passes_where_the_answer_says_so() {
    let said = |code: &str| Error::service(200, ErrorBody::new(code, ""), None);
    for (error, repeatable, once) in [
        (said("SlowDown"), true, true),
        (said("InternalError"), true, false),
        (said("AccessDenied"), false, false),
        (
            Error::protocol("the answer says nothing of it"),
            false,
            false,
        ),
    ] {
        let failure = Failure::of_part(&error);
        let passes = BOTH.map(|idempotency| failure.passes(idempotency));
        assert_eq!(passes, [repeatable, once], "{error}");
    }
}

/// A failure, and whether the request may have run at the server in spite of it. This is told from what answers mean,
/// not from the table.
fn any_failure() -> impl Strategy<Value = (Failure, bool)> {
    let sent = prop_oneof![Just(Sent::No), Just(Sent::Part), Just(Sent::All)];
    let lost = (prop::sample::select(KINDS.to_vec()), sent)
        .prop_map(|(kind, sent)| (lost(kind, sent), sent != Sent::No));
    let statuses = vec![
        200, 301, 307, 308, 400, 403, 404, 409, 412, 417, 500, 502, 503,
    ];
    let answer = (
        prop::sample::select(statuses),
        prop::sample::select(CLASSES.to_vec()),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.1, 0..60u64),
    )
        .prop_map(|(status, class, learnt, wait)| {
            let refused = learnt
                || matches!(status, 301 | 307 | 308 | 417)
                || matches!(
                    class,
                    Class::Conflict | Class::Throttled | Class::Skewed | Class::ExpiredToken
                );
            let failure = Failure {
                learnt,
                retry_after: wait.map(Duration::from_secs),
                ..answered(status, class)
            };
            (failure, !refused)
        });
    prop_oneof![lost, answer]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever happens, and whether or not a verdict can be carried out: what may run once is not sent again after it
    /// may have run, what is gone is not sent again, and an operation ends.
    #[test]
    fn nothing_runs_twice_that_may_run_once(
        failures in prop::collection::vec((any_failure(), any::<[bool; 3]>()), 20),
        once in any::<bool>(),
        can_repeat in prop::bool::weighted(0.9),
        repeats_conflicts in any::<bool>(),
        attempts in 1..6u32,
        jitter in 0.0..1.0f64,
        seconds in 0..40u64,
    ) {
        let config = RetryConfig::new().max_attempts(attempts).random(move || jitter);
        let idempotency = if once { Once } else { Repeatable };
        let terms = Terms { idempotency, can_repeat, repeats_conflicts };
        let mut left = Duration::from_secs(seconds);
        let mut course = Course::default();
        let mut may_have_run = 0;
        let mut done = Vec::new();
        for ((failure, ran), possible) in failures {
            course.begin();
            may_have_run += u32::from(ran);
            let mut verdict = course.judge(&failure, &terms, &config, left);
            for possible in possible {
                if possible || verdict == GiveUp {
                    break;
                }
                verdict = verdict.otherwise();
            }
            if verdict == GiveUp {
                break;
            }
            prop_assert!(verdict.pause() < left || verdict.pause().is_zero());
            left -= verdict.pause();
            prop_assert!(can_repeat, "{verdict:?} of what is gone");
            prop_assert!(!once || may_have_run == 0, "{verdict:?} after {failure:?}");
            done.push(verdict);
        }
        let count = |sort: fn(&Verdict) -> bool| done.iter().filter(|v| sort(v)).count();
        prop_assert!(count(|v| matches!(v, Verdict::Retry(_))) < attempts as usize);
        prop_assert!(count(|v| *v == Move) <= 3);
        prop_assert!(count(|v| *v == SignAgain) <= 3);
        prop_assert!(count(|v| *v == DropExpectation) <= 1);
        prop_assert!(count(|v| *v == CorrectClock) <= 1);
        prop_assert!(count(|v| *v == Renew) <= 2, "once by itself, once for a clock that was right");
        prop_assert!(done.len() < 20, "an operation ends");
    }
}
