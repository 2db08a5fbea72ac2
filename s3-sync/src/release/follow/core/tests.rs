//! The follower's decisions in virtual time.

mod restart;

use super::*;
use crate::release::pointer::Cause;
use crate::release::pointer::tests::pointer;

fn config() -> Config {
    Config {
        every: Duration::from_secs(10),
        offset: 0,
        once: false,
        go_back: false,
        seed: 1,
    }
}

fn going_back() -> Config {
    Config {
        go_back: true,
        ..config()
    }
}

/// A follower, its time, and what it was told to do.
struct Node {
    core: Core,
    now: Now,
}

impl Node {
    fn new(config: Config, memory: Memory) -> Self {
        let now = Now {
            steady: Duration::from_secs(5),
            unix: 1000,
        };
        Self {
            core: Core::new(config, memory),
            now,
        }
    }

    fn action(&mut self) -> FollowAction {
        self.core.action(self.now)
    }

    /// Does what is expected, and nothing else.
    fn does(&mut self, action: FollowAction, event: FollowEvent) -> &mut Self {
        assert_eq!(self.action(), action);
        self.core.handle(self.now, event);
        self
    }

    /// Sleeps, and returns how long.
    fn sleeps(&mut self) -> Duration {
        let FollowAction::Sleep(time) = self.action() else {
            panic!("it does not sleep: {:?}", self.action());
        };
        self.pass(time);
        time
    }

    fn pass(&mut self, time: Duration) {
        self.now.steady += time;
        self.now.unix += time.as_secs() + u64::from(time.subsec_nanos() > 0);
    }

    /// Swaps to a release and runs its commands.
    fn changes(&mut self, from: Option<u64>, to: u64) -> &mut Self {
        self.does(FollowAction::Swap(target(to)), FollowEvent::Swapped);
        self.does(FollowAction::Run { from, to }, FollowEvent::Ran(Ok(())));
        self.does(FollowAction::Report(Ok(to)), FollowEvent::Reported)
    }

    fn stages(&mut self, release: u64) -> &mut Self {
        self.does(FollowAction::Stage(target(release)), FollowEvent::Staged)
    }

    fn learns(&mut self, seq: u64, release: u64) -> &mut Self {
        self.does(
            FollowAction::Poll,
            FollowEvent::Pointer(pointer(seq, release)),
        )
    }
}

fn target(release: u64) -> Target {
    pointer(1, release).target
}

/// One that runs release 41 by move 56, and has just started.
fn running() -> Memory {
    Memory {
        known: Some(pointer(56, 41)),
        installed: Some(target(41)),
        previous: Some(40),
        ran: Some(41),
        failed: None,
        bad: Default::default(),
    }
}

/// The same after its first questions.
fn settled(config: Config) -> Node {
    let mut node = Node::new(config, running());
    node.does(FollowAction::Report(Ok(41)), FollowEvent::Reported)
        .does(FollowAction::Poll, FollowEvent::Unchanged)
        .does(FollowAction::LookBehind(56), FollowEvent::Behind(false));
    node
}

#[test]
fn a_new_node_takes_the_last_move_whole() {
    let mut node = Node::new(config(), Memory::default());
    node.learns(57, 42)
        .does(FollowAction::LookBehind(57), FollowEvent::Behind(false))
        .stages(42)
        .changes(None, 42);
    let time = node.sleeps();
    assert!((8..=12).contains(&time.as_secs()), "{time:?}");
    node.does(FollowAction::Poll, FollowEvent::Unchanged);
}

#[test]
fn an_old_copy_of_the_pointer_is_not_believed_at_the_start() {
    let mut node = Node::new(config(), Memory::default());
    node.learns(56, 41)
        .does(FollowAction::LookBehind(56), FollowEvent::Behind(true))
        .does(
            FollowAction::ReadLast,
            FollowEvent::Pointer(pointer(58, 43)),
        )
        .stages(43)
        .changes(None, 43);
    node.sleeps();
    // It stays old, and nobody goes back.
    node.does(FollowAction::Poll, FollowEvent::Pointer(pointer(56, 41)));
    node.sleeps();
}

#[test]
fn one_of_sixty_questions_is_for_a_later_move_and_each_is_one_request() {
    let mut node = settled(config());
    let mut questions = Vec::new();
    let mut slept = Duration::ZERO;
    for _ in 0..600 {
        slept += node.sleeps();
        let action = node.action();
        let event = match action {
            FollowAction::Poll => FollowEvent::Unchanged,
            FollowAction::LookBehind(56) => FollowEvent::Behind(false),
            ref other => panic!("{other:?}"),
        };
        questions.push(action == FollowAction::Poll);
        node.core.handle(node.now, event);
    }
    assert_eq!(questions.iter().filter(|poll| !**poll).count(), 10);
    let mean = slept.as_secs_f64() / 600.0;
    assert!((9.8..10.2).contains(&mean), "{mean}");
}

