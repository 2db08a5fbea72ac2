//! One connection, as its endpoint knows it, and what its driver says of it.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::entry::Entry;
use super::learn::Sample;
use crate::protocol::{ConnectionId, Protocol};

/// The name of a connection within its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnId(pub(crate) usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Being opened.
    Opening,
    /// Takes requests.
    Ready,
    /// Takes no more until all that it has is done.
    Exclusive,
    /// Takes no more, and closes once all that it has is done.
    Closing,
}

/// What the endpoint knows of one connection.
pub(crate) struct Slot<P: Protocol> {
    pub(super) connection: ConnectionId,
    pub(crate) phase: Phase,
    /// Requests handed over that its driver has not taken yet.
    pub(crate) mail: VecDeque<Entry<P>>,
    /// Requests handed over whose replies have not come yet, those in `mail` included.
    pub(crate) load: usize,
    /// It has answered at least once.
    pub(crate) proven: bool,
    /// Its driver will look at the mail without being woken.
    pub(crate) awake: bool,
    pub(crate) waker: Option<Waker>,
    pub(crate) idle_since: Instant,
    /// The first of its requests waits longer than is usual.
    pub(super) stuck: bool,
    /// A large message is under way on it: it takes no more until that has ended.
    pub(super) streaming: bool,
    /// Since when it has been as deep as it may be.
    pub(super) full_since: Option<Instant>,
    /// The round trip to the server, as measured when the connection was opened.
    pub(super) rtt: Option<Duration>,
    /// Seconds from one reply to the next while it is full.
    pub(super) pace: f64,
}

impl<P: Protocol> Slot<P> {
    /// Whether requests may be queued behind those that it has.
    pub(super) fn takes_more(&self) -> bool {
        self.phase == Phase::Ready && self.proven && !self.stuck
    }

    /// The time that a further request is expected to wait for its reply, in seconds.
    pub(super) fn wait(&self, usual: f64) -> f64 {
        let pace = if self.pace > 0.0 {
            self.pace
        } else {
            usual.max(1e-9)
        };
        (self.load + 1) as f64 * pace
    }
}

/// What a driver has to say of its connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    /// Requests that have left since the last report.
    pub(crate) done: usize,
    /// What those of them tell that were answered.
    pub(crate) sample: Sample,
    /// The connection has answered.
    pub(crate) proven: bool,
    /// A large message is under way.
    pub(crate) streaming: bool,
    /// The connection is too old to be kept.
    pub(crate) expired: bool,
    /// The first request waits longer for its reply than is usual.
    pub(crate) stuck: bool,
}
