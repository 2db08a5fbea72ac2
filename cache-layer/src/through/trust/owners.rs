//! The owners of entries. A write by one owner makes old what every other owner has of the same thing.
//!
//! A write deletes the entries of all owners that this process knows to read in the group. An owner that it meets
//! later may have entries that other processes have stored and that no write of this process has deleted. Of a thing
//! that this process has written such an entry is not believed, for as long as anything can be kept.
//!
//! The deletions of a write go by one list of servers. By another list the thing can be on a server that has kept it
//! from an earlier time. So what was written under one list is not believed under another, for as long as anything
//! can be kept.
//!
//! *Problem:* Two sets of credentials may be allowed to see different things of one store. *Decision:* Owners share no
//! entries; by default an owner is named by a digest keyed by the secret of its credentials. A write of one deletes
//! what up to 64 owners of its group have. One that the process meets later believes nothing that the process has
//! written lately. *Cost:* The same object is kept once for each owner.

use std::collections::HashMap;

use bytes::Bytes;

use super::Moment;
use crate::through::name::Name;

/// How many owners of one group are remembered. A write deletes no more entries of a thing than these, and its own.
pub(crate) const MAX_OWNERS_OF_GROUP: usize = 64;
/// How many owners of all groups together are remembered.
const MAX_OWNERS: usize = 10_000;

/// What is known of an owner that reads in a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KnownOwner<T> {
    /// The [turn](Owners::turn) at which it was met.
    met: u64,
    /// When the owner is forgotten, unless it reads again.
    expires: T,
    /// Until when the owner may have entries that no write of this process has deleted.
    unsure_until: Option<T>,
}

/// The last write of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Written<T> {
    turn: u64,
    /// The list of servers that the deletions of the write went by.
    list: u64,
    /// When everything is gone that the write has made old.
    until: T,
}

/// Whether the writes of this process have deleted what an owner had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Every write of this process that may matter has.
    Sure,
    /// The writes that ended before this turn have not.
    Unsure(u64),
}

/// The owners that read in this process, and what this process has written lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owners<T> {
    /// The owners, by group and name.
    pub(super) readers: HashMap<Bytes, HashMap<Bytes, KnownOwner<T>>>,
    count: usize,
    /// No owner is forgotten before this instant, so until then nobody has to look for one.
    pub(super) next_over: Option<T>,
    /// The last write of each thing.
    pub(super) written: HashMap<Bytes, Written<T>>,
    /// The last write of those things that could not be remembered one by one.
    pub(super) all: Option<Written<T>>,
    max_written: usize,
    /// A number that grows with each owner that is met.
    pub(super) turn: u64,
}

impl<T: Ord + Copy> Owners<T> {
    pub(crate) fn new(max_written: usize) -> Self {
        Self {
            readers: HashMap::new(),
            count: 0,
            next_over: None,
            written: HashMap::new(),
            all: None,
            max_written,
            turn: 0,
        }
    }

    pub(crate) fn turn(&self) -> u64 {
        self.turn
    }

    /// Notes that the owner of this name reads in its group.
    pub(crate) fn meet(&mut self, name: &Name, at: Moment<T>) -> Standing {
        let group = self.readers.get_mut(name.group());
        let known = group.and_then(|group| group.get_mut(name.owner()));
        if let Some(reader) = known
            && at.now < reader.expires
        {
            reader.expires = at.until;
            return match reader.unsure_until {
                Some(until) if at.now < until => Standing::Unsure(reader.met),
                _ => Standing::Sure,
            };
        }
        if !self.has_room(name, at.now) {
            // No write tells an owner that is not remembered.
            return Standing::Unsure(u64::MAX);
        }
        self.turn += 1;
        let unsure = !self.written.is_empty() || self.all.is_some();
        let reader = KnownOwner {
            met: self.turn,
            expires: at.until,
            unsure_until: unsure.then_some(at.until),
        };
        let group = Bytes::copy_from_slice(name.group());
        let owner = Bytes::copy_from_slice(name.owner());
        let before = self.readers.entry(group).or_default().insert(owner, reader);
        self.count += usize::from(before.is_none());
        match unsure {
            true => Standing::Unsure(self.turn),
            false => Standing::Sure,
        }
    }

