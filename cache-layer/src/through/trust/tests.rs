//! What is trusted of a key, by the order of writes and fills.

use super::*;
use crate::through::trust::Shard;

const TTL: u64 = 60;

/// Trust, and a clock that is set by hand.
struct Test {
    rules: Trust<u64, u32>,
    filter: Arc<DoubtFilter>,
    now: u64,
    places: TestPlaces,
}

/// A list of servers. Keys of one length share a server.
#[derive(Clone, Copy)]
struct TestPlaces(u64);

impl Placement for TestPlaces {
    fn list(&self) -> u64 {
        self.0
    }

    fn shard(&self, key: &Key) -> Shard {
        Shard {
            list: self.0,
            server: key.as_bytes().len(),
        }
    }
}

fn name(rest: &str) -> Name {
    Name::new("t:0:", "me", &["g/"], rest)
}

impl Test {
    fn new(max_doubted: usize) -> Self {
        let filter = Arc::new(DoubtFilter::new());
        Self {
            rules: Trust::new(max_doubted, Some(filter.clone())),
            filter,
            now: 1,
            places: TestPlaces(0),
        }
    }

    fn at(&self) -> Moment<u64> {
        Moment {
            now: self.now,
            until: self.now + TTL,
        }
    }

    fn believes(&mut self, name: &Name) -> bool {
        let at = self.at();
        self.rules.believes(name, &self.places, at).believed
    }

    fn may(&self, name: &Name) -> bool {
        self.filter.may_have(&name.key, self.places.0)
    }

    fn admit(&mut self, name: &Name, visit: &mut Visit) -> Admission<u32> {
        let at = self.at();
        self.rules.admit(name, &self.places, at, visit, || 7)
    }

    fn leads(&mut self, name: &Name) -> u64 {
        match self.admit(name, &mut Visit::default()) {
            Admission::Lead(number, 7) => number,
            other => panic!("{other:?}"),
        }
    }

    fn is_past(&mut self, name: &Name) -> bool {
        matches!(self.admit(name, &mut Visit::default()), Admission::Past)
    }

    fn begin(&mut self, name: &Name) -> (Vec<Name>, WriteTicket) {
        let at = self.at();
        self.rules.begin_write(vec![name.clone()], &self.places, at)
    }

    fn end(&mut self, name: &Name, told: WriteTicket, doubted: bool) {
        let at = self.at();
        self.rules
            .end_write(&name.key, told, doubted, &self.places, at);
    }

    fn doubt(&mut self, name: &Name) {
        let told = self.begin(name).1;
        self.end(name, told, true);
    }
}

#[test]
fn a_write_cuts_reads_off_and_lets_none_fill_meanwhile() {
    let mut test = Test::new(10);
    let k = name("k");
    let first = test.leads(&k);
    assert!(test.rules.is_current(&k.key, first));
    let told = test.begin(&k).1;
    assert!(!test.rules.is_current(&k.key, first));
    assert!(test.is_past(&k));
    test.end(&k, told, false);
    let second = test.leads(&k);
    // The end of the first is not the end of the second.
    test.rules.leave(&k.key, first, test.now);
    assert!(test.rules.is_current(&k.key, second));
    test.rules.leave(&k.key, second, test.now);
    assert!(test.rules.gates.is_empty());
}

#[test]
fn a_read_shares_what_began_after_it_and_waits_for_what_did_not() {
    let mut test = Test::new(10);
    let k = name("k");
    let first = test.leads(&k);
    let mut visits = [Visit::default(); 3];
    for visit in &mut visits {
        let met = test.admit(&k, visit);
        assert!(matches!(met, Admission::Join { number, shares: false, .. } if number == first));
    }
    test.rules.leave(&k.key, first, test.now);
    // One of them leads, and all who were there before may share that.
    let Admission::Lead(second, _) = test.admit(&k, &mut visits[0]) else {
        panic!("it leads");
    };
    for visit in &mut visits[1..] {
        let met = test.admit(&k, visit);
        assert!(matches!(met, Admission::Join { number, shares: true, .. } if number == second));
    }
    let met = test.admit(&k, &mut Visit::default());
    assert!(matches!(met, Admission::Join { shares: false, .. }));
    // One that is not waited for any longer is taken over, and fills nothing.
    visits[1].over = Some(second);
    assert!(matches!(
        test.admit(&k, &mut visits[1]),
        Admission::Lead(..)
    ));
    assert!(!test.rules.is_current(&k.key, second));
    visits[2].over = Some(second);
    assert!(matches!(
        test.admit(&k, &mut visits[2]),
        Admission::Join { shares: true, .. }
    ));
}

#[test]
fn a_read_that_leads_can_go_on_as_another_unless_it_was_cut_off() {
    let mut test = Test::new(10);
    let k = name("k");
    let first = test.leads(&k);
    let second = test.rules.succeed(&k.key, first, 8).unwrap();
    assert!(second > first && test.rules.is_current(&k.key, second));
    assert!(test.rules.succeed(&k.key, first, 8).is_none());
    test.begin(&k);
    assert!(test.rules.succeed(&k.key, second, 8).is_none());
    assert!(test.is_past(&k));
}

#[test]
fn two_writes_at_once_end_with_the_last() {
    let mut test = Test::new(10);
    let k = name("k");
    let told = [test.begin(&k).1, test.begin(&k).1];
    test.end(&k, told[0], false);
    assert!(test.is_past(&k));
    test.end(&k, told[1], false);
    test.leads(&k);
}

