//! The rules of what is told, list by list.

use proptest::prelude::*;

use super::*;

const EVERY: Duration = Duration::from_secs(30);

fn tracker() -> Tracker {
    Tracker::new(Address::Private, EVERY)
}

fn peer(id: &str, address: &str) -> Peer {
    Peer {
        id: id.to_owned(),
        name: format!("node@{id}"),
        address: address.to_owned(),
        addresses: super::super::Addresses::default(),
        zone: None,
        tags: BTreeMap::new(),
        launched: None,
        is_me: false,
    }
}

fn sighting(id: &str, state: State) -> Sighting {
    let peer = Some(peer(id, "10.0.0.1"));
    let id = id.to_owned();
    Sighting { id, state, peer }
}

fn without_address(id: &str) -> Sighting {
    let peer = None;
    Sighting {
        peer,
        ..sighting(id, State::Running)
    }
}

fn round(sightings: impl IntoIterator<Item = Sighting>) -> Round {
    Round {
        sightings: sightings.into_iter().collect(),
        pages: 1,
    }
}

fn running<'a>(ids: impl IntoIterator<Item = &'a str>) -> Round {
    round(ids.into_iter().map(|id| sighting(id, State::Running)))
}

/// What there is to tell, in short.
fn told(tracker: &mut Tracker) -> Vec<String> {
    let short = |event| match event {
        PeerEvent::Joined(peer) => format!("+{}", peer.id),
        PeerEvent::Changed(peer) => format!("~{} {}", peer.id, peer.address),
        PeerEvent::Left(peer, why) => format!("-{} {why}", peer.id),
        PeerEvent::Skipped { id, .. } => format!("!{id}"),
        PeerEvent::Ready { count } => format!("ready {count}"),
        PeerEvent::Stretched { every } => format!("every {} s", every.as_secs()),
        PeerEvent::Failing(error, _) => format!("failing: {error}"),
    };
    std::iter::from_fn(|| tracker.poll_event())
        .map(short)
        .collect()
}

fn next(tracker: &mut Tracker, round: Round) -> Vec<String> {
    tracker.handle_round(Instant::now(), round, 0.5);
    told(tracker)
}

fn fail(tracker: &mut Tracker, what: &str) {
    let error = Error::protocol(what);
    tracker.handle_failure(Instant::now(), error, Wait::Backoff, 0.5);
}

#[test]
fn a_failure_moves_nothing() {
    let mut tracker = tracker();
    fail(&mut tracker, "first");
    assert!(tracker.list().is_none());
    assert_eq!(told(&mut tracker), ["failing: first"]);
    assert_eq!(
        next(&mut tracker, running(["a", "b"])),
        ["+a", "+b", "ready 2"]
    );
    for _ in 0..10 {
        fail(&mut tracker, "again");
        assert_eq!(told(&mut tracker), ["failing: again"]);
    }
    assert_eq!(tracker.list().unwrap().1.len(), 2);
    // The misses on both sides of a failure still count: a failure is no list.
    assert_eq!(next(&mut tracker, running(["a"])), ["ready 2"]);
    fail(&mut tracker, "more");
    assert_eq!(told(&mut tracker), ["failing: more"]);
    assert_eq!(
        next(&mut tracker, running(["a"])),
        ["-b missing from two lists", "ready 1"]
    );
}

#[test]
fn an_untold_failure_that_is_over_is_not_told() {
    let mut tracker = tracker();
    next(&mut tracker, running(["a"]));
    fail(&mut tracker, "one");
    fail(&mut tracker, "two");
    assert!(next(&mut tracker, running(["a"])).is_empty());
    fail(&mut tracker, "one");
    fail(&mut tracker, "two");
    assert_eq!(told(&mut tracker), ["failing: two"], "the last");
}

#[test]
fn peers_join_when_they_run() {
    let mut tracker = tracker();
    let pending = || round([sighting("a", State::Pending)]);
    assert_eq!(next(&mut tracker, pending()), ["ready 0"]);
    assert_eq!(next(&mut tracker, running(["a"])), ["+a"]);
    // EC2 may go back to what was.
    for _ in 0..3 {
        assert!(next(&mut tracker, pending()).is_empty());
    }
    assert!(next(&mut tracker, round([sighting("a", State::Other(96))])).is_empty());
}

