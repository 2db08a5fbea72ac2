//! What a follower does next.
//!
//! *Problem:* A node shall run what the pointer names, whole, in order, at its time, and go on running what it has when
//! anything fails. *Decision:* The decisions are here, and are values: [`Core::action`] says what to do, [`Core::handle`]
//! takes what came of it; neither has a socket, a file or a clock. *Cost:* The shell that does as it is told is a loop.
//!
//! ```text
//!          ┌───────────────── Idle: sleep until the next question is due ◄──────────────────────┐
//!          ▼                                                                                    │
//!       Asking: `current`, or every 60th time and at the start whether there is a move after it │
//!          │                                                       └── nothing new, or older ───┤
//!          │ a later move                                                                       │
//!          ▼                                                                                    │
//!       Staging: manifest and contents, to a folder of its own ── failed: again later, longer ──┤
//!          │ whole                                             └── too large: not before the next move
//!          ▼                                                                                    │
//!       Idle until its time, with questions going on; a later move takes its place              │
//!          ▼                                                                                    │
//!       Swapping: the link ──► Running: the commands ── good, or bad and it stays ──► Reporting ┤
//!                                    │ bad, and it is to go back                          ▲     │
//!                                    └──► Returning: the link ──► Running for the one before    │
//!                                          (the release is bad on this node from then on)
//! ```

mod memory;

use std::time::Duration;

pub(crate) use self::memory::Memory;
use crate::digest::Digest;
use crate::release::pointer::{Pointer, Target};

/// One of so many questions is whether there is a later move than the one that is known.
const LOOK_BEHIND: u64 = 60;
/// How far a question may be earlier or later than its interval, in percent.
const JITTER: u32 = 20;
/// The longest pause before a release is staged again that could not be.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// The time: by a clock that never goes back, and in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    pub(crate) steady: Duration,
    pub(crate) unix: u64,
}

