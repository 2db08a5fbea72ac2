//! Versions that tell who wrote them, and who wrote before.

use std::fmt;

use crate::ordered::{decode, encode};

/// How many writes a version tells of, its own among them.
const MARKS: usize = 4;

/// The version that one write sets: `COUNTER-MARK-MARK-MARK-MARK`, its own mark first.
///
/// Each write expects the version before it, so there is one writer for each number of the counter; the marks say
/// who the last few were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    counter: u64,
    marks: [u64; MARKS],
}

/// What became of a write whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The write took effect.
    Written,
    /// It did not, but it still may.
    NotYet,
    /// It did not and cannot: another write came first.
    Overtaken,
    /// It cannot be told.
    Unknown,
}

impl Version {
    /// The version that follows, with a mark of its own.
    pub(crate) fn after(current: Option<&str>) -> Self {
        let mark = fastrand::u64(1..);
        let Some(before) = current.and_then(Self::read) else {
            return Self {
                counter: 1,
                marks: [mark, 0, 0, 0],
            };
        };
        let [a, b, c, _] = before.marks;
        Self {
            counter: before.counter.saturating_add(1),
            marks: [mark, a, b, c],
        }
    }

    /// What became of the write that was to set this version in place of `current`, where the item is now seen
    /// with another.
    pub(crate) fn fate(&self, current: Option<&str>, seen: Option<&str>) -> Fate {
        if seen == current {
            return Fate::NotYet;
        }
        let Some(seen) = seen.and_then(Self::read) else {
            return Fate::Unknown;
        };
        let Some(later) = seen.counter.checked_sub(self.counter) else {
            // A lower number: the item was removed and made anew.
            return Fate::Unknown;
        };
        let mark = usize::try_from(later)
            .ok()
            .and_then(|later| seen.marks.get(later));
        match mark {
            Some(mark) if *mark == self.marks[0] => Fate::Written,
            // Nobody knows who that was: the item began anew.
            Some(0) | None => Fate::Unknown,
            Some(_) => Fate::Overtaken,
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let counter = decode(parts.next()?).ok()?;
        let mut marks = [0; MARKS];
        for mark in &mut marks {
            let text = parts.next()?;
            if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *mark = u64::from_str_radix(text, 16).ok()?;
        }
        parts.next().is_none().then_some(Self { counter, marks })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text of a number does not fail.
        f.write_str(&encode(&self.counter).unwrap_or_default())?;
        self.marks
            .iter()
            .try_for_each(|mark| write!(f, "-{mark:016x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_tells_of_the_writes_before() {
        let mut texts: Vec<String> = Vec::new();
        for _ in 0..7 {
            let next = Version::after(texts.last().map(String::as_str));
            assert_eq!(Version::read(&next.to_string()), Some(next.clone()));
            assert_eq!(next.to_string().len(), 88);
            texts.push(next.to_string());
        }
        assert!(texts.is_sorted());
        let ours = Version::read(&texts[2]).unwrap();
        let current = Some(texts[1].as_str());
        let fate = |seen: Option<&str>| ours.fate(current, seen);
        assert_eq!(fate(current), Fate::NotYet);
        for seen in &texts[2..6] {
            assert_eq!(fate(Some(seen)), Fate::Written);
        }
        assert_eq!(fate(Some(&texts[6])), Fate::Unknown);
        assert_eq!(fate(Some(&texts[0])), Fate::Unknown);
        for seen in [None, Some("3"), Some("")] {
            assert_eq!(fate(seen), Fate::Unknown);
        }

        let mut others = texts[1].clone();
        for later in 0..5 {
            others = Version::after(Some(&others)).to_string();
            let expected = if later < 4 {
                Fate::Overtaken
            } else {
                Fate::Unknown
            };
            assert_eq!(fate(Some(&others)), expected, "{later}");
        }
    }

    #[test]
    fn a_first_version_can_be_told_from_another_first() {
        let ours = Version::after(None);
        let theirs = Version::after(Some("some other form"));
        assert_eq!(ours.fate(None, None), Fate::NotYet);
        assert_eq!(ours.fate(None, Some(&theirs.to_string())), Fate::Overtaken);
        assert_eq!(ours.fate(None, Some(&ours.to_string())), Fate::Written);
        let next = Version::after(Some(&ours.to_string()));
        assert_eq!(ours.fate(None, Some(&next.to_string())), Fate::Written);
    }

    #[test]
    fn other_texts_are_no_versions() {
        let good = Version::after(None).to_string();
        for text in [
            "",
            "1",
            "-",
            &good[1..],
            &format!("{good}-"),
            &good.replace('-', "+"),
        ] {
            assert_eq!(Version::read(text), None, "{text}");
        }
    }
}
