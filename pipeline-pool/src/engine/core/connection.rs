//! One connection as its endpoint knows it, and what its driver reports of it.
//!
//! ```text
//!             opened                a large message, or a request
//!   Opening ──────────▶ Ready ────────────────────────────────────▶ Exclusive
//!      │                 │ ▲        that goes alone, is under way      │  │
//!      │                 │ └───────────────────────────────────────────┘  │
//!      │ given up, or    │           when all that it has is done         │
//!      │ cannot be       │ it is too old, or gives way                    │
//!      ▼ opened          ▼                                                │
//!    (gone) ◀───────── Closing ◀──────────────────────────────────────────┘
//!              when all that it has is done
//! ```
//!
//! A connection may end in every state, when the server or a time limit ends it.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::depth::Sample;
use super::ticket::Ticket;
use crate::protocol::{ConnectionId, Protocol};

/// How much the newest measurement counts in the pace of a connection.
const PACE_WEIGHT: f64 = 0.125;

/// The place of a connection within its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnId(pub(super) usize);

/// Which requests a connection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is being opened.
    Opening,
    /// It takes requests.
    Ready,
    /// It takes no more until all that it has is done.
    Exclusive,
    /// It takes no more, and closes once all that it has is done.
    Closing,
}

/// What a driver has to say of its connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    /// Requests that have left since the last report.
    pub(crate) done: usize,
    /// What those of them tell that were answered.
    pub(crate) sample: Sample,
    /// The connection has answered.
    pub(crate) proven: bool,
    /// A large message is under way.
    pub(crate) streaming: bool,
    /// The connection is too old to be kept.
    pub(crate) expired: bool,
    /// The first request waits longer for its reply than is usual.
    pub(crate) stuck: bool,
}

/// What the endpoint knows of one connection.
pub(crate) struct Connection<P: Protocol> {
    name: ConnectionId,
    phase: Phase,
    /// Requests handed over that its driver has not taken yet.
    mail: VecDeque<Ticket<P>>,
    /// Requests handed over whose replies have not come yet, those in `mail` included.
    load: usize,
    /// It has answered at least once.
    proven: bool,
    /// Its driver will look at the mail without being woken.
    awake: bool,
    /// The task of its driver.
    waker: Option<Waker>,
    /// When it last became idle.
    idle_since: Instant,
    /// The first of its requests waits longer than is usual.
    stuck: bool,
    /// A large message is under way on it: it takes no more until that has ended.
    streaming: bool,
    /// Since when it has been as deep as it may be.
    full_since: Option<Instant>,
    /// The round trip to the server, as measured when the connection was opened.
    rtt: Option<Duration>,
    /// Seconds from one reply to the next while it is full; 0 while that is not known.
    pace: f64,
}

impl<P: Protocol> Connection<P> {
    /// A connection that begins to be opened.
    pub(super) fn opening(now: Instant) -> Self {
        Self {
            name: ConnectionId::next(),
            phase: Phase::Opening,
            mail: VecDeque::new(),
            load: 0,
            proven: false,
            awake: true,
            waker: None,
            idle_since: now,
            stuck: false,
            streaming: false,
            full_since: None,
            rtt: None,
            pace: 0.0,
        }
    }

