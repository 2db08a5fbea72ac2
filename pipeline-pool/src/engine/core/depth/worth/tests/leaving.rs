//! When few connections are looked at again, when they are left, and when they are tried once more.

use super::*;

/// A control that rests with few connections, at most until this instant, whose callers waited so many us.
fn resting(until: Instant, early: Instant, us: u32) -> DepthControl {
    let mut control = DepthControl::new(32, false);
    control.setting = Setting::new(32, 32).with(Width::Narrow);
    control.stage = Stage::Resting {
        until,
        early,
        response: f64::from(us) * 1e-6,
    };
    control
}

fn tries(control: &DepthControl) -> bool {
    matches!(control.stage, Stage::Trying(_))
}

#[test]
fn few_are_kept_while_as_many_requests_wait_as_are_missing_on_connections() {
    for (waiting, kept) in [(60, true), (50, false)] {
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let mut control = resting(later, later, 850);
        // Replies that were read, and whose connections have got no further requests yet.
        let mut window = seen(200, 300_000, 0);
        let sample = Sample {
            replies: 30_000,
            ..Sample::default()
        };
        let waits = 2 * waiting;
        window.add(
            &sample,
            Load {
                waiting: waits,
                ..NARROW_LOAD
            },
        );
        for _ in 0..3 {
            control.end_turn(window, NARROW_LOAD, now);
        }
        let width = control.setting().width;
        assert_eq!(width == Width::Narrow, kept, "{waiting}");
    }
}

#[test]
fn one_look_that_is_mostly_a_pause_changes_nothing_and_two_do() {
    let now = Instant::now();
    let mut control = resting(now, now, 850);
    let pause = seen(20, 300_000, 0);
    control.end_turn(pause, NARROW_LOAD, now);
    assert!(!tries(&control), "no connections are opened for it");
    assert_eq!(control.setting().width, Width::Narrow);
    control.end_turn(pause, NARROW_LOAD, now);
    assert_eq!(control.setting().width, Width::Usual);
    assert_eq!(control.trials(), 0);
}

#[test]
fn few_are_in_use_again_soon_after_callers_were_away() {
    let mut server = Server::narrow();
    server.run(200.0);
    server.callers = 200;
    assert_eq!(server.run(1.0), Width::Usual);
    server.callers = 4096;
    assert_eq!(server.run(4.0), Width::Narrow);
}

#[test]
fn what_few_have_shown_counts_no_more_when_times_change_and_what_a_depth_has_shown_does() {
    for (width, narrow, expected) in [(Width::Narrow, NARROW, true), (Width::Usual, 0, false)] {
        let now = Instant::now();
        let secs = Duration::from_secs(50);
        // They have waited for a half of what they wait for now.
        let mut control = resting(now + secs, now, 425);
        control.setting.width = width;
        control.proven_until = Some(now + secs);
        let load = Load {
            narrow,
            ..NARROW_LOAD
        };
        control.end_turn(seen(256, 300_000, 0), load, now);
        assert_eq!(tries(&control), expected, "{width:?}");
    }
}

#[test]
fn callers_who_wait_for_longer_with_few_do_so_for_a_second_at_most() {
    let (now, secs) = (Instant::now(), Duration::from_secs);
    let mut control = resting(now, now, 850);
    control.rest = secs(60);
    control.rest(&seen(256, 300_000, 0), now);
    let slower = seen(2048, 300_000, 0);
    control.end_turn(slower, NARROW_LOAD, now + secs(1) - Duration::from_nanos(1));
    assert!(!tries(&control));
    control.end_turn(slower, NARROW_LOAD, now + secs(1));
    assert!(tries(&control));
}

