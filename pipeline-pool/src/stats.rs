//! What can be seen of a pool from outside.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::endpoint::Endpoint;
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
    pub origins: Vec<OriginStats>,
}

/// The figures of one origin.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OriginStats {
    /// Whose figures these are.
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
    /// Comparisons of one depth with another so far.
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
        let state = endpoint.lock();
        let (connections, idle, waiting) = (state.live(), state.idle(), state.line.len());
        let (depth, trials, latency) = (
            state.learn.depth(),
            state.learn.trials(),
            state.learn.usual(),
        );
        let served = state.served;
        drop(state);
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
    pub(crate) fn new(
        connections: usize,
        most_connections: usize,
        origins: Vec<OriginStats>,
    ) -> Self {
        Self {
            connections,
            most_connections,
            origins,
        }
    }

    /// Connections opened so far, at all origins.
    pub fn opened(&self) -> u64 {
        self.origins.iter().map(|o| o.opened).sum()
    }

    /// Answers received so far, from all origins.
    pub fn replies(&self) -> u64 {
        self.origins.iter().map(|o| o.replies).sum()
    }

    /// Requests sent again after their connection died, at all origins.
    pub fn replays(&self) -> u64 {
        self.origins.iter().map(|o| o.replays).sum()
    }

    /// The most requests that were in flight on any one connection.
    pub fn deepest(&self) -> usize {
        self.origins.iter().map(|o| o.deepest).max().unwrap_or(0)
    }
}
