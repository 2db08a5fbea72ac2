//! How deep to pipeline at an endpoint: learnt from what its connections really answer.
//!
//! A server that works one connection's requests in order gains at most `1 + RTT / S` from depth
//! (`S`: its time per request); one that works them at once gains as much as its latency is long;
//! and under a long tail every request behind a late one is late too. None of this can be asked
//! for, so it is measured: one connection goes twice as deep as the others for a while, and the
//! rest follow if it answers clearly more per second and its tail is no worse. Now and then one
//! goes half as deep, to see whether the depth still pays.
//!
//! *Problem:* where one answer in some hundreds is late by a hundred times what is usual, a deeper
//! connection answers more per second, as it takes a larger share of the server, and makes every
//! request behind a late one late. *Decision:* nothing is judged before late answers have had the time
//! to come; that a server has a tail is remembered between trials; and then a deeper connection has to
//! show, over some dozens of late answers, that its share of them is that of the others. What was
//! under way in a pause of all connections is left out. *Cost:* at a server with a tail a trial takes
//! up to 20,000 replies or 10 s. All values are in [`Tuning`].
//!
//! ```text
//!                    enough replies              a verdict that says "better":
//!        ┌─▶ Before ────────────────▶ During ──────────────┐ the same way on
//!        │      ▲                       │  │               │
//!        │      └───────────────────────┼──┼───────────────┘
//!        │                              │  └─ a wrong way up, and the depth is over 1:
//!        │ the rest is over             │     Before the way down
//!        │                              ▼
//!        └─────────────────────────── Resting ◀── the server hangs up amid its first answers
//!                       both ways are wrong, the
//!                       trial is overdue, or its
//!                       connection is gone
//! ```

mod sample;
mod tail;
mod trial;
mod tuning;

use std::time::{Duration, Instant};

use self::tail::Tail;
use self::trial::Comparison;
use self::tuning::Tuning;
use super::connection::ConnId;

pub(crate) use self::sample::Sample;
pub(crate) use self::trial::{Trial, TrialOutcome};

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Measuring what is, before a trial.
    Before(Trial),
    /// One connection tries another depth.
    During {
        trial: Trial,
        conn: ConnId,
        since: Instant,
    },
    /// Nothing is tried before this instant.
    Resting { until: Instant },
}

/// The depth of one endpoint, and what is learnt of it.
#[derive(Debug)]
pub(crate) struct DepthControl {
    tuning: &'static Tuning,
    max: usize,
    fixed: bool,
    depth: usize,
    stage: Stage,
    /// How long the next rest takes.
    rest: Duration,
    comparison: Comparison,
    tail: Tail,
    /// The usual time from sending a request to its reply, in seconds; 0 while it is not known.
    usual: f64,
    started: bool,
    trials: u64,
    /// How the last trial came out, until somebody asks.
    outcome: Option<TrialOutcome>,
}

impl DepthControl {
    /// The control of a depth up to `max`, which is the depth from the beginning if it is `fixed`.
    pub(crate) fn new(max: usize, fixed: bool) -> Self {
        let tuning = &Tuning::DEFAULT;
        Self {
            tuning,
            max,
            fixed: fixed || max == 1,
            depth: if fixed { max } else { 1 },
            stage: Stage::Before(Trial::Up),
            rest: tuning.shortest_rest,
            comparison: Comparison::default(),
            tail: Tail::default(),
            usual: 0.0,
            started: false,
            trials: 0,
            outcome: None,
        }
    }

    /// The depth of the endpoint.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The trials decided so far.
    pub(crate) fn trials(&self) -> u64 {
        self.trials
    }

    /// How a trial came out that has ended since this was last asked.
    pub(crate) fn take_outcome(&mut self) -> Option<TrialOutcome> {
        self.outcome.take()
    }

    /// The depth that this connection may go to now.
    pub(crate) fn depth_of(&self, conn: ConnId) -> usize {
        match self.stage {
            Stage::During {
                trial, conn: tried, ..
            } if tried == conn => self.depth_in(trial),
            _ => self.depth,
        }
    }

    /// The depths of all connections: that of the endpoint, and that of the one that tries another.
    pub(crate) fn depths(&self) -> (usize, Option<(ConnId, usize)>) {
        let tried = match self.stage {
            Stage::During { trial, conn, .. } => Some((conn, self.depth_in(trial))),
            _ => None,
        };
        (self.depth, tried)
    }

    fn depth_in(&self, trial: Trial) -> usize {
        match trial {
            Trial::Up => (self.depth * 2).min(self.max),
            Trial::Down => (self.depth / 2).max(1),
        }
    }

    /// The usual time from sending a request to its reply; zero while it is not known.
    pub(crate) fn usual(&self) -> Duration {
        Duration::from_secs_f64(self.usual)
    }

    /// The same in seconds.
    pub(crate) fn usual_secs(&self) -> f64 {
        self.usual
    }

    /// After this time without its reply a request is late; nothing while too little is known.
    pub(crate) fn late_after(&self) -> Option<Duration> {
        let late = || self.usual() * self.tuning.late_factor;
        (self.usual > 0.0).then(|| late().max(self.tuning.late_min))
    }

