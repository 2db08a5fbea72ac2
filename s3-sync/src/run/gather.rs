//! The thread that walks, merges and compares, and makes tasks of what it finds.

use std::collections::HashSet;

use super::outlet::{Note, Outlet};
use super::task::{Direction, FileSide, ObjectSide, Task, TaskStep};
use crate::error::{Error, Result};
use crate::filter::{Filter, Patterns};
use crate::index::IndexReader;
use crate::listing::{Listed, Listing, Pages};
use crate::names::Names;
use crate::plan::compare::{self, Trust, Verdict};
use crate::plan::merge::{Merge, Pair};
use crate::record::Reader;
use crate::tree::{File, Tree, Walk};

/// What decides on a key.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) direction: Direction,
    pub(crate) filter: Filter,
    pub(crate) trust: Trust,
    pub(crate) last: Option<Patterns>,
    pub(crate) delete: bool,
    pub(crate) verify: bool,
    /// Whether nothing is changed.
    pub(crate) read_only: bool,
}

impl Rules {
    /// Whether a key is among those that come last.
    fn is_last(&self, key: &str) -> bool {
        !self.read_only && self.last.as_ref().is_some_and(|last| !last.admit(key))
    }

    fn moving(&self, key: &str) -> TaskStep {
        match self.is_last(key) {
            true => TaskStep::Last,
            false => TaskStep::Move,
        }
    }

    fn only_in_target(&self) -> TaskStep {
        match self.delete {
            true => TaskStep::Delete,
            false => TaskStep::Keep,
        }
    }
}

/// A tree and a prefix, whichever way.
pub(crate) struct TreeAndPrefix {
    pub(crate) rules: Rules,
    pub(crate) tree: Tree,
    pub(crate) state: Reader,
    pub(crate) listing: Listing<Pages>,
    pub(crate) index: IndexReader,
    /// How the names of files are judged that are to be made.
    pub(crate) names: Option<Names>,
    /// How long the prefix is that keys get in the store.
    pub(crate) prefix: usize,
}

impl TreeAndPrefix {
    /// Makes all tasks.
    pub(crate) fn run(self, mut out: Outlet) {
        let Self {
            rules,
            tree,
            mut state,
            listing,
            mut index,
            mut names,
            prefix,
        } = self;
        out.look_for(rules.filter.only.as_ref());
        let met = out.met();
        let walk = match Walk::new(&tree, met) {
            Ok(walk) => Some(walk),
            // The target is made by what is moved there.
            Err(_) if rules.direction == Direction::Down && !tree.root.exists() => None,
            Err(error) => return out.note(Note::Fatal(error)),
        };
        let files = walk.into_iter().flatten().map(Ok);
        let (mut old_index, mut old_state) = (false, false);
        for pair in Merge::new(files, listing) {
            let (file, listed) = match pair {
                Ok(Pair::Source(file)) => (Some(file), None),
                Ok(Pair::Target(listed)) => (None, Some(listed)),
                Ok(Pair::Both(file, listed)) => (Some(file), Some(listed)),
                Err(error) => return out.note(Note::Fatal(error)),
            };
            let record = file
                .as_ref()
                .and_then(|file| state.seek(&file.key, || old_state = true));
            let entry = listed
                .as_ref()
                .and_then(|listed| index.seek(&listed.key, || old_index = true));
            let task = task(
                &rules,
                &mut names,
                prefix,
                file,
                record.as_ref(),
                listed,
                entry,
            );
            if !out.send(task) {
                return;
            }
        }
        if !out.flush() {
            return;
        }
        out.tell_unseen();
        if let Some(fault) = index.fault() {
            let warning = format!(
                "the index {} is not used to its end: {fault}",
                crate::tree::INDEX_NAME
            );
            out.note(Note::Warning(warning));
        }
        out.note(Note::Ended {
            index: old_index || index.has_more() || index.fault().is_some(),
            state: old_state || state.peek().is_some() || state.is_damaged(),
        });
    }
}

fn task(
    rules: &Rules,
    names: &mut Option<Names>,
    prefix: usize,
    file: Option<File>,
    record: Option<&crate::record::Record>,
    listed: Option<Listed>,
    entry: Option<crate::index::Entry>,
) -> Task {
    let key = match (&file, &listed) {
        (Some(file), _) => file.key.clone(),
        (None, Some(listed)) => listed.key.clone(),
        (None, None) => String::new(),
    };
    let file = file.map(|file| FileSide::new(&file, record));
    let object = listed.map(|listed| ObjectSide::new(listed, entry));
    let step = step(rules, names, prefix, &key, file.as_ref(), object.as_ref());
    Task {
        number: 0,
        last: matches!(step, TaskStep::ReadFile(_) | TaskStep::ReadObject) && rules.is_last(&key),
        key,
        file,
        object,
        from: None,
        step,
        content: None,
    }
}

