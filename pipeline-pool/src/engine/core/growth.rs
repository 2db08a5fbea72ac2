//! When an endpoint opens one more connection. Sans-IO: it is told what happens, and says how many
//! connections to open now, or from when on it may be asked again.
//!
//! ```text
//!                 begin                  opened                 answered
//!   (no socket) ─────────▶  opening  ─────────────▶   open   ─────────────▶  proven
//!                             │ failed                 │ ended                  │ ended
//!                             ▼                        ▼                        ▼
//!                        a refusal               a dud, if the server     room for another
//!                                                ended it unanswered
//! ```
//!
//! *Problem:* a burst must not become a storm of handshakes, and a server that refuses must not be
//! asked without end; but a pool that waits for a timer to open its next connection is slow to grow.
//! *Decision:* growth follows from events. Every arrow makes room, so after each of them, and when the
//! queue grows or a permit comes back, [`wanted`](Growth::wanted) has to be asked again: nothing else
//! opens the next connection.
//! *Cost:* whoever makes room has to remember to ask.
//!
//! Two streaks of failures make a pause, during which nothing is opened:
//!
//! - *Refusals* are openings that failed. An opening that succeeds ends the streak and its pause.
//!   While no connection is open the first refusal pauses already; while some are, a server that
//!   refuses one attempt in three is asked again at once, and only a whole round of openings that
//!   fail in a row is a reason to wait.
//! - *Duds* are connections that the server ended before it had answered anything on them. An
//!   answer on a new connection ends the streak and its pause: that one can be opened does not.

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::depth::Width;
use crate::engine::config::Config;

/// The pauses after refusals that count.
const REFUSAL_PAUSES: Backoff =
    Backoff::new(Duration::from_millis(20), Duration::from_millis(1280));
/// The pauses after duds.
const DUD_PAUSES: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(640));

/// The sockets of an endpoint, and the pauses between attempts to open them.
#[derive(Debug)]
pub(crate) struct Growth {
    /// The most there may be where narrow settings are in use, usually, and where wide ones are.
    narrow_connections: usize,
    usual_connections: usize,
    max_connections: usize,
    /// Which of these counts.
    width: Width,
    max_opening: usize,
    /// Connections, those being opened and those closing included.
    live: usize,
    opening: usize,
    /// Sockets beside those of connections being opened.
    racing: usize,
    refusals: Backoff,
    duds: Backoff,
}

impl Growth {
    pub(crate) fn new(config: &Config) -> Self {
        let usual_connections = config.usual_connections.min(config.max_connections);
        Self {
            narrow_connections: config.narrow_connections.min(usual_connections),
            usual_connections,
            max_connections: config.max_connections,
            width: Width::Usual,
            max_opening: config.max_opening,
            live: 0,
            opening: 0,
            racing: 0,
            refusals: REFUSAL_PAUSES,
            duds: DUD_PAUSES,
        }
    }

    /// Connections, those being opened and those closing included.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Connections that are being opened.
    pub(crate) fn opening(&self) -> usize {
        self.opening
    }

    /// The most connections that there may be now.
    pub(crate) fn cap(&self) -> usize {
        match self.width {
            Width::Narrow => self.narrow_connections,
            Width::Usual => self.usual_connections,
            Width::Wide => self.max_connections,
        }
    }

    /// Whether there may be more connections where wide settings are in use.
    pub(crate) fn can_widen(&self) -> bool {
        self.usual_connections < self.max_connections
    }

    /// The connections that there may be where narrow settings are in use; none where these are more
    /// than half of what is usual.
    pub(crate) fn narrow(&self) -> usize {
        match self.usual_connections >= 2 * self.narrow_connections {
            true => self.narrow_connections,
            false => 0,
        }
    }

    /// Has there be as many connections as this width allows. Says how many there are too many then.
    pub(crate) fn set_width(&mut self, width: Width) -> usize {
        self.width = width;
        self.live.saturating_sub(self.cap())
    }

    /// How many more sockets there may be. One for a connection is left at any rate, though there be as
    /// many that race as are usual since there may be no more than that.
    fn room(&self) -> usize {
        let sockets = self.live + self.racing;
        let least = usize::from(self.live == 0).min(self.max_connections.saturating_sub(sockets));
        self.cap().saturating_sub(sockets).max(least)
    }

    /// Whether the cap leaves room for one more socket.
    pub(crate) fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// How many connections to open now for so many requests that wait. Each opening is for one of
    /// them.
    pub(crate) fn wanted(&self, waiting: usize, now: Instant) -> usize {
        if self.paused_until().is_some_and(|until| now < until) {
            return 0;
        }
        let room = self.room();
        let turns = self.max_opening.saturating_sub(self.opening);
        waiting.saturating_sub(self.opening).min(room).min(turns)
    }

