//! The cap on sockets over all endpoints that share it: who gets the next permit, and whose
//! connection gives way.
//!
//! ```text
//!             acquire                       release
//!   (wants) ───────────▶ holds a permit ──────────────▶ (gone)
//!      │ refused               ▲
//!      ▼                       │ acquire, once it is the first for whom a permit is free
//!    waits ────────────────────┘
//!      │ decline
//!      ▼
//!   (wants none)
//! ```
//!
//! *Problem:* one busy endpoint could hold all sockets of the cap for ever. *Decision:* an endpoint
//! that wants a socket where none is free has the connection of another give way that has been idle
//! the longest. If all are busy, only an endpoint without any connection has one give way: one of the
//! endpoint with the most, once it is done. Members are served in the order in which they were
//! refused, but one without a connection comes before all that have some: otherwise the member that
//! has just given up a connection would get the permit back. *Cost:* endpoints that take turns open a
//! connection for each turn; it serves one request at least.

use std::collections::VecDeque;
use std::time::Instant;

/// The name of an endpoint among those that share the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MemberId(u64);

/// The connections of a member.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holdings {
    /// Since when its longest idle connection has been idle.
    pub(crate) oldest_idle: Option<Instant>,
    /// How many it has, those being opened and those closing included.
    pub(crate) live: usize,
    /// How many of these are going to end.
    pub(crate) leaving: usize,
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The member has waited in its place since an earlier refusal.
    Again,
    /// The member has got a place just now, or a better one: it has to be seen whether a connection
    /// gives way to it ([`Demand::choose`]).
    Anew,
}

/// Counts every socket, from before it is opened until after it is closed.
#[derive(Debug)]
pub(crate) struct Permits {
    max: usize,
    used: usize,
    /// The most that were in use at once so far.
    most: usize,
    last: MemberId,
    /// The members that were refused, in the order in which they are served.
    waiting: VecDeque<WaitingMember>,
}

#[derive(Debug)]
struct WaitingMember {
    member: MemberId,
    /// It had no connection at all when it asked.
    poor: bool,
}

impl Permits {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            used: 0,
            most: 0,
            last: MemberId(0),
            waiting: VecDeque::new(),
        }
    }

    /// The name of a further member.
    pub(crate) fn add_member(&mut self) -> MemberId {
        self.last.0 += 1;
        self.last
    }

    /// The permits in use now, and the most at once so far.
    #[cfg(any(test, feature = "http1"))]
    pub(crate) fn used(&self) -> (usize, usize) {
        (self.used, self.most)
    }

    /// Takes a permit, or a place among those that wait for one. A member that was refused earlier
    /// comes first, unless it has connections and this one has none (`poor`).
    pub(crate) fn acquire(&mut self, member: MemberId, poor: bool) -> Result<(), Refused> {
        if self.used >= self.max || self.is_wanted() {
            let (place, refused) = self.place(member, poor);
            if self.used + place >= self.max {
                return Err(refused);
            }
            self.waiting.remove(place);
        }
        self.take();
        Ok(())
    }

    /// Takes a permit if one is free that nobody waits for, and says whether it did.
    pub(crate) fn acquire_extra(&mut self) -> bool {
        let free = self.used < self.max && !self.is_wanted();
        if free {
            self.take();
        }
        free
    }

    fn take(&mut self) {
        self.used += 1;
        self.most = self.most.max(self.used);
    }

    /// The place of a member among those that were refused. It is given one if it has none, or a
    /// worse one than it should have, which the second value says.
    fn place(&mut self, member: MemberId, poor: bool) -> (usize, Refused) {
        let found = self.waiting.iter().position(|w| w.member == member);
        if let Some(place) = found {
            if self.waiting[place].poor || !poor {
                return (place, Refused::Again);
            }
            self.waiting.remove(place);
        }
        let place = match poor {
            true => self.waiting.partition_point(|w| w.poor),
            false => self.waiting.len(),
        };
        self.waiting.insert(place, WaitingMember { member, poor });
        (place, Refused::Anew)
    }

    /// A permit is given back, after its socket was closed.
    pub(crate) fn release(&mut self) {
        self.used = self.used.saturating_sub(1);
    }

    /// Gives up the place of a member that needs no permit any more.
    pub(crate) fn decline(&mut self, member: MemberId) {
        self.waiting.retain(|w| w.member != member);
    }

    /// The member that is to be told now that a permit is free for it. It acquires the permit or
    /// declines.
    pub(crate) fn poll_freed(&self) -> Option<MemberId> {
        let first = self.waiting.front()?;
        (self.used < self.max).then_some(first.member)
    }

    /// Whether somebody waits for a permit.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Gives up the places of all members but these.
    pub(crate) fn retain(&mut self, is_member: impl Fn(MemberId) -> bool) {
        self.waiting.retain(|w| is_member(w.member));
    }

    /// What is wanted of the members now.
    pub(crate) fn demand(&self) -> Demand {
        Demand {
            waiting: self.waiting.len(),
            poor: self.waiting.iter().filter(|w| w.poor).count(),
            free: self.max.saturating_sub(self.used),
        }
    }
}

