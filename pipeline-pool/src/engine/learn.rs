//! How deep to pipeline at an endpoint: learnt from what its connections really answer.
//!
//! A server that works one connection's requests in order gains at most `1 + RTT / S` from depth
//! (`S`: its time per request); one that works them at once gains as much as its latency is long;
//! and under a long tail every request behind a late one is late too. None of this can be asked
//! for, so it is measured: one connection goes twice as deep as the others for a while, and the
//! rest follow if it answers clearly more per second and its tail is no worse. Now and then one
//! goes half as deep, to see whether the depth still pays.

use std::time::{Duration, Instant};

use super::slot::ConnId;

/// Replies that a comparison needs on each side.
const ENOUGH: u64 = 128;
/// Replies of each connection before one of them tries another depth: in a burst that is over
/// before that, a request behind another one would only be the last to be answered.
const SETTLED: u64 = 4;
/// Replies after which a clear difference decides at once.
const CLEAR: u64 = 32;
/// Gain that a doubled depth must bring.
const GAIN: f64 = 1.1;
/// The longest that a trial takes.
const TRIAL: Duration = Duration::from_secs(10);
/// The shortest and longest rest between two rounds of trials.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long a server that misbehaves under pipelining is spared it.
const SPARE: Duration = Duration::from_secs(60);
/// A reply is late when it takes this many times what is usual, and at least [`LATE_MIN`].
const LATE: u32 = 8;
const LATE_MIN: Duration = Duration::from_millis(5);
/// Late replies from which on a server has a tail.
const TAIL: u64 = 5;
/// Late replies that are expected of a trial before its tail is judged, and the replies that it
/// waits for at most.
const TAIL_ENOUGH: (f64, u64) = (64.0, 20_000);
/// It shows whether a server has a tail after so many replies and so long, as a late reply is
/// not seen before it comes; at the latest after the longer time.
const KNOWN: (u64, Duration, Duration) = (2000, Duration::from_millis(300), Duration::from_secs(1));
/// Expected late replies after which no more than these decide at once.
const TAIL_SAME: f64 = 16.0;
/// Replies after which those before them count half.
const HISTORY: u64 = 10_000;
/// Late replies after which twice as many as expected decide at once.
const TAIL_CLEAR: u64 = 24;
/// How many times the expected late replies make a worse tail: between none more and twice as many.
const TAIL_WORSE: f64 = 1.4;
/// A round trip below this may be the noise of a busy machine, and the search is quick without
/// a start.
const RTT_MIN: Duration = Duration::from_millis(5);

/// What a connection has to tell after some replies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) replies: u64,
    /// How long it took, if the connection was as deep as it may be all the time.
    pub(crate) full: Option<Duration>,
    /// The sum of the times from sending a request to its reply.
    pub(crate) latency: Duration,
    /// Replies that were late, or stood behind one that was.
    pub(crate) late: u64,
}

impl Sample {
    /// The head of a reply has come for a request sent at `sent_at`.
    pub(crate) fn answered(
        &mut self,
        sent_at: Option<Instant>,
        late_after: Option<Duration>,
        now: Instant,
    ) {
        let latency = sent_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.replies += 1;
        self.latency += latency;
        self.late += u64::from(late_after.is_some_and(|limit| latency > limit));
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    replies: u64,
    secs: f64,
    late: u64,
}

impl Window {
    fn add(&mut self, sample: &Sample, full: Duration) {
        self.replies += sample.replies;
        self.secs += full.as_secs_f64();
        self.late += sample.late;
    }

    fn rate(&self) -> f64 {
        self.replies as f64 / self.secs.max(1e-9)
    }

    fn late_share(&self) -> f64 {
        self.late as f64 / self.replies.max(1) as f64
    }
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Measuring what is, before a trial.
    Before(Trial),
    /// One connection tries another depth.
    During {
        trial: Trial,
        conn: ConnId,
        since: Instant,
    },
    Resting {
        until: Instant,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    Up,
    Down,
}

/// What came of a trial.
#[derive(Debug)]
pub(crate) struct Decided {
    depth: usize,
    trial: Trial,
    better: bool,
    /// Replies per second at the depth tried, and at the usual one.
    tried: f64,
    usual: f64,
}

impl Decided {
    #[cfg(test)]
    pub(crate) fn of_a_test() -> Self {
        Self {
            depth: 1,
            trial: Trial::Up,
            better: true,
            tried: 2.0,
            usual: 1.0,
        }
    }

