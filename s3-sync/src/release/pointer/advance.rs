//! How the pointer is moved: what to ask the store next.
//!
//! The order of moves is that of their claims. A publisher that finds a release with a larger number than its own already
//! pointed at leaves it there, so that numbers get smaller by a rollback only.
//!
//! ```text
//!   ┌────────► Reading ── last move ──► later release, or this one: overtaken ──────────┐
//!   │             │ otherwise: the next number                                          │
//!   │             ▼                                                                     │
//!   ├─ taken ── Claiming ── lost, or taken after that ──► Settling                      │
//!   │             │  ▲                                      │ ours      it was done     │
//!   │             │  └──────────── nothing there ───────────┤                           │
//!   └─────────────│──────────────── another's ──────────────┘                           │
//!                 ▼ done                                                                ▼
//!             Announcing: write `current` ──► Checking: a later move? ── none ──►     Done
//!                 ▲                                   │
//!                 └────────── copy that one ──────────┘
//! ```

use super::{Cause, Pointer, Target};

/// How often a write is sent again whose answer is lost, and how often a number is given up that somebody else took.
const MAX_LOST: u32 = 5;
const MAX_TAKEN: u32 = 100;

/// What to ask the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Read the last move, which is this one or a later one.
    Read { known: Option<Pointer> },
    /// Store the move under its number, if there is none.
    Claim(Pointer),
    /// Read the move of this number.
    Settle(u64),
    /// Store a copy of the move as `current`.
    Announce(Pointer),
    /// Nothing more.
    Done(Outcome),
}

/// What the store said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The last move, if there is any.
    Last(Option<Pointer>),
    /// The claim was done.
    Claimed,
    /// The number is taken.
    Taken,
    /// It is not known whether the write was done.
    Lost,
    /// The move of the number that was asked for, if there is any.
    Move(Option<Pointer>),
    /// The copy was stored.
    Announced,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// This is our move.
    Moved(Pointer),
    /// Nothing was moved, as this later move is there already.
    Overtaken(Pointer),
    /// What is told next to the error of the last answer: it is not known whether it was moved.
    Unknown,
    /// Others took every number that was tried.
    Crowded,
}

/// What is wanted of the pointer.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) target: Target,
    pub(crate) at: Option<u64>,
    pub(crate) cause: Cause,
    pub(crate) by: String,
    /// The time, in seconds since 1970.
    pub(crate) now: u64,
}

/// One moving of the pointer.
#[derive(Debug)]
pub(crate) struct Advance {
    wanted: Wanted,
    state: State,
    lost: u32,
    taken: u32,
}

#[derive(Debug)]
enum State {
    Reading,
    /// Whether an answer to this claim was lost.
    Claiming(Pointer, bool),
    Settling(Pointer),
    Announcing(Pointer, Outcome),
    Checking(Pointer, Outcome),
    Done(Outcome),
}

