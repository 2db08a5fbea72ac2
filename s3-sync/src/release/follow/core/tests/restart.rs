//! What a follower does that was killed in the middle.

use super::*;

#[test]
fn commands_that_were_cut_short_are_run_again() {
    // The link was changed, and nothing of it was remembered.
    let mut memory = running();
    memory.ran = Some(40);
    memory.previous = Some(39);
    let mut node = Node::new(config(), memory);
    node.does(
        FollowAction::Run {
            from: Some(40),
            to: 41,
        },
        FollowEvent::Ran(Ok(())),
    )
    .does(FollowAction::Report(Ok(41)), FollowEvent::Reported)
    .does(FollowAction::Poll, FollowEvent::Unchanged);
}

#[test]
fn going_back_that_was_cut_short_is_done_again() {
    let failed = |installed: u64| {
        let mut memory = running();
        memory.known = Some(pointer(57, 42));
        memory.installed = Some(target(installed));
        (memory.previous, memory.ran) = (Some(41), Some(42));
        memory.bad.insert(42);
        memory
    };
    let run = || FollowAction::Run {
        from: Some(42),
        to: 41,
    };
    let went = "release 42 failed, and this node went back to 41: its commands failed".to_owned();
    // Before the link, and after it.
    Node::new(config(), failed(42))
        .does(
            FollowAction::Return(41),
            FollowEvent::Returned(target(41).manifest),
        )
        .does(run(), FollowEvent::Ran(Ok(())))
        .does(
            FollowAction::Report(Err(went.clone())),
            FollowEvent::Reported,
        )
        .does(FollowAction::Poll, FollowEvent::Unchanged);
    for result in [Ok(()), Err("no".to_owned())] {
        let mut node = Node::new(going_back(), failed(41));
        node.does(run(), FollowEvent::Ran(result)).does(
            FollowAction::Report(Err(went.clone())),
            FollowEvent::Reported,
        );
        assert!(!node.core.memory().bad.contains(&41));
    }
    // A later release after one that has stayed: this is no going back.
    let mut memory = failed(43);
    memory.known = Some(pointer(58, 43));
    let run_next = FollowAction::Run {
        from: Some(42),
        to: 43,
    };
    Node::new(config(), memory)
        .does(run_next, FollowEvent::Ran(Ok(())))
        .does(FollowAction::Report(Ok(43)), FollowEvent::Reported);
    // The one before is gone.
    let mut node = Node::new(config(), failed(42));
    node.does(FollowAction::Return(41), FollowEvent::Stays);
    let FollowAction::Report(Err(told)) = node.action() else {
        panic!("{:?}", node.action());
    };
    assert!(told.contains("no longer there"), "{told}");
}

#[test]
fn who_was_killed_twice_goes_back_to_the_release_that_ran() {
    // The link was changed, and nothing of it was remembered.
    let mut memory = running();
    memory.known = Some(pointer(57, 42));
    memory.installed = Some(target(42));
    let mut node = Node::new(going_back(), memory);
    let run = FollowAction::Run {
        from: Some(41),
        to: 42,
    };
    node.does(run, FollowEvent::Ran(Err("no".to_owned())));
    let mut again = Node::new(going_back(), node.core.memory().clone());
    assert_eq!(again.action(), FollowAction::Return(41));
}

#[test]
fn a_failure_that_stays_is_told_again_after_a_restart() {
    let mut node = settled(config());
    node.sleeps();
    node.learns(57, 42).stages(42);
    node.does(FollowAction::Swap(target(42)), FollowEvent::Swapped);
    let run = FollowAction::Run {
        from: Some(41),
        to: 42,
    };
    node.does(run, FollowEvent::Ran(Err("no".to_owned())));
    let memory = node.core.memory().clone();
    assert_eq!(memory.verdict(), Some(Err("no".to_owned())));
    let mut again = Node::new(config(), memory);
    again.does(
        FollowAction::Report(Err("no".to_owned())),
        FollowEvent::Reported,
    );
    // The commands of the next release go well.
    again
        .does(FollowAction::Poll, FollowEvent::Pointer(pointer(58, 43)))
        .does(FollowAction::LookBehind(58), FollowEvent::Behind(false))
        .stages(43);
    again.does(FollowAction::Swap(target(43)), FollowEvent::Swapped);
    let run = FollowAction::Run {
        from: Some(42),
        to: 43,
    };
    again.does(run, FollowEvent::Ran(Ok(())));
    assert_eq!(again.core.memory().verdict(), Some(Ok(43)));
}
