//! How deep connections are pipelined, and on how few: learnt from what callers get.
//!
//! A server that works one connection's requests in order gains at most `1 + RTT / S` from depth (`S`: its time per
//! request); one that works them at once gains as much as its latency is long; and under a long tail every request
//! behind a late one is late too. Where a request costs the two machines more than it takes, requests that share reads
//! and writes are cheaper, so that few connections with many requests each serve faster than many with one. None of
//! this can be asked for, so it is tried.
//!
//! *Problem:* the times on connections do not tell what a depth is worth. A caller's time is the wait for a connection,
//! the wait behind others on it, and the server's time together; a deeper pipeline makes the first shorter and the
//! second longer. And one connection that goes deeper than the others takes a larger share of a busy server, whatever
//! all together gain. *Decision:* the whole endpoint uses another setting for a turn, then the usual one again, and
//! what is compared is the mean time from handing in a request to its reply, or, where fewer connections are tried, the
//! replies per second. The mean decides alone, unless the deeper setting makes more than about 1 % of the callers slow
//! that were not: then a deeper one has to gain 30 % and not 10, and a packed or narrow one is refused. *Cost:* a trial
//! that goes wrong is felt by all callers, for some response times; so the rest after it is many times as long. All
//! values are in [`Tuning`].
//!
//! A [`Setting`] has two numbers and a [`Width`]. Up to `pack` requests, a connection that is in use gets another one
//! before an idle or a new connection does; then connections are opened up to the cap, and filled up to `depth`; the
//! others wait. The width says what the cap is. The usual one is enough wherever requests share connections well, and a
//! socket costs both sides something. It is not enough where many connections wait for late replies. Those take nothing
//! until these come, and what stands behind them is late as well; depth does not help then, as it only puts more behind
//! each of them. It is too much where thousands of callers fill all connections of a quick server: what is under way
//! then, with the answers that no caller has come for yet, is more than a cache holds, and each request costs the more.
//! At a smaller depth each read and write has fewer requests to share its cost, so there have to be fewer connections
//! at full depth, and the others wait in the pool, where they are small.
//!
//! *Problem:* where few connections are tried at a server whose replies are long on their way, callers get a fraction
//! of the rate. A full pipeline does not tell the two cases apart: what is under way takes as long as all of it
//! together, wherever it is. *Decision:* the least latency that a report has shown so far tells what replies take at
//! least, and fewer connections are tried only if they could serve half of the present rate with that latency. *Cost:*
//! where most replies take far longer than that, the trial is made; so there is no other for five minutes after one
//! that cost much. It is the rate that is compared, not the response time: what a caller waits for between being told
//! of its reply and getting to its next request is in no response time, and it is half of what a caller waits for where
//! connections are many. For callers who send at their own pace the rates are the same, so that a narrow setting is not
//! kept.
//!
//! ```text
//!                                  something is worth a trial
//!        ┌─▶ Measuring ───────────────────────────────────────▶ Trying ──┐
//!        │       │                            another trial ▲     │  ▲   │ the other setting and
//!        │       │ nothing is                               └─────┤  └───┘ the usual one take turns
//!        │       ▼                                                │
//!        └─── Resting ◀───────────────────────────────────────────┘
//!                ▲                  all that was worth it is tried
//!                └── the server hangs up amid its first answers
//! ```
//!
//! | trial | when it is worth it |
//! |---|---|
//! | wide | many connections wait for late replies, and requests stand behind others or wait |
//! | deeper | requests wait though all connections are full |
//! | packed | so many replies come that the cost of each is felt, and next to none are slow |
//! | shallower | a deeper setting has just been better, or has not shown for a while that it pays |
//! | spread | the packing has not shown for a while that it pays |
//! | narrow | at least 20,000 replies come per second, hardly any is late, at least twice as many requests are under way as a narrow setting holds, and large messages hold at most half as many connections as it has |
//! | back to usual | a narrow setting has not shown for a while that it pays, or callers wait for longer than when it did |
//!
//! A wide setting is taken back without a trial when hardly a connection waits for a late reply any more: that costs no
//! caller anything, where a trial would close connections that may be needed. A narrow setting is taken back so after
//! two turns in a row in which fewer than 20,000 replies come per second, more than a tenth of its connections wait for
//! late replies, its connections are not full, or it should not have been tried.
//!
//! *Problem:* All is learnt from replies, and no others come once large answers, or late ones, hold all connections of
//! a narrow setting: then requests would wait until these have ended, which may take minutes, where the usual
//! connections have room. *Decision:* A narrow setting is left when requests wait and no reply has come for one second,
//! and is not tried again for five minutes. *Cost:* The endpoint has a timer of one second while requests wait for a
//! narrow setting.

