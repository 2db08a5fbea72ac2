//! The course of an operation: attempt after attempt, within one deadline.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use pipeline_pool::Origin;
use tokio::time::{Instant, sleep, timeout_at};

use super::attempt::{Failed, Started, log_failure};
use super::verdict::{Course, Terms, Verdict};
use super::{Dispatch, Shared, after, trace};
use crate::classify::Class;
use crate::error::{Error, Kind, Result, Site};
use crate::measure;
use crate::operation::{Before, Destination, DestinationOf, Operation};
use crate::overrides::Overrides;
use crate::retry::RetryConfig;
use crate::throttle::{Asked, Caller, Ended, Turn, Waiting};

/// An operation on its way.
pub(super) struct Run<'a, O: Operation> {
    pub(super) dispatch: &'a Dispatch,
    pub(super) service: &'a O::Service,
    pub(super) operation: &'a O,
    pub(super) deadline: Instant,
    /// When the operation was begun.
    since: Instant,
    /// When the attempt was begun.
    begun: Instant,
    /// The attempt's turn, where the server wants fewer of them.
    turn: Option<Turn>,
    /// What has happened to its attempts.
    pub(super) course: Course,
    /// Where it goes, if not where the operation says.
    pub(super) place: Option<DestinationOf<O>>,
    /// Whether its attempts have spans.
    pub(super) traced: bool,
    /// Whether it was counted how it ended.
    ended: bool,
}

/// One that its caller has dropped is counted too.
#[cfg(feature = "metrics")]
impl<O: Operation> Drop for Run<'_, O> {
    fn drop(&mut self) {
        if !self.ended {
            measure::dropped::<O>();
        }
    }
}

impl<'a, O: Operation> Run<'a, O> {
    #[inline]
    pub(super) fn new(
        dispatch: &'a Dispatch,
        service: &'a O::Service,
        operation: &'a O,
    ) -> Result<Self> {
        let shared = &*dispatch.0;
        let now = Instant::now();
        let overrides = operation.overrides();
        if let Some(overrides) = overrides {
            let site = || Site::keyed(operation, operation.origin(), shared.keys);
            let checked = overrides.check();
            checked.map_err(|error| error.with_site(site))?;
        }
        let timeout = overrides.and_then(Overrides::get_timeout);
        let usual = || shared.timeout.saturating_add(operation.extra_time());
        Ok(Self {
            dispatch,
            service,
            operation,
            deadline: after(now, timeout.unwrap_or_else(usual)),
            since: now,
            begun: now,
            turn: None,
            course: Course::default(),
            place: operation.place(service),
            traced: trace::listens(),
            ended: false,
        })
    }