    /// The name that the connection is known by outside.
    pub(super) fn name(&self) -> ConnectionId {
        self.name
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it is open, and is not about to close.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Exclusive)
    }

    /// Whether it is open, and nothing is under way on it.
    pub(super) fn is_free(&self) -> bool {
        self.phase == Phase::Ready && self.load == 0
    }

    /// Whether requests may be queued behind those that it has.
    pub(super) fn takes_more(&self) -> bool {
        self.phase == Phase::Ready && self.proven && !self.stuck
    }

    /// Whether it takes one more request when it may be so deep.
    pub(super) fn has_room(&self, depth: usize) -> bool {
        self.phase == Phase::Ready && !self.stuck && self.load < depth
    }

    /// Whether the first of its requests waits longer than is usual.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Whether its server has answered on it.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether a large message is under way on it.
    pub(super) fn is_streaming(&self) -> bool {
        self.streaming
    }

    /// Requests handed over whose replies have not come yet.
    pub(super) fn load(&self) -> usize {
        self.load
    }

    /// Requests that were handed over and have not been taken yet.
    pub(super) fn mail(&self) -> usize {
        self.mail.len()
    }

    pub(super) fn idle_since(&self) -> Instant {
        self.idle_since
    }

    /// The round trip to the server, where it is known.
    pub(super) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// The time that a further request is expected to wait for its reply, in seconds. `usual` is
    /// what counts while the pace of this connection is not known.
    pub(super) fn wait(&self, usual: f64) -> f64 {
        let pace = if self.pace > 0.0 {
            self.pace
        } else {
            usual.max(1e-9)
        };
        (self.load + 1) as f64 * pace
    }

    /// It was being opened, and is open. Says whether that is so.
    pub(super) fn handle_opened(&mut self, rtt: Option<Duration>) -> bool {
        if self.phase != Phase::Opening {
            return false;
        }
        self.rtt = rtt;
        self.phase = Phase::Ready;
        true
    }

    /// Hands it a request, and gives back its driver if that has to be woken.
    pub(super) fn push(&mut self, ticket: Ticket<P>) -> Option<Waker> {
        self.load += 1;
        if ticket.is_alone() {
            self.phase = Phase::Exclusive;
        }
        self.mail.push_back(ticket);
        let asleep = !std::mem::replace(&mut self.awake, true);
        self.waker.as_ref().filter(|_| asleep).cloned()
    }

    /// Notes a request that its driver takes from the queue of those who wait.
    pub(super) fn pull(&mut self, alone: bool) {
        // One that goes alone takes this connection when it has drained, and reserves it now.
        if alone {
            self.phase = Phase::Exclusive;
        }
        self.load += 1;
    }

    /// Has it close when all that it has is done.
    pub(super) fn close(&mut self) {
        self.phase = Phase::Closing;
    }

    /// Its driver, if it rests or has rested before.
    pub(super) fn waker(&self) -> Option<Waker> {
        self.waker.clone()
    }

    /// Its driver, to be woken whether or not there is mail.
    pub(super) fn wake(&mut self) -> Option<Waker> {
        self.awake = true;
        self.waker.clone()
    }

    /// Its driver rests until this waker is woken, or looks again by itself if it is `awake`. Gives
    /// back the waker that is of no use any more.
    pub(super) fn rest(&mut self, waker: &Waker, awake: bool) -> Option<Waker> {
        self.awake = awake;
        match &self.waker {
            Some(known) if known.will_wake(waker) => None,
            _ => self.waker.replace(waker.clone()),
        }
    }

    /// Takes in a report. Says whether this connection has answered for the first time.
    pub(super) fn note(&mut self, report: &Report) -> bool {
        self.load -= report.done.min(self.load);
        self.stuck = report.stuck;
        self.streaming = report.streaming;
        if report.expired && self.is_kept() {
            self.phase = Phase::Closing;
        }
        if report.streaming && self.phase == Phase::Ready {
            self.phase = Phase::Exclusive;
        }
        let first = report.proven && !self.proven;
        self.proven |= report.proven;
        first
    }

    /// So many replies have come. Where it was as deep as it may be all the time, its pace is known
    /// from that.
    pub(super) fn measure(&mut self, replies: u64, now: Instant) {
        let Some(since) = self.full_since else { return };
        let full = now.saturating_duration_since(since);
        let pace = full.as_secs_f64() / replies as f64;
        let weight = if self.pace == 0.0 { 1.0 } else { PACE_WEIGHT };
        self.pace += (pace - self.pace) * weight;
    }

    /// Forgets its pace: what it achieves at another depth is not known from that.
    pub(super) fn forget_pace(&mut self) {
        self.pace = 0.0;
        self.full_since = None;
    }

    /// Notes whether it is as deep as it may be, after a report of so many replies. A wait without
    /// replies goes on counting: a stall is part of what a connection achieves.
    pub(super) fn note_fullness(&mut self, depth: usize, replies: u64, now: Instant) {
        if self.load == 0 {
            self.full_since = None;
        } else if replies > 0 || self.full_since.is_none() {
            let full = self.phase == Phase::Ready && self.load >= depth;
            self.full_since = full.then_some(now);
        }
    }

    /// Takes back what its driver has not taken yet, and will not be able to send soon.
    pub(super) fn take_back(&mut self) -> VecDeque<Ticket<P>> {
        let back = std::mem::take(&mut self.mail);
        self.load -= back.len().min(self.load);
        back
    }

    /// Hands its mail to its driver.
    pub(super) fn deliver(&mut self, queue: &mut VecDeque<Ticket<P>>) {
        if queue.is_empty() {
            std::mem::swap(queue, &mut self.mail);
        } else {
            queue.append(&mut self.mail);
        }
    }

    /// Takes requests again if all is done that it was reserved for.
    pub(super) fn reopen(&mut self) {
        if self.load == 0 && self.phase == Phase::Exclusive && !self.streaming {
            self.phase = Phase::Ready;
        }
    }

    /// Notes that it has nothing to do from now on.
    pub(super) fn note_idle(&mut self, now: Instant) {
        self.idle_since = now;
    }

    /// What it had been handed and not taken, when it is gone.
    pub(super) fn into_mail(self) -> VecDeque<Ticket<P>> {
        self.mail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::testing::{Toy, caller, later, order};

    fn open(now: Instant) -> Connection<Toy> {
        let mut connection = Connection::opening(now);
        assert!(connection.handle_opened(None));
        connection
    }

    fn ticket(now: Instant) -> Ticket<Toy> {
        caller(order(1, later(now))).1
    }

    #[test]
    fn only_one_that_is_being_opened_becomes_open() {
        let mut connection = open(Instant::now());
        connection.close();
        assert!(!connection.handle_opened(None));
        assert_eq!(connection.phase(), Phase::Closing);
    }

    #[test]
    fn what_is_wanted_of_it_is_answered_before_more_is_queued() {
        let mut connection = open(Instant::now());
        assert!(!connection.takes_more(), "nothing is known of its server");
        let proven = Report {
            proven: true,
            ..Report::default()
        };
        assert!(connection.note(&proven), "it is the first answer");
        assert!(!connection.note(&proven));
        assert!(connection.takes_more());
        let stuck = Report {
            stuck: true,
            ..proven
        };
        connection.note(&stuck);
        assert!(!connection.takes_more() && !connection.has_room(9));
    }

    #[test]
    fn its_pace_is_that_of_the_time_in_which_it_was_full() {
        let now = Instant::now();
        let mut connection = open(now);
        drop(connection.push(ticket(now)));
        connection.measure(1, now + Duration::from_secs(9));
        assert!((connection.wait(1.0) - 2.0).abs() < 1e-9, "it was not full");
        connection.note_fullness(1, 0, now);
        let later = now + Duration::from_millis(80);
        connection.measure(8, later);
        // Two requests behind the one that it has.
        assert!((connection.wait(1.0) - 0.02).abs() < 1e-9);
        // An eighth of the next measurement counts.
        connection.note_fullness(1, 8, later);
        connection.measure(1, later + Duration::from_millis(90));
        assert!((connection.wait(1.0) - 0.04).abs() < 1e-9);
        // While nothing is known, what is usual counts.
        assert!((open(now).wait(0.5) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn its_driver_is_woken_for_mail_only_when_it_rests() {
        let now = Instant::now();
        let mut connection = open(now);
        let waker = Waker::noop();
        assert!(connection.push(ticket(now)).is_none(), "it begins awake");
        assert!(connection.rest(waker, false).is_none());
        assert!(connection.push(ticket(now)).is_some());
        assert!(
            connection.push(ticket(now)).is_none(),
            "it is woken already"
        );
        connection.rest(waker, true);
        assert!(
            connection.push(ticket(now)).is_none(),
            "it looks again anyway"
        );
    }

    #[test]
    fn a_ticket_is_small_as_it_moves_from_queue_to_queue() {
        assert_eq!(size_of::<Ticket<Toy>>(), 16);
    }
}
