//! The server: it reads what has arrived on a connection, works on it, and answers in order.

use std::collections::VecDeque;
use std::time::Duration;

use super::Shape;
use super::cost::Costs;
use crate::engine::core::testing::random::Random;

/// A request at the server, by its number.
pub(super) type Number = u32;

/// The server's end of one connection.
#[derive(Debug, Default)]
struct End {
    /// What has arrived and was not read.
    arrived: VecDeque<Number>,
    /// What is worked on, with the instant at which it is done, in the order of arrival.
    work: VecDeque<(Duration, Number)>,
    /// When the last of all that was read so far is done.
    busy_until: Duration,
}

/// What came of one turn of a connection.
pub(super) struct Turn {
    /// The time that it took the processor.
    pub(super) took: Duration,
    /// What is answered, in one write.
    pub(super) answered: Vec<Number>,
    /// When the next answer is due.
    pub(super) next: Option<Duration>,
}

/// A server of so many connections, on one core.
#[derive(Debug)]
pub(super) struct Server {
    shape: Shape,
    costs: Costs,
    random: Random,
    ends: Vec<End>,
}

impl Server {
    pub(super) fn new(shape: Shape, costs: Costs) -> Self {
        Self {
            shape,
            costs,
            random: Random::new(7),
            ends: Vec::new(),
        }
    }

    /// Requests arrive on a connection.
    pub(super) fn handle_arrival(&mut self, connection: usize, requests: Vec<Number>) {
        if connection >= self.ends.len() {
            self.ends.resize_with(connection + 1, End::default);
        }
        self.ends[connection].arrived.extend(requests);
    }

    /// A connection has its turn on the core.
    pub(super) fn turn(&mut self, connection: usize, now: Duration) -> Turn {
        let end = &mut self.ends[connection];
        let mut took = Duration::ZERO;
        if !end.arrived.is_empty() {
            took += self.costs.read + self.costs.request * end.arrived.len() as u32;
        }
        for request in end.arrived.drain(..) {
            let begins = match self.shape.serial {
                true => end.busy_until.max(now),
                false => now,
            };
            let late = self.random.below(100_000) < self.shape.late_per_100_000;
            let late = if late { super::LATE } else { Duration::ZERO };
            end.busy_until = begins + self.shape.latency() + late;
            end.work.push_back((end.busy_until, request));
        }
        let mut answered = Vec::new();
        while end.work.front().is_some_and(|(due, _)| *due <= now) {
            answered.extend(end.work.pop_front().map(|(_, request)| request));
        }
        if !answered.is_empty() {
            took += self.costs.write;
        }
        let next = end.work.front().map(|(due, _)| *due);
        Turn {
            took,
            answered,
            next,
        }
    }
}