#[test]
fn few_that_have_shown_that_they_pay_are_left_alone_for_a_while() {
    let mut server = Server::new(4096, 1.4);
    while server.run(0.1) != Width::Narrow {}
    server.run(8.0);
    assert_eq!(server.trying, Duration::ZERO, "they have just shown it");
    // Times change, so it is looked once whether they still pay. They do.
    let mut server = Server::narrow();
    let trials = server.control.trials();
    server.callers = 8192;
    server.run(3.0);
    assert_eq!(server.control.trials(), trials + 1);
    assert_eq!(server.run(7.0), Width::Narrow);
    assert_eq!(server.trying, Duration::ZERO);
}

#[test]
fn few_are_left_where_they_have_come_to_make_callers_slow() {
    let mut server = Server::narrow();
    server.slow = 0.02;
    assert_eq!(server.run(70.0), Width::Usual, "whatever they gain");
    assert_eq!(server.run(120.0), Width::Usual);
}

#[test]
fn few_that_cost_callers_much_are_not_tried_again_for_minutes() {
    // That some replies are quick says nothing of what they take.
    let mut server = Server::narrow();
    server.latency = 0.005;
    server.quickest = -0.0048;
    assert_eq!(server.run(5.0), Width::Usual);
    server.run(280.0);
    assert_eq!(server.narrowed, Duration::ZERO);
    // Where no reply is quick any more, they are not at all.
    let mut server = Server::narrow();
    server.latency = 0.005;
    assert_eq!(server.run(5.0), Width::Usual);
    server.run(600.0);
    assert_eq!(server.narrowed, Duration::ZERO);
}

#[test]
fn few_that_cost_callers_little_are_tried_again_when_they_may_pay() {
    // They were in use, and paid no more for a while.
    let mut server = Server::narrow();
    server.crowded = 1.0;
    assert_eq!(server.run(70.0), Width::Usual);
    server.crowded = 1.4;
    assert_eq!(server.run(150.0), Width::Narrow);
    // They were tried, and did not pay. No single reply tells any more how quick the server is, and
    // few connections have just shown it.
    let mut server = Server::new(4096, 1.0);
    while server.narrowed == Duration::ZERO && server.steps < 15_000 {
        server.run(0.1);
    }
    server.quickest = 0.01;
    assert_eq!(server.run(10.0), Width::Usual);
    assert!(server.narrowed > Duration::ZERO);
    server.crowded = 1.4;
    assert_eq!(server.run(120.0), Width::Narrow);
}

#[test]
fn few_that_wait_for_late_replies_are_held_against_the_usual_number_first() {
    let mut control = DepthControl::new(32, false);
    control.setting = Setting::new(32, 32).with(Width::Narrow);
    let load = Load {
        can_widen: true,
        ..NARROW_LOAD
    };
    let mut window = seen(256, 300_000, 0);
    let sample = Sample {
        replies: 30_000,
        ..Sample::default()
    };
    window.add(&sample, Load { stuck: 4, ..load });
    control.choose(&window, load, Instant::now());
    let usual = Setting::new(32, 32);
    assert!(matches!(control.stage, Stage::Trying(t) if t.setting == usual));
}

#[test]
fn few_are_not_tried_for_longer_because_a_connection_is_being_opened() {
    let (now, ms) = (Instant::now(), Duration::from_millis);
    let mut control = DepthControl::new(32, false);
    control.setting = Setting::new(32, 32);
    let load = Load {
        connections: USUAL,
        ..NARROW_LOAD
    };
    control.quickest = 0.0001;
    control.proven_until = Some(now + ms(100));
    control.choose(&seen(2048, 300_000, 0), load, now);
    let load = Load { opening: 1, ..load };
    for passed in (10..=700).step_by(10) {
        let replies = match control.setting().width {
            Width::Narrow => 40,
            _ => 20,
        };
        control.observe(&replies_of_a_ms(replies), load, now + ms(passed));
        if passed == 350 || passed == 550 {
            assert_eq!(control.setting().width, Width::Narrow, "{passed}");
            assert_eq!(control.trials(), 0, "{passed}");
        }
    }
    assert_eq!(control.trials(), 1);
    // They have been twice as fast, and are left alone for that.
    assert_eq!(control.setting().width, Width::Narrow);
    assert!(!tries(&control));
}