    /// Whether there is room for the owner of this name.
    fn has_room(&mut self, name: &Name, now: T) -> bool {
        let in_group = |readers: &HashMap<Bytes, HashMap<Bytes, KnownOwner<T>>>| {
            readers.get(name.group()).map_or(0, HashMap::len)
        };
        if self.count < MAX_OWNERS && in_group(&self.readers) < MAX_OWNERS_OF_GROUP {
            return true;
        }
        if self.next_over.is_some_and(|over| now < over) {
            return false;
        }
        self.readers.retain(|_, group| {
            group.retain(|_, reader| now < reader.expires);
            !group.is_empty()
        });
        let all = self.readers.values().flat_map(HashMap::values);
        self.next_over = all.map(|reader| reader.expires).min();
        self.count = self.readers.values().map(HashMap::len).sum();
        self.count < MAX_OWNERS && in_group(&self.readers) < MAX_OWNERS_OF_GROUP
    }

    /// The names of this thing for the other owners that read in its group and were met after this turn.
    pub(crate) fn others(&self, name: &Name, after: u64, now: T) -> impl Iterator<Item = Name> {
        let group = self.readers.get(name.group()).into_iter().flatten();
        let told = move |reader: &KnownOwner<T>| reader.met > after && now < reader.expires;
        group
            .filter(move |(owner, reader)| *owner != name.owner() && told(reader))
            .map(|(owner, _)| name.of(owner))
    }

    /// A write of this thing ends that has told all owners that are known now. Its deletions go by this list.
    pub(crate) fn wrote(&mut self, name: &Name, list: u64, at: Moment<T>) {
        let written = Written {
            turn: self.turn,
            list,
            until: at.until,
        };
        if let Some(known) = self.written.get_mut(name.thing()) {
            *known = written;
            return;
        }
        if self.written.len() >= self.max_written {
            self.written.retain(|_, written| at.now < written.until);
        }
        if self.written.len() >= self.max_written {
            self.written.clear();
            self.all = Some(written);
            return;
        }
        let thing = Bytes::copy_from_slice(name.thing());
        self.written.insert(thing, written);
    }

    /// Whether an owner may find, by this list of servers, what a write of this process has made old.
    pub(crate) fn may_be_old(&self, name: &Name, standing: Standing, list: u64, now: T) -> bool {
        let elsewhere = |written: &Written<T>| written.list != list;
        self.is_untold(name, standing, now) || self.any_written(name, now, elsewhere)
    }

    /// Whether a write of this thing has ended that has not told this owner.
    pub(crate) fn is_untold(&self, name: &Name, standing: Standing, now: T) -> bool {
        match standing {
            Standing::Sure => false,
            Standing::Unsure(met) => self.any_written(name, now, |written| written.turn < met),
        }
    }

