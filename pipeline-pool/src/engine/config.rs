//! The bounds and times of a pool.

use std::time::Duration;

use crate::event::Hook;

/// The longest of all times, 30 years: an instant that far away can still be told, and nobody waits for it.
pub(crate) const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Bounds and times; the builder says what each means.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) max_connections: usize,
    /// So many of them are opened as they are wanted. Further ones are where it is learnt that callers
    /// wait behind late replies without them.
    pub(crate) usual_connections: usize,
    /// The most connections where a narrow setting is in use.
    pub(crate) narrow_connections: usize,
    pub(crate) max_total: usize,
    pub(crate) max_opening: usize,
    pub(crate) max_depth: usize,
    /// The depth is not learnt: it is the most.
    pub(crate) fixed_depth: bool,
    pub(crate) max_waiters: usize,
    pub(crate) wait_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) first_byte_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_age: Duration,
    /// How often a request that was sent may be sent again when its connection dies.
    pub(crate) max_replays: u8,
    /// How often a request that was not sent may move to another connection.
    pub(crate) max_moves: u8,
    /// The share of requests that may be sent a second time while the first is late.
    pub(crate) hedge: f64,
    pub(crate) read_buffer: usize,
    pub(crate) hook: Option<Hook>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: 128,
            usual_connections: 64,
            narrow_connections: narrow(64),
            max_total: 256,
            max_opening: 8,
            max_depth: 32,
            fixed_depth: false,
            max_waiters: 100_000,
            wait_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(20),
            first_byte_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(15),
            max_age: Duration::from_secs(600),
            max_replays: 2,
            max_moves: 8,
            hedge: 0.0,
            read_buffer: 64 * 1024,
            hook: None,
        }
    }
}

/// How many connections a narrow setting has where so many are usual: an eighth, as what is under way
/// on them fits into a processor's second cache, and eight at least, as fewer would not keep both sides busy.
pub(crate) const fn narrow(usual: usize) -> usize {
    let narrow = usual / 8;
    if narrow < 8 { 8 } else { narrow }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_setting_has_an_eighth_of_the_usual_connections_and_eight_at_least() {
        for (usual, few) in [(1, 8), (16, 8), (64, 8), (72, 9), (1024, 128)] {
            assert_eq!(narrow(usual), few, "{usual}");
        }
    }
}
