//! Fewer connections than are usual: they come to be, serve, and are left.

use super::*;

#[test]
fn connections_beyond_a_narrow_cap_finish_what_they_have_and_come_back_with_the_usual_one() {
    let mut world = Fixture::new(3, 1);
    world.scheduler.growth = Growth::new(&Config {
        usual_connections: 3,
        narrow_connections: 1,
        ..Config::default()
    });
    assert_eq!(world.scheduler.load().narrow, 1);
    world.send(5);
    let open = [world.open(), world.open(), world.open()];
    for id in open {
        assert_eq!(world.report(id, Report::default()).unwrap(), 1);
    }
    let of = |width| Setting::new(1, 1).with(width);
    world.scheduler.depth.teach(of(Width::Narrow));
    world.scheduler.follow(open[0], of(Width::Usual));
    let closing = |world: &mut Fixture, id| world.phase(id) == Phase::Closing;
    let (gone, kept): (Vec<_>, Vec<_>) = open.into_iter().partition(|id| closing(&mut world, *id));
    assert_eq!((gone.len(), kept.len()), (2, 1));
    for id in gone {
        assert!(world.report(id, done(1)).is_err());
        assert!(world.scheduler.handle_dropped(id, world.now).is_empty());
    }
    assert_eq!(world.report(kept[0], done(1)).unwrap(), 1, "it goes on");
    assert!(!world.scheduler.poll_opening(world.now), "one is enough");
    world.scheduler.depth.teach(of(Width::Usual));
    world.scheduler.follow(kept[0], of(Width::Narrow));
    assert!(world.scheduler.poll_opening(world.now));
}

#[test]
fn a_narrow_setting_is_left_when_all_its_connections_are_held() {
    let mut world = Fixture::new(16, 4);
    world.scheduler.teach_width(Width::Narrow);
    world.send(8);
    let streaming = Report {
        streaming: true,
        ..done(1)
    };
    for _ in 0..8 {
        let id = world.open();
        assert_eq!(world.report(id, Report::default()).unwrap(), 1);
        assert_eq!(world.report(id, streaming).unwrap(), 0);
    }
    world.send(3);
    assert!(!world.scheduler.poll_opening(world.now), "it is at its cap");
    let soon = world.now + Duration::from_secs(1);
    let due = world.scheduler.poll_timeout(world.now).unwrap();
    assert!(due <= soon, "{:?}", due - world.now);
    // A reply shows that others are served.
    world.now += Duration::from_millis(500);
    assert_eq!(world.report(ConnId(0), streaming).unwrap(), 0);
    world.scheduler.handle_timeout(due);
    assert!(!world.scheduler.poll_opening(due));
    let due = world.scheduler.poll_timeout(due).unwrap();
    world.scheduler.handle_timeout(due);
    assert_eq!(world.scheduler.cap(), 16);
    assert!(
        world.scheduler.poll_opening(due),
        "they need not wait for the large answers"
    );
}

#[test]
fn a_narrow_setting_is_kept_when_callers_have_paused() {
    let mut world = Fixture::new(16, 1);
    world.scheduler.teach_width(Width::Narrow);
    world.send(8);
    let ids: Vec<_> = (0..8).map(|_| world.open()).collect();
    for id in ids {
        assert_eq!(world.report(id, Report::default()).unwrap(), 1);
        assert_eq!(world.report(id, done(1)).unwrap(), 0);
    }
    world.now += Duration::from_secs(60);
    world.send(9);
    world.scheduler.handle_timeout(world.now);
    assert_eq!((world.scheduler.cap(), world.scheduler.waiting()), (8, 1));
    let due = world.scheduler.poll_timeout(world.now);
    assert_eq!(due, Some(world.now + Duration::from_secs(1)));
}

#[test]
fn there_is_no_narrow_setting_where_large_messages_would_hold_most_of_it() {
    let mut world = Fixture::new(16, 4);
    let streaming = Report {
        streaming: true,
        ..done(1)
    };
    world.send(5);
    for held in 1..=5 {
        let id = world.open();
        world.report(id, Report::default()).unwrap();
        world.report(id, streaming).unwrap();
        assert_eq!(world.scheduler.load().narrow, if held > 4 { 0 } else { 8 });
    }
    // One of them has ended.
    world.report(ConnId(0), Report::default()).unwrap();
    assert_eq!(world.scheduler.load().narrow, 8);
}

#[test]
fn there_is_no_narrow_setting_where_the_line_has_no_room_for_the_others() {
    for (waiters, narrow) in [(67, 8), (66, 0)] {
        let mut world = Fixture::new(16, 4);
        world.scheduler.max_waiters = waiters;
        for _ in 0..16 {
            world.open();
        }
        // None has answered yet, so that all wait: 3, beside 16 connections with room for 4 each.
        world.send(3);
        assert_eq!(world.scheduler.queue.len(), 3);
        assert_eq!(world.scheduler.load().narrow, narrow, "{waiters}");
    }
}
