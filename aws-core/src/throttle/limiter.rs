//! Who may send to one server that has asked for fewer requests, and when: values and the time in, decisions out.
//!
//! A caller's way:
//!
//! ```text
//!           join                     grant                    take             sent             ended
//!  caller ───────► waiting in line ─────────► has been granted ────► has a turn ────► is under way ────► done
//!     │                │      │                     │                    │                 │
//!     │ too late       │      │ gave up             │ gave up,           │ not used        │ gave up
//!     ▼                ▼      ▼                     ▼ or too late        ▼                 ▼
//!   busy             busy    gone: the line     the turn is given back to the line    its time is learnt from
//!                            closes up
//! ```
//!
//! **Too late** is a turn after which the usual time of an answer no longer fits before the deadline. A caller whose
//! turn would be too late by the rate of now is turned away as it joins; one for whom it becomes too late in line is
//! turned away then. Nothing was sent for either. An answer is never taken to need more than half of a caller's whole
//! time, so that a server that has become slow is still tried.
//!
//! **The order** is by the start of the call: who has waited longest is first. That is right as long as the line
//! knows how long each will wait. It fails when callers give up without a word (a timeout around the call): a line
//! that is longer than their patience then serves everybody an instant before he leaves, and every answer is for
//! nobody. So while callers give up, those who have waited no longer than any of them are served the other way round,
//! newest first, in turn with those who have waited longer, who have shown that they are of another kind.
//!
//! **Tokens** come at the [`Rate`]; each turn takes one. A turn that is given back gives its token to the next.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::meter::Meter;
use super::patience::{AnswerTime, Patience};
use super::rate::Rate;

/// A place in line: by the start of the call, then by the order of joining.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket {
    since: Instant,
    number: u64,
}

/// What a caller in line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It has its turn.
    Turn,
    /// It has to ask again at this time, or when it is woken.
    Wait(Instant),
    /// An answer would come too late.
    Late,
}

/// How a request that was sent has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The server has answered it, and not refused it.
    Served,
    /// The server refused it, for there are too many.
    Refused,
    /// No answer came in time.
    TimedOut,
    /// The request failed in another way.
    Failed,
    /// The caller does not wait for the answer any more.
    GaveUp,
}

/// The limiter of one server.
#[derive(Debug)]
pub(super) struct Limiter {
    rate: Rate,
    answers: AnswerTime,
    patience: Patience,
    /// The callers in line, and when a turn is too late for each.
    waiting: BTreeMap<Ticket, Instant>,
    /// The callers that have been granted a turn and have not taken it yet, and when it is too late for that.
    granted: BTreeMap<Ticket, Instant>,
    joined: u64,
    /// Whether the last turn went to a patient caller while impatient ones waited.
    was_patient: bool,
    /// The caller in line who is woken when the next token is there.
    first: Option<Ticket>,
}

impl Limiter {
    /// The limiter after the first refusal; `sent` has counted what was sent before it, by its age since `epoch`.
    pub(super) fn new(sent: Meter, epoch: Instant, now: Instant) -> Self {
        Self {
            rate: Rate::new(sent, epoch, now),
            answers: AnswerTime::default(),
            patience: Patience::new(now),
            waiting: BTreeMap::new(),
            granted: BTreeMap::new(),
            joined: 0,
            was_patient: false,
            first: None,
        }
    }

    /// When a request was refused last that told something of the rate.
    pub(super) fn last_cut(&self) -> Instant {
        self.rate.cut_at()
    }

    /// A place in line for a call that was begun at `since`; nothing if its turn would be too late.
    pub(super) fn join(
        &mut self,
        since: Instant,
        deadline: Instant,
        now: Instant,
    ) -> Option<Ticket> {
        let whole = deadline.saturating_duration_since(since);
        let answer = self.answers.usual().min(whole / 2);
        let latest = deadline.checked_sub(answer)?;
        let number = self.joined;
        let ticket = Ticket { since, number };
        let ahead = match self.patience.limit(now) {
            // Newest first.
            Some(_) => 0,
            None => match self.waiting.last_key_value() {
                Some((last, _)) if *last > ticket => self.waiting.range(..ticket).count(),
                _ => self.waiting.len(),
            },
        };
        let wait = self.rate.time_to((ahead + 1) as f64, now);
        if wait > latest.checked_duration_since(now)? {
            return None;
        }
        self.joined += 1;
        self.waiting.insert(ticket, latest);
        Some(ticket)
    }

