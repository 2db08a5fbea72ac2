//! What a change of an endpoint's state leads to outside, done once the endpoint is unlocked.
//!
//! Wakers, request bodies, replies and subscribers of the log are code of the pool's users. Such
//! code may use the pool itself, as a body's `drop` does that asks for statistics, and would wait
//! for a lock that its own thread holds. So nothing under the lock of an endpoint wakes a task,
//! ends a request or drops one: it is noted here, and [`Locked`] acts on it after it has unlocked.

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::MutexGuard;
use std::task::Waker;

use super::endpoint::Endpoint;
use super::entry::Entry;
use super::learn::Decided;
use super::state::State;
use crate::error::Error;
use crate::protocol::Protocol;

/// What is still to be done.
pub(crate) struct Deferred<P: Protocol> {
    /// Tasks to be woken.
    wake: Vec<Waker>,
    /// Requests whose callers are told of a failure.
    fail: Vec<(Entry<P>, Error)>,
    /// Requests that nobody waits for.
    discard: Vec<Entry<P>>,
    /// A comparison of depths has ended, which the log is told.
    decided: Option<Decided>,
}

impl<P: Protocol> Deferred<P> {
    pub(crate) const fn new() -> Self {
        Self {
            wake: Vec::new(),
            fail: Vec::new(),
            discard: Vec::new(),
            decided: None,
        }
    }

    /// Has a task woken.
    pub(crate) fn wake(&mut self, waker: impl IntoIterator<Item = Waker>) {
        self.wake.extend(waker);
    }

    /// Has the caller of a request told that it failed.
    pub(crate) fn fail(&mut self, entry: Entry<P>, error: Error) {
        self.fail.push((entry, error));
    }

    /// Has a request dropped.
    pub(crate) fn discard(&mut self, entry: Entry<P>) {
        self.discard.push(entry);
    }

    /// Has the log told of a comparison of depths.
    pub(crate) fn decided(&mut self, decided: Option<Decided>) {
        self.decided = decided.or(self.decided.take());
    }

    fn is_empty(&self) -> bool {
        self.wake.is_empty()
            && self.fail.is_empty()
            && self.discard.is_empty()
            && self.decided.is_none()
    }
}

impl<P: Protocol> Drop for Deferred<P> {
    fn drop(&mut self) {
        if self.is_empty() {
            return;
        }
        for (mut entry, error) in self.fail.drain(..) {
            contain(move || entry.fail(&error));
        }
        for entry in self.discard.drain(..) {
            contain(move || drop(entry));
        }
        for waker in self.wake.drain(..) {
            wake(waker);
        }
        if let Some(decided) = self.decided.take() {
            contain(move || decided.log());
        }
    }
}

/// Calls what may be a caller's code. A panic of it has been reported by now, and is no reason to
/// lose somebody else's request, or a connection out of the count.
pub(crate) fn contain(call: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(call));
}

/// Wakes a task. A waker is the code of whoever polls: that one panics costs nobody else anything.
pub(crate) fn wake(waker: Waker) {
    contain(move || waker.wake());
}

/// The state of an endpoint while it is locked. Dropping it unlocks, and then does what the
/// changes made meanwhile lead to.
pub(crate) struct Locked<'a, P: Protocol> {
    endpoint: &'a Endpoint<P>,
    // Fields are dropped in their order: the lock is free before anything is done.
    state: MutexGuard<'a, State<P>>,
    deferred: Deferred<P>,
    last: NotifyLast<'a, P>,
}

/// Tells whoever waits for the endpoint to have nothing left.
struct NotifyLast<'a, P: Protocol>(Option<&'a Endpoint<P>>);

impl<P: Protocol> Drop for NotifyLast<'_, P> {
    fn drop(&mut self) {
        if let Some(endpoint) = self.0 {
            endpoint.changed.notify_waiters();
        }
    }
}

impl<'a, P: Protocol> Locked<'a, P> {
    pub(super) fn new(endpoint: &'a Endpoint<P>, state: MutexGuard<'a, State<P>>) -> Self {
        Self {
            endpoint,
            state,
            deferred: Deferred::new(),
            last: NotifyLast(None),
        }
    }
}

impl<P: Protocol> Deref for Locked<'_, P> {
    type Target = State<P>;

    fn deref(&self) -> &State<P> {
        &self.state
    }
}

impl<P: Protocol> DerefMut for Locked<'_, P> {
    fn deref_mut(&mut self) -> &mut State<P> {
        &mut self.state
    }
}