    /// Nothing is opened before this instant.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.refusals.until().max(self.duds.until())
    }

    /// A connection begins to be opened.
    pub(crate) fn begin(&mut self) {
        self.live += 1;
        self.opening += 1;
    }

    /// A connection that was being opened is open.
    pub(crate) fn opened(&mut self) {
        self.opening = self.opening.saturating_sub(1);
        self.refusals.end();
    }

    /// A connection that was being opened is given up, through no fault of the server.
    pub(crate) fn withdrawn(&mut self) {
        self.live = self.live.saturating_sub(1);
        self.opening = self.opening.saturating_sub(1);
    }

    /// A connection could not be opened.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.withdrawn();
        let free = match self.live > self.opening {
            true => u32::try_from(self.max_opening).unwrap_or(u32::MAX - 1) - 1,
            false => 0,
        };
        self.refusals.fail(free, now);
    }

    /// A connection that was opened has answered for the first time.
    pub(crate) fn answered(&mut self) {
        self.duds.end();
    }

    /// A connection that was open has ended; `dud` says that the server ended it unanswered.
    pub(crate) fn ended(&mut self, dud: bool, now: Instant) {
        self.live = self.live.saturating_sub(1);
        if dud {
            self.duds.fail(0, now);
        }
    }

    /// A socket is taken beside that of a connection being opened.
    pub(crate) fn race(&mut self) {
        self.racing += 1;
    }

    /// Such a socket is closed.
    pub(crate) fn raced(&mut self) {
        self.racing = self.racing.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(max_connections: usize, max_opening: usize) -> Growth {
        Growth::new(&Config {
            max_connections,
            usual_connections: max_connections,
            max_opening,
            ..Config::default()
        })
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Begins all that is wanted; says how many.
    fn begin(growth: &mut Growth, waiting: usize, now: Instant) -> usize {
        let wanted = growth.wanted(waiting, now);
        (0..wanted).for_each(|_| growth.begin());
        wanted
    }

    #[test]
    fn the_next_begins_when_one_is_open_until_the_cap() {
        let now = Instant::now();
        let mut growth = growth(64, 8);
        let mut waiting = 100;
        assert_eq!(begin(&mut growth, waiting, now), 8);
        assert_eq!(growth.wanted(waiting, now), 0);
        for open in 1..=64 {
            growth.opened();
            waiting -= 1;
            let next = usize::from(open + 8 <= 64);
            assert_eq!(begin(&mut growth, waiting, now), next, "after {open}");
        }
        assert_eq!((growth.live(), growth.opening()), (64, 0));
        growth.ended(false, now);
        assert_eq!(growth.wanted(waiting, now), 1);
    }

    #[test]
    fn each_opening_is_for_one_who_waits() {
        let now = Instant::now();
        let mut growth = growth(64, 8);
        assert_eq!(begin(&mut growth, 0, now), 0);
        assert_eq!(begin(&mut growth, 3, now), 3);
        assert_eq!(begin(&mut growth, 3, now), 0);
        assert_eq!(begin(&mut growth, 5, now), 2);
    }

    #[test]
    fn sockets_that_race_are_in_the_cap() {
        let now = Instant::now();
        let mut growth = growth(3, 8);
        growth.begin();
        growth.race();
        assert_eq!((growth.wanted(9, now), growth.has_room()), (1, true));
        growth.race();
        assert_eq!((growth.wanted(9, now), growth.has_room()), (0, false));
        growth.raced();
        assert_eq!((growth.wanted(9, now), growth.has_room()), (1, true));
    }

    #[test]
    fn there_are_more_than_usual_only_while_that_is_wanted() {
        let now = Instant::now();
        let mut growth = Growth::new(&Config {
            max_connections: 6,
            usual_connections: 4,
            max_opening: 8,
            ..Config::default()
        });
        assert!(growth.can_widen());
        assert_eq!(begin(&mut growth, 9, now), 4);
        (0..4).for_each(|_| growth.opened());
        assert_eq!((growth.wanted(9, now), growth.has_room()), (0, false));
        assert_eq!(growth.set_width(Width::Wide), 0);
        assert_eq!(begin(&mut growth, 9, now), 2);
        assert_eq!((growth.wanted(9, now), growth.has_room()), (0, false));
        // Those that are too many have to be closed by somebody else.
        assert_eq!(growth.set_width(Width::Usual), 2);
        growth.ended(false, now);
        assert_eq!((growth.wanted(9, now), growth.has_room()), (0, false));
        assert_eq!(growth.set_width(Width::Usual), 1);
    }

    #[test]
    fn there_are_fewer_than_usual_where_that_is_wanted_and_makes_a_difference() {
        let now = Instant::now();
        // (the usual number, that of a narrow setting, and what it comes to)
        for (usual, narrow, is) in [(64, 8, 8), (16, 8, 8), (15, 8, 0), (4, 8, 0), (1, 8, 0)] {
            let mut growth = Growth::new(&Config {
                usual_connections: usual,
                narrow_connections: narrow,
                max_opening: 99,
                ..Config::default()
            });
            assert_eq!(growth.narrow(), is, "{usual}");
            assert_eq!(begin(&mut growth, 99, now), usual);
            (0..usual).for_each(|_| growth.opened());
            let cap = narrow.min(usual);
            assert_eq!(growth.set_width(Width::Narrow), usual - cap);
            (cap..usual).for_each(|_| growth.ended(false, now));
            assert_eq!((growth.wanted(99, now), growth.has_room()), (0, false));
            growth.set_width(Width::Usual);
            assert_eq!(growth.wanted(99, now), usual - cap);
        }
    }

    #[test]
    fn sockets_that_race_leave_room_for_a_connection_where_there_may_be_fewer() {
        let now = Instant::now();
        let mut growth = Growth::new(&Config {
            max_connections: 3,
            usual_connections: 1,
            ..Config::default()
        });
        growth.set_width(Width::Wide);
        growth.begin();
        growth.race();
        assert_eq!(growth.set_width(Width::Usual), 0);
        assert_eq!((growth.wanted(9, now), growth.has_room()), (0, false));
        growth.withdrawn();
        assert_eq!((growth.wanted(9, now), growth.has_room()), (1, true));
        growth.race();
        growth.race();
        assert_eq!((growth.wanted(9, now), growth.has_room()), (0, false));
    }

    #[test]
    fn a_server_that_refuses_all_is_left_alone_for_longer_and_longer() {
        let mut now = Instant::now();
        let mut growth = growth(64, 8);
        for pause in [20, 40, 80, 160, 320, 640, 1280, 1280] {
            assert_eq!(growth.wanted(1, now), 1);
            growth.begin();
            growth.failed(now);
            assert_eq!(growth.wanted(1, now + ms(pause - 1)), 0, "{pause}");
            now += ms(pause);
        }
        // One that can be opened is all that was waited for.
        growth.begin();
        growth.opened();
        growth.begin();
        growth.failed(now);
        assert_eq!((growth.wanted(9, now), growth.paused_until()), (8, None));
    }

    #[test]
    fn one_refusal_in_three_is_no_reason_to_wait() {
        let now = Instant::now();
        let mut growth = growth(64, 8);
        let (mut rounds, mut attempts) = (0, 0);
        while growth.live() < 64 {
            let begun = begin(&mut growth, 200, now);
            assert!(begun > 0, "{growth:?}");
            // The refusals come back first.
            let refused = (attempts..attempts + begun).filter(|n| n % 3 == 0).count();
            (0..refused).for_each(|_| growth.failed(now));
            (refused..begun).for_each(|_| growth.opened());
            attempts += begun;
            rounds += 1;
        }
        // 96 attempts, eight at a time.
        assert!(rounds <= 13, "{rounds}");
    }

    #[test]
    fn a_server_that_is_full_is_left_alone_after_a_round_of_refusals() {
        let mut now = Instant::now();
        let mut growth = growth(64, 8);
        growth.begin();
        growth.opened();
        for _ in 0..8 {
            assert!(growth.wanted(50, now) > 0);
            growth.begin();
            growth.failed(now);
        }
        assert_eq!(growth.paused_until(), Some(now + ms(20)));
        now += ms(20);
        growth.begin();
        growth.failed(now);
        assert_eq!(growth.paused_until(), Some(now + ms(40)));
    }

    #[test]
    fn connections_that_never_answer_make_a_pause_and_an_answer_ends_it() {
        let mut now = Instant::now();
        let mut growth = growth(64, 8);
        for pause in [10, 20, 40, 80, 160, 320, 640, 640] {
            growth.begin();
            growth.opened();
            assert!(growth.wanted(1, now) > 0);
            growth.ended(true, now);
            assert_eq!(growth.wanted(1, now + ms(pause - 1)), 0, "{pause}");
            now += ms(pause);
        }
        growth.begin();
        growth.opened();
        growth.ended(true, now);
        growth.begin();
        growth.opened();
        // That one can be opened says nothing of whether it serves.
        assert_eq!(growth.wanted(1, now), 0);
        growth.answered();
        assert_eq!(growth.wanted(1, now), 1);
        // What ends without the server's doing, or after an answer, is no dud.
        growth.ended(false, now);
        assert_eq!((growth.wanted(1, now), growth.live()), (1, 0));
    }
}