    /// The caller whose turn is next, and whether it is a patient one.
    fn next(&mut self, now: Instant) -> Option<(Ticket, bool)> {
        let (oldest, _) = self.waiting.first_key_value()?;
        let Some(limit) = self.patience.limit(now) else {
            return Some((*oldest, false));
        };
        let (newest, _) = self.waiting.last_key_value()?;
        let is_patient = |ticket: &Ticket| now.saturating_duration_since(ticket.since) > limit;
        let patient = is_patient(oldest) && (is_patient(newest) || !self.was_patient);
        Some((if patient { *oldest } else { *newest }, patient))
    }

    /// Grants the turns that are due, and adds to `wake` the callers who have to ask again.
    pub(super) fn advance(&mut self, now: Instant, wake: &mut Vec<Ticket>) {
        while let Some((ticket, patient)) = self.next(now) {
            let latest = self.waiting.get(&ticket).filter(|latest| **latest >= now);
            let latest = latest.copied();
            if latest.is_some() && !self.rate.take(now) {
                // It has to look after the next token now, and did not know it.
                if self.first != Some(ticket) {
                    self.first = Some(ticket);
                    wake.push(ticket);
                }
                return;
            }
            self.waiting.remove(&ticket);
            wake.push(ticket);
            if let Some(latest) = latest {
                self.was_patient = patient;
                self.granted.insert(ticket, latest);
            }
        }
        self.first = None;
    }

    /// What a caller in line is told; turns have been [granted](Self::advance) as far as they are due. Who is told
    /// [`Told::Turn`] or [`Told::Late`] is in line no more.
    pub(super) fn ask(&mut self, ticket: Ticket, now: Instant) -> Told {
        if let Some(latest) = self.granted.remove(&ticket) {
            if latest < now {
                self.rate.give_back();
                return Told::Late;
            }
            self.patience.had_turn(now);
            return Told::Turn;
        }
        let Some(latest) = self.waiting.get(&ticket).copied() else {
            return Told::Late;
        };
        if latest < now {
            self.waiting.remove(&ticket);
            return Told::Late;
        }
        // All but the first look again when the whole line should have had its turn: that the first one's thread
        // stands still must not hold up the others.
        let tokens = match self.first {
            Some(first) if first == ticket => 1,
            _ => self.waiting.len() + 1,
        };
        let soon = now.checked_add(self.rate.time_to(tokens as f64, now));
        let too_late = latest + Duration::from_nanos(1);
        Told::Wait(soon.map_or(too_late, |soon| soon.min(too_late)))
    }

    /// Notes that a caller in line has given up.
    pub(super) fn leave(&mut self, ticket: Ticket, now: Instant) {
        if self.granted.remove(&ticket).is_some() {
            self.rate.give_back();
        } else if self.waiting.remove(&ticket).is_none() {
            return;
        }
        let waited = now.saturating_duration_since(ticket.since);
        self.patience.gave_up(waited, now);
    }

    /// Takes back a turn for which nothing was sent.
    pub(super) fn give_back(&mut self) {
        self.rate.give_back();
    }

    /// Notes that a request is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.rate.count_sent(now);
    }

    /// Notes how a request has ended whose call was begun at `since`, and which had its turn at `begun`. `is_usual`
    /// says whether the time of its answer can be compared with that of others.
    pub(super) fn ended(
        &mut self,
        ended: Ended,
        since: Instant,
        begun: Instant,
        is_usual: bool,
        now: Instant,
    ) {
        let took = now.saturating_duration_since(begun);
        match ended {
            Ended::Served => {
                self.rate.count_served(now);
                if is_usual {
                    self.answers.heard(took);
                }
            }
            Ended::Refused => self.refused(begun, now),
            Ended::TimedOut if is_usual => self.answers.missed(took),
            Ended::TimedOut | Ended::Failed => {}
            Ended::GaveUp => {
                if is_usual {
                    self.answers.missed(took);
                }
                let waited = now.saturating_duration_since(since);
                self.patience.gave_up(waited, now);
            }
        }
    }

    /// Notes that the server refused a request that was begun at `begun`.
    pub(super) fn refused(&mut self, begun: Instant, now: Instant) {
        self.rate.refused(begun, now);
    }
}