    fn any_written(&self, name: &Name, now: T, which: impl Fn(&Written<T>) -> bool) -> bool {
        let matters = |written: &Written<T>| now < written.until && which(written);
        let all = self.all.as_ref();
        all.is_some_and(matters) || self.written.get(name.thing()).is_some_and(matters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(owner: &str, rest: &str) -> Name {
        Name::new("t:0:", owner, &["group/"], rest)
    }

    fn at(now: u32) -> Moment<u32> {
        Moment {
            now,
            until: now + 60,
        }
    }

    #[test]
    fn an_owner_met_later_is_unsure_of_what_was_written_before() {
        let mut owners = Owners::new(10);
        assert_eq!(owners.meet(&name("a", "k"), at(0)), Standing::Sure);
        owners.wrote(&name("a", "k"), 0, at(1));
        let b = owners.meet(&name("b", "k"), at(2));
        assert!(owners.may_be_old(&name("b", "k"), b, 0, 2));
        assert!(
            !owners.may_be_old(&name("b", "l"), b, 0, 2),
            "it was not written"
        );
        // The next write tells both.
        let told: Vec<Name> = owners.others(&name("a", "k"), 0, 3).collect();
        assert_eq!(told, [name("b", "k")]);
        owners.wrote(&name("a", "k"), 0, at(3));
        let b = owners.meet(&name("b", "k"), at(4));
        assert!(!owners.may_be_old(&name("b", "k"), b, 0, 4));
        // And after as long as anything is kept, there is nothing to be unsure of.
        assert_eq!(owners.meet(&name("b", "k"), at(62)), Standing::Sure);
        let c = owners.meet(&name("c", "k"), at(63));
        assert!(!owners.may_be_old(&name("c", "k"), c, 0, 63));
    }

    #[test]
    fn what_was_written_under_one_list_of_servers_is_not_believed_under_another() {
        let mut owners = Owners::new(2);
        let a = owners.meet(&name("a", "k"), at(0));
        owners.wrote(&name("a", "k"), 0, at(1));
        assert!(!owners.may_be_old(&name("a", "k"), a, 0, 2));
        assert!(owners.may_be_old(&name("a", "k"), a, 1, 2));
        assert!(!owners.may_be_old(&name("a", "l"), a, 1, 2));
        assert!(!owners.may_be_old(&name("a", "k"), a, 1, 61));
        // Without room for each, all of them.
        for rest in ["k", "l", "m"] {
            owners.wrote(&name("a", rest), 1, at(2));
        }
        assert!(owners.may_be_old(&name("a", "never written"), a, 0, 3));
        assert!(!owners.may_be_old(&name("a", "never written"), a, 1, 3));
    }

    #[test]
    fn an_owner_that_stays_away_is_met_anew() {
        let mut owners = Owners::new(10);
        owners.meet(&name("a", "k"), at(0));
        assert!(owners.others(&name("b", "k"), 0, 60).next().is_none());
        owners.wrote(&name("b", "k"), 0, at(60));
        let a = owners.meet(&name("a", "k"), at(61));
        assert!(owners.may_be_old(&name("a", "k"), a, 0, 61));
    }

    #[test]
    fn the_owners_of_all_groups_together_have_a_limit() {
        let mut owners = Owners::new(2);
        let name = |i: u32| Name::new("t:0:", &i.to_string(), &[&format!("{}/", i / 50)], "k");
        for i in 0..10_000 {
            assert_eq!(owners.meet(&name(i), at(0)), Standing::Sure);
        }
        let stranger = owners.meet(&name(10_000), at(1));
        assert_eq!(stranger, Standing::Unsure(u64::MAX));
        // Those of the past make room.
        assert_eq!(owners.meet(&name(10_000), at(60)), Standing::Sure);
    }

    #[test]
    fn what_has_no_room_is_unsure() {
        let mut owners = Owners::new(2);
        for i in 0..MAX_OWNERS_OF_GROUP {
            owners.meet(&name(&format!("{i}"), "k"), at(0));
        }
        assert_eq!(
            owners.others(&name("0", "k"), 0, 1).count(),
            MAX_OWNERS_OF_GROUP - 1
        );
        let stranger = owners.meet(&name("one more", "k"), at(1));
        assert_eq!(stranger, Standing::Unsure(u64::MAX));
        assert!(!owners.may_be_old(&name("one more", "k"), stranger, 0, 1));
        owners.wrote(&name("0", "k"), 0, at(2));
        assert!(owners.may_be_old(&name("one more", "k"), stranger, 0, 2));
        // Of another group it is known.
        let other = Name::new("t:0:", "one more", &["other/"], "k");
        owners.meet(&other, at(3));
        assert_eq!(
            owners
                .others(&Name::new("t:0:", "x", &["other/"], "k"), 0, 3)
                .count(),
            1
        );
        // Too many things: all of them may be old for those who are not told.
        for rest in ["l", "m", "n"] {
            owners.wrote(&name("0", rest), 0, at(4));
        }
        assert!(owners.may_be_old(&name("one more", "never written"), stranger, 0, 5));
        let known = owners.meet(&name("0", "k"), at(5));
        assert!(!owners.may_be_old(&name("0", "k"), known, 0, 5));
        // There is room again when the others are gone.
        assert_ne!(
            owners.meet(&name("one more", "k"), at(70)),
            Standing::Unsure(u64::MAX)
        );
    }
}