    /// Tells the log. To be called with nothing locked, as a subscriber may use the pool.
    pub(crate) fn log(&self) {
        tracing::debug!(
            depth = self.depth,
            trial = ?self.trial,
            better = self.better,
            tried = self.tried,
            usual = self.usual,
            "depth tried"
        );
    }
}

/// What is learnt of one endpoint.
#[derive(Debug)]
pub(crate) struct Learn {
    max: usize,
    fixed: bool,
    depth: usize,
    phase: Phase,
    rest: Duration,
    /// The others, or the time before the trial when there are no others.
    control: Window,
    tried: Window,
    /// All replies of late, older ones with less weight: whether the server has a tail is
    /// remembered from one trial to the next.
    history: Window,
    /// The usual time from sending a request to its reply, in seconds.
    usual: f64,
    started: bool,
    /// When the first reply was seen, and how long that was ago.
    since: Option<Instant>,
    age: Duration,
    trials: u64,
    /// What came of the last trial, until somebody asks.
    decided: Option<Decided>,
    /// When any connection was last answered, and when the last pause of all of them ended.
    heard: Option<Instant>,
    paused: Option<Instant>,
}

/// The replies that are seen before a trial begins. A single connection is compared with them.
fn before_trial(connections: usize) -> u64 {
    match connections {
        0 | 1 => ENOUGH,
        several => SETTLED * several as u64,
    }
}

impl Learn {
    pub(crate) fn new(max: usize, fixed: bool) -> Self {
        Self {
            max,
            fixed: fixed || max == 1,
            depth: if fixed { max } else { 1 },
            phase: Phase::Before(Trial::Up),
            rest: REST.0,
            control: Window::default(),
            tried: Window::default(),
            history: Window::default(),
            usual: 0.0,
            started: false,
            since: None,
            age: Duration::ZERO,
            trials: 0,
            decided: None,
            heard: None,
            paused: None,
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

    /// What came of a trial that has ended since this was last asked.
    pub(crate) fn take_decided(&mut self) -> Option<Decided> {
        self.decided.take()
    }

    /// The depth that this connection may go to now.
    pub(crate) fn depth_of(&self, conn: ConnId) -> usize {
        match self.phase {
            Phase::During {
                trial, conn: tried, ..
            } if tried == conn => self.depth_in(trial),
            _ => self.depth,
        }
    }

    /// The depths of all connections: that of the endpoint, and that of the one that tries another.
    pub(crate) fn depths(&self) -> (usize, Option<(ConnId, usize)>) {
        let tried = match self.phase {
            Phase::During { trial, conn, .. } => Some((conn, self.depth_in(trial))),
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

    /// The usual time from sending a request to its reply.
    pub(crate) fn usual(&self) -> Duration {
        Duration::from_secs_f64(self.usual)
    }

    /// The same in seconds.
    pub(crate) fn usual_secs(&self) -> f64 {
        self.usual
    }

    /// After this time without its reply a request is late; nothing while too little is known.
    pub(crate) fn late_after(&self) -> Option<Duration> {
        (self.usual > 0.0).then(|| (self.usual() * LATE).max(LATE_MIN))
    }

    /// The first reply has come: `latency` after its request, from a server whose round trip takes
    /// `rtt`. The most that depth can give a server that works in order is where the search starts.
    pub(crate) fn start(&mut self, rtt: Option<Duration>, latency: Duration) {
        if std::mem::replace(&mut self.started, true) || self.fixed {
            return;
        }
        let Some(rtt) = rtt.filter(|rtt| *rtt >= RTT_MIN) else {
            return;
        };
        let rtt = rtt.as_secs_f64();
        let server = (latency.as_secs_f64() - rtt).max(rtt / 1e3).max(1e-6);
        self.depth = ((1.0 + rtt / server) as usize).clamp(1, self.max);
    }

    /// The server does not stand pipelining: it closes after each answer, or answers out of shape.
    pub(crate) fn spare(&mut self, now: Instant) {
        if !self.fixed {
            self.depth = 1;
            self.rest(now, SPARE);
        }
    }

    /// A connection is gone: a trial on it ends without a result.
    pub(crate) fn forget(&mut self, gone: ConnId, now: Instant) {
        if let Phase::During { conn, .. } = self.phase
            && conn == gone
        {
            self.rest(now, REST.0);
        }
    }

    fn rest(&mut self, now: Instant, rest: Duration) {
        self.phase = Phase::Resting { until: now + rest };
        self.control = Window::default();
        self.tried = Window::default();
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
        let sample = &self.without_pause(sample, connections, now);
        self.age = now.saturating_duration_since(*self.since.get_or_insert(now));
        self.observe_latency(sample);
        self.history.add(sample, Duration::ZERO);
        if self.history.replies > HISTORY {
            self.history.replies /= 2;
            self.history.late /= 2;
        }
        let Some(full) = sample.full else { return };
        if self.fixed {
            return;
        }
        match self.phase {
            Phase::Resting { until } if now < until => {}
            Phase::Resting { .. } => self.before(Trial::Up),
            Phase::Before(trial) => {
                self.control.add(sample, full);
                if self.depth_in(trial) == self.depth {
                    self.next(trial, false, now);
                } else if self.control.replies >= before_trial(connections) {
                    if connections > 1 {
                        // The others are measured at the same time, under the same load.
                        self.control = Window::default();
                    }
                    self.phase = Phase::During {
                        trial,
                        conn,
                        since: now,
                    };
                }
            }
            Phase::During {
                trial,
                conn: tried,
                since,
            } => {
                if tried == conn {
                    self.tried.add(sample, full);
                } else {
                    self.control.add(sample, full);
                }
                let overdue = now.saturating_duration_since(since) > TRIAL;
                match self.verdict(trial, overdue) {
                    Some(better) => self.decide(trial, better, now),
                    None if overdue => self.rest(now, REST.0),
                    None => {}
                }
            }
        }
    }

    /// Leaves out late replies that are the fault of a pause: where no connection at all was
    /// answered for a while, this machine was busy with something else, or the server as a whole
    /// was. That is no tail, which holds up one connection and not the others, and it says nothing
    /// about depth.
    fn without_pause(&mut self, sample: &Sample, connections: usize, now: Instant) -> Sample {
        let mut sample = *sample;
        let heard = self.heard.replace(now);
        let Some(limit) = self.late_after().filter(|_| connections > 1) else {
            return sample;
        };
        let ago = |at: Instant| now.saturating_duration_since(at);
        if heard.is_some_and(|at| ago(at) >= limit / 2) {
            self.paused = Some(now);
        }
        // What comes until then was under way during the pause.
        if self.paused.is_some_and(|at| ago(at) <= limit) {
            sample.late = 0;
        }
        sample
    }

    /// Late replies count for at most four times what is usual: one of them must not become the
    /// new usual, while a server that slows down as a whole does so within some replies.
    fn observe_latency(&mut self, sample: &Sample) {
        let mean = sample.latency.as_secs_f64() / sample.replies as f64;
        if self.usual == 0.0 {
            self.usual = mean.max(1e-6);
            return;
        }
        let weight = (sample.replies as f64 / 64.0).min(0.5);
        self.usual += (mean.min(4.0 * self.usual) - self.usual) * weight;
    }

    /// Whether the depth tried is the better one, once that is clear; overdue, as far as can be told.
    fn verdict(&self, trial: Trial, overdue: bool) -> Option<bool> {
        let (tried, control) = (&self.tried, &self.control);
        if tried.replies < CLEAR || control.replies < CLEAR {
            return None;
        }
        let ratio = tried.rate() / control.rate();
        let (replies, soon, sure) = KNOWN;
        let known = self.age >= sure || self.history.replies >= replies && self.age >= soon;
        let few = !known || tried.replies < ENOUGH || control.replies < ENOUGH;
        let tail = control.late.max(tried.late).max(self.history.late) >= TAIL;
        if few && !overdue && (tail || !known || (0.75..1.5).contains(&ratio)) {
            return None;
        }
        // The deeper side of the comparison is held to what the shallower one shows.
        let (deep, shallow) = match trial {
            Trial::Up => (tried, control),
            Trial::Down => (control, tried),
        };
        let expected = control.late_share() * tried.replies as f64;
        // What is plain early on need not wait for the full evidence.
        let late = tried.late as f64;
        let plain = trial == Trial::Up
            && (tried.late >= TAIL_CLEAR && late > 2.0 * expected
                || expected >= TAIL_SAME && late <= expected);
        let evidence = expected >= TAIL_ENOUGH.0 || tried.replies >= TAIL_ENOUGH.1;
        if tail && !(plain || evidence || overdue) {
            return None;
        }
        let worse =
            tail && deep.late >= TAIL && deep.late_share() > TAIL_WORSE * shallow.late_share();
        Some(match trial {
            Trial::Up => ratio >= GAIN && !worse,
            Trial::Down => ratio >= 1.0 / GAIN || worse,
        })
    }

    fn decide(&mut self, trial: Trial, better: bool, now: Instant) {
        self.trials += 1;
        self.decided = Some(Decided {
            depth: self.depth,
            trial,
            better,
            tried: self.tried.rate(),
            usual: self.control.rate(),
        });
        if better {
            self.depth = self.depth_in(trial);
            self.rest = REST.0;
        }
        self.next(trial, better, now);
    }

    /// What comes after a trial: the same way on if it was right; after a wrong way up the way
    /// down; after both a rest, longer each time.
    fn next(&mut self, trial: Trial, better: bool, now: Instant) {
        match (trial, better) {
            (Trial::Up, true) if self.depth < self.max => self.before(Trial::Up),
            (Trial::Down, true) if self.depth > 1 => self.before(Trial::Down),
            (Trial::Up, false) if self.depth > 1 => self.before(Trial::Down),
            _ => {
                self.rest(now, self.rest);
                self.rest = (self.rest * 2).min(REST.1);
            }
        }
    }

    fn before(&mut self, trial: Trial) {
        self.phase = Phase::Before(trial);
        self.control = Window::default();
        self.tried = Window::default();
    }
}

#[cfg(test)]
mod tests;
