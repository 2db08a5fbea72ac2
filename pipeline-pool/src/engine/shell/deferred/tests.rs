//! What callers own is dropped, woken and told with nothing locked.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::*;
use crate::engine::config::Config;
use crate::engine::core::call::{Caller, Order};
use crate::engine::core::connection::ConnId;
use crate::engine::core::depth::Setting;
use crate::engine::core::pipeline::Ending;
use crate::engine::core::scheduler::Submitted;
use crate::engine::core::testing::{Ask, Probe, Toy, ask, caller, caller_of, later, order};
use crate::engine::core::ticket::Ticket;
use crate::engine::shell::endpoint::close;
use crate::engine::shell::permits::SharedPermits;
use crate::engine::shell::testing::endpoint;
use crate::event::CloseReason;
use crate::protocol::ConnectionId;

/// An endpoint, and what looks whether it is locked.
fn probed() -> (Arc<Endpoint<Toy>>, Arc<Probe>) {
    let (endpoint, _) = endpoint(Config::default(), &SharedPermits::new(9), None);
    let looked_at = endpoint.clone();
    (endpoint, Probe::new(move || looked_at.is_locked()))
}

/// A request that holds the probe, and is heard of by it.
fn probing(probe: &Arc<Probe>, order: Order) -> (Caller<Toy>, Ticket<Toy>) {
    let held: Option<Box<dyn std::any::Any + Send>> = Some(Box::new(probe.held()));
    let (mut caller, ticket) = caller_of(Ask { held, ..ask() }, order);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(caller.poll(&mut cx).is_pending());
    (caller, ticket)
}

/// Has a request wait for a connection.
fn queue(endpoint: &Endpoint<Toy>, ticket: Ticket<Toy>, now: Instant) {
    let submitted = endpoint.lock().handle_submit(ticket, true, now);
    assert!(matches!(submitted, Ok(Submitted::Queued)));
}

/// A connection that has nothing to do.
fn connection(endpoint: &Endpoint<Toy>, now: Instant) -> ConnId {
    let mut scheduler = endpoint.lock();
    let id = scheduler.handle_permit(now);
    scheduler.handle_opened(id, None);
    id
}

/// The connection has ended, and this request goes elsewhere.
fn come_back(endpoint: &Endpoint<Toy>, id: ConnId, ticket: Ticket<Toy>, now: Instant) {
    let ending = Ending {
        again: vec![ticket],
        replayed: 0,
        reason: CloseReason::Peer,
        dud: false,
        broken: false,
    };
    endpoint.lock().handle_ended(id, ending, now);
}

#[test]
fn requests_are_dropped_with_nothing_locked() {
    let (endpoint, probe) = probed();
    let now = Instant::now();
    // In the queue, where nobody waits for it any more.
    for look in [
        |scheduler: &mut Scheduler<Toy>, _| scheduler.handle_extra_closed(),
        |scheduler: &mut Scheduler<Toy>, now| assert!(!scheduler.poll_opening(now)),
        |scheduler: &mut Scheduler<Toy>, now| {
            let (_caller, ticket) = caller(order(2, later(now)));
            drop(scheduler.handle_submit(ticket, true, now));
        },
    ] {
        let (caller, ticket) = probing(&probe, order(1, later(now)));
        queue(&endpoint, ticket, now);
        drop(caller);
        look(&mut endpoint.lock(), now);
        probe.assert_ran(1);
        drop(endpoint.lock().take_queue());
    }
    // Too long in the queue.
    let (caller, ticket) = probing(&probe, order(1, now));
    queue(&endpoint, ticket, now);
    drop(caller);
    endpoint.lock().handle_timeout(now);
    probe.assert_ran(1);
    let (caller, ticket) = probing(&probe, order(1, now));
    queue(&endpoint, ticket, now);
    drop(caller);
    assert_eq!(endpoint.lock().leave_by(1, now), None);
    probe.assert_ran(1);
    // Back from a connection when everything is given up, and handed in after that.
    let id = connection(&endpoint, now);
    endpoint.abort();
    let (caller, ticket) = probing(&probe, order(1, later(now)));
    drop(caller);
    come_back(&endpoint, id, ticket, now);
    probe.assert_ran(1);
    let (caller, ticket) = probing(&probe, order(1, later(now)));
    drop(caller);
    assert!(endpoint.submit(ticket, None, now).is_err());
    probe.assert_ran(1);
}

#[test]
fn callers_are_woken_with_nothing_locked() {
    let (endpoint, probe) = probed();
    let now = Instant::now();
    let waiting = |order: Order| {
        let (mut caller, ticket) = caller(order);
        let waker = probe.waker();
        let mut cx = Context::from_waker(&waker);
        assert!(caller.poll(&mut cx).is_pending());
        (caller, ticket)
    };
    let woken = |times: usize| {
        // Woken, and dropped after that.
        probe.assert_ran(2 * times);
    };
    let (_late, ticket) = waiting(order(1, now));
    queue(&endpoint, ticket, now);
    endpoint.tend(now);
    woken(1);
    let mut bound = order(1, later(now));
    bound.bound = Some(ConnectionId::unused());
    let (_bound, ticket) = waiting(bound);
    come_back(&endpoint, connection(&endpoint, now), ticket, now);
    woken(1);
    // Another runtime has come.
    let id = connection(&endpoint, now);
    let (_nudged, ticket) = waiting(order(1, later(now)));
    queue(&endpoint, ticket, now);
    endpoint.lock().handle_timekeeping(true);
    woken(1);
    let (_again, ticket) = waiting(order(2, later(now)));
    come_back(&endpoint, id, ticket, now);
    woken(1);
    let (_ended, ticket) = waiting(order(3, later(now)));
    queue(&endpoint, ticket, now);
    endpoint.abort();
    woken(1);
    assert_eq!(probe.wakes(), 5);
}

#[tokio::test]
async fn who_waits_for_the_end_is_woken_with_nothing_locked() {
    let (endpoint, probe) = probed();
    let now = Instant::now();
    let (_caller, ticket) = caller(order(1, later(now)));
    queue(&endpoint, ticket, now);
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
struct ProbedLog(Arc<Probe>);

impl tracing::Subscriber for ProbedLog {
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
    tracing::subscriber::with_default(ProbedLog(probe.clone()), || {
        endpoint.lock().actions().log(TrialOutcome {
            present: Setting::new(1, 1),
            tried: Setting::new(4, 1),
            better: true,
            present_response: 2.0,
            tried_response: 1.0,
            present_rate: 1.0,
            tried_rate: 2.0,
        });
    });
    probe.assert_ran(1);
}

struct PanickingWaker;

impl std::task::Wake for PanickingWaker {
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
        let (mut caller, ticket) = caller(order(seq, now));
        let bad = Arc::new(PanickingWaker).into();
        let waker = if seq == 1 { &bad } else { Waker::noop() };
        assert!(caller.poll(&mut Context::from_waker(waker)).is_pending());
        queue(&endpoint, ticket, now);
        callers.push(caller);
    }
    endpoint.tend(now);
    for caller in &mut callers {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(caller.poll(&mut cx).is_ready());
    }
}
