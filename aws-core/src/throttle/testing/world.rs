//! A server with a rate, and callers who want more than it gives: events in virtual time, with the limiter between.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use crate::throttle::limiter::{Ended, Limiter, Ticket, Told};
use crate::throttle::meter::Meter;

/// How a caller limits its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// By the client's own setting, which the limiter knows as the deadline.
    Inside(Duration),
    /// By a timeout around the call, whose own limit is half a minute.
    Outside(Duration),
}

/// What the server and its load are like.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// How many callers there are of each kind; each calls again and again.
    pub(super) callers: Vec<(usize, Limit)>,
    /// Requests per second that the server takes from this second on.
    pub(super) rates: Vec<(u64, f64)>,
    /// How many seconds of its rate the server lets through at once after it was idle.
    pub(super) burst: f64,
    /// How long an answer takes at least, and at most; a refusal takes half of the least.
    pub(super) latency: (Duration, Duration),
    /// How long a caller pauses before its next call.
    pub(super) pause: Duration,
}

/// What came of the load in one span of ten seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    /// What the server would have served.
    pub(super) given: f64,
    /// Answers that their callers waited for.
    pub(super) succeeded: u32,
    pub(super) served: u32,
    pub(super) refused: u32,
    /// Requests that were sent, and whose callers did not wait for the answer.
    pub(super) lost: u32,
    /// Callers with half a minute of time who had no turn.
    pub(super) starved: u32,
}

/// The limit of a client that sets none.
pub(super) const PATIENT: Duration = Duration::from_secs(30);

/// The length of a [`Span`].
pub(super) const SPAN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Call,
    Ask,
    Answer { refused: bool },
    Leave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pausing,
    InLine(Ticket),
    UnderWay { begun: Instant },
}

#[derive(Clone, Copy)]
struct Caller {
    limit: Limit,
    state: State,
    since: Instant,
    /// Counts the steps of a caller, so that an event which is out of date is known.
    step: u32,
    /// When it asks next: as a timer is, the time is set anew whenever it has asked or is woken.
    asks: Option<Instant>,
}

type Event = (Instant, u64, usize, u32, What);

pub(super) struct World {
    setting: Setting,
    start: Instant,
    now: Instant,
    limiter: Option<Limiter>,
    before: Meter,
    callers: Vec<Caller>,
    holders: BTreeMap<Ticket, usize>,
    events: BinaryHeap<Reverse<Event>>,
    number: u64,
    tokens: f64,
    filled: Instant,
    random: fastrand::Rng,
    wake: Vec<Ticket>,
    pub(super) spans: Vec<Span>,
}

impl World {
    pub(super) fn new(setting: Setting, seed: u64) -> Self {
        let now = Instant::now();
        let mut callers = Vec::new();
        for (count, limit) in &setting.callers {
            callers.extend((0..*count).map(|_| Caller {
                limit: *limit,
                state: State::Pausing,
                since: now,
                step: 0,
                asks: None,
            }));
        }
        let mut world = Self {
            setting,
            start: now,
            now,
            limiter: None,
            before: Meter::default(),
            callers,
            holders: BTreeMap::new(),
            events: BinaryHeap::new(),
            number: 0,
            tokens: 0.0,
            filled: now,
            random: fastrand::Rng::with_seed(seed),
            wake: Vec::new(),
            spans: Vec::new(),
        };
        for id in 0..world.callers.len() {
            world.at(now, id, What::Call);
        }
        world
    }

