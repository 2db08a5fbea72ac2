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
pub(crate) enum AdvanceAction {
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
pub(crate) enum AdvanceEvent {
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
pub(crate) struct WantedMove {
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
    wanted: WantedMove,
    state: AdvanceState,
    lost: u32,
    taken: u32,
}

#[derive(Debug)]
enum AdvanceState {
    Reading,
    /// Whether an answer to this claim was lost.
    Claiming(Pointer, bool),
    Settling(Pointer),
    Announcing(Pointer, Outcome),
    Checking(Pointer, Outcome),
    Done(Outcome),
}

impl Advance {
    pub(crate) fn new(wanted: WantedMove) -> Self {
        Self {
            wanted,
            state: AdvanceState::Reading,
            lost: 0,
            taken: 0,
        }
    }

    /// What to ask next.
    pub(crate) fn action(&self) -> AdvanceAction {
        match &self.state {
            AdvanceState::Reading => AdvanceAction::Read { known: None },
            AdvanceState::Claiming(pointer, _) => AdvanceAction::Claim(pointer.clone()),
            AdvanceState::Settling(pointer) => AdvanceAction::Settle(pointer.seq),
            AdvanceState::Announcing(pointer, _) => AdvanceAction::Announce(pointer.clone()),
            AdvanceState::Checking(pointer, _) => AdvanceAction::Read {
                known: Some(pointer.clone()),
            },
            AdvanceState::Done(outcome) => AdvanceAction::Done(outcome.clone()),
        }
    }

    /// Takes what the store said to the action.
    pub(crate) fn handle(&mut self, event: AdvanceEvent) {
        let state = std::mem::replace(&mut self.state, AdvanceState::Reading);
        self.state = match (state, event) {
            (AdvanceState::Reading, AdvanceEvent::Last(last)) => self.decide(last),
            (AdvanceState::Claiming(pointer, _), AdvanceEvent::Claimed) => Self::moved(pointer),
            // It may be our own that was there before.
            (AdvanceState::Claiming(pointer, true), AdvanceEvent::Taken) => {
                AdvanceState::Settling(pointer)
            }
            (AdvanceState::Claiming(..), AdvanceEvent::Taken) => self.taken(),
            (AdvanceState::Claiming(pointer, _), AdvanceEvent::Lost) => {
                AdvanceState::Settling(pointer)
            }
            (AdvanceState::Settling(pointer), AdvanceEvent::Move(Some(found))) => {
                match found.by == pointer.by {
                    true => Self::moved(pointer),
                    false => self.taken(),
                }
            }
            (AdvanceState::Settling(pointer), AdvanceEvent::Move(None)) => {
                self.lost(|| AdvanceState::Claiming(pointer, true), Outcome::Unknown)
            }
            (AdvanceState::Announcing(pointer, outcome), AdvanceEvent::Announced) => {
                AdvanceState::Checking(pointer, outcome)
            }
            (AdvanceState::Announcing(pointer, outcome), AdvanceEvent::Lost) => {
                // Whether it was stored or not: it is stored again, or the move is done and only its copy is late.
                let ended = outcome.clone();
                self.lost(|| AdvanceState::Announcing(pointer, outcome), ended)
            }
            (AdvanceState::Checking(pointer, outcome), AdvanceEvent::Last(Some(last)))
                if last.seq > pointer.seq =>
            {
                AdvanceState::Announcing(last, outcome)
            }
            (AdvanceState::Checking(_, outcome), AdvanceEvent::Last(_)) => {
                AdvanceState::Done(outcome)
            }
            // No answer to what was asked: whoever drives this asks again.
            (state, _) => state,
        };
    }

