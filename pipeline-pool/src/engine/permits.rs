//! The cap on connections in all, over every endpoint that shares it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

/// An endpoint, as seen by the others that share the cap.
pub(crate) trait Member: Send + Sync {
    /// What it has.
    fn holdings(&self) -> Holdings;
    /// Closes its longest idle connection, or its least busy one once that is done.
    fn close_one(&self);
    /// A permit may be free now: it is [acquired](Permits::acquire), or
    /// [declined](Permits::decline) when none is needed any more.
    fn permit_freed(&self);
}

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
    /// Who asked has its place among those who wait since earlier.
    Again,
    /// Who asked has got a place just now, or a better one: [`Permits::evict`] has to see whether
    /// a connection gives way.
    Anew,
}

/// Counts every socket, from before it is opened until after it is closed.
pub(crate) struct Permits {
    max: usize,
    state: Mutex<State>,
}

struct State {
    used: usize,
    most: usize,
    members: Vec<Weak<dyn Member>>,
    /// Who was refused, in that order, but those without a connection before those with some.
    waiting: VecDeque<Waiting>,
    /// They are being told of what is free.
    telling: bool,
}

struct Waiting {
    member: Weak<dyn Member>,
    /// It has no connection at all.
    poor: bool,
}

impl State {
    /// The place of a member among those who were refused; it is given one if it has none, or a
    /// worse one than it should have, and that is said.
    fn place(&mut self, member: &Weak<dyn Member>, poor: bool) -> (usize, Refused) {
        self.waiting.retain(|w| w.member.strong_count() > 0);
        let found = self.waiting.iter().position(|w| w.member.ptr_eq(member));
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
        let member = member.clone();
        self.waiting.insert(place, Waiting { member, poor });
        (place, Refused::Anew)
    }
}