    pub(super) fn shared(&self) -> &'a Shared {
        &self.dispatch.0
    }

    /// How the operation is repeated. It is looked up, since a future pays for each field.
    pub(super) fn retry(&self) -> &'a RetryConfig {
        let overrides = self.operation.overrides();
        let own = overrides.and_then(Overrides::get_retry);
        own.unwrap_or(&self.shared().retry)
    }

    /// The server that the request goes to.
    pub(super) fn origin(&self) -> &Origin {
        let place = self.place.as_ref();
        place.map_or(self.operation.origin(), Destination::origin)
    }

    /// Whether an attempt may still run.
    #[cfg(feature = "cache")]
    pub(super) fn may_still_run(&self) -> bool {
        self.course.may_still_run()
    }

    /// Makes attempts until one succeeds or no other makes sense.
    ///
    /// Every caller's future holds the state of this, and it is moved with them. So there is room in it for the usual
    /// case only, a first attempt that waits for nothing but its answer; all other cases are boxed. Each future that hands
    /// an output on moves it, so in the usual case this is the only one between an operation and its caller. `in_span`
    /// says that the operation has its span already.
    ///
    /// # Errors
    /// The last attempt's.
    pub(super) async fn go(
        dispatch: &'a Dispatch,
        service: &'a O::Service,
        operation: &'a O,
        in_span: bool,
    ) -> Result<O::Output> {
        if !in_span && trace::listens() {
            return Box::pin(Self::go_in_span(dispatch, service, operation)).await;
        }
        let mut run = Self::new(dispatch, service, operation)?;
        if run.traced || !run.shared().is_plain() {
            return Box::pin(run.go_slowly()).await;
        }
        if let Some(before) = run.operation.before(run.service, run.dispatch) {
            return run.go_after(before).await;
        }
        if let Some(waiting) = run.take_turn(run.since)? {
            run.wait(waiting).await?;
        }
        let pause = {
            let mut started = run.start_at_once();
            let failed = match &mut started {
                Ok(Some(Started { signed, sending })) => {
                    // Awaiting it would move it once more.
                    match poll_fn(|cx| Pin::new(&mut *sending).poll(cx)).await {
                        Ok(response) => {
                            let (head, body) = response.into_parts();
                            run.log_answer(&head);
                            let outcome = if run.is_here(&head, &body) {
                                run.settle(signed, head, body)
                            } else {
                                Box::pin(run.read_and_settle(signed, head, body)).await
                            };
                            match outcome {
                                Ok(output) => {
                                    run.served_at_once();
                                    return Ok(output);
                                }
                                Err(failed) => failed,
                            }
                        }
                        Err(error) => Error::from(error).into(),
                    }
                }
                Ok(None) => match Box::pin(run.attempt()).await {
                    Ok(output) => {
                        run.served_at_once();
                        return Ok(output);
                    }
                    Err(failed) => failed,
                },
                Err(error) => error.clone().into(),
            };
            run.judge(failed)?
        };
        Box::pin(run.go_on(pause)).await
    }

    /// Makes attempts as [`go`](Self::go) does, within a span of the operation.
    async fn go_in_span(
        dispatch: &'a Dispatch,
        service: &'a O::Service,
        operation: &'a O,
    ) -> Result<O::Output> {
        let span = trace::span_of(service, operation, dispatch.0.keys);
        let going = async { Self::new(dispatch, service, operation)?.go_slowly().await };
        trace::within(span, going).await
    }

    /// Makes attempts as [`go`](Self::go) does, for whom needs more than that has room for.
    pub(super) async fn go_slowly(&mut self) -> Result<O::Output> {
        match self.operation.before(self.service, self.dispatch) {
            Some(before) => self.go_after(before).await,
            None => self.go_on(Duration::ZERO).await,
        }
    }

    /// Counts a first attempt that has succeeded.
    fn served_at_once(&mut self) {
        self.shared().budget.give_back();
        self.served();
    }

    /// Does what has to happen before the first attempt, for as long as the operation has time, and then makes attempts.
    #[cold]
    fn go_after<'s>(
        &'s mut self,
        before: Before<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<O::Output>> + Send + 's>>
    where
        O::Output: 's,
    {
        Box::pin(async {
            if let Err(error) = pipeline_pool::check_timer() {
                return Err(self.last(error.into()));
            }
            let _held = timeout_at(self.deadline, before).await;
            // It may have been learnt that the operation belongs elsewhere.
            self.place = self.operation.place(self.service);
            self.go_on(Duration::ZERO).await
        })
    }

    /// The attempts after a pause: all but the first, as a rule.
    async fn go_on(&mut self, mut pause: Duration) -> Result<O::Output> {
        loop {
            if !pause.is_zero() {
                sleep(pause).await;
            }
            if let Some(waiting) = self.take_turn(Instant::now())? {
                self.wait(waiting).await?;
            }
            match self.attempt().await {
                Ok(output) => {
                    if self.course.attempts() == 1 {
                        self.shared().budget.give_back();
                    }
                    self.served();
                    return Ok(output);
                }
                Err(failed) => pause = self.judge(failed)?,
            }
        }
    }

    /// Takes the turn of an attempt that begins now, or a place in the line of those who wait for one.
    fn take_turn(&mut self, now: Instant) -> Result<Option<Waiting>> {
        if self.retry().is_adaptive() {
            let caller = Caller {
                since: self.since,
                deadline: self.deadline,
                is_usual: self.operation.extra_time().is_zero(),
            };
            match self.shared().throttle.ask(self.origin(), caller) {
                Asked::Free => {}
                Asked::Turn(turn) => self.turn = Some(turn),
                Asked::Wait(waiting) => return Ok(Some(waiting)),
                Asked::Late => return Err(self.no_turn()),
            }
        }
        self.begin(now);
        Ok(None)
    }

    /// Waits for the turn.
    #[cold]
    fn wait(&mut self, waiting: Waiting) -> Pin<Box<dyn Future<Output = Result<()>> + Send + '_>> {
        measure::waits::<O>();
        Box::pin(async {
            self.turn = waiting.await;
            if self.turn.is_none() {
                return Err(self.no_turn());
            }
            self.begin(Instant::now());
            Ok(())
        })
    }

    fn begin(&mut self, now: Instant) {
        self.begun = now;
        self.course.begin();
        measure::attempt::<O>(self.course.attempts());
    }

    /// The error of an operation whose turn would be too late.
    #[cold]
    fn no_turn(&mut self) -> Error {
        let late = "the server has asked for fewer requests, and the turn of this one is too late (the setter timeout)";
        let error = Error::new(Kind::Busy, late).with_class(Class::Throttled);
        self.last(error)
    }

    /// Tells the throttle that the attempt's request is sent now.
    pub(super) fn count_sent(&self) {
        match &self.turn {
            Some(turn) => turn.sent(),
            None if self.retry().is_adaptive() => {
                let throttle = &self.shared().throttle;
                throttle.sent_free(self.origin(), self.begun);
            }
            None => {}
        }
    }

    /// Tells the throttle that the attempt has succeeded.
    fn served(&mut self) {
        self.record_attempts();
        self.ended = true;
        measure::ended::<O>(None, self.since);
        if let Some(turn) = self.turn.take() {
            turn.ended(Ended::Served);
        }
    }

    /// Tells the throttle of a failed attempt.
    fn tell_throttle(&mut self, error: &Error) {
        let turn = self.turn.take();
        let answered = error.kind() == Kind::Service;
        let slow = matches!(error.class(), Class::Throttled | Class::Unavailable);
        match turn {
            Some(turn) => turn.ended(match (answered, slow) {
                (true, true) => Ended::Refused,
                (true, false) => Ended::Served,
                _ if error.kind() == Kind::Timeout => Ended::TimedOut,
                _ => Ended::Failed,
            }),
            None if answered && slow && self.retry().is_adaptive() => {
                self.shared().throttle.refused(self.origin(), self.begun);
            }
            None => {}
        }
    }

    /// Notes in the span of the operation how many attempts it took.
    fn record_attempts(&self) {
        if self.traced {
            trace::current().record("attempts", self.course.attempts());
        }
    }

    /// The error that it ends with.
    fn last(&mut self, error: Error) -> Error {
        self.record_attempts();
        self.ended = true;
        measure::ended::<O>(Some(&error), self.since);
        error
            .with_attempts(self.course.attempts(), self.course.sent())
            .with_site(|| Site::keyed(self.operation, self.origin(), self.shared().keys))
    }

    /// Does what follows a failed attempt, and returns how long to wait before the next.
    ///
    /// # Errors
    /// The attempt's, when there shall be no other.
    fn judge(&mut self, mut failed: Failed) -> Result<Duration> {
        log_failure::<O>(self.course.attempts(), &failed.error);
        measure::failed::<O>(&failed.error);
        self.tell_throttle(&failed.error);
        let terms = Terms {
            idempotency: self.operation.idempotency(),
            can_repeat: self.operation.can_repeat(),
            repeats_conflicts: self.operation.repeats_conflicts(),
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        let failure = failed.failure();
        let mut verdict = self.course.judge(&failure, &terms, self.retry(), left);
        while verdict != Verdict::GiveUp {
            if self.carry_out(verdict, &mut failed) {
                return Ok(verdict.pause());
            }
            verdict = verdict.otherwise();
        }
        self.name_limit(&mut failed.error);
        Err(self.last(failed.error))
    }

    /// Names the setter of the time that is over, where it is one of the client or of the request.
    fn name_limit(&self, error: &mut Error) {
        if error.kind() != Kind::Timeout {
            return;
        }
        let now = Instant::now();
        let attempt = self.timeout().map(|timeout| after(self.begun, timeout));
        if self.deadline <= now {
            error.add_hint("the time of the operation is over (the setter timeout)");
        } else if attempt.is_some_and(|at| at <= now) {
            error.add_hint("the time of an attempt is over (attempt_timeout of RetryConfig)");
        }
    }

    /// Makes ready for another attempt, if that is possible.
    fn carry_out(&mut self, verdict: Verdict, failed: &mut Failed) -> bool {
        let shared = self.shared();
        match verdict {
            Verdict::Retry(_) => shared.budget.take(),
            Verdict::SignAgain | Verdict::DropExpectation => true,
            Verdict::Move => {
                let place = failed.redirect(self.operation, self.service, self.origin());
                let moved = place.is_some();
                self.place = place.or_else(|| self.place.take());
                moved
            }
            Verdict::CorrectClock => {
                let moved = failed
                    .server_date
                    .is_some_and(|date| shared.clock.correct(date));
                // Another request may have moved the clock since this one was signed.
                moved || shared.clock.offset_ms() != failed.offset_ms
            }
            Verdict::Renew => shared.renew(failed),
            Verdict::GiveUp => false,
        }
    }
}