#[test]
fn peers_leave_at_once_when_they_are_seen_to_end() {
    for (state, why) in [
        (State::ShuttingDown, "shutting down"),
        (State::Terminated, "terminated"),
        (State::Stopping, "stopping"),
        (State::Stopped, "stopped"),
    ] {
        let mut tracker = tracker();
        assert_eq!(
            next(&mut tracker, round([sighting("b", state)])),
            ["ready 0"]
        );
        next(&mut tracker, running(["a", "b"]));
        let ending = round([sighting("a", State::Running), sighting("b", state)]);
        assert_eq!(next(&mut tracker, ending), [format!("-b {why}")]);
        assert!(next(&mut tracker, running(["a"])).is_empty());
        assert_eq!(
            next(&mut tracker, running(["a", "b"])),
            ["+b"],
            "started again"
        );
    }
}

#[test]
fn a_peer_that_is_missing_once_has_not_left() {
    let mut tracker = tracker();
    next(&mut tracker, running(["a", "b"]));
    for _ in 0..3 {
        assert!(next(&mut tracker, running(["a"])).is_empty());
        assert!(next(&mut tracker, running(["a", "b"])).is_empty());
    }
    assert!(next(&mut tracker, running(["b"])).is_empty());
    let gone = next(&mut tracker, running(["b"]));
    assert_eq!(gone, ["-a missing from two lists"]);
    assert!(next(&mut tracker, running(["b"])).is_empty());
}

#[test]
fn what_lacks_the_address_is_skipped_and_said_once() {
    let mut tracker = tracker();
    let lacking = || round([without_address("a"), sighting("b", State::Running)]);
    assert_eq!(next(&mut tracker, lacking()), ["!a", "+b", "ready 1"]);
    assert!(next(&mut tracker, lacking()).is_empty());
    assert_eq!(next(&mut tracker, running(["a", "b"])), ["+a"]);
    // A member that loses it has two lists' time.
    assert!(next(&mut tracker, lacking()).is_empty());
    assert_eq!(next(&mut tracker, lacking()), ["-a without an address"]);
    assert_eq!(next(&mut tracker, lacking()), ["!a"]);
    assert!(next(&mut tracker, running(["b"])).is_empty());
    assert_eq!(
        next(&mut tracker, lacking()),
        ["!a"],
        "it was gone meanwhile"
    );
}

#[test]
fn what_was_skipped_and_has_joined_is_told_as_joined_alone() {
    let mut tracker = tracker();
    tracker.handle_round(Instant::now(), round([without_address("a")]), 0.5);
    assert_eq!(next(&mut tracker, running(["a"])), ["+a", "ready 1"]);
    // It leaves, comes back without its address, and both are told.
    let stopped = round([sighting("a", State::Stopped)]);
    tracker.handle_round(Instant::now(), stopped, 0.5);
    let back = next(&mut tracker, round([without_address("a")]));
    assert_eq!(back, ["-a stopped", "!a"]);
}

#[test]
fn pending_is_no_miss_and_ends_a_row_of_them() {
    let mut tracker = tracker();
    next(&mut tracker, running(["a"]));
    for state in [State::Pending, State::Other(96)] {
        assert!(next(&mut tracker, running([])).is_empty());
        let there = next(&mut tracker, round([sighting("a", state)]));
        assert!(there.is_empty(), "{there:?}");
    }
    assert!(
        next(&mut tracker, running([])).is_empty(),
        "the first again"
    );
    assert_eq!(
        next(&mut tracker, running([])),
        ["-a missing from two lists"]
    );
}

#[test]
fn a_leaver_that_nobody_is_told_of_waits_for_any_time() {
    let mut tracker = tracker();
    next(&mut tracker, running(["a"]));
    for _ in 0..1000 {
        tracker.handle_round(Instant::now(), running([]), 0.5);
    }
    assert_eq!(told(&mut tracker), ["-a missing from two lists"]);
    assert_eq!(tracker.size(), 0);
}