impl<P: Protocol> Drop for Locked<'_, P> {
    fn drop(&mut self) {
        if self.state.starved && self.state.line.is_empty() {
            // Nobody needs the permit any more that was asked for.
            self.state.starved = false;
            self.endpoint.decline();
        }
        if self.state.closed && self.state.is_gone() {
            self.last.0 = Some(self.endpoint);
        }
        if !self.state.deferred.is_empty() {
            std::mem::swap(&mut self.deferred, &mut self.state.deferred);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Context;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::engine::call::{Caller, Order};
    use crate::engine::config::Config;
    use crate::engine::endpoint::close;
    use crate::engine::permits::Permits;
    use crate::engine::testing::{Ask, Probe, Toy, ask, caller, caller_of, endpoint, later, order};
    use crate::protocol::ConnectionId;
    use std::sync::Arc;

    /// An endpoint, and what looks whether it is locked.
    fn probed() -> (Arc<Endpoint<Toy>>, Arc<Probe>) {
        let (endpoint, _) = endpoint(Config::default(), &Permits::new(9), None);
        let looked_at = endpoint.clone();
        (endpoint, Probe::new(move || looked_at.is_locked()))
    }

    /// A request that holds the probe, and is heard of by it.
    fn probing(probe: &Arc<Probe>, order: Order) -> (Caller<Toy>, Entry<Toy>) {
        let held: Option<Box<dyn std::any::Any + Send>> = Some(Box::new(probe.held()));
        let (mut caller, entry) = caller_of(Ask { held, ..ask() }, order);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(caller.poll(&mut cx).is_pending());
        (caller, entry)
    }

    #[test]
    fn requests_are_dropped_with_nothing_locked() {
        let (endpoint, probe) = probed();
        let now = Instant::now();
        // In line, where nobody waits for it any more.
        for look in [
            |state: &mut State<Toy>, _| state.pump(),
            |state: &mut State<Toy>, now| assert!(!state.wants_connection(now)),
            |state: &mut State<Toy>, now| {
                drop(state.admit(caller(order(2, later(now))).1, &Config::default(), now));
            },
        ] {
            let (caller, entry) = probing(&probe, order(1, later(now)));
            endpoint.lock().line.insert(entry, now);
            drop(caller);
            look(&mut endpoint.lock(), now);
            probe.assert_ran(1);
            endpoint.lock().line.drain();
        }
        // Too long in line.
        let (caller, entry) = probing(&probe, order(1, now));
        endpoint.lock().line.insert(entry, now);
        drop(caller);
        endpoint.lock().expire(now);
        probe.assert_ran(1);
        let (caller, entry) = probing(&probe, order(1, now));
        endpoint.lock().line.insert(entry, now);
        drop(caller);
        assert_eq!(endpoint.lock().leave_by(1, now), None);
        probe.assert_ran(1);
        // Back from a connection when everything is given up, and handed in after that.
        endpoint.abort();
        let (caller, entry) = probing(&probe, order(1, later(now)));
        drop(caller);
        endpoint.lock().put_back(entry, now);
        probe.assert_ran(1);
        let (caller, entry) = probing(&probe, order(1, later(now)));
        drop(caller);
        assert!(endpoint.submit(entry, None, now).is_err());
        probe.assert_ran(1);
    }

    #[test]
    fn callers_are_woken_with_nothing_locked() {
        let (endpoint, probe) = probed();
        let now = Instant::now();
        let waiting = |order: Order| {
            let (mut caller, entry) = caller(order);
            let waker = probe.waker();
            let mut cx = Context::from_waker(&waker);
            assert!(caller.poll(&mut cx).is_pending());
            (caller, entry)
        };
        let woken = |times: usize| {
            // Woken, and dropped after that.
            probe.assert_ran(2 * times);
        };
        let (_late, entry) = waiting(order(1, now));
        endpoint.lock().line.insert(entry, now);
        endpoint.tend(now);
        woken(1);
        let mut bound = order(1, later(now));
        bound.bound = Some(ConnectionId::unused());
        let (_bound, entry) = waiting(bound);
        endpoint.lock().put_back(entry, now);
        woken(1);
        // Another runtime has come.
        let (_nudged, entry) = waiting(order(1, later(now)));
        endpoint.lock().line.insert(entry, now);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        assert!(endpoint.lock().visit(Some(runtime.handle().id())));
        woken(1);
        let (_again, entry) = waiting(order(2, later(now)));
        endpoint.lock().put_back(entry, now);
        woken(1);
        let (_ended, entry) = waiting(order(3, later(now)));
        endpoint.lock().line.insert(entry, now);
        endpoint.abort();
        woken(1);
        assert_eq!(probe.wakes(), 5);
    }

    #[tokio::test]
    async fn who_waits_for_the_end_is_woken_with_nothing_locked() {
        let (endpoint, probe) = probed();
        let now = Instant::now();
        let (_caller, entry) = caller(order(1, later(now)));
        endpoint.lock().line.insert(entry, now);
        let all = [endpoint.clone()];
        let mut closing = pin!(close(&all, Duration::from_secs(60)));
        let waker = probe.waker();
        let mut cx = Context::from_waker(&waker);
        assert!(closing.as_mut().poll(&mut cx).is_pending());
        endpoint.forget(1);
        assert!(probe.wakes() > 0);
        probe.assert_ran(probe.wakes());
        assert!(closing.as_mut().poll(&mut cx).is_ready());
    }

    /// Hears the log.
    struct Log(Arc<Probe>);

    impl tracing::Subscriber for Log {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }

        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

        fn event(&self, _: &tracing::Event<'_>) {
            self.0.run();
        }

        fn enter(&self, _: &tracing::span::Id) {}

        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[test]
    fn the_log_is_written_with_nothing_locked() {
        let (endpoint, probe) = probed();
        tracing::subscriber::with_default(Log(probe.clone()), || {
            let mut state = endpoint.lock();
            state.deferred.decided(Some(Decided::of_a_test()));
        });
        probe.assert_ran(1);
    }

    struct Bad;

    impl std::task::Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("a bad waker");
        }
    }

    #[test]
    fn a_caller_that_panics_when_it_is_woken_costs_nobody_else_anything() {
        let (endpoint, _) = probed();
        let now = Instant::now();
        let mut callers = Vec::new();
        for seq in 0..3 {
            let (mut caller, entry) = caller(order(seq, now));
            let bad = Arc::new(Bad).into();
            let waker = if seq == 1 { &bad } else { Waker::noop() };
            assert!(caller.poll(&mut Context::from_waker(waker)).is_pending());
            endpoint.lock().line.insert(entry, now);
            callers.push(caller);
        }
        endpoint.tend(now);
        for caller in &mut callers {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(caller.poll(&mut cx).is_ready());
        }
    }
}
