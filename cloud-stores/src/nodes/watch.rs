//! What a node makes of the leases that it reads: [`NodeWatch`].
//!
//! *Problem:* A clock that is wrong must not have a living node removed, and a node that is gone has to be removed by one
//! of the others although none of them is in charge. *Decision:* A node is taken for gone when two clocks say so: its lease
//! has ended by the wall clock, with the skew that is allowed, and nothing of it has changed for the length of a lease by
//! the monotonic clock of the node that looks. The one whose name follows that of the dead node, in the circle of those
//! who are there, removes it; the next one does if that has not happened a length later, and so on. *Cost:* A node that has
//! just started takes a dead one for gone a length later than the others.
//!
//! Nothing here reads a clock or sends anything: leases and times come in, events go out.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::lease::NodeLease;

/// What has happened to the nodes since the leases were looked at last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// This one is there.
    Joined(NodeLease),
    /// This one, by its name, is not there any more: it has left, another removes it, its lease has ended, or a new life
    /// took its place, whose joining follows.
    Left(String),
    /// This one is gone, and it is for this node to [claim](super::NodeLeases::claim) its removal. Told each time that the
    /// leases are looked at, until it is done.
    Remove(NodeLease),
}

/// Follows who is there.
#[derive(Clone, Debug)]
pub struct NodeWatch {
    name: String,
    length: Duration,
    skew: Duration,
    known: BTreeMap<String, Known>,
}

/// A lease as it was seen last.
#[derive(Clone, Debug)]
struct Known {
    lease: NodeLease,
    /// When it was first seen to be so.
    since: Instant,
    is_there: bool,
}

impl NodeWatch {
    /// A node of this name that knows of nobody, itself included. `length` is that of a lease, the same for all nodes.
    /// `skew` is by how much the clocks of two nodes may differ: if they differ by more, a node that is there may be told
    /// to have left, and is not removed; 5 seconds are plenty for clocks that NTP sets.
    pub fn new(name: impl Into<String>, length: Duration, skew: Duration) -> Self {
        Self {
            name: name.into(),
            length,
            skew,
            known: BTreeMap::new(),
        }
    }

    /// The names of those who are there, this node included, in order.
    pub fn there(&self) -> impl Iterator<Item = &str> {
        self.known
            .iter()
            .filter(|(_, known)| known.is_there)
            .map(|(name, _)| name.as_str())
    }

    /// Looks at all leases as they are read `now`, by the wall clock and by the monotonic one, and tells what has happened.
    /// A list that could not be read is no list: nothing is to be told then.
    pub fn look(&mut self, leases: &[NodeLease], now: SystemTime, tick: Instant) -> Vec<NodeEvent> {
        let mut events = Vec::new();
        let gone: Vec<String> = self
            .known
            .keys()
            .filter(|name| !leases.iter().any(|lease| lease.name == **name))
            .cloned()
            .collect();
        for name in gone {
            if self.known.remove(&name).is_some_and(|known| known.is_there) {
                events.push(NodeEvent::Left(name));
            }
        }
        for lease in leases {
            self.see(lease, now, tick, &mut events);
        }
        let dead: Vec<NodeLease> = self
            .known
            .values()
            .filter(|known| self.is_mine_to_remove(known, now, tick))
            .map(|known| known.lease.clone())
            .collect();
        events.extend(dead.into_iter().map(NodeEvent::Remove));
        events
    }

    fn see(
        &mut self,
        lease: &NodeLease,
        now: SystemTime,
        tick: Instant,
        events: &mut Vec<NodeEvent>,
    ) {
        let before = self.known.get(&lease.name);
        let is_same = before.is_some_and(|before| before.lease == *lease);
        let was_there = before.is_some_and(|before| before.is_there);
        let is_same_life = before.is_some_and(|before| before.lease.life == lease.life);
        let since = before
            .filter(|_| is_same)
            .map_or(tick, |before| before.since);
        let is_there = lease.is_current(now, self.skew);
        if was_there && !(is_there && is_same_life) {
            events.push(NodeEvent::Left(lease.name.clone()));
        }
        if is_there && !(was_there && is_same_life) {
            events.push(NodeEvent::Joined(lease.clone()));
        }
        let known = Known {
            lease: lease.clone(),
            since,
            is_there,
        };
        self.known.insert(lease.name.clone(), known);
    }

    /// Whether this one is gone, and this node is the one to remove it at this time.
    fn is_mine_to_remove(&self, dead: &Known, now: SystemTime, tick: Instant) -> bool {
        let name = &dead.lease.name;
        let has_ended = now > dead.lease.expires + self.skew;
        let unchanged = tick.saturating_duration_since(dead.since);
        if *name == self.name || !has_ended || unchanged < self.length {
            return false;
        }
        // Those who are there, from the one that follows the dead node in the circle of names.
        let behind = self.there().filter(|other| *other > name.as_str());
        let before = self.there().filter(|other| *other < name.as_str());
        let mut circle = behind.chain(before);
        let Some(place) = circle.position(|other| other == self.name) else {
            return false;
        };
        let turns = u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1);
        unchanged >= self.length.saturating_mul(turns)
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(30);
    const SKEW: Duration = Duration::from_secs(5);

    /// A time by both clocks, which go alike; a node's wall clock may be off.
    #[derive(Clone, Copy)]
    struct Clock {
        start: Instant,
        seconds: u64,
    }

    impl Clock {
        fn start() -> Self {
            Self {
                start: Instant::now(),
                seconds: 1_000_000,
            }
        }