/// How many members want a permit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    waiting: usize,
    /// How many of them have no connection.
    poor: usize,
    /// Permits that are about to be taken.
    free: usize,
}

impl Demand {
    /// Which of these members has a connection give way, if more members wait than connections are
    /// about to go: the one whose connection has been idle the longest; if none is idle and a member
    /// waits that has no connection at all, the one with the most connections.
    pub(crate) fn choose(self, holdings: &[Holdings]) -> Option<usize> {
        let leaving = self.free + holdings.iter().map(|h| h.leaving).sum::<usize>();
        if leaving >= self.waiting {
            return None;
        }
        let all = || holdings.iter().enumerate();
        let idle = all().filter_map(|(i, h)| h.oldest_idle.map(|since| (since, i)));
        if let Some((_, longest)) = idle.min() {
            return Some(longest);
        }
        if leaving >= self.poor {
            return None;
        }
        let staying = |h: &Holdings| h.live.saturating_sub(h.leaving);
        let (richest, most) = all().max_by_key(|(_, h)| staying(h))?;
        (staying(most) > 0).then_some(richest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Permits of which all are in use, and so many members that wait, the first of them poor.
    fn waiting(max: usize, poor: usize, rich: usize) -> Permits {
        let mut permits = Permits::new(max);
        while permits.acquire_extra() {}
        for i in 0..poor + rich {
            let member = permits.add_member();
            assert_eq!(permits.acquire(member, i < poor), Err(Refused::Anew));
        }
        permits
    }

    fn order(permits: &Permits) -> Vec<MemberId> {
        permits.waiting.iter().map(|w| w.member).collect()
    }

    /// Who is told of the permits that come back, in order.
    fn told(permits: &mut Permits, poor: bool) -> Vec<MemberId> {
        let mut told = Vec::new();
        while permits.is_wanted() {
            permits.release();
            let member = permits.poll_freed().unwrap();
            assert_eq!(permits.acquire(member, poor), Ok(()));
            told.push(member);
        }
        told
    }

    #[test]
    fn members_are_served_in_the_order_in_which_they_were_refused() {
        let mut permits = waiting(2, 0, 3);
        let order = order(&permits);
        assert_eq!(permits.acquire(order[2], false), Err(Refused::Again));
        assert_eq!(told(&mut permits, false), order);
        assert_eq!(permits.used(), (2, 2));
    }

    #[test]
    fn a_member_without_a_connection_comes_before_those_with_some() {
        let mut permits = waiting(1, 1, 2);
        let [first, one, two] = order(&permits)[..] else {
            panic!("three members wait");
        };
        // It has lost its last connection meanwhile.
        assert_eq!(permits.acquire(two, true), Err(Refused::Anew));
        assert_eq!(permits.acquire(two, true), Err(Refused::Again));
        assert_eq!(told(&mut permits, true), [first, two, one]);
    }

    #[test]
    fn a_member_that_declines_is_in_nobodys_way() {
        let mut permits = waiting(1, 0, 2);
        let [first, second] = order(&permits)[..] else {
            panic!("two members wait");
        };
        permits.decline(first);
        permits.release();
        assert_eq!(permits.poll_freed(), Some(second));
        permits.decline(second);
        assert_eq!(permits.poll_freed(), None);
    }

    #[test]
    fn an_extra_permit_is_one_that_nobody_waits_for() {
        let mut permits = waiting(1, 0, 1);
        permits.release();
        assert!(!permits.acquire_extra());
        let member = permits.poll_freed().unwrap();
        permits.decline(member);
        assert!(permits.acquire_extra());
        assert!(!permits.acquire_extra());
    }

    #[test]
    fn the_longest_idle_gives_way_then_the_richest_and_no_more_than_are_wanted() {
        let now = Instant::now();
        let at = |ms| now + Duration::from_millis(ms);
        let holds = |live, leaving, idle: Option<u64>| Holdings {
            oldest_idle: idle.map(at),
            live,
            leaving,
        };
        let idle = [
            holds(1, 0, Some(7)),
            holds(3, 0, Some(5)),
            holds(9, 0, None),
        ];
        assert_eq!(waiting(13, 0, 1).demand().choose(&idle), Some(1));
        let mut one_is_free = waiting(13, 0, 1);
        one_is_free.release();
        assert_eq!(one_is_free.demand().choose(&idle), None);
        let busy = [holds(2, 0, None), holds(3, 0, None), holds(0, 0, None)];
        assert_eq!(
            waiting(5, 0, 1).demand().choose(&busy),
            None,
            "who waits has some"
        );
        assert_eq!(waiting(5, 1, 0).demand().choose(&busy), Some(1));
        // What is about to go counts, for those who wait and for those who hold.
        let leaving = [holds(2, 0, None), holds(3, 2, None), holds(0, 0, None)];
        assert_eq!(waiting(5, 2, 0).demand().choose(&leaving), None);
        assert_eq!(waiting(5, 3, 0).demand().choose(&leaving), Some(0));
        assert_eq!(waiting(1, 2, 0).demand().choose(&[holds(1, 1, None)]), None);
    }
}