fn step(
    rules: &Rules,
    names: &mut Option<Names>,
    prefix: usize,
    key: &str,
    file: Option<&FileSide>,
    object: Option<&ObjectSide>,
) -> TaskStep {
    let up = rules.direction == Direction::Up;
    if !rules.filter.admits_key(key) {
        return TaskStep::Pass;
    }
    let facts = match up {
        true => file.map(|file| (file.stamp.size, file.stamp.mtime)),
        false => object.map(|object| (object.size, object.mtime())),
    };
    if let Some((size, mtime)) = facts
        && !rules.filter.admits(size, mtime)
    {
        return TaskStep::Pass;
    }
    if let (Some(names), Some(_)) = (names, object)
        && let Err(bad) = names.admit(key)
    {
        return TaskStep::Failed(bad.into());
    }
    let most = crate::names::MAX_KEY;
    if up && file.is_some() && prefix + key.len() > most {
        let bytes = prefix + key.len();
        let what = format!("with the prefix its key has {bytes} bytes, and {most} are allowed");
        return TaskStep::Failed(Error::new(crate::Kind::Name, key, what));
    }
    match (file, object) {
        (Some(file), Some(object)) if rules.verify => match file.stamp.size == object.size {
            true => TaskStep::Verify,
            false => TaskStep::Move,
        },
        (Some(file), Some(object)) => {
            let size = file.stamp.size;
            match compare::file_with_object(size, file.sums, &object.facts(), rules.trust) {
                Verdict::Same => TaskStep::Same,
                Verdict::Differs => rules.moving(key),
                Verdict::ReadFile(wanted) => TaskStep::ReadFile(wanted),
                // To fetch it is to read it.
                Verdict::ReadObject if !up && !rules.read_only => TaskStep::Move,
                Verdict::ReadObject => TaskStep::ReadObject,
            }
        }
        (Some(_), None) if up => rules.moving(key),
        (None, Some(_)) if !up => TaskStep::Move,
        _ => rules.only_in_target(),
    }
}

/// Two prefixes.
pub(crate) struct TwoPrefixes {
    pub(crate) rules: Rules,
    pub(crate) source: (Listing<Pages>, IndexReader),
    pub(crate) target: (Listing<Pages>, IndexReader),
}

impl TwoPrefixes {
    /// Makes all tasks.
    pub(crate) fn run(self, mut out: Outlet) {
        let Self {
            rules,
            source: (source, mut source_index),
            target: (target, mut target_index),
        } = self;
        out.look_for(rules.filter.only.as_ref());
        let mut old_index = false;
        for pair in Merge::new(source, target) {
            let (source, target) = match pair {
                Ok(Pair::Source(source)) => (Some(source), None),
                Ok(Pair::Target(target)) => (None, Some(target)),
                Ok(Pair::Both(source, target)) => (Some(source), Some(target)),
                Err(error) => return out.note(Note::Fatal(error)),
            };
            let from = source.map(|listed| {
                let entry = source_index.seek(&listed.key, || ());
                ObjectSide::new(listed, entry)
            });
            let object = target.map(|listed| {
                let entry = target_index.seek(&listed.key, || old_index = true);
                ObjectSide::new(listed, entry)
            });
            let task = copy_task(&rules, from, object);
            if !out.send(task) {
                return;
            }
        }
        if !out.flush() {
            return;
        }
        out.tell_unseen();
        out.note(Note::Ended {
            index: old_index || target_index.has_more() || target_index.fault().is_some(),
            state: false,
        });
    }
}

fn copy_task(rules: &Rules, from: Option<ObjectSide>, object: Option<ObjectSide>) -> Task {
    let key = from.as_ref().or(object.as_ref());
    let key = key.map(|side| side.key.clone()).unwrap_or_default();
    let passes = |side: &ObjectSide| rules.filter.admits(side.size, side.mtime());
    let step = match (&from, &object) {
        _ if !rules.filter.admits_key(&key) => TaskStep::Pass,
        (Some(from), _) if !passes(from) => TaskStep::Pass,
        (Some(from), Some(object)) if rules.verify => match from.size == object.size {
            true => TaskStep::Verify,
            false => TaskStep::Move,
        },
        (Some(from), Some(object)) => {
            match compare::objects(&from.facts(), &object.facts(), rules.trust) {
                Verdict::Same => TaskStep::Same,
                // Otherwise it is copied again, which moves fewer bytes than to read both.
                Verdict::ReadObject if rules.read_only => TaskStep::Verify,
                _ => rules.moving(&key),
            }
        }
        (Some(_), None) => rules.moving(&key),
        (None, _) => rules.only_in_target(),
    };
    Task {
        number: 0,
        key,
        file: None,
        object,
        from,
        step,
        last: false,
        content: None,
    }
}

/// The keys of a list for [`Options::only`](super::Options::only), one a line; empty lines are passed over.
///
/// # Errors
/// When a line cannot be the key of a file.
pub fn keys_of(list: &str) -> Result<HashSet<String>> {
    let lines = list.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            crate::names::check(line)?;
            Ok(line.to_owned())
        })
        .collect()
}