impl Advance {
    pub(crate) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            state: State::Reading,
            lost: 0,
            taken: 0,
        }
    }

    /// What to ask next.
    pub(crate) fn action(&self) -> Action {
        match &self.state {
            State::Reading => Action::Read { known: None },
            State::Claiming(pointer, _) => Action::Claim(pointer.clone()),
            State::Settling(pointer) => Action::Settle(pointer.seq),
            State::Announcing(pointer, _) => Action::Announce(pointer.clone()),
            State::Checking(pointer, _) => Action::Read {
                known: Some(pointer.clone()),
            },
            State::Done(outcome) => Action::Done(outcome.clone()),
        }
    }

    /// Takes what the store said to the action.
    pub(crate) fn handle(&mut self, event: Event) {
        let state = std::mem::replace(&mut self.state, State::Reading);
        self.state = match (state, event) {
            (State::Reading, Event::Last(last)) => self.decide(last),
            (State::Claiming(pointer, _), Event::Claimed) => Self::moved(pointer),
            // It may be our own that was there before.
            (State::Claiming(pointer, true), Event::Taken) => State::Settling(pointer),
            (State::Claiming(..), Event::Taken) => self.taken(),
            (State::Claiming(pointer, _), Event::Lost) => State::Settling(pointer),
            (State::Settling(pointer), Event::Move(Some(found))) => match found.by == pointer.by {
                true => Self::moved(pointer),
                false => self.taken(),
            },
            (State::Settling(pointer), Event::Move(None)) => {
                self.lost(|| State::Claiming(pointer, true), Outcome::Unknown)
            }
            (State::Announcing(pointer, outcome), Event::Announced) => {
                State::Checking(pointer, outcome)
            }
            (State::Announcing(pointer, outcome), Event::Lost) => {
                // Whether it was stored or not: it is stored again, or the move is done and only its copy is late.
                let ended = outcome.clone();
                self.lost(|| State::Announcing(pointer, outcome), ended)
            }
            (State::Checking(pointer, outcome), Event::Last(Some(last)))
                if last.seq > pointer.seq =>
            {
                State::Announcing(last, outcome)
            }
            (State::Checking(_, outcome), Event::Last(_)) => State::Done(outcome),
            // No answer to what was asked: whoever drives this asks again.
            (state, _) => state,
        };
    }

    fn decide(&self, last: Option<Pointer>) -> State {
        let release = self.wanted.target.release;
        let seq = match last {
            None => 1,
            Some(last) if self.wanted.cause == Cause::Publish && last.target.release >= release => {
                // Its author may have ended before `current` was written.
                return State::Announcing(last.clone(), Outcome::Overtaken(last));
            }
            Some(ref last) => last.seq.saturating_add(1),
        };
        let before = match (self.wanted.at, last) {
            (Some(_), Some(last)) => Some(last.effective(self.wanted.now)),
            _ => None,
        };
        let pointer = Pointer {
            seq,
            target: self.wanted.target,
            at: self.wanted.at,
            before,
            cause: self.wanted.cause,
            by: self.wanted.by.clone(),
            signature: None,
        };
        State::Claiming(pointer, false)
    }

    fn moved(pointer: Pointer) -> State {
        State::Announcing(pointer.clone(), Outcome::Moved(pointer))
    }

    fn taken(&mut self) -> State {
        self.taken += 1;
        match self.taken > MAX_TAKEN {
            true => State::Done(Outcome::Crowded),
            false => State::Reading,
        }
    }

    fn lost(&mut self, again: impl FnOnce() -> State, ended: Outcome) -> State {
        self.lost += 1;
        match self.lost > MAX_LOST {
            true => State::Done(ended),
            false => again(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::pointer;
    use super::*;

    fn wanted(release: u64, cause: Cause) -> Wanted {
        Wanted {
            target: pointer(1, release).target,
            at: None,
            cause,
            by: "me".into(),
            now: 50,
        }
    }

    fn after(cause: Cause, release: u64, events: Vec<Event>) -> Action {
        let mut advance = Advance::new(wanted(release, cause));
        for event in events {
            advance.handle(event);
        }
        advance.action()
    }

    fn mine(seq: u64, release: u64) -> Pointer {
        let mut mine = pointer(seq, release);
        mine.by = "me".into();
        mine
    }

    #[test]
    fn the_next_number_is_claimed_and_announced() {
        let last = Event::Last(Some(pointer(56, 41)));
        let publish = |events| after(Cause::Publish, 42, events);
        assert_eq!(publish(vec![]), Action::Read { known: None });
        assert_eq!(publish(vec![last.clone()]), Action::Claim(mine(57, 42)));
        assert_eq!(publish(vec![Event::Last(None)]), Action::Claim(mine(1, 42)));
        let claimed = vec![last, Event::Claimed];
        assert_eq!(publish(claimed.clone()), Action::Announce(mine(57, 42)));
        let announced = [claimed, vec![Event::Announced]].concat();
        let known = Some(mine(57, 42));
        assert_eq!(publish(announced.clone()), Action::Read { known });
        let moved = Action::Done(Outcome::Moved(mine(57, 42)));
        for end in [None, Some(mine(57, 42)), Some(pointer(3, 3))] {
            let done = [announced.clone(), vec![Event::Last(end)]].concat();
            assert_eq!(publish(done), moved);
        }
        // Somebody's copy was overwritten by ours.
        let later = vec![Event::Last(Some(pointer(58, 43)))];
        let repair = [announced, later].concat();
        assert_eq!(publish(repair.clone()), Action::Announce(pointer(58, 43)));
        let done = [repair, vec![Event::Announced, Event::Last(None)]].concat();
        assert_eq!(publish(done), moved);
    }

    #[test]
    fn a_later_release_stays_and_a_rollback_goes_back() {
        let last = || vec![Event::Last(Some(pointer(57, 43)))];
        let overtaken = after(Cause::Publish, 42, last());
        assert_eq!(overtaken, Action::Announce(pointer(57, 43)));
        let done = [last(), vec![Event::Announced, Event::Last(None)]].concat();
        let outcome = Outcome::Overtaken(pointer(57, 43));
        assert_eq!(after(Cause::Publish, 42, done), Action::Done(outcome));
        for cause in [Cause::Rollback, Cause::Promote] {
            let mut back = mine(58, 42);
            back.cause = cause;
            assert_eq!(after(cause, 42, last()), Action::Claim(back));
        }
    }

    #[test]
    fn a_lost_answer_is_settled_by_reading() {
        let publish = |events: &[Event]| {
            let all = [&[Event::Last(None), Event::Lost], events].concat();
            after(Cause::Publish, 42, all)
        };
        let claim = Action::Claim(mine(1, 42));
        assert_eq!(publish(&[]), Action::Settle(1));
        let ours = Event::Move(Some(mine(1, 42)));
        assert_eq!(
            publish(std::slice::from_ref(&ours)),
            Action::Announce(mine(1, 42))
        );
        let theirs = Event::Move(Some(pointer(1, 9)));
        assert_eq!(publish(&[theirs]), Action::Read { known: None });
        assert_eq!(publish(&[Event::Move(None)]), claim);
        // The first arrives late, and the second is refused because of it.
        let late = [Event::Move(None), Event::Taken];
        assert_eq!(publish(&late), Action::Settle(1));
        assert_eq!(
            publish(&[&late[..], &[ours]].concat()),
            Action::Announce(mine(1, 42))
        );
        let mut endless = vec![];
        for _ in 0..MAX_LOST {
            endless.extend([Event::Move(None), Event::Lost]);
        }
        assert_eq!(publish(&endless), Action::Settle(1));
        endless.push(Event::Move(None));
        assert_eq!(publish(&endless), Action::Done(Outcome::Unknown));
    }

    #[test]
    fn a_copy_that_is_never_stored_is_no_lost_move() {
        let mut events = vec![Event::Last(None), Event::Claimed];
        events.extend(vec![Event::Lost; MAX_LOST as usize]);
        let publish = |events: &[Event]| after(Cause::Publish, 1, events.to_vec());
        assert_eq!(publish(&events), Action::Announce(mine(1, 1)));
        events.push(Event::Lost);
        assert_eq!(publish(&events), Action::Done(Outcome::Moved(mine(1, 1))));
    }

    #[test]
    fn a_release_for_later_says_what_holds_until_then() {
        let mut later = wanted(42, Cause::Publish);
        later.at = Some(99);
        let mut advance = Advance::new(later);
        advance.handle(Event::Last(Some(pointer(56, 41))));
        let Action::Claim(claim) = advance.action() else {
            panic!("no claim")
        };
        assert_eq!(
            (claim.at, claim.before),
            (Some(99), Some(pointer(1, 41).target))
        );
        // The one before is for later, too.
        let mut last = pointer(56, 41);
        (last.at, last.before) = (Some(51), Some(pointer(1, 40).target));
        assert_eq!(last.effective(50), pointer(1, 40).target);
        assert_eq!(last.effective(51), pointer(1, 41).target);
        let mut later = wanted(42, Cause::Publish);
        later.at = Some(99);
        let mut advance = Advance::new(later);
        advance.handle(Event::Last(Some(last)));
        let Action::Claim(claim) = advance.action() else {
            panic!("no claim")
        };
        assert_eq!(claim.before, Some(pointer(1, 40).target));
    }
}