#[test]
fn what_fails_is_tried_again_and_what_lies_is_not() {
    let mut node = settled(config());
    node.sleeps();
    node.learns(57, 42);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let begun = node.now.steady;
        node.does(FollowAction::Stage(target(42)), FollowEvent::StageFailed);
        while let FollowAction::Sleep(time) = node.action() {
            node.pass(time.max(Duration::from_millis(1)));
            match node.action() {
                FollowAction::Poll => node.core.handle(node.now, FollowEvent::Unchanged),
                FollowAction::LookBehind(57) => {
                    node.core.handle(node.now, FollowEvent::Behind(false));
                }
                _ => {}
            }
        }
        pauses.push((node.now.steady - begun).as_secs());
    }
    assert!(
        pauses[0] >= 10 && pauses[1] >= 20 && pauses[7] >= 300,
        "{pauses:?}"
    );
    assert!(pauses[7] < 320, "{pauses:?}");
    node.does(FollowAction::Stage(target(42)), FollowEvent::Refused);
    for _ in 0..100 {
        node.sleeps();
        let event = match node.action() {
            FollowAction::LookBehind(_) => FollowEvent::Behind(false),
            _ => FollowEvent::Unchanged,
        };
        node.core.handle(node.now, event);
    }
    node.sleeps();
    node.learns(58, 43).stages(43).changes(Some(41), 43);
}

#[test]
fn a_question_that_fails_changes_nothing() {
    let mut node = settled(config());
    for _ in 0..3 {
        node.sleeps();
        node.does(FollowAction::Poll, FollowEvent::AskFailed);
    }
    node.sleeps();
    node.does(FollowAction::Poll, FollowEvent::Missing);
    node.sleeps();
    assert_eq!(node.core.memory(), &running());
}

