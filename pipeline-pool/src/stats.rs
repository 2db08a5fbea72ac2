//! What can be seen of a pool from outside.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::shell::endpoint::Endpoint;
use crate::event::CloseReason;
use crate::origin::Origin;
use crate::protocol::Protocol;

/// A pool's figures at one instant, in all and per origin; made by [`HttpPool::stats`](crate::HttpPool::stats).
#[cfg(feature = "http1")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Sockets open now, those being opened included.
    pub connections: usize,
    /// The most sockets that were open at once.
    pub most_connections: usize,
    /// The figures of each origin, in no particular order.
    ///
    /// An origin that has had neither a connection nor a request for 10 minutes can be missing, and
    /// where there are over a thousand, one that has neither now; its figures are then in
    /// [`forgotten`](Self::forgotten), and begin anew with its next request.
    pub origins: Vec<OriginStats>,
    /// The sums of the figures of origins that have been forgotten.
    pub forgotten: Forgotten,
}

/// The figures of origins that a pool has forgotten, added up; each means what it does in
/// [`OriginStats`].
#[cfg(feature = "http1")]
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Forgotten {
    /// How many there were; one that came back and was forgotten again counts each time.
    pub origins: u64,
    /// Connections opened.
    pub opened: u64,
    /// Attempts to open one that failed.
    pub open_failed: u64,
    /// Connections closed, by the position of the reason in [`CloseReason::ALL`].
    closed: [u64; CloseReason::ALL.len()],
    /// Answers received.
    pub replies: u64,
    /// Requests sent again on another connection.
    pub replays: u64,
    /// Requests that went from one connection's queue to another.
    pub moves: u64,
    /// Requests sent a second time while the first was late.
    pub hedges: u64,
    /// Requests that had to wait in line.
    pub waits: u64,
    /// Requests that have come out of the line to a connection.
    pub waits_served: u64,
    /// Requests refused as the line was full.
    pub refused: u64,
    /// The most requests that were in flight on one connection.
    pub deepest: usize,
    /// Reads that brought something.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

#[cfg(feature = "http1")]
impl Forgotten {
    pub(crate) fn add(&mut self, figures: &OriginStats) {
        self.origins += 1;
        self.opened += figures.opened;
        self.open_failed += figures.open_failed;
        for (sum, closed) in self.closed.iter_mut().zip(figures.closed) {
            *sum += closed;
        }
        self.replies += figures.replies;
        self.replays += figures.replays;
        self.moves += figures.moves;
        self.hedges += figures.hedges;
        self.waits += figures.waits;
        self.waits_served += figures.waits_served;
        self.refused += figures.refused;
        self.deepest = self.deepest.max(figures.deepest);
        self.reads += figures.reads;
        self.writes += figures.writes;
        self.bytes_in += figures.bytes_in;
        self.bytes_out += figures.bytes_out;
    }

    /// Connections closed for this reason.
    pub fn closed_by(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize]
    }
}

/// The figures of one origin.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OriginStats {
    /// The figures belong to connections of this origin.
    pub origin: Origin,
    /// Connections now, those being opened included.
    pub connections: usize,
    /// Connections that have nothing to do now.
    pub idle: usize,
    /// Requests that wait for a connection now.
    pub waiting: usize,
    /// Connections opened so far.
    pub opened: u64,
    /// Attempts to open one that failed.
    pub open_failed: u64,
    /// Connections closed so far, by the position of the reason in [`CloseReason::ALL`].
    closed: [u64; CloseReason::ALL.len()],
    /// Answers received so far.
    pub replies: u64,
    /// Requests sent again on another connection, their first having died.
    pub replays: u64,
    /// Requests that went from one connection's queue to another before they were sent, as a
    /// large or late answer was in their way.
    pub moves: u64,
    /// Requests sent a second time while the first was late.
    pub hedges: u64,
    /// The depth to which connections are pipelined now: learnt, or set by hand.
    pub depth: usize,
    /// How many trials have compared another depth, packing or number of connections with the one in use.
    pub trials: u64,
    /// The usual time from sending a request to the head of its answer; zero while unknown.
    pub latency: std::time::Duration,
    /// Requests that had to wait in line.
    pub waits: u64,
    /// Requests that have come out of the line to a connection; those that came back to the line
    /// from a connection count each time. The others have left it, or wait still.
    pub waits_served: u64,
    /// Requests refused as the line was full.
    pub refused: u64,
    /// The most requests that were in flight on one connection.
    pub deepest: usize,
    /// Reads that brought something. Answers that arrive together come in one.
    pub reads: u64,
    /// Writes. Requests that are sent together leave in one.
    pub writes: u64,
    /// Bytes received, as they went through the socket (TLS taken off).
    pub bytes_in: u64,
    /// Bytes sent, as they went through the socket (TLS not yet put on).
    pub bytes_out: u64,
}

impl OriginStats {
    pub(crate) fn of<P: Protocol>(origin: &Origin, endpoint: &Endpoint<P>) -> Self {
        let scheduler = endpoint.lock();
        let (connections, idle) = (scheduler.live(), scheduler.idle());
        let (waiting, served) = (scheduler.waiting(), scheduler.served());
        let control = scheduler.depth();
        let (depth, trials, latency) = (control.depth(), control.trials(), control.usual());
        drop(scheduler);
        let counters = &endpoint.counters;
        Self {
            origin: origin.clone(),
            connections,
            idle,
            waiting,
            opened: counters.opened.load(Relaxed),
            open_failed: counters.open_failed.load(Relaxed),
            closed: counters.closed_by(),
            waits_served: served,
            replies: counters.replies.load(Relaxed),
            replays: counters.replays.load(Relaxed),
            moves: counters.moves.load(Relaxed),
            hedges: counters.hedges.load(Relaxed),
            depth,
            trials,
            latency,
            waits: counters.waits.load(Relaxed),
            refused: counters.refused.load(Relaxed),
            deepest: counters.deepest.load(Relaxed),
            reads: counters.reads.load(Relaxed),
            writes: counters.writes.load(Relaxed),
            bytes_in: counters.bytes_in.load(Relaxed),
            bytes_out: counters.bytes_out.load(Relaxed),
        }
    }
}

impl OriginStats {
    /// Connections closed so far.
    pub fn closed(&self) -> u64 {
        self.closed.iter().sum()
    }

    /// Connections closed so far for this reason.
    pub fn closed_by(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize]
    }
}

#[cfg(feature = "http1")]
impl Stats {
    /// Connections opened so far, at all origins.
    pub fn opened(&self) -> u64 {
        self.forgotten.opened + self.origins.iter().map(|o| o.opened).sum::<u64>()
    }

    /// Answers received so far, from all origins.
    pub fn replies(&self) -> u64 {
        self.forgotten.replies + self.origins.iter().map(|o| o.replies).sum::<u64>()
    }

    /// Requests sent again after their connection died, at all origins.
    pub fn replays(&self) -> u64 {
        self.forgotten.replays + self.origins.iter().map(|o| o.replays).sum::<u64>()
    }

    /// The most requests that were in flight on any one connection.
    pub fn deepest(&self) -> usize {
        let deepest = self.origins.iter().map(|o| o.deepest);
        deepest.fold(self.forgotten.deepest, usize::max)
    }
}
