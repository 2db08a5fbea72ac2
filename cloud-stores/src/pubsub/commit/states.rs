//! The states of a commit: prepared, touched, written, and undone if that cannot be finished.
//!
//! *Problem:* A state that is new is written on condition that there is none. If the answer is lost, the state is made,
//! used and removed by somebody else, and the write is sent again, there is none once more: what was removed would come
//! back. *Decision:* What is new is written in two steps. The first one *holds its place*: an item that says nothing, and
//! that does no harm where it comes twice. The second one writes the state on condition of that very item, which is there
//! once only. *Cost:* One write more for a state that is new; it goes with the one to the index of the person.

use futures_util::future::{join, join_all};

use super::{Change, Commit};
use crate::error::{Error, Kind, Result};
use crate::pubsub::states::{NO_ENTRY, Seen, State};
use crate::pubsub::{NodeIndex, PubSub};

/// A change that can be written.
pub(super) struct Prepared<'a> {
    change: &'a Change,
    /// What the index of the person names the state by.
    entry: String,
    /// What is stored, and is to be replaced.
    place: Seen,
}

/// What is left to do once all states are written.
pub(super) struct Written<'a> {
    prepared: Vec<Prepared<'a>>,
    /// Items that hold the places of what was read as absent.
    held: Vec<(String, Seen)>,
}

/// Why the states are not written.
struct Refused {
    why: Error,
    /// Whose states were written, and are built on by somebody else already.
    built_on: Vec<String>,
}

impl Prepared<'_> {
    /// Whether nothing named this state before.
    fn is_new(&self) -> bool {
        self.change.before.seen.entry().is_none()
    }

    /// What holds its place, if that was not there before.
    fn held(&self) -> Option<(String, Seen)> {
        let is_held = self.change.before.seen.is_absent();
        is_held.then(|| (self.change.after.jid.clone(), self.place.clone()))
    }
}