    /// Lets so much time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.start + time;
        while let Some(Reverse((at, _, id, step, what))) = self.events.pop() {
            if at >= end {
                break;
            }
            self.now = at;
            let caller = &self.callers[id];
            match (what, caller.state) {
                // The caller has gone meanwhile.
                _ if caller.step != step => continue,
                (What::Call, _) => self.call(id),
                (What::Ask, State::InLine(ticket)) if caller.asks == Some(at) => {
                    self.ask(id, ticket);
                }
                (What::Answer { refused }, State::UnderWay { begun }) => {
                    self.answer(id, begun, refused);
                }
                (What::Leave, state) => self.leave(id, state),
                // It has asked meanwhile, or asks later.
                (What::Ask, _) => continue,
                (what, state) => panic!("{what:?} in {state:?}"),
            }
            self.wake();
        }
    }

    fn at(&mut self, at: Instant, id: usize, what: What) {
        self.number += 1;
        let step = self.callers[id].step;
        self.events.push(Reverse((at, self.number, id, step, what)));
    }

    fn ask_at(&mut self, at: Instant, id: usize) {
        if self.callers[id].asks != Some(at) {
            self.callers[id].asks = Some(at);
            self.at(at, id, What::Ask);
        }
    }

    fn wake(&mut self) {
        let Some(limiter) = &mut self.limiter else {
            return;
        };
        limiter.advance(self.now, &mut self.wake);
        for ticket in std::mem::take(&mut self.wake) {
            if let Some(id) = self.holders.get(&ticket).copied() {
                self.ask_at(self.now, id);
            }
        }
    }

    fn call(&mut self, id: usize) {
        let now = self.now;
        let caller = &mut self.callers[id];
        caller.since = now;
        caller.step += 1;
        let deadline = match caller.limit {
            Limit::Inside(limit) => now + limit,
            Limit::Outside(_) => now + PATIENT,
        };
        let (Limit::Inside(limit) | Limit::Outside(limit)) = caller.limit;
        self.at(now + limit, id, What::Leave);
        let Some(limiter) = &mut self.limiter else {
            return self.send(id);
        };
        match limiter.join(now, deadline, now) {
            Some(ticket) => {
                self.callers[id].state = State::InLine(ticket);
                self.holders.insert(ticket, id);
                self.callers[id].asks = None;
                self.wake();
                self.ask_at(now, id);
            }
            None => self.late(id),
        }
    }

    fn ask(&mut self, id: usize, ticket: Ticket) {
        let Some(limiter) = &mut self.limiter else {
            return;
        };
        limiter.advance(self.now, &mut self.wake);
        match limiter.ask(ticket, self.now) {
            Told::Turn => {
                self.holders.remove(&ticket);
                self.send(id);
            }
            Told::Wait(until) => {
                self.callers[id].asks = None;
                self.ask_at(until.max(self.now + Duration::from_nanos(1)), id);
            }
            Told::Late => {
                self.holders.remove(&ticket);
                self.late(id);
            }
        }
    }

    fn given(&self) -> f64 {
        let age = (self.now - self.start).as_secs();
        let rates = self.setting.rates.iter().rev();
        let mut rates = rates.filter(|(from, _)| *from <= age);
        rates.next().map_or(0.0, |(_, rate)| *rate)
    }

    fn span(&mut self) -> &mut Span {
        let index = (self.now - self.start).as_secs() / SPAN.as_secs();
        while self.spans.len() <= index as usize {
            let given = self.given() * SPAN.as_secs_f64();
            self.spans.push(Span {
                given,
                ..Span::default()
            });
        }
        &mut self.spans[index as usize]
    }

    fn send(&mut self, id: usize) {
        let now = self.now;
        match &mut self.limiter {
            Some(limiter) => limiter.sent(now),
            None => self.before.count(now - self.start),
        }
        self.callers[id].state = State::UnderWay { begun: now };
        let rate = self.given();
        let since = (now - self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + since * rate).min((rate * self.setting.burst).max(1.0));
        let refused = self.tokens < 1.0;
        let (least, most) = self.setting.latency;
        let latency = if refused {
            self.span().refused += 1;
            least / 2
        } else {
            self.span().served += 1;
            self.tokens -= 1.0;
            least + (most - least).mul_f64(self.random.f64())
        };
        self.at(now + latency, id, What::Answer { refused });
    }

    fn answer(&mut self, id: usize, begun: Instant, refused: bool) {
        let now = self.now;
        let since = self.callers[id].since;
        let ended = if refused {
            Ended::Refused
        } else {
            self.span().succeeded += 1;
            Ended::Served
        };
        match &mut self.limiter {
            Some(limiter) => limiter.ended(ended, since, begun, true, now),
            None if refused => {
                self.limiter = Some(Limiter::new(self.before.copy(), self.start, now));
            }
            None => {}
        }
        self.end(id);
    }

    fn late(&mut self, id: usize) {
        if self.callers[id].limit == Limit::Inside(PATIENT) {
            self.span().starved += 1;
        }
        self.end(id);
    }

    fn leave(&mut self, id: usize, state: State) {
        let now = self.now;
        let Caller { limit, since, .. } = self.callers[id];
        let inside = matches!(limit, Limit::Inside(_));
        if let State::UnderWay { .. } = state {
            self.span().lost += 1;
        }
        if let Some(limiter) = &mut self.limiter {
            match state {
                State::InLine(ticket) => {
                    // The limiter turns those away in time whose deadline it knows.
                    assert!(!inside, "too late in line");
                    limiter.leave(ticket, now);
                    self.holders.remove(&ticket);
                }
                State::UnderWay { begun } => {
                    let ended = if inside {
                        Ended::TimedOut
                    } else {
                        Ended::GaveUp
                    };
                    limiter.ended(ended, since, begun, true, now);
                }
                State::Pausing => {}
            }
        }
        self.end(id);
    }

    fn end(&mut self, id: usize) {
        let caller = &mut self.callers[id];
        caller.step += 1;
        caller.state = State::Pausing;
        let pause = self.setting.pause.mul_f64(self.random.f64() * 2.0);
        self.at(self.now + pause, id, What::Call);
    }
}