    /// The first reply has come: `latency` after its request, from a server whose round trip takes
    /// `rtt`. The most that depth can give a server that works in order is where the search starts.
    pub(crate) fn start(&mut self, rtt: Option<Duration>, latency: Duration) {
        if std::mem::replace(&mut self.started, true) || self.fixed {
            return;
        }
        let Some(rtt) = rtt.filter(|rtt| *rtt >= self.tuning.min_rtt) else {
            return;
        };
        let rtt = rtt.as_secs_f64();
        let server = (latency.as_secs_f64() - rtt).max(rtt / 1e3).max(1e-6);
        self.depth = ((1.0 + rtt / server) as usize).clamp(1, self.max);
    }

    /// The server does not stand pipelining, as it closes after each answer or answers out of shape:
    /// it is spared depth for a while.
    pub(crate) fn forbid(&mut self, now: Instant) {
        if !self.fixed {
            self.depth = 1;
            self.rest(now, self.tuning.forbidden_for);
        }
    }

    /// A connection is gone: a trial on it ends without a result.
    pub(crate) fn forget(&mut self, gone: ConnId, now: Instant) {
        if let Stage::During { conn, .. } = self.stage
            && conn == gone
        {
            self.rest(now, self.tuning.shortest_rest);
        }
    }

    fn rest(&mut self, now: Instant, rest: Duration) {
        self.stage = Stage::Resting { until: now + rest };
        self.comparison.reset();
    }

    /// Takes in what a connection has to tell; `connections` is how many there are.
    pub(crate) fn observe(
        &mut self,
        conn: ConnId,
        sample: &Sample,
        connections: usize,
        now: Instant,
    ) {
        if sample.replies == 0 {
            return;
        }
        let late_after = self.late_after();
        let sample = self
            .tail
            .observe(sample, late_after, connections, now, self.tuning);
        self.observe_latency(&sample);
        let Some(full) = sample.full else { return };
        if self.fixed {
            return;
        }
        match self.stage {
            Stage::Resting { until } if now < until => {}
            Stage::Resting { .. } => self.before(Trial::Up),
            Stage::Before(trial) => {
                self.comparison.control.add(&sample, full);
                if self.depth_in(trial) == self.depth {
                    self.go_on(trial, false, now);
                } else if self.comparison.control.replies >= self.replies_before(connections) {
                    if connections > 1 {
                        // The others are measured at the same time, under the same load.
                        self.comparison.reset();
                    }
                    self.stage = Stage::During {
                        trial,
                        conn,
                        since: now,
                    };
                }
            }
            Stage::During {
                trial,
                conn: tried,
                since,
            } => {
                let side = match tried == conn {
                    true => &mut self.comparison.tried,
                    false => &mut self.comparison.control,
                };
                side.add(&sample, full);
                let overdue = now.saturating_duration_since(since) > self.tuning.longest_trial;
                let verdict = self
                    .comparison
                    .verdict(trial, &self.tail, overdue, self.tuning);
                match verdict {
                    Some(better) => self.decide(trial, better, now),
                    None if overdue => self.rest(now, self.tuning.shortest_rest),
                    None => {}
                }
            }
        }
    }

    /// The replies that are seen before a trial begins. A single connection is compared with them.
    fn replies_before(&self, connections: usize) -> u64 {
        match connections {
            0 | 1 => self.tuning.enough_replies,
            several => self.tuning.settled_replies * several as u64,
        }
    }

    /// Late replies count for a few times what is usual only: one of them must not become the new
    /// usual, while a server that slows down as a whole does so within some replies.
    fn observe_latency(&mut self, sample: &Sample) {
        let mean = sample.latency.as_secs_f64() / sample.replies as f64;
        if self.usual == 0.0 {
            self.usual = mean.max(1e-6);
            return;
        }
        let tuning = self.tuning;
        let weight = (sample.replies as f64 / tuning.usual_replies).min(tuning.usual_weight);
        self.usual += (mean.min(tuning.usual_cap * self.usual) - self.usual) * weight;
    }

    fn decide(&mut self, trial: Trial, better: bool, now: Instant) {
        self.trials += 1;
        self.outcome = Some(TrialOutcome {
            depth: self.depth,
            trial,
            better,
            tried_rate: self.comparison.tried.rate(),
            usual_rate: self.comparison.control.rate(),
        });
        if better {
            self.depth = self.depth_in(trial);
            self.rest = self.tuning.shortest_rest;
        }
        self.go_on(trial, better, now);
    }

    /// What comes after a trial: the same way on if it was right; after a wrong way up the way
    /// down; after both a rest, longer each time.
    fn go_on(&mut self, trial: Trial, better: bool, now: Instant) {
        match (trial, better) {
            (Trial::Up, true) if self.depth < self.max => self.before(Trial::Up),
            (Trial::Down, true) if self.depth > 1 => self.before(Trial::Down),
            (Trial::Up, false) if self.depth > 1 => self.before(Trial::Down),
            _ => {
                self.rest(now, self.rest);
                self.rest = (self.rest * 2).min(self.tuning.longest_rest);
            }
        }
    }

    fn before(&mut self, trial: Trial) {
        self.stage = Stage::Before(trial);
        self.comparison.reset();
    }
}

#[cfg(test)]
mod tests;