impl PubSub {
    /// Writes the states of a commit, all or none.
    pub(super) async fn write_states<'a>(&self, commit: &'a Commit) -> Result<Written<'a>> {
        let index = &commit.index;
        // What this process reads from now on is not from before.
        self.snapshots.forget(index.incarnation());
        let prepare = join_all(
            commit
                .writes
                .iter()
                .map(|change| self.prepare(index, change)),
        );
        let touch = join_all(commit.reads.iter().map(|state| self.touch(index, state)));
        let (prepared, touched) = join(prepare, touch).await;
        let (prepared, failed) = split(prepared);
        let (held, other) = split(touched);
        let held = held.into_iter().flatten().collect();
        let refused = match failed.or(other) {
            Some(why) => Some(Refused {
                why,
                built_on: Vec::new(),
            }),
            None => self.write_all(index, &prepared).await.err(),
        };
        let written = Written { prepared, held };
        match refused {
            None => Ok(written),
            Some(refused) => {
                self.take_back(index, written, &refused).await;
                Err(refused.why)
            }
        }
    }

    /// Has the index of the person name a state that is new, and holds its place, both at the same time.
    async fn prepare<'a>(&self, index: &NodeIndex, change: &'a Change) -> Result<Prepared<'a>> {
        let (before, jid) = (&change.before.seen, &change.after.jid);
        if before.entry().is_some() || change.after.says_nothing() {
            let entry = before.entry().unwrap_or(NO_ENTRY).to_owned();
            let place = before.clone();
            return Ok(Prepared {
                change,
                entry,
                place,
            });
        }
        let place = async {
            match before.is_absent() {
                true => self.hold(index, jid, before).await,
                false => Ok(before.clone()),
            }
        };
        match join(self.announce(index, jid), place).await {
            (Ok(entry), Ok(place)) => Ok(Prepared {
                change,
                entry,
                place,
            }),
            (Ok(entry), Err(error)) => {
                // Nothing that the entry could name was written.
                let _left = self.retract(jid, &entry).await;
                Err(error)
            }
            (Err(error), place) => {
                let held = place.ok().filter(|_| before.is_absent());
                self.release(index, held.map(|place| (jid.clone(), place)))
                    .await;
                Err(error)
            }
        }
    }

    /// Stores an item that says nothing in the place of a state.
    async fn hold(&self, index: &NodeIndex, jid: &str, before: &Seen) -> Result<Seen> {
        self.put_state(index, &State::absent(jid), NO_ENTRY, before)
            .await
    }

    /// Gives a state that was only read a new version, if it is still the one. Where there was none, its place is held,
    /// and to be released.
    async fn touch(&self, index: &NodeIndex, state: &State) -> Result<Option<(String, Seen)>> {
        let Some(entry) = state.seen.entry() else {
            let held = self.hold(index, &state.jid, &state.seen).await?;
            return Ok(state.seen.is_absent().then(|| (state.jid.clone(), held)));
        };
        self.put_state(index, state, entry, &state.seen).await?;
        Ok(None)
    }

    /// Writes the states one after another, and undoes them if one is refused.
    async fn write_all(&self, index: &NodeIndex, all: &[Prepared<'_>]) -> Result<(), Refused> {
        let mut done: Vec<(&Prepared<'_>, Seen)> = Vec::new();
        for one in all {
            match self.write_one(index, one).await {
                Ok(seen) => done.push((one, seen)),
                Err(error) => return Err(self.undo_all(index, done, error).await),
            }
        }
        Ok(())
    }

    async fn write_one(&self, index: &NodeIndex, one: &Prepared<'_>) -> Result<Seen> {
        let after = &one.change.after;
        match &one.place.0 {
            Some(place) if after.says_nothing() => {
                self.remove_state(index, &after.jid, place).await?;
                Ok(Seen::ABSENT)
            }
            _ => self.put_state(index, after, &one.entry, &one.place).await,
        }
    }

    /// Undoes what was written, the last first. The commit fails with `error`, unless something of it may stay.
    async fn undo_all(
        &self,
        index: &NodeIndex,
        done: Vec<(&Prepared<'_>, Seen)>,
        error: Error,
    ) -> Refused {
        let mut refused = Refused {
            why: error,
            built_on: Vec::new(),
        };
        for (one, seen) in done.into_iter().rev() {
            match self.undo(index, one, seen).await {
                Ok(()) => {}
                Err(error) if error.kind() == Kind::Conflict => {
                    refused.built_on.push(one.change.after.jid.clone());
                }
                Err(error) => refused.why = error,
            }
        }
        refused
    }

    async fn undo(&self, index: &NodeIndex, one: &Prepared<'_>, mut written: Seen) -> Result<()> {
        let before = &one.change.before;
        let Some(entry) = before.seen.entry() else {
            return match &written.0 {
                Some(written) => self.remove_state(index, &before.jid, written).await,
                None => Ok(()),
            };
        };
        if written.is_absent() {
            written = self.hold(index, &before.jid, &written).await?;
        }
        self.put_state(index, before, entry, &written)
            .await
            .map(drop)
    }

    /// After a failure: what is named by an index and surely not there is forgotten, and what holds a place is removed.
    /// Nobody is misled by what is left if this fails, too.
    async fn take_back(&self, index: &NodeIndex, written: Written<'_>, refused: &Refused) {
        let Written { prepared, mut held } = written;
        // Otherwise a state may be there.
        let why = refused.why.kind();
        let surely_not = matches!(why, Kind::Conflict | Kind::TooLarge | Kind::Invalid);
        let is_kept = |one: &Prepared<'_>| refused.built_on.contains(&one.change.after.jid);
        let gone = prepared
            .iter()
            .filter(|one| surely_not && one.is_new() && !is_kept(one));
        let gone: Vec<_> = gone.collect();
        held.extend(gone.iter().filter_map(|one| one.held()));
        let retract = gone
            .iter()
            .map(|one| self.retract(&one.change.after.jid, &one.entry));
        let tell = async {
            match surely_not && prepared.len() <= 1 {
                true => Ok(()),
                false => self.renew_generation(index).await,
            }
        };
        let _left = join(join_all(retract), join(self.release(index, held), tell)).await;
        self.snapshots.forget(index.incarnation());
    }

    /// After all states are written: tells other processes, and cleans up.
    pub(super) async fn tell(&self, index: &NodeIndex, written: Written<'_>) -> Result<()> {
        let removed = written
            .prepared
            .iter()
            .filter(|one| one.change.after.says_nothing());
        let retract = removed.map(|one| self.retract(&one.change.after.jid, &one.entry));
        let rest = join(join_all(retract), self.release(index, written.held));
        let (told, _left) = join(self.renew_generation(index), rest).await;
        self.snapshots.forget(index.incarnation());
        told
    }

    /// Removes what holds places, unless somebody has put a state there.
    async fn release(&self, index: &NodeIndex, held: impl IntoIterator<Item = (String, Seen)>) {
        let remove = held.into_iter().map(|(jid, seen)| async move {
            match &seen.0 {
                Some(seen) => self.remove_state(index, &jid, seen).await,
                None => Ok(()),
            }
        });
        let _left = join_all(remove).await;
    }
}

/// What came out well, and the first failure.
fn split<T>(all: Vec<Result<T>>) -> (Vec<T>, Option<Error>) {
    let (mut good, mut first) = (Vec::with_capacity(all.len()), None);
    for one in all {
        match one {
            Ok(one) => good.push(one),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    (good, first)
}
