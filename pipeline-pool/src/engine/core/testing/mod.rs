//! A protocol and its callers for the tests of the engine, a world around the core, and callers of
//! servers of many shapes.

mod random;
mod shapes;
mod world;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::call::{Caller, Order};
use super::ticket::Ticket;
use crate::error::Error;
use crate::outbox::Outbox;
use crate::protocol::{Decoded, Encoded, Protocol, Treatment};

/// A byte that is no reply, nor a part of one.
pub(crate) const WAIT: u8 = b'w';

/// A byte is answered by a byte.
pub(crate) struct Toy;

/// What a request of [`Toy`] is.
pub(crate) struct Ask {
    pub(crate) treatment: Treatment,
    /// Dropped with the request.
    #[expect(dead_code, reason = "it is only held")]
    pub(crate) held: Option<Box<dyn std::any::Any + Send>>,
    /// Called when something comes that may be the reply.
    pub(crate) heard: Option<Box<dyn Fn() + Send>>,
}

impl Protocol for Toy {
    type Request = Ask;
    type Reply = u8;

    fn treatment(ask: &Ask) -> Treatment {
        ask.treatment
    }

    fn duplicate(_: &Ask) -> Option<Ask> {
        Some(ask())
    }

    fn encode(&mut self, _: &mut Ask, out: &mut Outbox) -> Encoded {
        out.put(b"?");
        Encoded::Wholly
    }

    fn decode(&mut self, ask: &Ask, input: &mut BytesMut, _: bool) -> Result<Decoded<u8>, Error> {
        if input.is_empty() {
            return Ok(Decoded::More);
        }
        ask.heard.iter().for_each(|heard| heard());
        let reply = input.split_to(1)[0];
        if reply == WAIT {
            return Ok(Decoded::More);
        }
        Ok(Decoded::Reply {
            reply,
            reusable: true,
        })
    }

    fn is_amid(&self) -> bool {
        false
    }
}

/// A request that may run twice, and beside others.
pub(crate) fn ask() -> Ask {
    Ask {
        treatment: Treatment {
            repeatable: true,
            alone: false,
        },
        held: None,
        heard: None,
    }
}

/// A request in this place of the order of arrival.
pub(crate) fn order(seq: u64, deadline: Instant) -> Order {
    Order {
        seq,
        since: deadline,
        deadline,
        bound: None,
    }
}

/// The two ends of a plain request.
pub(crate) fn caller(order: Order) -> (Caller<Toy>, Ticket<Toy>) {
    caller_of(ask(), order)
}

/// The two ends of a request.
pub(crate) fn caller_of(ask: Ask, order: Order) -> (Caller<Toy>, Ticket<Toy>) {
    let mut caller = Caller::new(ask, order.deadline);
    match caller.hand_in(order, Waker::noop()) {
        Some(ticket) => (caller, ticket),
        None => unreachable!("it was not handed in before"),
    }
}

/// A deadline that no test reaches.
pub(crate) fn later(now: Instant) -> Instant {
    now + Duration::from_secs(3600)
}

/// Code of a caller's that looks whether something is locked when it runs: as a waker, or as what
/// a request holds, when it is dropped.
pub(crate) struct Probe {
    is_locked: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    /// How often it ran, and how often something was locked then.
    ran: Mutex<[usize; 2]>,
    wakes: AtomicUsize,
}

impl Probe {
    /// One that looks at this.
    pub(crate) fn new(is_locked: impl Fn() -> bool + Send + Sync + 'static) -> Arc<Self> {
        let probe = Self::idle();
        probe.look_at(is_locked);
        probe
    }

    /// One that does not look at anything yet.
    pub(crate) fn idle() -> Arc<Self> {
        Arc::new(Self {
            is_locked: OnceLock::new(),
            ran: Mutex::default(),
            wakes: AtomicUsize::new(0),
        })
    }

    pub(crate) fn look_at(&self, is_locked: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.is_locked.set(Box::new(is_locked));
    }

    pub(crate) fn run(&self) {
        let locked = self.is_locked.get().is_some_and(|is_locked| is_locked());
        let mut ran = self.ran.lock().unwrap();
        ran[0] += 1;
        ran[1] += usize::from(locked);
    }

    /// Something that runs it when it is dropped.
    pub(crate) fn held(self: &Arc<Self>) -> Held {
        Held(self.clone())
    }

    /// A waker that runs it when it is woken, and when its last clone is dropped.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Arc::new(Woken(self.held())).into()
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(SeqCst)
    }

    /// Whether it ran so often since this was last asked, and never under the lock.
    pub(crate) fn assert_ran(&self, times: usize) {
        let ran = std::mem::take(&mut *self.ran.lock().unwrap());
        assert_eq!(ran, [times, 0], "[how often it ran, and so under a lock]");
    }
}

pub(crate) struct Held(Arc<Probe>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.run();
    }
}

struct Woken(Held);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.0.wakes.fetch_add(1, SeqCst);
        self.0.0.run();
    }
}