    fn decide(&self, last: Option<Pointer>) -> AdvanceState {
        let release = self.wanted.target.release;
        let seq = match last {
            None => 1,
            Some(last) if self.wanted.cause == Cause::Publish && last.target.release >= release => {
                // Its author may have ended before `current` was written.
                return AdvanceState::Announcing(last.clone(), Outcome::Overtaken(last));
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
        AdvanceState::Claiming(pointer, false)
    }

    fn moved(pointer: Pointer) -> AdvanceState {
        AdvanceState::Announcing(pointer.clone(), Outcome::Moved(pointer))
    }

    fn taken(&mut self) -> AdvanceState {
        self.taken += 1;
        match self.taken > MAX_TAKEN {
            true => AdvanceState::Done(Outcome::Crowded),
            false => AdvanceState::Reading,
        }
    }

    fn lost(&mut self, again: impl FnOnce() -> AdvanceState, ended: Outcome) -> AdvanceState {
        self.lost += 1;
        match self.lost > MAX_LOST {
            true => AdvanceState::Done(ended),
            false => again(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::pointer;
    use super::*;

    fn wanted(release: u64, cause: Cause) -> WantedMove {
        WantedMove {
            target: pointer(1, release).target,
            at: None,
            cause,
            by: "me".into(),
            now: 50,
        }
    }

    fn after(cause: Cause, release: u64, events: Vec<AdvanceEvent>) -> AdvanceAction {
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
        let last = AdvanceEvent::Last(Some(pointer(56, 41)));
        let publish = |events| after(Cause::Publish, 42, events);
        assert_eq!(publish(vec![]), AdvanceAction::Read { known: None });
        assert_eq!(
            publish(vec![last.clone()]),
            AdvanceAction::Claim(mine(57, 42))
        );
        assert_eq!(
            publish(vec![AdvanceEvent::Last(None)]),
            AdvanceAction::Claim(mine(1, 42))
        );
        let claimed = vec![last, AdvanceEvent::Claimed];
        assert_eq!(
            publish(claimed.clone()),
            AdvanceAction::Announce(mine(57, 42))
        );
        let announced = [claimed, vec![AdvanceEvent::Announced]].concat();
        let known = Some(mine(57, 42));
        assert_eq!(publish(announced.clone()), AdvanceAction::Read { known });
        let moved = AdvanceAction::Done(Outcome::Moved(mine(57, 42)));
        for end in [None, Some(mine(57, 42)), Some(pointer(3, 3))] {
            let done = [announced.clone(), vec![AdvanceEvent::Last(end)]].concat();
            assert_eq!(publish(done), moved);
        }
        // Somebody's copy was overwritten by ours.
        let later = vec![AdvanceEvent::Last(Some(pointer(58, 43)))];
        let repair = [announced, later].concat();
        assert_eq!(
            publish(repair.clone()),
            AdvanceAction::Announce(pointer(58, 43))
        );
        let done = [
            repair,
            vec![AdvanceEvent::Announced, AdvanceEvent::Last(None)],
        ]
        .concat();
        assert_eq!(publish(done), moved);
    }

    #[test]
    fn a_later_release_stays_and_a_rollback_goes_back() {
        let last = || vec![AdvanceEvent::Last(Some(pointer(57, 43)))];
        let overtaken = after(Cause::Publish, 42, last());
        assert_eq!(overtaken, AdvanceAction::Announce(pointer(57, 43)));
        let done = [
            last(),
            vec![AdvanceEvent::Announced, AdvanceEvent::Last(None)],
        ]
        .concat();
        let outcome = Outcome::Overtaken(pointer(57, 43));
        assert_eq!(
            after(Cause::Publish, 42, done),
            AdvanceAction::Done(outcome)
        );
        for cause in [Cause::Rollback, Cause::Promote] {
            let mut back = mine(58, 42);
            back.cause = cause;
            assert_eq!(after(cause, 42, last()), AdvanceAction::Claim(back));
        }
    }

    #[test]
    fn a_lost_answer_is_settled_by_reading() {
        let publish = |events: &[AdvanceEvent]| {
            let all = [&[AdvanceEvent::Last(None), AdvanceEvent::Lost], events].concat();
            after(Cause::Publish, 42, all)
        };
        let claim = AdvanceAction::Claim(mine(1, 42));
        assert_eq!(publish(&[]), AdvanceAction::Settle(1));
        let ours = AdvanceEvent::Move(Some(mine(1, 42)));
        assert_eq!(
            publish(std::slice::from_ref(&ours)),
            AdvanceAction::Announce(mine(1, 42))
        );
        let theirs = AdvanceEvent::Move(Some(pointer(1, 9)));
        assert_eq!(publish(&[theirs]), AdvanceAction::Read { known: None });
        assert_eq!(publish(&[AdvanceEvent::Move(None)]), claim);
        // The first arrives late, and the second is refused because of it.
        let late = [AdvanceEvent::Move(None), AdvanceEvent::Taken];
        assert_eq!(publish(&late), AdvanceAction::Settle(1));
        assert_eq!(
            publish(&[&late[..], &[ours]].concat()),
            AdvanceAction::Announce(mine(1, 42))
        );
        let mut endless = vec![];
        for _ in 0..MAX_LOST {
            endless.extend([AdvanceEvent::Move(None), AdvanceEvent::Lost]);
        }
        assert_eq!(publish(&endless), AdvanceAction::Settle(1));
        endless.push(AdvanceEvent::Move(None));
        assert_eq!(publish(&endless), AdvanceAction::Done(Outcome::Unknown));
    }

    #[test]
    fn a_copy_that_is_never_stored_is_no_lost_move() {
        let mut events = vec![AdvanceEvent::Last(None), AdvanceEvent::Claimed];
        events.extend(vec![AdvanceEvent::Lost; MAX_LOST as usize]);
        let publish = |events: &[AdvanceEvent]| after(Cause::Publish, 1, events.to_vec());
        assert_eq!(publish(&events), AdvanceAction::Announce(mine(1, 1)));
        events.push(AdvanceEvent::Lost);
        assert_eq!(
            publish(&events),
            AdvanceAction::Done(Outcome::Moved(mine(1, 1)))
        );
    }

    #[test]
    fn a_release_for_later_says_what_holds_until_then() {
        let mut later = wanted(42, Cause::Publish);
        later.at = Some(99);
        let mut advance = Advance::new(later);
        advance.handle(AdvanceEvent::Last(Some(pointer(56, 41))));
        let AdvanceAction::Claim(claim) = advance.action() else {
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
        advance.handle(AdvanceEvent::Last(Some(last)));
        let AdvanceAction::Claim(claim) = advance.action() else {
            panic!("no claim")
        };
        assert_eq!(claim.before, Some(pointer(1, 40).target));
    }
}
