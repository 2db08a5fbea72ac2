//! Slowing down when a server says so: one rate for each server, kept by all tasks of a client.
//!
//! ```text
//!              first refusal                       a minute without a refusal
//!   free ───────────────────────► limited by a rate ────────────────────────► free
//!                                   ▲          │
//!                                   └──────────┘
//!                      a refusal of what was sent since the
//!                      last cut cuts the rate, time raises it
//! ```
//!
//! *Problem:* A store that refuses requests (429, 503) goes on refusing while each task decides by itself. *Decision:*
//! A refusal lowers one rate for all tasks of a client and an origin, and the rate comes back as a cubic function of
//! time. What had its turn before a refusal says nothing about the rate after it. Who waits has a place in line, which
//! is given back when it is dropped, and a turn whose answer would come too late is not given. While callers give up
//! without a word, the newest are served first, since each of the oldest would be served just before it leaves. *Cost:*
//! A simulation in virtual time (`throttle/testing`) is needed to see what a change does.
//!
//! A server is **free** until it first refuses a request with 429, 503 or a code that says the same. Nothing waits and
//! no lock is taken then; what is sent is counted, so that the first rate is near what it was.
//!
//! A server that is **limited** has a [`Limiter`]: a line of callers who get turns at a rate. All that is decided is
//! decided there, without a clock, a timer or a task. What surrounds it is thin: this file keeps a [`Gate`] for each
//! server, which wakes those whom its limiter names; a [`Turn`] or a place in line that is dropped is given back. There
//! is no task, since a client may be used on several runtimes: each caller's own poll moves the line for all.
//!
//! The rate is cut to 0.85 of what it was, towards what was served if that is less, and not below half at once. It
//! comes back within some two seconds to what it was and then grows beyond, slowly at first. A refusal of what was sent
//! before a cut does not count. What is counted is what is sent and what is served, not who asks. [`Rate`] says more.
//!
//! [`Limiter`]: limiter::Limiter
//! [`Rate`]: rate::Rate

mod gate;
mod limiter;
mod meter;
mod patience;
mod rate;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pipeline_pool::Origin;
use tokio::time::Instant;

use self::gate::Gate;
pub(crate) use self::limiter::Ended;
use self::limiter::{Limiter, Told};
use self::meter::Meter;
pub(crate) use self::turn::{Caller, Turn, Waiting};

/// The most servers that are limited at a time; of more, the one that refused longest ago is free again.
const MAX_SERVERS: usize = 1000;
/// How many meters count what is sent to free servers; servers that share one by chance begin at too high a rate.
const METER_COUNT: usize = 32;

/// The rates of a client.
#[derive(Debug)]
pub(crate) struct Throttle {
    start: Instant,
    free: [Meter; METER_COUNT],
    /// Whether any server is limited.
    any: AtomicBool,
    limited: Mutex<HashMap<Origin, Arc<Gate>>>,
}

/// The answer to a caller that wants to send a request.
pub(crate) enum Asked {
    /// The server is free.
    Free,
    /// It has its turn.
    Turn(Turn),
    /// It has to wait for its turn.
    Wait(Waiting),
    /// Its turn would be too late.
    Late,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            free: Default::default(),
            any: AtomicBool::new(false),
            limited: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, Arc<Gate>>> {
        self.limited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meter(&self, origin: &Origin) -> &Meter {
        let mut hash = KnownHash(0);
        origin.hash(&mut hash);
        &self.free[hash.finish() as usize % METER_COUNT]
    }

    /// Asks for a turn at this server.
    pub(crate) fn ask(&self, origin: &Origin, caller: Caller) -> Asked {
        if !self.any.load(Ordering::Relaxed) {
            return Asked::Free;
        }
        self.ask_gate(origin, caller)
    }

    #[cold]
    fn ask_gate(&self, origin: &Origin, caller: Caller) -> Asked {
        let now = Instant::now();
        let mut limited = self.lock();
        let Some(gate) = limited.get(origin).cloned() else {
            return Asked::Free;
        };
        if gate.is_over(now) {
            // The turns of the callers that still wait there are long due.
            limited.remove(origin);
            self.any.store(!limited.is_empty(), Ordering::Relaxed);
            return Asked::Free;
        }
        drop(limited);
        let Caller {
            since, deadline, ..
        } = caller;
        let join = |limiter: &mut Limiter| {
            limiter.join(since.into_std(), deadline.into_std(), now.into_std())
        };
        let Some(ticket) = gate.change(now, join) else {
            return Asked::Late;
        };
        let mut waiting = Waiting::new(gate, ticket, caller);
        match waiting.ask() {
            Told::Turn => Asked::Turn(waiting.turn()),
            Told::Wait(_) => Asked::Wait(waiting),
            Told::Late => Asked::Late,
        }
    }

    /// Counts a request that is sent to a free server.
    pub(crate) fn sent_free(&self, origin: &Origin, now: Instant) {
        let age = now.saturating_duration_since(self.start);
        self.meter(origin).count(age);
    }

    /// Notes that a server refused a request that was begun at `begun`, and had no turn.
    pub(crate) fn refused(&self, origin: &Origin, begun: Instant) {
        let now = Instant::now();
        let mut limited = self.lock();
        if limited.len() >= MAX_SERVERS && !limited.contains_key(origin) {
            let last = |(_, gate): &(&Origin, &Arc<Gate>)| gate.last_cut();
            let oldest = limited.iter().min_by_key(last).map(|(o, _)| o.clone());
            oldest.and_then(|oldest| limited.remove(&oldest));
        }
        match limited.entry(origin.clone()) {
            Entry::Occupied(known) => {
                let gate = known.get().clone();
                drop(limited);
                let begun = begun.into_std();
                gate.change(now, |limiter| limiter.refused(begun, now.into_std()));
            }
            Entry::Vacant(entry) => {
                let sent = self.meter(origin).copy();
                let limiter = Limiter::new(sent, self.start.into_std(), now.into_std());
                entry.insert(Arc::new(Gate::new(limiter)));
                self.any.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Takes the hash that an [`Origin`] has at hand as it is.
struct KnownHash(u64);

impl Hasher for KnownHash {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
