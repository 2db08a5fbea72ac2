//! The connections of one endpoint, and which of them takes the next request.

use std::time::Instant;

use super::connection::{ConnId, Connection, Phase, Report};
use super::depth::Setting;
use super::ranks::Ranks;
use crate::protocol::{ConnectionId, Protocol};

/// The connections of an endpoint, by their places.
pub(crate) struct Connections<P: Protocol> {
    places: Vec<Option<Connection<P>>>,
    /// The expected wait at each connection that may have one more request pipelined now.
    ranks: Ranks,
    /// The room at each connection that is in use and gets a further request before another one is.
    packing: Ranks,
    /// Idle connections, the last used at the end. Some may have got something to do meanwhile.
    idle: Vec<ConnId>,
    /// How many wait for a late reply.
    stuck: usize,
    /// How many are held by a large message.
    streaming: usize,
}

impl<P: Protocol> Connections<P> {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            ranks: Ranks::new(),
            packing: Ranks::new(),
            idle: Vec::new(),
            stuck: 0,
            streaming: 0,
        }
    }

    /// Counts the idle connections.
    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Counts the connections that wait for a late reply.
    pub(super) fn stuck(&self) -> usize {
        self.stuck
    }

    /// Counts the connections that are held by a large message.
    pub(super) fn streaming(&self) -> usize {
        self.streaming
    }

    /// Takes in what a connection reports. Says whether it has answered for the first time; nothing if
    /// there is no such connection.
    pub(super) fn note(&mut self, id: ConnId, report: &Report) -> Option<bool> {
        let connection = self.get(id)?;
        let (stuck, streaming) = (connection.is_stuck(), connection.is_streaming());
        let first = connection.note(report);
        self.stuck = self.stuck + usize::from(report.stuck) - usize::from(stuck);
        self.streaming = self.streaming + usize::from(report.streaming) - usize::from(streaming);
        Some(first)
    }

    pub(super) fn get(&mut self, id: ConnId) -> Option<&mut Connection<P>> {
        self.places.get_mut(id.0).and_then(Option::as_mut)
    }

    #[cfg(test)]
    pub(super) fn peek(&self, id: ConnId) -> Option<&Connection<P>> {
        self.places.get(id.0).and_then(Option::as_ref)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection<P>> {
        self.places.iter().flatten()
    }

    fn enumerate(&self) -> impl Iterator<Item = (ConnId, &Connection<P>)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(i, place)| Some((ConnId(i), place.as_ref()?)))
    }

    /// Adds a connection that begins to be opened.
    pub(super) fn add(&mut self, now: Instant) -> ConnId {
        let connection = Some(Connection::opening(now));
        match self.places.iter().position(Option::is_none) {
            Some(free) => {
                self.places[free] = connection;
                ConnId(free)
            }
            None => {
                self.places.push(connection);
                ConnId(self.places.len() - 1)
            }
        }
    }

    /// Takes out a connection that is gone.
    pub(super) fn remove(&mut self, id: ConnId) -> Option<Connection<P>> {
        self.unmark_idle(id);
        self.ranks.set(id.0, f64::INFINITY);
        self.packing.set(id.0, f64::INFINITY);
        let gone = self.places.get_mut(id.0).and_then(Option::take)?;
        self.stuck -= usize::from(gone.is_stuck());
        self.streaming -= usize::from(gone.is_streaming());
        Some(gone)
    }

    /// The open connection that is known by this name outside, unless it is about to close.
    pub(super) fn find(&self, name: ConnectionId) -> Option<ConnId> {
        self.enumerate()
            .find(|(_, c)| c.name() == name && c.is_kept())
            .map(|(id, _)| id)
    }

    /// Notes the expected wait at a connection, after a change to what it has or may have by this
    /// setting. `usual` is how long a reply takes usually, in seconds.
    pub(super) fn rank(&mut self, id: ConnId, setting: Setting, usual: f64) {
        let connection = self.places.get(id.0).and_then(Option::as_ref);
        let open = connection.filter(|c| c.takes_more());
        let wait = match open {
            Some(c) if c.load() < setting.depth => c.wait(usual),
            _ => f64::INFINITY,
        };
        self.ranks.set(id.0, wait);
        let room = match open {
            Some(c) if c.load() > 0 && c.load() < setting.pack => (setting.pack - c.load()) as f64,
            _ => f64::INFINITY,
        };
        self.packing.set(id.0, room);
    }

    /// Notes the expected waits at all connections.
    pub(super) fn rank_all(&mut self, setting: Setting, usual: f64) {
        for id in (0..self.places.len()).map(ConnId) {
            self.rank(id, setting, usual);
        }
    }

    /// Forgets the paces of all connections, where another setting is in use from now on.
    pub(super) fn forget_paces(&mut self) {
        self.places
            .iter_mut()
            .flatten()
            .for_each(Connection::forget_pace);
    }

    /// Whether there is a connection that takes requests and does not wait for a late reply.
    pub(super) fn are_some_in_order(&self) -> bool {
        self.iter().any(Connection::takes_more)
    }

    /// Takes the connection that became idle last from those that are idle.
    pub(super) fn take_idle(&mut self) -> Option<ConnId> {
        while let Some(id) = self.idle.pop() {
            if self.get(id).is_some_and(|c| c.is_free()) {
                return Some(id);
            }
        }
        None
    }

    /// The fullest connection of those that get a further request before another one is used: so
    /// those that have few requests run out of them.
    pub(super) fn to_pack(&self) -> Option<ConnId> {
        self.packing.least().map(ConnId)
    }

    /// The connection with the shortest expected wait, of those that may be deeper.
    pub(super) fn shortest_wait(&self) -> Option<ConnId> {
        self.ranks.least().map(ConnId)
    }

    /// The connection with the shortest expected wait, of all that take requests, however deep they
    /// are. A request that goes alone reserves it: it waits there, and nobody behind it.
    pub(super) fn shortest_to_drain(&self, usual: f64) -> Option<ConnId> {
        let open = self.enumerate().filter(|(_, c)| c.takes_more());
        let waits = open.map(|(id, c)| (id, c.wait(usual)));
        let least = waits.min_by(|(_, a), (_, b)| a.total_cmp(b));
        least.map(|(id, _)| id)
    }

    /// Notes that a connection has nothing to do from now on; `was_busy` says that it had before.
    pub(super) fn mark_idle(&mut self, id: ConnId, was_busy: bool, now: Instant) {
        if was_busy || !self.idle.contains(&id) {
            self.unmark_idle(id);
            self.idle.push(id);
            if let Some(connection) = self.get(id) {
                connection.note_idle(now);
            }
        }
    }

    /// Notes that a connection is not to be taken for idle.
    pub(super) fn unmark_idle(&mut self, id: ConnId) {
        self.idle.retain(|i| *i != id);
    }

    /// Since when the connection has been idle that has been so the longest.
    pub(super) fn oldest_idle(&mut self) -> Option<Instant> {
        let id = *self.idle.first()?;
        self.get(id).map(|c| c.idle_since())
    }

    /// The connection to give up: the one that has been idle the longest, else the least busy one.
    pub(super) fn least_needed(&self) -> Option<ConnId> {
        let least_busy = || {
            self.enumerate()
                .filter(|(_, c)| c.is_kept())
                .min_by_key(|(_, c)| (c.is_streaming(), c.load()))
                .map(|(id, _)| id)
        };
        self.idle.first().copied().or_else(least_busy)
    }

    /// How many are going to close.
    pub(super) fn closing(&self) -> usize {
        self.iter().filter(|c| c.phase() == Phase::Closing).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::core::testing::{Toy, caller, later, order};

    /// Connections that have been answered on, with so many requests each.
    fn busy(now: Instant, loads: &[usize]) -> Connections<Toy> {
        let mut connections = Connections::new();
        for load in loads {
            let id = connections.add(now);
            let connection = connections.get(id).unwrap();
            connection.handle_opened(None);
            connection.note(&Report {
                proven: true,
                ..Report::default()
            });
            for seq in 0..*load {
                let (_, ticket) = caller(order(seq as u64, later(now)));
                connection.push(ticket);
            }
            connections.rank(id, Setting::new(4, 1), 1.0);
        }
        connections
    }

    #[test]
    fn those_that_wait_for_late_replies_or_are_held_by_large_ones_are_counted() {
        let mut connections = busy(Instant::now(), &[1, 1, 1]);
        // The two are told apart: of each report one is the opposite of the other.
        let report = |stuck: bool| Report {
            stuck,
            streaming: !stuck,
            ..Report::default()
        };
        let mut seen = std::collections::BTreeSet::new();
        for (place, stuck, counted) in [
            (0, true, 1),
            (0, true, 1),
            (1, true, 2),
            (0, false, 1),
            (2, false, 1),
        ] {
            assert_eq!(connections.note(ConnId(place), &report(stuck)), Some(false));
            seen.insert(place);
            assert_eq!(connections.stuck(), counted);
            assert_eq!(connections.streaming(), seen.len() - counted);
        }
        assert!(connections.remove(ConnId(1)).is_some());
        assert!(connections.remove(ConnId(2)).is_some());
        assert_eq!((connections.stuck(), connections.streaming()), (0, 1));
        assert_eq!(connections.note(ConnId(1), &report(true)), None);
    }

    #[test]
    fn the_last_one_that_became_idle_is_used_first() {
        let now = Instant::now();
        let mut connections = busy(now, &[0, 0, 1]);
        for (i, place) in [1, 0].into_iter().enumerate() {
            let at = now + Duration::from_secs(i as u64);
            connections.mark_idle(ConnId(place), true, at);
        }
        assert_eq!(connections.oldest_idle(), Some(now));
        assert_eq!(connections.least_needed(), Some(ConnId(1)));
        assert_eq!(connections.take_idle(), Some(ConnId(0)));
        // One that has got something to do meanwhile is passed over.
        let (_, ticket) = caller(order(9, later(now)));
        connections.get(ConnId(1)).unwrap().push(ticket);
        assert_eq!(connections.take_idle(), None);
        assert_eq!(connections.idle(), 0);
    }

    #[test]
    fn a_report_without_news_does_not_make_it_idle_anew() {
        let now = Instant::now();
        let after = |secs| now + Duration::from_secs(secs);
        let mut connections = busy(now, &[0]);
        connections.mark_idle(ConnId(0), true, after(1));
        connections.mark_idle(ConnId(0), false, after(2));
        assert_eq!(
            (connections.idle(), connections.oldest_idle()),
            (1, Some(after(1)))
        );
        connections.mark_idle(ConnId(0), true, after(3));
        assert_eq!(connections.oldest_idle(), Some(after(3)));
    }

    #[test]
    fn the_shortest_wait_is_that_of_one_with_room_and_to_drain_that_of_any() {
        let now = Instant::now();
        let mut connections = busy(now, &[3, 2, 4]);
        assert_eq!(connections.shortest_wait(), Some(ConnId(1)));
        // All are as deep as they may be.
        connections.rank_all(Setting::new(2, 1), 1.0);
        assert_eq!(connections.shortest_wait(), None);
        assert_eq!(connections.shortest_to_drain(1.0), Some(ConnId(1)));
        assert!(connections.remove(ConnId(1)).is_some());
        assert_eq!(connections.shortest_to_drain(1.0), Some(ConnId(0)));
        // Its place is taken by the next one.
        assert_eq!(connections.add(now), ConnId(1));
    }

    #[test]
    fn the_fullest_of_those_in_use_is_packed() {
        let mut connections = busy(Instant::now(), &[1, 3, 0, 4]);
        assert_eq!(connections.to_pack(), None, "nothing is packed");
        connections.rank_all(Setting::new(8, 4), 1.0);
        assert_eq!(connections.to_pack(), Some(ConnId(1)));
        connections.rank_all(Setting::new(8, 5), 1.0);
        assert_eq!(connections.to_pack(), Some(ConnId(3)));
        assert!(connections.remove(ConnId(3)).is_some());
        assert_eq!(connections.to_pack(), Some(ConnId(1)));
    }

    #[test]
    fn the_least_busy_is_given_up_when_none_is_idle() {
        let mut connections = busy(Instant::now(), &[2, 1, 3]);
        assert_eq!(connections.least_needed(), Some(ConnId(1)));
        connections.get(ConnId(1)).unwrap().close();
        assert_eq!(connections.least_needed(), Some(ConnId(0)));
        assert_eq!(connections.closing(), 1);
    }

    #[test]
    fn one_that_is_about_to_close_is_not_found_by_its_name() {
        let mut connections = busy(Instant::now(), &[0]);
        let name = connections.get(ConnId(0)).unwrap().name();
        assert_eq!(connections.find(name), Some(ConnId(0)));
        connections.get(ConnId(0)).unwrap().close();
        assert_eq!(connections.find(name), None);
    }
}