mod sample;
mod setting;
mod spread;
mod trial;
mod tuning;
mod turn;
mod worth;

use std::time::{Duration, Instant};

use self::sample::Window;
use self::spread::Spread;
use self::tuning::Tuning;
use self::turn::{Times, Turn};

pub(crate) use self::sample::{Marks, Sample};
pub(crate) use self::setting::{Setting, Width};
pub(crate) use self::trial::{Trial, TrialOutcome};

/// What is seen of the load when a sample comes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    /// Connections there are.
    pub(crate) connections: usize,
    /// Connections that are being opened.
    pub(crate) opening: usize,
    /// Connections that wait for a late reply.
    pub(crate) stuck: usize,
    /// Requests that wait though no further connection may be opened.
    pub(crate) waiting: usize,
    /// There may be more connections where a wide setting is in use.
    pub(crate) can_widen: bool,
    /// The connections that there may be where a narrow setting is in use; none where none is to be.
    pub(crate) narrow: usize,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// What is usual is looked at, before anything is tried; what comes before it is `settled` is
    /// left out.
    Measuring { settled: bool },
    /// Another setting and the usual one take turns.
    Trying(Trying),
    /// Nothing is tried before `until`; if the mean response time is no more what it was, from
    /// `early` on.
    Resting {
        until: Instant,
        early: Instant,
        response: f64,
    },
}

/// A trial that is under way.
#[derive(Clone, Copy, Debug)]
struct Trying {
    trial: Trial,
    setting: Setting,
    /// Its connections are waited for until then.
    opened_by: Instant,
    /// It is this setting's turn.
    on: bool,
    /// The turns that it had.
    turns: u32,
    /// What was seen with the usual setting, and with this one.
    usual: Window,
    tried: Window,
}