        fn wall(self, off: i64) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds.saturating_add_signed(off))
        }

        fn tick(self) -> Instant {
            self.start + Duration::from_secs(self.seconds - 1_000_000)
        }
    }

    fn lease(name: &str, renewals: u64, clock: Clock) -> NodeLease {
        NodeLease::made_up(name, "1", renewals, clock.wall(0) + LENGTH)
    }

    fn told(events: Vec<NodeEvent>) -> Vec<String> {
        let text = |event| match event {
            NodeEvent::Joined(lease) => format!("+{}", lease.name),
            NodeEvent::Left(name) => format!("-{name}"),
            NodeEvent::Remove(lease) => format!("x{}", lease.name),
        };
        events.into_iter().map(text).collect()
    }

    #[test]
    fn nodes_come_and_go() {
        let clock = Clock::start();
        let mut watch = NodeWatch::new("a", LENGTH, SKEW);
        let (a, b) = (lease("a", 0, clock), lease("b", 0, clock));
        let mut look = |leases: &[NodeLease]| told(watch.look(leases, clock.wall(0), clock.tick()));
        assert_eq!(look(from_ref(&a)), ["+a"]);
        assert_eq!(look(&[a.clone(), b.clone()]), ["+b"]);
        assert_eq!(look(&[a.clone(), lease("b", 1, clock)]), [""; 0]);
        let again = NodeLease {
            life: "2".to_owned(),
            ..b
        };
        assert_eq!(look(&[a.clone(), again.clone()]), ["-b", "+b"]);
        let removed = NodeLease {
            remover: Some("c".to_owned()),
            ..again
        };
        assert_eq!(look(&[a.clone(), removed.clone()]), ["-b"]);
        assert_eq!(look(&[a.clone(), removed]), [""; 0]);
        assert_eq!(look(from_ref(&a)), [""; 0]);
        assert_eq!(look(&[]), ["-a"]);
        assert_eq!(watch.there().count(), 0);
    }

    #[test]
    fn of_those_who_are_there_one_removes_at_a_time() {
        let mut clock = Clock::start();
        let dead = lease("b", 7, clock);
        let names = ["a", "c", "d"];
        let mut watches = names.map(|name| NodeWatch::new(name, LENGTH, SKEW));
        let mut first: BTreeMap<&str, u64> = BTreeMap::new();
        for step in 0..30 {
            let mut leases: Vec<NodeLease> =
                names.iter().map(|name| lease(name, step, clock)).collect();
            leases.push(dead.clone());
            for (name, watch) in names.iter().zip(&mut watches) {
                let events = told(watch.look(&leases, clock.wall(0), clock.tick()));
                if events.contains(&"xb".to_owned()) {
                    first.entry(name).or_insert(clock.seconds - 1_000_000);
                }
                assert!(!events.contains(&format!("x{name}")));
            }
            clock.seconds += 5;
        }
        // It ends after 30 seconds, and the skew; then the next one in the circle, and the others a length later each.
        assert_eq!(first, BTreeMap::from([("c", 40), ("d", 60), ("a", 90)]));
    }

    #[test]
    fn a_clock_that_is_wrong_removes_nobody() {
        for off in [-3600, 3600] {
            let mut clock = Clock::start();
            let mut watch = NodeWatch::new("a", LENGTH, SKEW);
            for step in 0..60 {
                // The other one's clock is right, and it renews in time.
                let leases = [lease("a", step, clock), lease("b", step / 2, clock)];
                let events = told(watch.look(&leases, clock.wall(off), clock.tick()));
                assert!(!events.contains(&"xb".to_owned()), "{off} {step}");
                clock.seconds += 5;
            }
        }
    }

    #[test]
    fn a_newcomer_waits_for_a_length_before_it_removes() {
        let mut clock = Clock::start();
        let dead = lease("b", 7, clock);
        clock.seconds += 3600;
        let mut watch = NodeWatch::new("a", LENGTH, SKEW);
        let mut look = |clock: Clock| {
            let leases = [
                NodeLease::made_up("a", "1", clock.seconds, clock.wall(0) + LENGTH),
                dead.clone(),
            ];
            told(watch.look(&leases, clock.wall(0), clock.tick()))
        };
        // It is not there for it, and not removed at once.
        assert_eq!(look(clock), ["+a"]);
        clock.seconds += 29;
        assert_eq!(look(clock), [""; 0]);
        clock.seconds += 1;
        assert_eq!(look(clock), ["xb"]);
        assert_eq!(look(clock), ["xb"]);
    }

    #[test]
    fn a_removal_that_stopped_is_taken_over() {
        let mut clock = Clock::start();
        let claimed = NodeLease {
            remover: Some("c".to_owned()),
            ..lease("b", 7, clock)
        };
        let mut watch = NodeWatch::new("a", LENGTH, SKEW);
        let mut events = Vec::new();
        for step in 0..10 {
            let leases = [lease("a", step, clock), claimed.clone()];
            events.push(told(watch.look(&leases, clock.wall(0), clock.tick())));
            clock.seconds += 5;
        }
        let first = events
            .iter()
            .position(|told| told.contains(&"xb".to_owned()));
        assert_eq!(first, Some(8));
    }

    #[test]
    fn who_is_not_there_removes_nobody() {
        let mut clock = Clock::start();
        let dead = lease("b", 7, clock);
        let mut watch = NodeWatch::new("a", LENGTH, SKEW);
        watch.look(from_ref(&dead), clock.wall(0), clock.tick());
        clock.seconds += 3600;
        // Its own lease has ended, too.
        let own = lease("a", 0, Clock::start());
        assert_eq!(
            told(watch.look(&[own, dead], clock.wall(0), clock.tick())),
            ["-b"]
        );
    }
}
