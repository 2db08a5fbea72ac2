//! Versions that tell who wrote them, and who wrote before.
//!
//! *Problem:* A conditional write whose answer was lost may have been done. Sent again it meets its own first run, and a
//! conflict with oneself looks like one with somebody else. *Decision:* Each write sets a version with a random mark of its
//! own in front of the marks of the writes that it followed. One consistent read then tells what became of it, even if up
//! to three others have followed. *Cost:* Up to 69 bytes a thing, and that read, after a lost answer only.

use std::fmt;

/// How many writes a version names, its own among them.
const MARKS: usize = 4;

/// What stands behind the marks where there were earlier writes, or may have been.
const MORE: &str = "+";

/// A version: the marks of the last few writes, newest first, as 16 hex digits each with `-` between, and `-+` where there
/// may have been others before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    marks: Vec<u64>,
    /// Whether the marks are those of all writes since the thing was made.
    whole: bool,
}

/// What became of a write whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The write took effect.
    Written,
    /// It did not, but it still may: the very same write can be sent again.
    NotYet,
    /// It did not and cannot: another write came first.
    Overtaken,
    /// It cannot be told.
    Unknown,
}

impl Version {
    /// The version of a write that follows this one; of the first, if there is none.
    pub(crate) fn after(before: Option<&Self>) -> Self {
        let mut marks = vec![fastrand::u64(..)];
        let mut whole = true;
        if let Some(before) = before {
            marks.extend(before.marks.iter().take(MARKS - 1));
            whole = before.whole && before.marks.len() < MARKS;
        }
        Self { marks, whole }
    }

    /// The version of a write that does not know what it replaces.
    pub(crate) fn unconditional() -> Self {
        Self {
            marks: vec![fastrand::u64(..)],
            whole: false,
        }
    }

    /// The version that this text is; of something else, one that tells nothing.
    pub(crate) fn read(text: &str) -> Self {
        let nothing = || Self {
            marks: Vec::new(),
            whole: false,
        };
        let mut parts: Vec<&str> = text.split('-').collect();
        let whole = parts.last() != Some(&MORE);
        if !whole {
            parts.pop();
        }
        let mark = |part: &&str| {
            let legal = part.len() == 16 && part.bytes().all(|b| b.is_ascii_hexdigit());
            u64::from_str_radix(part, 16).ok().filter(|_| legal)
        };
        match parts.iter().map(mark).collect::<Option<Vec<u64>>>() {
            Some(marks) if (1..=MARKS).contains(&marks.len()) => Self { marks, whole },
            _ => nothing(),
        }
    }

    fn is_of(&self, other: &Self) -> bool {
        self.marks
            .first()
            .is_some_and(|mark| other.marks.contains(mark))
    }

    /// What became of the write that was to set this version in place of `before`, where the thing has now the version
    /// `seen`; nothing where it is not there.
    pub(crate) fn fate(&self, before: Option<&Self>, seen: Option<&Self>) -> Fate {
        match (before, seen) {
            (_, Some(seen)) if self.is_of(seen) => Fate::Written,
            (None, None) => Fate::NotYet,
            (Some(before), Some(seen)) if before == seen && !seen.marks.is_empty() => Fate::NotYet,
            // Its condition does not hold, and of all writes since then it was none.
            (None, Some(seen)) if seen.whole => Fate::Overtaken,
            (Some(before), Some(seen)) if before.is_of(seen) => Fate::Overtaken,
            _ => Fate::Unknown,
        }
    }

    /// What became of the removal of what had this version, where it has now the version `seen`.
    pub(crate) fn fate_of_removal(&self, seen: Option<&Self>) -> Fate {
        match seen {
            None => Fate::Written,
            Some(seen) if seen == self && !seen.marks.is_empty() => Fate::NotYet,
            Some(seen) if self.is_of(seen) => Fate::Overtaken,
            // It was removed and made anew.
            Some(seen) if seen.whole => Fate::Written,
            Some(_) => Fate::Unknown,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, mark) in self.marks.iter().enumerate() {
            let gap = if place == 0 { "" } else { "-" };
            write!(f, "{gap}{mark:016x}")?;
        }
        if self.whole {
            Ok(())
        } else {
            write!(f, "-{MORE}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(writes: usize) -> Vec<Version> {
        let mut all: Vec<Version> = Vec::new();
        for _ in 0..writes {
            let next = Version::after(all.last());
            assert_eq!(Version::read(&next.to_string()), next);
            assert!(next.to_string().len() <= 69);
            all.push(next);
        }
        all
    }

    #[test]
    fn a_write_is_known_again_after_three_others() {
        let all = chain(9);
        let before = Some(&all[0]);
        for (place, seen) in all.iter().enumerate().skip(1) {
            let fate = all[1].fate(before, Some(seen));
            let told = if place <= 4 {
                Fate::Written
            } else {
                Fate::Unknown
            };
            assert_eq!(fate, told, "{place}");
        }
        assert_eq!(all[1].fate(before, before), Fate::NotYet);
        assert_eq!(all[1].fate(before, None), Fate::Unknown);
    }

    #[test]
    fn another_that_came_first_is_known() {
        let all = chain(2);
        let late = Version::after(Some(&all[0]));
        assert_eq!(late.fate(Some(&all[0]), Some(&all[1])), Fate::Overtaken);
        let first = Version::after(None);
        assert_eq!(first.fate(None, None), Fate::NotYet);
        assert_eq!(first.fate(None, Some(&all[0])), Fate::Overtaken);
        assert_eq!(first.fate(None, Some(&first)), Fate::Written);
        // Whoever wrote it did not look at what was there before.
        let blind = Version::unconditional();
        assert_eq!(first.fate(None, Some(&blind)), Fate::Unknown);
        assert_eq!(late.fate(Some(&all[0]), Some(&blind)), Fate::Unknown);
        let many = chain(6);
        assert_eq!(first.fate(None, many.last()), Fate::Unknown);
    }

    #[test]
    fn removals_are_known() {
        let all = chain(7);
        assert_eq!(all[0].fate_of_removal(None), Fate::Written);
        assert_eq!(all[0].fate_of_removal(Some(&all[0])), Fate::NotYet);
        assert_eq!(all[0].fate_of_removal(Some(&all[1])), Fate::Overtaken);
        assert_eq!(
            all[0].fate_of_removal(Some(&Version::after(None))),
            Fate::Written
        );
        assert_eq!(all[0].fate_of_removal(all.last()), Fate::Unknown);
    }

    #[test]
    fn other_texts_tell_nothing() {
        let mark = "0123456789abcdef";
        let five = [mark; 5].join("-");
        for text in ["", "+", "1", "0123456789abcdeg", "+123456789abcdef", &five] {
            let seen = Version::read(text);
            assert!(seen.marks.is_empty() && !seen.whole, "{text}");
            assert_eq!(Version::after(None).fate(None, Some(&seen)), Fate::Unknown);
            assert_eq!(seen.fate_of_removal(Some(&seen)), Fate::Unknown);
            let after = Version::after(Some(&seen));
            assert_eq!(after.fate(Some(&seen), Some(&seen)), Fate::Unknown);
        }
        assert_eq!(Version::read(mark).to_string(), mark);
    }
}