#[test]
fn failures_are_told_with_the_time_of_the_first() {
    let (mut tracker, now) = (tracker(), Instant::now());
    let at = |seconds: u64| now + Duration::from_secs(seconds);
    let since = |tracker: &mut Tracker| match tracker.poll_event() {
        Some(PeerEvent::Failing(_, since)) => since,
        other => panic!("{other:?}"),
    };
    for seconds in [1, 5, 9] {
        tracker.handle_failure(at(seconds), Error::protocol("x"), Wait::Backoff, 0.5);
        assert_eq!(since(&mut tracker), at(1).into_std());
    }
    tracker.handle_round(at(10), running([]), 0.5);
    told(&mut tracker);
    tracker.handle_failure(at(20), Error::protocol("x"), Wait::Backoff, 0.5);
    assert_eq!(
        since(&mut tracker),
        at(20).into_std(),
        "another row of them"
    );
}

#[test]
fn changes_are_told_in_the_order_of_ids() {
    let mut tracker = tracker();
    let first = next(&mut tracker, running(["c", "a", "b"]));
    assert_eq!(first, ["+a", "+b", "+c", "ready 3"]);
    let mut moved = sighting("b", State::Running);
    moved.peer = Some(peer("b", "10.0.0.9"));
    let ending = sighting("c", State::Stopped);
    let later = round([
        sighting("d", State::Running),
        ending,
        moved,
        sighting("a", State::Running),
    ]);
    assert_eq!(
        next(&mut tracker, later),
        ["~b 10.0.0.9", "-c stopped", "+d"]
    );
}

#[test]
fn an_instance_on_two_pages_is_one() {
    let mut tracker = tracker();
    let twice = [sighting("a", State::Running), sighting("a", State::Stopped)];
    assert_eq!(next(&mut tracker, round(twice)), ["ready 0"]);
}

#[test]
fn a_slow_reader_is_told_the_latest() {
    let mut tracker = tracker();
    let now = Instant::now();
    tracker.handle_round(now, running(["a", "b"]), 0.5);
    assert!(matches!(tracker.poll_event(), Some(PeerEvent::Joined(peer)) if peer.id == "a"));
    // Ten thousand peers come and go while it does something else.
    for i in 0..10_000 {
        let id = format!("x{i}");
        tracker.handle_round(now, running(["a", "b", &id]), 0.5);
        let ended = round(
            [
                ("a", State::Running),
                ("b", State::Running),
                (&*id, State::Stopped),
            ]
            .map(|(id, state)| sighting(id, state)),
        );
        tracker.handle_round(now, ended, 0.5);
        assert!(tracker.size() < 10, "{}", tracker.size());
    }
    tracker.handle_round(
        now,
        round([sighting("a", State::Stopped), sighting("c", State::Running)]),
        0.5,
    );
    assert_eq!(told(&mut tracker), ["-a stopped", "+b", "+c", "ready 2"]);
}

#[test]
fn the_interval_stretches_and_says_so_once() {
    let mut tracker = tracker();
    let many = |count: usize| {
        let ids: Vec<_> = (0..count).map(|i| format!("i-{i:05}")).collect();
        running(ids.iter().map(String::as_str))
    };
    let last = |told: Vec<String>| told.last().cloned().unwrap_or_default();
    assert_eq!(last(next(&mut tracker, many(100))), "ready 100");
    assert_eq!(tracker.interval(), EVERY);
    assert_eq!(last(next(&mut tracker, many(1000))), "every 250 s");
    assert_eq!(tracker.interval(), Duration::from_secs(250));
    assert!(
        last(next(&mut tracker, many(1001))).starts_with('+'),
        "hardly more"
    );
    assert_eq!(last(next(&mut tracker, many(2000))), "every 500 s");
    next(&mut tracker, many(100));
    next(&mut tracker, many(100));
    assert_eq!(tracker.interval(), EVERY);
    assert_eq!(
        last(next(&mut tracker, many(1000))),
        "every 250 s",
        "again, after it was as asked for"
    );
}