/// What a follower is told.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) every: Duration,
    /// How long after the pointer this node changes, in seconds.
    pub(crate) offset: u64,
    /// Ends when it runs what it shall.
    pub(crate) once: bool,
    pub(crate) go_back: bool,
    pub(crate) seed: u64,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FollowAction {
    /// Ask for the pointer.
    Poll,
    /// Ask whether there is a move after this one.
    LookBehind(u64),
    /// Read the last move.
    ReadLast,
    /// Fetch a release into a folder of its own.
    Stage(Target),
    /// Have the link name the release.
    Swap(Target),
    /// Run the commands for the change from the one to the other.
    Run { from: Option<u64>, to: u64 },
    /// Have the link name the release before again.
    Return(u64),
    /// Tell what this node runs, and what came of it.
    Report(Result<u64, String>),
    /// Do nothing for so long.
    Sleep(Duration),
    /// Nothing more, as it was to end when all is done.
    End,
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FollowEvent {
    /// There is no pointer.
    Missing,
    Unchanged,
    Pointer(Pointer),
    Behind(bool),
    /// A question failed.
    AskFailed,
    Staged,
    /// It could not be staged now.
    StageFailed,
    /// It must not be staged at all.
    Refused,
    Swapped,
    Ran(Result<(), String>),
    /// The link names this one again, whose manifest has this digest.
    Returned(Digest),
    /// The release before is no longer there.
    Stays,
    Reported,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum FollowState {
    Idle,
    Asking,
    LookingBehind,
    Staging(Target),
    Swapping(Target),
    Running {
        from: Option<u64>,
        to: u64,
        back: Option<String>,
    },
    Returning {
        to: u64,
        from: u64,
        why: String,
    },
    Reporting,
}

/// The decisions of one follower.
#[derive(Debug)]
pub(crate) struct Core {
    config: Config,
    memory: Memory,
    state: FollowState,
    random: fastrand::Rng,
    /// When the next question is due.
    ask_at: Duration,
    asked: u64,
    /// Whether it was asked once, since the start, if there is a later move than `current`.
    looked_behind: bool,
    read_last: bool,
    staged: Option<Target>,
    /// The last move of which nothing is to be taken.
    refused: Option<Target>,
    stage_at: Duration,
    failures: u32,
    /// When the move that is known was first seen, in seconds since 1970.
    seen_at: u64,
    /// What is to be told.
    report: Option<Result<u64, String>>,
}

impl Core {
    pub(crate) fn new(config: Config, mut memory: Memory) -> Self {
        let random = fastrand::Rng::with_seed(config.seed);
        let is_wanted = |installed: Target| {
            let known = memory.known.as_ref();
            known.is_some_and(|known| known.target == installed || known.before == Some(installed))
        };
        let state = match (memory.installed, memory.previous) {
            // Killed between a failure and the link to the release before.
            (Some(bad), Some(to)) if memory.bad.contains(&bad.release) => FollowState::Returning {
                to,
                from: bad.release,
                why: "its commands failed".to_owned(),
            },
            // Killed between the link and the end of the commands.
            (Some(installed), _) if memory.ran != Some(installed.release) => {
                let bad = memory.ran.filter(|ran| memory.bad.contains(ran));
                // After a bad release the link names what the pointer wants next, or what was gone back to.
                let back = bad
                    .filter(|_| !is_wanted(installed))
                    .map(|_| "its commands failed".to_owned());
                // The link may have been changed without a word of it: this is the one to go back to.
                memory.previous = memory.ran.filter(|_| back.is_none());
                FollowState::Running {
                    from: memory.ran,
                    to: installed.release,
                    back,
                }
            }
            _ => FollowState::Idle,
        };
        let report = memory.verdict();
        Self {
            config,
            memory,
            state,
            random,
            ask_at: Duration::ZERO,
            asked: 0,
            looked_behind: false,
            read_last: false,
            staged: None,
            refused: None,
            stage_at: Duration::ZERO,
            failures: 0,
            seen_at: 0,
            report,
        }
    }

    /// What is to be kept.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What to do next; the same until [`handle`](Self::handle) is called, but for sleep.
    pub(crate) fn action(&mut self, now: Now) -> FollowAction {
        if self.state == FollowState::Idle {
            self.state = self.choose(now);
        }
        match &self.state {
            FollowState::Idle => self.rest(now),
            FollowState::Asking => match &self.memory.known {
                Some(_) if self.read_last => FollowAction::ReadLast,
                _ => FollowAction::Poll,
            },
            FollowState::LookingBehind => match &self.memory.known {
                Some(known) => FollowAction::LookBehind(known.seq),
                None => FollowAction::Poll,
            },
            FollowState::Staging(target) => FollowAction::Stage(*target),
            FollowState::Swapping(target) => FollowAction::Swap(*target),
            FollowState::Running { from, to, .. } => FollowAction::Run {
                from: *from,
                to: *to,
            },
            FollowState::Returning { to, .. } => FollowAction::Return(*to),
            FollowState::Reporting => FollowAction::Report(self.report.clone().unwrap_or(Ok(0))),
        }
    }

    /// Takes what came of the action.
    pub(crate) fn handle(&mut self, now: Now, event: FollowEvent) {
        let state = std::mem::replace(&mut self.state, FollowState::Idle);
        match (state, event) {
            (FollowState::Asking, FollowEvent::AskFailed) => {
                self.read_last = false;
                self.asked(now);
            }
            // It may fail for good, such as by a refusal: `current` is asked all the same, and this again in its turn.
            (FollowState::LookingBehind, FollowEvent::AskFailed) => {
                self.looked_behind = true;
                self.read_last = false;
                self.asked(now);
            }
            (FollowState::Asking, FollowEvent::Pointer(pointer)) => {
                self.read_last = false;
                self.asked(now);
                self.learn(now, pointer);
            }
            (FollowState::Asking, FollowEvent::Missing | FollowEvent::Unchanged) => {
                self.read_last = false;
                self.asked(now);
                self.hurry(now);
            }
            (FollowState::LookingBehind, FollowEvent::Behind(behind)) => {
                self.looked_behind = true;
                self.read_last = behind;
                match behind {
                    true => self.state = FollowState::Asking,
                    false => self.asked(now),
                }
            }
            (FollowState::Staging(target), FollowEvent::Staged) => {
                self.failures = 0;
                self.staged = Some(target);
            }
            (FollowState::Staging(_), FollowEvent::StageFailed) => {
                let pause = self.config.every * 2_u32.pow(self.failures.min(10));
                self.stage_at = now.steady + pause.min(MAX_PAUSE);
                self.failures += 1;
            }
            (FollowState::Staging(target), FollowEvent::Refused) => self.refused = Some(target),
            (FollowState::Swapping(target), FollowEvent::Swapped) => {
                let from = self.memory.installed.map(|installed| installed.release);
                self.memory.previous = from;
                self.memory.installed = Some(target);
                self.staged = None;
                let to = target.release;
                self.state = FollowState::Running {
                    from,
                    to,
                    back: None,
                };
            }
            (FollowState::Running { from, to, back }, FollowEvent::Ran(result)) => {
                self.ran(from, to, back, result);
            }
            (FollowState::Returning { to, from, why }, FollowEvent::Returned(manifest)) => {
                let release = to;
                self.memory.installed = Some(Target { release, manifest });
                self.memory.previous = None;
                self.state = FollowState::Running {
                    from: Some(from),
                    to,
                    back: Some(why),
                };
            }
            (FollowState::Returning { to, from, why }, FollowEvent::Stays) => {
                self.memory.previous = None;
                let what = format!(
                    "release {from} failed, and {to} is no longer there to go back to: {why}"
                );
                self.report = Some(Err(what));
            }
            (FollowState::Reporting, FollowEvent::Reported) => self.report = None,
            // No answer to what was asked: it is asked again.
            (state, _) => self.state = state,
        }
    }

    fn ran(
        &mut self,
        from: Option<u64>,
        to: u64,
        back: Option<String>,
        result: Result<(), String>,
    ) {
        let failed = result.err();
        match (&failed, from, back) {
            (Some(why), Some(before), None) if self.config.go_back && before != to => {
                self.memory.bad.insert(to);
                self.memory.ran = Some(to);
                self.state = FollowState::Returning {
                    to: before,
                    from: to,
                    why: why.clone(),
                };
                return;
            }
            (_, Some(bad), Some(why)) => {
                self.report = Some(Err(format!(
                    "release {bad} failed, and this node went back to {to}: {why}"
                )));
            }
            (Some(why), ..) => self.report = Some(Err(why.clone())),
            (None, ..) => self.report = Some(Ok(to)),
        }
        self.memory.failed = failed;
        self.memory.ran = Some(to);
    }

    /// The next thing to do when nothing is under way.
    fn choose(&mut self, now: Now) -> FollowState {
        if self.report.is_some() {
            return FollowState::Reporting;
        }
        // What is remembered may be old: it is asked first. The answer is followed at once by the question whether it is the
        // last move.
        let is_due = now.steady >= self.ask_at;
        if is_due && self.asked == 0 {
            return FollowState::Asking;
        }
        let first = self.asked > 0 && !self.looked_behind;
        if is_due && first && self.memory.known.is_some() {
            return FollowState::LookingBehind;
        }
        if let Some((target, due)) = self.wanted(now) {
            if self.staged != Some(target) {
                if now.steady >= self.stage_at {
                    return FollowState::Staging(target);
                }
            } else if now.unix >= due {
                return FollowState::Swapping(target);
            }
        }
        let turn = self.asked % LOOK_BEHIND == LOOK_BEHIND - 1;
        match is_due {
            false => FollowState::Idle,
            true if turn && self.memory.known.is_some() && !self.read_last => {
                FollowState::LookingBehind
            }
            true => FollowState::Asking,
        }
    }

    /// What this node shall change to, and when, in seconds since 1970.
    fn wanted(&self, now: Now) -> Option<(Target, u64)> {
        let known = self.memory.known.as_ref()?;
        let is_first = self.memory.installed.is_none();
        let (target, due) = match is_first || self.config.once {
            true => (known.effective(now.unix), 0),
            false => {
                let from = known.at.unwrap_or(self.seen_at);
                (known.target, from.saturating_add(self.config.offset))
            }
        };
        let unwanted = self.memory.installed == Some(target)
            || self.memory.bad.contains(&target.release)
            || self.refused == Some(target);
        (!unwanted).then_some((target, due))
    }

    fn rest(&self, now: Now) -> FollowAction {
        let wanted = self.wanted(now);
        if self.config.once && wanted.is_none() && self.looked_behind && self.asked > 0 {
            return FollowAction::End;
        }
        let mut until = self.ask_at;
        if let Some((target, due)) = wanted {
            until = match self.staged == Some(target) {
                true => until.min(now.steady + Duration::from_secs(due.saturating_sub(now.unix))),
                false => until.min(self.stage_at),
            };
        }
        FollowAction::Sleep(until.saturating_sub(now.steady))
    }

    fn asked(&mut self, now: Now) {
        self.asked += 1;
        let percent = self.random.u32(100 - JITTER..=100 + JITTER);
        self.ask_at = now.steady + self.config.every * percent / 100;
    }

    fn learn(&mut self, now: Now, pointer: Pointer) {
        let later = self
            .memory
            .known
            .as_ref()
            .is_none_or(|known| pointer.seq > known.seq);
        if later {
            self.memory.known = Some(pointer);
            self.seen_at = now.unix;
            self.stage_at = Duration::ZERO;
            self.failures = 0;
            self.refused = None;
        }
        self.hurry(now);
    }

    fn hurry(&mut self, now: Now) {
        if !self.looked_behind && self.memory.known.is_some() {
            self.ask_at = now.steady;
        }
    }
}

#[cfg(test)]
mod tests;
