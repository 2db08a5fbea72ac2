//! What is served of what a server gives, over hours of too much load.

use std::time::Duration;

use super::world::Limit::{Inside, Outside};
use super::world::{Limit, PATIENT, Setting, Span, World};

const QUARTER: Duration = Duration::from_millis(250);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// 200 callers of these kinds, and a server that takes 200 requests a second.
fn setting(kinds: &[Limit]) -> Setting {
    Setting {
        callers: kinds
            .iter()
            .map(|kind| (200 / kinds.len(), *kind))
            .collect(),
        rates: vec![(0, 200.0)],
        burst: 0.1,
        latency: (Duration::from_millis(8), Duration::from_millis(20)),
        pause: Duration::from_millis(100),
    }
}

const ALL: [Limit; 4] = [
    Inside(QUARTER),
    Outside(QUARTER),
    Inside(SECOND),
    Outside(SECOND),
];

/// The whole spans of ten seconds of so much time.
fn run(setting: Setting, time: Duration) -> Vec<Span> {
    let mut world = World::new(setting, 7);
    world.run(time);
    world.spans
}

fn share(count: u32, span: &Span) -> f64 {
    f64::from(count) / span.given
}

/// Holds spans against what is promised of every ten seconds after the first minute.
fn check(what: &str, spans: &[Span]) {
    for (i, span) in spans.iter().enumerate() {
        let all = share(span.served, span);
        assert!((0.9..1.05).contains(&all), "{what}, span {i}: {span:?}");
        let good = share(span.succeeded, span);
        assert!(good >= 0.9, "{what}, span {i}: {span:?}");
        assert!(
            share(span.refused, span) < 0.03,
            "{what}, span {i}: {span:?}"
        );
        assert!(share(span.lost, span) < 0.05, "{what}, span {i}: {span:?}");
    }
}

#[test]
fn three_hours_of_callers_of_all_kinds_get_what_the_server_gives() {
    let mut setting = setting(&ALL);
    setting.pause = Duration::from_millis(400);
    let spans = run(setting, 180 * MINUTE);
    check("all", &spans[6..]);
    assert_eq!(spans.len(), 1080);
}

#[test]
fn each_kind_of_caller_gets_what_the_server_gives() {
    for kind in ALL.into_iter().chain([Inside(PATIENT)]) {
        // A server that lets hardly anything through at once, and one that lets a second's worth through.
        for burst in [0.02, 0.1, 1.0] {
            let mut setting = setting(&[kind]);
            setting.burst = burst;
            let spans = run(setting, 3 * MINUTE);
            check(&format!("{kind:?}, burst {burst}"), &spans[6..]);
        }
    }
}

#[test]
fn small_and_large_servers_are_used_alike() {
    for rate in [20.0, 1000.0] {
        let mut setting = setting(&[Inside(PATIENT)]);
        setting.rates = vec![(0, rate)];
        setting.callers[0].0 = (rate as usize * 2).clamp(100, 1000);
        setting.pause /= 10;
        let spans = run(setting, 5 * MINUTE);
        for (i, span) in spans.iter().enumerate().skip(6) {
            let good = share(span.succeeded, span);
            assert!(good >= 0.9, "{rate}, span {i}: {span:?}");
            assert!(
                share(span.refused, span) < 0.1,
                "{rate}, span {i}: {span:?}"
            );
        }
    }
}

#[test]
fn a_change_of_the_server_is_followed_within_ten_seconds() {
    let kinds = [Inside(QUARTER), Outside(SECOND), Inside(PATIENT)];
    for kinds in kinds
        .map(|kind| vec![kind])
        .into_iter()
        .chain([ALL.to_vec()])
    {
        let mut setting = setting(&kinds);
        setting.rates = vec![(0, 200.0), (100, 100.0), (140, 200.0), (180, 400.0)];
        // Enough for a server of 400 a second.
        setting
            .callers
            .iter_mut()
            .for_each(|(count, _)| *count *= 2);
        let spans = run(setting, 220 * SECOND);
        for (from, to) in [(6, 10), (11, 14), (15, 18), (19, 22)] {
            check(&format!("{kinds:?} from {from}"), &spans[from..to]);
        }
    }
}

#[test]
fn who_is_patient_is_not_pushed_aside_by_those_who_are_not() {
    let kinds = [
        Outside(QUARTER),
        Inside(PATIENT),
        Outside(SECOND),
        Inside(PATIENT),
    ];
    let spans = run(setting(&kinds), 10 * MINUTE);
    check("patient and impatient", &spans[6..]);
    let starved: u32 = spans.iter().map(|span| span.starved).sum();
    assert_eq!(starved, 0);
}