#[test]
fn a_release_for_later_is_fetched_early_and_swapped_then() {
    let mut node = settled(config());
    node.sleeps();
    let mut later = pointer(57, 42);
    later.at = Some(node.now.unix + 25);
    let at = node.now.unix + 25;
    node.does(FollowAction::Poll, FollowEvent::Pointer(later))
        .stages(42);
    let mut polls = 0;
    while node.now.unix < at {
        match node.action() {
            FollowAction::Sleep(time) => node.pass(time),
            FollowAction::Poll => {
                polls += 1;
                node.core.handle(node.now, FollowEvent::Unchanged);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((2..=3).contains(&polls), "{polls}");
    node.changes(Some(41), 42);
}

#[test]
fn a_later_move_takes_the_place_of_one_that_waits() {
    let mut node = settled(config());
    node.sleeps();
    let mut later = pointer(57, 42);
    later.at = Some(node.now.unix + 1000);
    node.does(FollowAction::Poll, FollowEvent::Pointer(later))
        .stages(42);
    node.sleeps();
    node.learns(58, 41);
    // It runs that one already.
    node.sleeps();
}

#[test]
fn a_new_node_runs_what_holds_until_then() {
    let mut later = pointer(57, 42);
    later.at = Some(2000);
    later.before = Some(target(41));
    let mut node = Node::new(config(), Memory::default());
    node.does(FollowAction::Poll, FollowEvent::Pointer(later))
        .does(FollowAction::LookBehind(57), FollowEvent::Behind(false))
        .stages(41)
        .changes(None, 41)
        .stages(42);
    node.sleeps();
}

#[test]
fn nodes_change_one_after_another_where_that_is_told() {
    let mut node = settled(Config {
        offset: 4,
        ..config()
    });
    node.sleeps();
    let seen = node.now.unix;
    node.learns(57, 42).stages(42);
    assert_eq!(node.sleeps(), Duration::from_secs(4));
    assert_eq!(node.now.unix, seen + 4);
    node.changes(Some(41), 42);
}

#[test]
fn a_command_that_fails_is_told_and_its_release_stays() {
    let mut node = settled(config());
    node.sleeps();
    let why = || "chat: exit status 1".to_owned();
    node.learns(57, 42)
        .stages(42)
        .does(FollowAction::Swap(target(42)), FollowEvent::Swapped)
        .does(
            FollowAction::Run {
                from: Some(41),
                to: 42,
            },
            FollowEvent::Ran(Err(why())),
        )
        .does(FollowAction::Report(Err(why())), FollowEvent::Reported);
    node.sleeps();
}

#[test]
fn a_command_that_fails_brings_back_the_release_before_and_marks_the_new_one() {
    let mut node = settled(Config {
        go_back: true,
        ..config()
    });
    node.sleeps();
    let why = "release 42 failed, and this node went back to 41: no".to_owned();
    node.learns(57, 42)
        .stages(42)
        .does(FollowAction::Swap(target(42)), FollowEvent::Swapped)
        .does(
            FollowAction::Run {
                from: Some(41),
                to: 42,
            },
            FollowEvent::Ran(Err("no".into())),
        )
        .does(
            FollowAction::Return(41),
            FollowEvent::Returned(target(41).manifest),
        )
        .does(
            FollowAction::Run {
                from: Some(42),
                to: 41,
            },
            FollowEvent::Ran(Ok(())),
        )
        .does(FollowAction::Report(Err(why)), FollowEvent::Reported);
    node.sleeps();
    // Not even by another move, and not after a restart.
    node.learns(58, 42);
    node.sleeps();
    let memory = node.core.memory().clone();
    let mut again = Node::new(config(), memory);
    let told = "release 42 has failed on this node".to_owned();
    again
        .does(FollowAction::Report(Err(told)), FollowEvent::Reported)
        .does(FollowAction::Poll, FollowEvent::Unchanged)
        .does(FollowAction::LookBehind(58), FollowEvent::Behind(false));
    again.sleeps();
    again.learns(59, 43).stages(43).changes(Some(41), 43);
}

#[test]
fn once_ends_when_it_runs_what_holds() {
    let once = || Config {
        once: true,
        offset: 60,
        ..config()
    };
    let mut node = Node::new(once(), running());
    node.does(FollowAction::Report(Ok(41)), FollowEvent::Reported)
        .learns(57, 42)
        .does(FollowAction::LookBehind(57), FollowEvent::Behind(false))
        .stages(42)
        .changes(Some(41), 42);
    assert_eq!(node.action(), FollowAction::End);

    // What is for later is for later.
    let mut later = pointer(57, 42);
    (later.at, later.before) = (Some(2000), Some(target(41)));
    let mut node = Node::new(once(), running());
    node.does(FollowAction::Report(Ok(41)), FollowEvent::Reported)
        .does(FollowAction::Poll, FollowEvent::Pointer(later))
        .does(FollowAction::LookBehind(57), FollowEvent::Behind(false));
    assert_eq!(node.action(), FollowAction::End);
}

#[test]
fn a_rollback_is_a_later_move_to_an_earlier_release() {
    let mut node = settled(config());
    node.sleeps();
    let mut back = pointer(57, 40);
    back.cause = Cause::Rollback;
    node.does(FollowAction::Poll, FollowEvent::Pointer(back))
        .stages(40)
        .changes(Some(41), 40);
}

#[test]
fn a_look_behind_that_is_refused_stops_no_questions() {
    let start = || {
        let mut node = Node::new(config(), running());
        node.does(FollowAction::Report(Ok(41)), FollowEvent::Reported)
            .does(FollowAction::Poll, FollowEvent::Unchanged);
        node
    };
    let mut refused = start();
    refused.does(FollowAction::LookBehind(56), FollowEvent::AskFailed);
    // There is a move that nobody whom this node trusts has signed.
    let mut untrusted = start();
    untrusted
        .does(FollowAction::LookBehind(56), FollowEvent::Behind(true))
        .does(FollowAction::ReadLast, FollowEvent::AskFailed);
    for mut node in [refused, untrusted] {
        let mut looks = 0;
        for _ in 0..120 {
            node.sleeps();
            match node.action() {
                FollowAction::LookBehind(56) => {
                    looks += 1;
                    node.core.handle(node.now, FollowEvent::AskFailed);
                }
                action => {
                    assert_eq!(action, FollowAction::Poll);
                    node.core.handle(node.now, FollowEvent::Unchanged);
                }
            }
        }
        assert_eq!(looks, 2);
        node.sleeps();
        node.learns(57, 42).stages(42).changes(Some(41), 42);
    }
}

#[test]
fn what_is_remembered_is_not_staged_before_it_was_asked_for() {
    let mut memory = running();
    memory.known = Some(pointer(57, 42));
    let mut node = Node::new(config(), memory.clone());
    node.does(FollowAction::Report(Ok(41)), FollowEvent::Reported)
        .learns(58, 43)
        .does(FollowAction::LookBehind(58), FollowEvent::Behind(false))
        .stages(43);
    // If nobody answers, it is what is known.
    let mut node = Node::new(config(), memory);
    node.does(FollowAction::Report(Ok(41)), FollowEvent::Reported)
        .does(FollowAction::Poll, FollowEvent::AskFailed)
        .stages(42)
        .changes(Some(41), 42);
}