/// The depth of one endpoint, and what is learnt of it.
#[derive(Debug)]
pub(crate) struct DepthControl {
    tuning: &'static Tuning,
    max: usize,
    fixed: bool,
    setting: Setting,
    stage: Stage,
    turn: Option<Turn>,
    spread: Spread,
    /// Trials of this round that were wrong.
    wrong: [bool; Trial::ALL.len()],
    /// Something was changed in this round.
    changed: bool,
    /// How long the next rest takes.
    rest: Duration,
    /// The setting has shown that it pays, and is left alone until then.
    proven_until: Option<Instant>,
    /// The least mean latency of one report, in seconds: what replies take at least. It is set anew to
    /// the latency under a narrow setting when that has lost a trial.
    quickest: f64,
    /// The turns in a row in which nothing spoke for a narrow setting that is in use.
    turns_without_need: u32,
    /// When the last replies came, or requests began to wait, if that was later.
    silent_since: Option<Instant>,
    /// No narrow setting is tried before then, as one has cost callers much or was left for the usual one.
    narrow_not_before: Option<Instant>,
    slow_after: Duration,
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
            setting: Setting::new(if fixed { max } else { 1 }, 1),
            stage: Stage::Measuring { settled: false },
            turn: None,
            spread: Spread::default(),
            wrong: [false; Trial::ALL.len()],
            changed: false,
            rest: tuning.shortest_rest,
            proven_until: None,
            quickest: f64::INFINITY,
            turns_without_need: 0,
            silent_since: None,
            narrow_not_before: None,
            slow_after: Duration::MAX,
            started: false,
            trials: 0,
            outcome: None,
        }
    }

    /// The depth of the endpoint, whatever is tried at the moment.
    pub(crate) fn depth(&self) -> usize {
        self.setting.depth
    }

    /// The setting of the endpoint, whatever is tried at the moment.
    #[cfg(test)]
    pub(crate) fn learnt(&self) -> Setting {
        self.setting
    }

    /// Sets what is learnt.
    #[cfg(test)]
    pub(crate) fn teach(&mut self, setting: Setting) {
        self.setting = setting;
    }

    /// The setting in use now.
    pub(crate) fn setting(&self) -> Setting {
        match &self.stage {
            Stage::Trying(trying) if trying.on => trying.setting,
            _ => self.setting,
        }
    }

    /// The trials decided so far.
    pub(crate) fn trials(&self) -> u64 {
        self.trials
    }

    /// How a trial came out that has ended since this was last asked.
    pub(crate) fn take_outcome(&mut self) -> Option<TrialOutcome> {
        self.outcome.take()
    }

    /// The usual time from sending a request to its reply; zero while it is not known.
    pub(crate) fn usual(&self) -> Duration {
        Duration::from_secs_f64(self.spread.usual())
    }

    /// The same in seconds.
    pub(crate) fn usual_secs(&self) -> f64 {
        self.spread.usual()
    }

    /// After this time without its reply a request is late; nothing while too little is known.
    pub(crate) fn late_after(&self) -> Option<Duration> {
        self.spread.late_after(self.tuning)
    }

    /// What replies are held against from now on.
    pub(crate) fn marks(&self) -> Marks {
        Marks {
            late_after: self.late_after(),
            slow_after: self.slow_after,
        }
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
        self.setting.depth = ((1.0 + rtt / server) as usize).clamp(1, self.max);
    }

    /// The server does not stand pipelining, as it closes after each answer or answers out of shape:
    /// it is spared depth for a while.
    pub(crate) fn forbid(&mut self, now: Instant) {
        if !self.fixed {
            self.setting = Setting::new(1, 1);
            let until = now + self.tuning.forbidden_for;
            self.stage = Stage::Resting {
                until,
                early: until,
                response: 0.0,
            };
            self.turn = None;
        }
    }

    /// Takes in what a connection has to tell, and how much there is to do.
    pub(crate) fn observe(&mut self, sample: &Sample, load: Load, now: Instant) {
        if sample.replies == 0 {
            return;
        }
        self.silent_since = Some(now);
        self.spread.observe(sample, now, self.tuning);
        let latency = sample.latency.as_secs_f64() / sample.replies as f64;
        self.quickest = self.quickest.min(latency);
        if self.fixed {
            return;
        }
        if let Stage::Trying(trying) = &self.stage
            && trying.on
            && trying.trial.opens()
            && load.opening > 0
            && now < trying.opened_by
        {
            let seen = trying.usual;
            return self.begin_trial_turn(trying.trial, &seen, now);
        }
        let turn = self.turn.get_or_insert(Turn::now(self.tuning, now));
        if !turn.add(sample, load, now) {
            return;
        }
        if !matches!(self.stage, Stage::Trying(_)) && turn.seen.heard >= self.tuning.known_replies {
            let slow = Duration::from_secs_f64(turn.seen.response()) * self.tuning.slow_factor;
            self.slow_after = slow.max(self.tuning.slow_min);
        }
        let times = Times {
            longest: self.spread.longest(),
            tuning: self.tuning,
        };
        let over = match self.stage {
            Stage::Measuring { settled } => turn.shows_what_is(settled, load.connections, times),
            _ => turn.is_over(self.tuning),
        };
        if over && let Some(turn) = self.turn.take() {
            self.end_turn(turn.seen, load, now);
        }
    }

    /// How long turns take here.
    fn times(&self) -> Times {
        Times {
            longest: self.spread.longest(),
            tuning: self.tuning,
        }
    }

    /// Begins a turn of a setting that was not in use before, while callers get what was `seen`.
    fn begin_turn(&mut self, seen: &Window, now: Instant) {
        self.turn = Some(self.times().after_a_change(seen, now));
    }

    /// The same of a turn in a trial.
    fn begin_trial_turn(&mut self, trial: Trial, seen: &Window, now: Instant) {
        self.begin_turn(seen, now);
        if let Some(turn) = self.turn.as_mut().filter(|_| trial.is_of_rate()) {
            turn.lengthen(self.tuning.rate_turn);
        }
    }

    /// A turn is over, in which callers got what was `seen`.
    fn end_turn(&mut self, seen: Window, load: Load, now: Instant) {
        match &mut self.stage {
            // There was next to nothing to do.
            Stage::Measuring { .. } if seen.heard < self.tuning.known_replies => {}
            Stage::Measuring { settled: true } => self.choose(&seen, load, now),
            Stage::Measuring { settled } => *settled = true,
            Stage::Resting {
                until,
                early,
                response,
            } => {
                let ratio = seen.response() / response.max(1e-9);
                let changed = self.tuning.changed;
                let narrow = self.setting.width == Width::Narrow;
                // Where callers of few connections wait for less, these are no hindrance.
                let other = ratio > changed || ratio < 1.0 / changed && !narrow;
                let over = now >= *until || now >= *early && other;
                self.count_turns_without_need(&seen, load);
                if self.turns_without_need >= self.tuning.narrow_unneeded_turns {
                    self.setting.width = Width::Usual;
                    self.changed = true;
                    self.rest(&seen, now);
                } else if over && self.turns_without_need == 0 {
                    if other && narrow {
                        // What it has shown held for other times.
                        self.proven_until = None;
                    }
                    self.wrong = Default::default();
                    self.changed = false;
                    self.choose(&seen, load, now);
                } else {
                    self.turn = Some(self.times().further(&seen, now));
                }
            }
            // The load has gone, and what is left of it shows nothing.
            Stage::Trying(_) if seen.heard < self.tuning.known_replies => self.rest(&seen, now),
            // Callers mostly paused, and what they got between their pauses is too little.
            Stage::Trying(trying) if trying.trial.is_of_rate() && seen.busy() < seen.idle => {
                self.rest(&seen, now);
            }
            Stage::Trying(trying) => {
                if trying.on {
                    trying.tried.join(&seen);
                    trying.turns += 1;
                } else {
                    trying.usual.join(&seen);
                }
                let trying = *trying;
                let last = trying.turns >= trying.trial.most_turns(self.tuning);
                let (usual, tried) = (&trying.usual, &trying.tried);
                let verdict = trying.trial.verdict(usual, tried, last, self.tuning);
                match verdict {
                    Some(better) => self.decide(&trying, better, load, now),
                    None => {
                        if let Stage::Trying(trying) = &mut self.stage {
                            trying.on = !trying.on;
                            trying.opened_by = now + self.tuning.longest_turn;
                        }
                        self.begin_trial_turn(trying.trial, usual, now);
                    }
                }
            }
        }
    }

    fn decide(&mut self, trying: &Trying, better: bool, load: Load, now: Instant) {
        self.trials += 1;
        self.outcome = Some(TrialOutcome {
            present: self.setting,
            tried: trying.setting,
            better,
            present_response: trying.usual.response(),
            tried_response: trying.tried.response(),
            present_rate: trying.usual.rate_without_pauses(),
            tried_rate: trying.tried.rate_without_pauses(),
        });
        let tuning = self.tuning;
        let took = self.times().looks_for(&trying.usual) * tuning.proven_factor;
        let proven = now + took.clamp(tuning.proven_for, tuning.longest_rest);
        match (trying.trial, better) {
            // It may be deeper than it has to be: half of that is tried next.
            (Trial::Deeper, true) => self.proven_until = None,
            (Trial::Shallower, true) => self.wrong[Trial::Deeper as usize] = true,
            (Trial::Packed | Trial::Narrow, true)
            | (Trial::Shallower | Trial::Spread | Trial::BackToUsual, false) => {
                self.proven_until = Some(proven);
            }
            // Replies took this long although fewer requests were under way: `quickest` was too low.
            (Trial::Narrow, false) => {
                self.quickest = trying.tried.latency();
                if trying.tried.rate_without_pauses() * tuning.changed
                    < trying.usual.rate_without_pauses()
                {
                    self.narrow_not_before = Some(now + tuning.narrow_rest);
                }
            }
            (Trial::BackToUsual, true) => {
                self.quickest = trying.usual.latency();
                let much = trying.usual.rate_without_pauses() * tuning.changed
                    < trying.tried.rate_without_pauses();
                let rest = if much {
                    tuning.narrow_rest
                } else {
                    tuning.longest_rest
                };
                self.narrow_not_before = Some(now + rest);
            }
            _ => {}
        }
        if better {
            self.setting = trying.setting;
            self.changed = true;
            self.choose(&trying.tried, load, now);
        } else {
            self.wrong[trying.trial as usize] = true;
            self.choose(&trying.usual, load, now);
        }
    }

    /// Nothing is worth a trial for a while: for longer and longer, unless something was changed.
    fn rest(&mut self, seen: &Window, now: Instant) {
        let tuning = self.tuning;
        let wrong = self.wrong.contains(&true);
        let least = match wrong {
            true => self.times().looks_for(seen) * tuning.rest_factor,
            false => tuning.shortest_rest,
        };
        self.rest = match self.changed {
            true => tuning.shortest_rest,
            false => self.rest * 2,
        };
        self.rest = self.rest.max(least).min(tuning.longest_rest);
        self.stage = Stage::Resting {
            until: now + self.rest,
            early: match self.setting.width {
                // One that no longer fits costs callers more than a trial does.
                Width::Narrow => now + tuning.shortest_rest,
                _ => now + tuning.shortest_rest.max(self.rest / 8),
            },
            response: seen.response(),
        };
        // The next look begins when the usual setting is in use again.
        self.begin_turn(seen, now);
    }
}

#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
