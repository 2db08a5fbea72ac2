//! hyper as the benchmarks use it: a socket for each task, and one request at a time on each.

use std::collections::VecDeque;
use std::time::Duration;

use super::cost::HYPER;
use super::figures::Figures;
use super::server::Number;
use super::simulation::{Client, Out};

/// A socket for each task.
pub(super) struct Plain {
    /// When each task sent its request.
    sent: Vec<Duration>,
    /// Tasks that have something to do.
    ready: VecDeque<usize>,
    figures: Figures,
}

impl Plain {
    pub(super) fn new(tasks: usize) -> Self {
        Self {
            sent: vec![Duration::ZERO; tasks],
            ready: (0..tasks).collect(),
            figures: Figures::default(),
        }
    }
}

impl Client for Plain {
    fn handle_opened(&mut self, _: usize, _: Duration) {}

    fn handle_arrival(&mut self, connection: usize, _: &[Number]) {
        self.ready.push_back(connection);
    }

    fn handle_timer(&mut self, _: usize, _: Duration) {}

    fn turn(&mut self, now: Duration, out: &mut Out) -> Option<Duration> {
        let task = self.ready.pop_front()?;
        let took = HYPER.read + HYPER.request + HYPER.write;
        let sent = std::mem::replace(&mut self.sent[task], now);
        if now > Duration::ZERO {
            self.figures.note(now.saturating_sub(sent));
        }
        out.written.push((task, vec![0]));
        Some(took)
    }

    fn take_figures(&mut self) -> Figures {
        std::mem::take(&mut self.figures)
    }
}