#[test]
fn a_certain_write_ends_no_doubt_of_another() {
    let mut test = Test::new(10);
    let k = name("k");
    test.doubt(&k);
    test.now += 10;
    let told = test.begin(&k).1;
    test.end(&k, told, false);
    assert!(!test.believes(&k), "the first may still happen");
    test.now = 1 + TTL;
    assert!(test.believes(&k));
}

#[test]
fn doubts_end_and_are_bounded() {
    let mut test = Test::new(2);
    for rest in ["a", "a", "b"] {
        test.doubt(&name(rest));
    }
    assert_eq!(test.rules.doubted(test.now), 2);
    assert!(!test.is_past(&name("c")));
    // One too many: its server is doubted, all keys of one letter here.
    test.doubt(&name("d"));
    assert_eq!(test.rules.doubted(test.now), 2);
    assert!(test.is_past(&name("e")) && !test.is_past(&name("ff")));
    test.now += TTL;
    for rest in ["a", "b", "d", "e"] {
        test.leads(&name(rest));
    }
    // Room again.
    test.doubt(&name("g"));
    assert!(!test.is_past(&name("h")) && test.is_past(&name("g")));
}

#[test]
fn reads_without_a_lock_are_warned_for_as_long_as_there_is_need() {
    let mut test = Test::new(1);
    let (k, long, any) = (name("k"), name("long"), name("any"));
    // A read that leads is no reason.
    let flight = test.leads(&k);
    assert!(!test.may(&k));
    let told = [test.begin(&k).1, test.begin(&k).1];
    test.rules.leave(&k.key, flight, test.now);
    test.end(&k, told[0], false);
    assert!(test.may(&k) && !test.believes(&k));
    test.end(&k, told[1], false);
    assert!(!test.may(&k) && test.believes(&k));
    // A doubt is one, until somebody sees that it is over.
    test.doubt(&k);
    assert!(test.may(&k) && !test.believes(&k) && !test.may(&long));
    test.now += TTL;
    assert!(test.believes(&k) && !test.may(&k));
    for times in 0..2 {
        test.doubt(&k);
        // What has no room makes suspects of all.
        test.doubt(&long);
        assert!(test.may(&any));
        assert!(!test.believes(&name("some")) && test.believes(&any));
        test.now += TTL;
        if times == 0 {
            assert_eq!(test.rules.doubted(test.now), 0);
        }
        assert!(test.believes(&k) && test.believes(&long));
        assert!(![&k, &long, &any].iter().any(|name| test.may(name)));
    }
}

#[test]
fn a_group_that_is_forgotten_is_read_past_and_lets_nobody_fill() {
    let mut test = Test::new(10);
    let (k, other) = (name("k"), Name::new("t:0:", "me", &["h/"], "k"));
    let flight = test.leads(&k);
    let at = test.at();
    test.rules.forget_group(k.group(), at);
    assert!(
        !test.rules.is_current(&k.key, flight),
        "it may have fetched what was before"
    );
    assert!(!test.believes(&k) && test.believes(&other));
    assert!(test.is_past(&k));
    test.now += TTL;
    assert!(test.believes(&k) && !test.may(&k));
}

#[test]
fn a_write_tells_owners_that_were_met_before_its_end_and_the_others_are_unsure() {
    let mut test = Test::new(10);
    let (mine, late, later) = (name("k"), name("k").of(b"late"), name("k").of(b"later"));
    assert!(test.believes(&mine));
    let (names, told) = test.begin(&mine);
    assert_eq!(names, [name("k")]);
    assert!(test.believes(&late), "the write has not ended");
    let at = test.at();
    let more = test.rules.close_write(&names, told, at);
    assert_eq!(more, std::slice::from_ref(&late));
    assert!(!test.believes(&late));
    for name in [&mine, &late] {
        test.end(name, told, false);
        assert!(test.believes(name));
    }
    let belief = test.rules.believes(&later, &test.places, at);
    assert!(!belief.believed && !belief.sure);
    let (names, _) = test.begin(&mine);
    assert_eq!(names.len(), 3, "the next write tells all");
}

#[test]
fn what_was_written_under_one_list_of_servers_is_read_past_under_another() {
    let mut test = Test::new(10);
    let (k, l) = (name("k"), name("l"));
    let told = test.begin(&k).1;
    let at = test.at();
    test.rules.close_write(std::slice::from_ref(&k), told, at);
    test.end(&k, told, false);
    assert!(test.believes(&k) && !test.may(&k));
    test.places = TestPlaces(1);
    assert!(test.may(&l), "nobody has asked the rules yet");
    assert!(!test.believes(&k) && test.is_past(&k) && test.believes(&l));
    assert!(test.may(&l), "what was written lately is not counted");
    test.now += TTL;
    assert!(test.believes(&k) && !test.may(&l));
    // One that changes during a write.
    let told = test.begin(&l).1;
    test.places = TestPlaces(2);
    test.end(&l, told, false);
    assert!(test.is_past(&l));
}

#[test]
fn where_doubts_have_no_room_nobody_looks_at_all_of_them_for_each_write() {
    let mut test = Test::new(100);
    for i in 0..1000 {
        test.doubt(&name(&format!("{i:03}")));
    }
    assert!(test.rules.looks <= 2, "{}", test.rules.looks);
    test.now += TTL;
    test.doubt(&name("more"));
    assert_eq!(test.rules.doubted, 1);
}
