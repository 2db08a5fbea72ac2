//! What the pool has learnt, beside every depth that could be set by hand.
//!
//! Which fixed depth is the best one is a matter of what one wants, as a deeper pipeline may have a
//! shorter median and a longer tail. The one that counts here is that which a user would choose who
//! looks at all three figures: of the depths whose rate is at least 0.9 of the highest, those whose
//! median and 99th percentile come to no more than 1.2 of the least sum; and of these the shallowest.

use std::time::Duration;

use super::Shape;
use super::figures::Figures;
use super::plain::Plain;
use super::pooled::Pooled;
use super::simulation::Simulation;
use crate::engine::config::Config;
use crate::engine::core::depth::{Setting, TrialOutcome};

/// The depths that could be set.
const DEPTHS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// How long the pool learns before it is measured.
const LEARNING: Duration = Duration::from_secs(2);
/// How long a client runs before it is measured that has nothing to learn.
const WARM_UP: Duration = Duration::from_millis(500);
/// The share of the best rate that has to be reached.
const LEAST_RATE: f64 = 0.9;
/// How many times the best percentiles those of the pool may be.
const MOST_TIME: f64 = 1.2;

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// So many replies,
    pub(super) replies: f64,
    /// within these times.
    pub(super) least: Duration,
    pub(super) most: Duration,
    /// What is learnt is looked at for so long at least.
    pub(super) learnt: Duration,
}

impl Effort {
    /// For a table.
    pub(super) const WHOLE: Self = Self {
        replies: 50_000.0,
        least: Duration::from_secs(1),
        most: Duration::from_secs(30),
        learnt: Duration::from_secs(10),
    };
    /// For a test.
    pub(super) const QUICK: Self = Self {
        replies: 10_000.0,
        least: Duration::from_millis(300),
        most: Duration::from_secs(4),
        learnt: Duration::from_secs(1),
    };

    fn time(&self, warm_up: &Figures) -> Duration {
        let time = Duration::from_secs_f64(self.replies / warm_up.rate().max(1.0));
        time.clamp(self.least, self.most)
    }
}

/// What one client gave its callers.
#[derive(Clone, Debug)]
pub(super) struct Result {
    pub(super) figures: Figures,
    /// What the pool has learnt, or was set.
    pub(super) setting: Setting,
    /// Its connections at the end.
    pub(super) sockets: usize,
    /// What it has tried, when, and how that came out.
    pub(super) trials: Vec<(Duration, TrialOutcome)>,
}

/// The settings of a pool of so many connections whose depth is learnt, or this one.
fn config(connections: usize, depth: Option<usize>, hedge: f64) -> Config {
    let learnt = Config::default();
    Config {
        max_connections: connections,
        usual_connections: connections,
        max_depth: depth.unwrap_or(learnt.max_depth),
        fixed_depth: depth.is_some(),
        hedge,
        ..learnt
    }
}

/// The pool of 64 connections with what it learns.
pub(super) fn learnt(shape: Shape, hedge: f64, effort: Effort) -> Result {
    learnt_with(config(64, None, hedge), shape, effort)
}

/// The pool as it comes with what it learns, which may be to open more connections.
pub(super) fn as_it_comes(shape: Shape, hedge: f64, effort: Effort) -> Result {
    let config = Config {
        hedge,
        ..Config::default()
    };
    learnt_with(config, shape, effort)
}

fn learnt_with(config: Config, shape: Shape, effort: Effort) -> Result {
    let pool = Pooled::new(config, shape.tasks);
    let mut simulation = Simulation::new(pool, shape);
    let learning = simulation.run(LEARNING);
    let time = effort.time(&learning).max(effort.learnt);
    Result {
        figures: simulation.run(time),
        setting: simulation.client().setting(),
        sockets: simulation.client().sockets(),
        trials: simulation.client().trials().to_vec(),
    }
}