impl Permits {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            state: Mutex::new(State {
                used: 0,
                most: 0,
                members: Vec::new(),
                waiting: VecDeque::new(),
                telling: false,
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(&self, member: Weak<dyn Member>) {
        let mut state = self.lock();
        state.members.retain(|m| m.strong_count() > 0);
        state.members.push(member);
    }

    /// The sockets open now, and the most at once so far.
    #[cfg(feature = "http1")]
    pub(crate) fn used(&self) -> (usize, usize) {
        let state = self.lock();
        (state.used, state.most)
    }

    /// A permit, or a place among those that are told when one is free. Who was refused earlier
    /// comes first, unless it has connections and this one has none (`poor`).
    pub(crate) fn acquire(
        self: &Arc<Self>,
        member: &Weak<dyn Member>,
        poor: bool,
    ) -> Result<Permit, Refused> {
        let mut state = self.lock();
        if state.used >= self.max || !state.waiting.is_empty() {
            let (place, refused) = state.place(member, poor);
            if state.used + place >= self.max {
                return Err(refused);
            }
            state.waiting.remove(place);
        }
        state.used += 1;
        state.most = state.most.max(state.used);
        Ok(Permit(self.clone()))
    }

    /// Gives up the place of a member that needs no permit any more. To be called under the lock
    /// that it would ask for one under, so that it does not lose a place that it has just taken.
    pub(crate) fn decline(&self, member: &Weak<dyn Member>) {
        self.lock().waiting.retain(|w| !w.member.ptr_eq(member));
    }

    /// Tells the first in line that a permit is free, as long as one is, and has a connection give
    /// way to who is still waiting then. To be called with no endpoint locked.
    fn tell_next(&self) {
        let mut first = true;
        loop {
            let next = {
                let mut state = self.lock();
                // Whoever is at it already, this thread maybe, sees what is free now.
                if std::mem::take(&mut first) && state.telling {
                    return;
                }
                let next = match state.used < self.max {
                    true => state.waiting.iter().find_map(|w| w.member.upgrade()),
                    false => None,
                };
                state.telling = next.is_some();
                next
            };
            let Some(member) = next else { break };
            let told = catch_unwind(AssertUnwindSafe(|| member.permit_freed()));
            if told.is_err() {
                // The panic has been reported. The others are told all the same, and this one is
                // not told for ever.
                let weak: Weak<dyn Member> = Arc::downgrade(&member);
                self.decline(&weak);
            }
        }
        self.settle();
    }

    /// Sees whether a connection has to give way, after a member has one less: what was about to
    /// go is gone, and may have gone to another than who waits still. To be called with no endpoint
    /// locked.
    pub(crate) fn settle(&self) {
        if self.wanted() {
            self.evict();
        }
    }

    /// One more permit if one is free and nobody waits for it.
    pub(crate) fn acquire_spare(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.lock();
        if state.used >= self.max || !state.waiting.is_empty() {
            return None;
        }
        state.used += 1;
        state.most = state.most.max(state.used);
        Some(Permit(self.clone()))
    }

    /// Has one connection give way, if more members wait than connections are about to go: the one
    /// that has been idle the longest, wherever it is; if none is idle and a member waits that has
    /// no connection at all, the member with the most gives one up when that is done. To be called
    /// with no endpoint locked, whenever one gets a place among those who wait and whenever a
    /// connection becomes idle while somebody waits.
    pub(crate) fn evict(&self) {
        let (members, wanted, poor, free) = {
            let mut state = self.lock();
            state.waiting.retain(|w| w.member.strong_count() > 0);
            let members: Vec<_> = state.members.iter().filter_map(Weak::upgrade).collect();
            let poor = state.waiting.iter().filter(|w| w.poor).count();
            let free = self.max.saturating_sub(state.used);
            (members, state.waiting.len(), poor, free)
        };
        let holdings: Vec<_> = members.iter().map(|m| m.holdings()).collect();
        if let Some(chosen) = choose(&holdings, wanted, poor, free) {
            members[chosen].close_one();
        }
    }

    /// Whether somebody waits for a permit.
    pub(crate) fn wanted(&self) -> bool {
        !self.lock().waiting.is_empty()
    }
}

/// Which member gives up a connection, where `wanted` members wait, `poor` of them without any
/// connection, and `free` permits are about to be taken.
fn choose(holdings: &[Holdings], wanted: usize, poor: usize, free: usize) -> Option<usize> {
    let leaving = free + holdings.iter().map(|h| h.leaving).sum::<usize>();
    if leaving >= wanted {
        return None;
    }
    let all = || holdings.iter().enumerate();
    let idle = all().filter_map(|(i, h)| h.oldest_idle.map(|since| (since, i)));
    if let Some((_, longest)) = idle.min() {
        return Some(longest);
    }
    if leaving >= poor {
        return None;
    }
    let staying = |h: &Holdings| h.live.saturating_sub(h.leaving);
    let (richest, most) = all().max_by_key(|(_, h)| staying(h))?;
    (staying(most) > 0).then_some(richest)
}

/// One socket's permit; dropped after the socket, with no endpoint locked.
pub(crate) struct Permit(Arc<Permits>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.lock().used -= 1;
        self.0.tell_next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wants some permits, and keeps what it gets.
    struct Hungry {
        permits: Arc<Permits>,
        this: Weak<Self>,
        wants: Mutex<usize>,
        has: Mutex<Vec<Permit>>,
    }

    impl Hungry {
        fn new(permits: &Arc<Permits>, wants: usize) -> Arc<Self> {
            let hungry = Arc::new_cyclic(|this| Self {
                permits: permits.clone(),
                this: this.clone(),
                wants: Mutex::new(wants),
                has: Mutex::default(),
            });
            hungry.ask();
            hungry
        }

        fn ask(&self) {
            let member: Weak<dyn Member> = self.this.clone();
            let mut wants = self.wants.lock().unwrap();
            if *wants == 0 {
                self.permits.decline(&member);
            }
            while *wants > 0 {
                let poor = self.has() == 0;
                let Ok(permit) = self.permits.acquire(&member, poor) else {
                    return;
                };
                *wants -= 1;
                self.has.lock().unwrap().push(permit);
            }
        }

        fn has(&self) -> usize {
            self.has.lock().unwrap().len()
        }

        fn give(&self) {
            let permit = self.has.lock().unwrap().pop();
            drop(permit);
        }
    }

    impl Member for Hungry {
        fn holdings(&self) -> Holdings {
            Holdings {
                live: self.has(),
                ..Holdings::default()
            }
        }

        fn close_one(&self) {}

        fn permit_freed(&self) {
            self.ask();
        }
    }

    #[test]
    fn who_was_refused_is_served_in_order() {
        let permits = Permits::new(2);
        let first = Hungry::new(&permits, 2);
        let second = Hungry::new(&permits, 2);
        let third = Hungry::new(&permits, 1);
        assert_eq!((first.has(), second.has(), third.has()), (2, 0, 0));
        first.give();
        // It wants more than it got, and goes to the end for that.
        assert_eq!((second.has(), third.has()), (1, 0));
        first.give();
        assert_eq!((second.has(), third.has()), (1, 1));
        third.give();
        assert_eq!(second.has(), 2);
        assert!(!permits.wanted());
    }

    #[test]
    fn who_has_none_comes_before_who_has_some() {
        let permits = Permits::new(2);
        let rich = Hungry::new(&permits, 4);
        let (one, two) = (Hungry::new(&permits, 1), Hungry::new(&permits, 1));
        assert_eq!((rich.has(), one.has(), two.has()), (2, 0, 0));
        rich.give();
        assert_eq!((rich.has(), one.has(), two.has()), (1, 1, 0));
        // It has none now, but that it asks anew with is what counts.
        rich.give();
        assert_eq!((rich.has(), one.has(), two.has()), (0, 1, 1));
        let late = Hungry::new(&permits, 1);
        rich.ask();
        two.give();
        one.give();
        assert_eq!((rich.has(), late.has()), (1, 1));
    }

    #[test]
    fn who_needs_none_any_more_is_in_nobodys_way() {
        let permits = Permits::new(1);
        let first = Hungry::new(&permits, 1);
        // More of them than there would be room for on the stack, one within another.
        let gone: Vec<_> = (0..3_000).map(|_| Hungry::new(&permits, 1)).collect();
        let last = Hungry::new(&permits, 1);
        gone.iter().for_each(|g| *g.wants.lock().unwrap() = 0);
        first.give();
        assert_eq!((last.has(), permits.wanted()), (1, false));
    }

    #[test]
    fn permits_that_come_back_together_all_find_somebody() {
        for _ in 0..200 {
            let permits = Permits::new(2);
            let first = Hungry::new(&permits, 2);
            let second = Hungry::new(&permits, 2);
            let third = Hungry::new(&permits, 2);
            std::thread::scope(|scope| {
                let giver = scope.spawn(|| first.give());
                first.give();
                giver.join().unwrap();
            });
            assert_eq!(second.has() + third.has(), 2);
        }
    }

    #[test]
    fn the_longest_idle_gives_way_then_the_richest_and_no_more_than_are_wanted() {
        let now = Instant::now();
        let at = |ms| now + std::time::Duration::from_millis(ms);
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
        assert_eq!(choose(&idle, 1, 0, 0), Some(1));
        assert_eq!(choose(&idle, 1, 0, 1), None, "a permit is free");
        let busy = [holds(2, 0, None), holds(3, 0, None), holds(0, 0, None)];
        assert_eq!(choose(&busy, 1, 0, 0), None, "who waits has some");
        assert_eq!(choose(&busy, 1, 1, 0), Some(1));
        // What is about to go counts, for those who wait and for those who hold.
        let leaving = [holds(2, 0, None), holds(3, 2, None), holds(0, 0, None)];
        assert_eq!(choose(&leaving, 2, 2, 0), None);
        assert_eq!(choose(&leaving, 3, 3, 0), Some(0));
        assert_eq!(choose(&[holds(1, 1, None)], 2, 2, 0), None);
    }

    /// Tries to get a permit for a race before it takes the one that it waits for.
    struct Racing {
        permits: Arc<Permits>,
        this: Weak<Self>,
        spare: Mutex<Option<bool>>,
        has: Mutex<Option<Permit>>,
    }

    impl Member for Racing {
        fn holdings(&self) -> Holdings {
            Holdings::default()
        }

        fn close_one(&self) {}

        fn permit_freed(&self) {
            let spare = self.permits.acquire_spare().is_some();
            *self.spare.lock().unwrap() = Some(spare);
            let member: Weak<dyn Member> = self.this.clone();
            *self.has.lock().unwrap() = self.permits.acquire(&member, true).ok();
        }
    }

    #[test]
    fn a_race_gets_no_permit_before_those_who_wait() {
        let permits = Permits::new(1);
        let first = Hungry::new(&permits, 1);
        let racing = Arc::new_cyclic(|this| Racing {
            permits: permits.clone(),
            this: this.clone(),
            spare: Mutex::default(),
            has: Mutex::default(),
        });
        let member: Weak<dyn Member> = racing.this.clone();
        assert_eq!(permits.acquire(&member, true).err(), Some(Refused::Anew));
        assert_eq!(permits.acquire(&member, true).err(), Some(Refused::Again));
        first.give();
        assert_eq!(*racing.spare.lock().unwrap(), Some(false));
        assert!(racing.has.lock().unwrap().is_some());
        // Nobody waits, and there is none.
        assert!(permits.acquire_spare().is_none());
        *racing.has.lock().unwrap() = None;
        assert!(permits.acquire_spare().is_some());
    }

    /// Panics when it is told.
    struct Panicking;

    impl Member for Panicking {
        fn holdings(&self) -> Holdings {
            Holdings::default()
        }

        fn close_one(&self) {}

        fn permit_freed(&self) {
            panic!("it was only a test");
        }
    }

    #[test]
    fn a_member_that_panics_is_in_nobodys_way() {
        let permits = Permits::new(1);
        let first = Hungry::new(&permits, 1);
        let panicking = Arc::new(Panicking);
        let weak = Arc::downgrade(&panicking);
        let member: Weak<dyn Member> = weak;
        assert!(permits.acquire(&member, true).is_err());
        let last = Hungry::new(&permits, 1);
        first.give();
        assert_eq!(last.has(), 1);
        last.give();
        let later = Hungry::new(&permits, 1);
        assert_eq!((later.has(), permits.wanted()), (1, false));
    }
}
