//! What requests cost the two processors.

use std::time::Duration;

/// The time that one side's core takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Costs {
    /// One read, of however many messages.
    pub(super) read: Duration,
    /// One write, of however many messages.
    pub(super) write: Duration,
    /// One request.
    pub(super) request: Duration,
}

const fn costs(read: u64, write: u64, request: u64) -> Costs {
    Costs {
        read: Duration::from_nanos(read),
        write: Duration::from_nanos(write),
        request: Duration::from_nanos(request),
    }
}

/// The server, which comes to 122,000 requests per second one by one, and to 700,000 of them in
/// batches of 32.
pub(super) const SERVER: Costs = costs(3000, 4000, 1200);
/// The pool, which comes to 111,000 and 450,000.
pub(super) const POOL: Costs = costs(3000, 4000, 2000);
/// hyper, which comes to 100,000: it has one request at a time on each connection.
pub(super) const HYPER: Costs = costs(3000, 4000, 3000);
/// The way of bytes from one side to the other.
pub(super) const WAY: Duration = Duration::from_micros(10);
/// Opening a connection.
pub(super) const OPENING: Duration = Duration::from_micros(100);

/// What a request costs the pool more where so many are under way. What belongs to some hundreds of
/// them fits into a core's cache; with 2,048 the pool comes to three quarters of its rate.
pub(super) fn crowding(in_flight: usize) -> Duration {
    let beyond = in_flight.saturating_sub(256) as u64;
    Duration::from_nanos(beyond * 2 / 5)
}