/// The pool with a depth that is set.
pub(super) fn fixed(shape: Shape, connections: usize, depth: usize, effort: Effort) -> Result {
    let pool = Pooled::new(config(connections, Some(depth), 0.0), shape.tasks);
    let mut simulation = Simulation::new(pool, shape);
    let warm_up = simulation.run(WARM_UP);
    // As long as what is learnt: where some answers are late, those behind them are as well, and a short time has too few.
    let time = effort.time(&warm_up).max(effort.learnt);
    Result {
        figures: simulation.run(time),
        setting: simulation.client().setting(),
        sockets: simulation.client().sockets(),
        trials: simulation.client().trials().to_vec(),
    }
}

/// hyper with a socket for each task.
pub(super) fn plain(shape: Shape, effort: Effort) -> Figures {
    let mut simulation = Simulation::new(Plain::new(shape.tasks), shape);
    let warm_up = simulation.run(WARM_UP);
    simulation.run(effort.time(&warm_up))
}

/// A shape with what came of it.
#[derive(Clone, Debug)]
pub(super) struct Contest {
    pub(super) shape: Shape,
    pub(super) learnt: Result,
    /// One for each depth that makes a difference.
    pub(super) fixed: Vec<Result>,
    /// Which of these a user would choose.
    best: usize,
}

impl Contest {
    pub(super) fn hold(shape: Shape, effort: Effort) -> Self {
        // As long as there are as many connections as tasks, no depth is used that is set.
        let useful = DEPTHS.iter().filter(|d| **d == 1 || shape.tasks > 64);
        let fixed: Vec<_> = useful.map(|d| fixed(shape, 64, *d, effort)).collect();
        Self {
            shape,
            learnt: learnt(shape, 0.0, effort),
            best: best(&fixed),
            fixed,
        }
    }

    pub(super) fn best(&self) -> &Result {
        &self.fixed[self.best]
    }

    /// The rate beside that of the best depth, and whether it is enough.
    pub(super) fn rate(&self) -> (f64, bool) {
        let ratio = self.learnt.figures.rate() / self.best().figures.rate();
        (ratio, ratio >= LEAST_RATE)
    }

    /// A percentile beside that of the best depth, and whether it is short enough. It is as far as
    /// samples of this size can tell: where 1 % of the answers are late, the 99th percentile is an
    /// early or a late one by chance.
    pub(super) fn time(&self, share: f64) -> (f64, bool) {
        let (learnt, best) = (&self.learnt.figures, &self.best().figures);
        let samples = 1.0 / learnt.replies as f64 + 1.0 / best.replies as f64;
        let error = 3.0 * (share * (1.0 - share) * samples).sqrt();
        let limit = best.quantile(share) * MOST_TIME;
        let ratio = learnt.quantile(share) / best.quantile(share);
        (ratio, learnt.quantile(share - error) <= limit)
    }

    /// What is not as it should be.
    pub(super) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (what, (ratio, holds)) in [
            ("rate", self.rate()),
            ("p50", self.time(0.5)),
            ("p99", self.time(0.99)),
        ] {
            if !holds {
                failures.push(format!("{what} {ratio:.2}"));
            }
        }
        if self.learnt.figures.changes > 0 {
            failures.push(format!("{} changes", self.learnt.figures.changes));
        }
        failures
    }
}

fn best(fixed: &[Result]) -> usize {
    let rates = fixed.iter().map(|r| r.figures.rate());
    let highest = rates.fold(0.0, f64::max);
    let sum = |r: &Result| r.figures.quantile(0.5) + r.figures.quantile(0.99);
    let fast = |r: &&Result| r.figures.rate() >= LEAST_RATE * highest;
    let least = fixed.iter().filter(fast).map(sum).fold(f64::NAN, f64::min);
    let good = |r: &Result| fast(&r) && sum(r) <= MOST_TIME * least;
    fixed.iter().position(good).unwrap_or_default()
}