#[test]
fn lists_come_by_version() {
    let mut tracker = tracker();
    tracker.handle_round(Instant::now(), running([]), 0.5);
    let (first, list) = tracker.list().unwrap();
    assert!(list.is_empty());
    let mut versions = vec![first];
    for ids in [&["a", "b"][..], &["a", "b"], &["a"], &["a"], &["a"]] {
        tracker.handle_round(Instant::now(), running(ids.iter().copied()), 0.5);
        versions.push(tracker.list().unwrap().0);
    }
    assert_eq!(versions, [1, 2, 2, 2, 3, 3], "the second miss is a change");
}

#[test]
fn the_next_list_is_due_after_what_happened() {
    let (mut tracker, now) = (tracker(), Instant::now());
    assert_eq!(tracker.next_round(), None, "at once");
    let mut due = |act: &dyn Fn(&mut Tracker)| {
        act(&mut tracker);
        (tracker.next_round().unwrap() - now).as_secs()
    };
    let list =
        |random| move |tracker: &mut Tracker| tracker.handle_round(now, running(["a"]), random);
    let failure = |wait, random| {
        move |tracker: &mut Tracker| {
            tracker.handle_failure(now, Error::protocol("x"), wait, random);
        }
    };
    assert_eq!(due(&list(0.0)), 24);
    assert_eq!(due(&list(1.0)), 36);
    assert_eq!(due(&failure(Wait::Backoff, 1.0)), 2);
    assert_eq!(due(&failure(Wait::Backoff, 1.0)), 4);
    assert_eq!(due(&failure(Wait::Elsewhere, 1.0)), 0);
    assert_eq!(due(&failure(Wait::Interval, 0.0)), 24);
    for _ in 0..9 {
        due(&failure(Wait::Interval, 1.0));
    }
    assert_eq!(due(&failure(Wait::Interval, 1.0)), 360);
    assert_eq!(due(&list(0.5)), 30, "a list ends it");
}

/// What one list has of one instance.
fn anything() -> impl Strategy<Value = Option<Sighting>> {
    let states = prop_oneof![
        6 => Just(Some(State::Running)),
        1 => Just(Some(State::Pending)),
        1 => Just(Some(State::Stopped)),
        3 => Just(None),
    ];
    (states, 0..3_u8).prop_map(|(state, address)| {
        Some(Sighting {
            id: String::new(),
            state: state?,
            peer: (address > 0).then(|| peer("", &format!("10.0.0.{address}"))),
        })
    })
}

proptest! {
    /// Whoever adds up what is told, whenever it is read, has what is known.
    #[test]
    fn what_is_told_adds_up(
        lists in prop::collection::vec((prop::collection::vec(anything(), 4), 0..6_usize, any::<bool>()), 1..40)
    ) {
        let mut tracker = tracker();
        let mut sum: BTreeMap<String, Peer> = BTreeMap::new();
        let add = |event, sum: &mut BTreeMap<String, Peer>| match event {
            PeerEvent::Joined(peer) => assert!(sum.insert(peer.id.clone(), peer).is_none()),
            PeerEvent::Changed(peer) => assert!(sum.insert(peer.id.clone(), peer).is_some()),
            PeerEvent::Left(peer, _) => assert!(sum.remove(&peer.id).is_some()),
            PeerEvent::Ready { count } => assert_eq!(count, sum.len()),
            _ => {}
        };
        for (list, read, fails) in lists {
            if fails {
                fail(&mut tracker, "x");
            }
            let named = list.into_iter().enumerate().filter_map(|(i, sighting)| {
                let mut sighting = sighting?;
                sighting.id = format!("i-{i}");
                if let Some(peer) = &mut sighting.peer {
                    peer.id.clone_from(&sighting.id);
                }
                Some(sighting)
            });
            tracker.handle_round(Instant::now(), round(named), 0.5);
            for event in std::iter::from_fn(|| tracker.poll_event()).take(read) {
                add(event, &mut sum);
            }
            prop_assert!(tracker.size() <= 8);
        }
        for event in std::iter::from_fn(|| tracker.poll_event()) {
            add(event, &mut sum);
        }
        let known = tracker.list().unwrap().1;
        prop_assert_eq!(sum.into_values().collect::<Vec<_>>(), known);
    }
}
