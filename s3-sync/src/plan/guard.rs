//! Whether what is only in the target may be deleted.
//!
//! *Problem:* A source that could not be read, or that is empty since a disk was not mounted, has once deleted whole targets
//! (minio/mc#2373). *Decision:* Nothing is deleted unless the source was read whole and has something in it, every upload has
//! succeeded, and there are no more deletes than is allowed. *Cost:* A target that is meant to become empty is emptied by other
//! means.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// How many deletes are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxDelete {
    /// So many in all; nothing if any number is allowed.
    pub number: Option<u64>,
    /// So many of a hundred that the target has; nothing if all may go.
    pub percent: Option<u8>,
}

impl Default for MaxDelete {
    /// 1,000, and half of the target.
    fn default() -> Self {
        Self {
            number: Some(1000),
            percent: Some(50),
        }
    }
}

impl FromStr for MaxDelete {
    type Err = Error;

    /// A number such as `5000`, or a share such as `80%`; the other of the two is then no bound.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let text = text.escape_debug();
            Error::usage(format!(
                "{text} is neither a number nor a share from 0% to 100%"
            ))
        };
        if let Some(share) = text.strip_suffix('%') {
            let percent = share.parse().ok().filter(|percent| *percent <= 100);
            return Ok(Self {
                number: None,
                percent: Some(percent.ok_or_else(wrong)?),
            });
        }
        Ok(Self {
            number: Some(text.parse().map_err(|_| wrong())?),
            percent: None,
        })
    }
}

/// What a run has come to before it deletes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// How many files or objects the source has, of those that are looked at.
    pub(crate) source: u64,
    /// How many the target has had.
    pub(crate) target: u64,
    /// How many of them are to be deleted.
    pub(crate) deletes: u64,
    /// How many failures there were of any kind.
    pub(crate) failures: u64,
}

/// Why nothing is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    EmptySource,
    Failures(u64),
    TooMany { counts: Counts, max: MaxDelete },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is deleted: ")?;
        match self {
            Self::EmptySource => f.write_str("the source is empty"),
            Self::Failures(1) => f.write_str("something failed before"),
            Self::Failures(n) => write!(f, "{n} things failed before"),
            Self::TooMany { counts, max } => {
                let Counts {
                    deletes, target, ..
                } = counts;
                write!(f, "{deletes} of {target} would be, and ")?;
                match (max.number, max.percent) {
                    (Some(n), Some(percent)) => write!(f, "at most {n} and {percent} % are"),
                    (Some(n), None) => write!(f, "at most {n} are"),
                    (None, Some(percent)) => write!(f, "at most {percent} % are"),
                    (None, None) => f.write_str("none are"),
                }?;
                write!(f, " allowed; --max-delete {deletes} allows it")
            }
        }
    }
}

/// Whether the deletes may be done.
pub(crate) fn judge(counts: Counts, max: MaxDelete) -> Result<(), Refusal> {
    if counts.deletes == 0 {
        return Ok(());
    }
    if counts.failures > 0 {
        return Err(Refusal::Failures(counts.failures));
    }
    if counts.source == 0 {
        return Err(Refusal::EmptySource);
    }
    let deletes = u128::from(counts.deletes);
    let over_number = max.number.is_some_and(|number| counts.deletes > number);
    let over_share = max
        .percent
        .is_some_and(|percent| deletes * 100 > u128::from(percent) * u128::from(counts.target));
    match over_number || over_share {
        true => Err(Refusal::TooMany { counts, max }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(source: u64, target: u64, deletes: u64, failures: u64) -> Counts {
        Counts {
            source,
            target,
            deletes,
            failures,
        }
    }

    #[test]
    fn deletes_have_to_be_plausible() {
        let usual = MaxDelete::default();
        assert_eq!(judge(counts(5, 10, 5, 0), usual), Ok(()));
        assert_eq!(judge(counts(0, 10, 0, 7), usual), Ok(()));
        assert_eq!(judge(counts(0, 10, 1, 0), usual), Err(Refusal::EmptySource));
        assert_eq!(judge(counts(5, 10, 1, 2), usual), Err(Refusal::Failures(2)));
        assert_eq!(judge(counts(9000, 10_000, 1000, 0), usual), Ok(()));
        for many in [counts(4, 10, 6, 0), counts(9000, 10_000, 1001, 0)] {
            let refused = judge(many, usual).unwrap_err();
            assert!(matches!(refused, Refusal::TooMany { .. }));
            let word = format!("--max-delete {}", many.deletes);
            assert!(
                refused.to_string().ends_with(&format!("{word} allows it")),
                "{refused}"
            );
            let allowed = many.deletes.to_string().parse().unwrap();
            assert_eq!(judge(many, allowed), Ok(()));
        }
    }

    #[test]
    fn a_bound_is_a_number_or_a_share() {
        let all: MaxDelete = "100%".parse().unwrap();
        assert_eq!(judge(counts(1, 5000, 5000, 0), all), Ok(()));
        // An empty source has no word that lets it delete.
        assert_eq!(judge(counts(0, 5, 5, 0), all), Err(Refusal::EmptySource));
        let none: MaxDelete = "0".parse().unwrap();
        assert!(judge(counts(9, 10, 1, 0), none).is_err());
        for text in ["", "%", "101%", "-1", "x", "5 %"] {
            assert!(text.parse::<MaxDelete>().is_err(), "{text}");
        }
    }
}
