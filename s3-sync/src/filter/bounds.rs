//! Bounds of times and sizes.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::Error;

/// Files that were changed after a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newer {
    /// Nanoseconds since 1970.
    after: i64,
}

impl Newer {
    /// After this time.
    pub fn than(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            after: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        }
    }

    /// Within an age before `now`, such as `90s`, `30m`, `12h` or `7d`.
    ///
    /// # Errors
    /// When the text is no age.
    pub fn within(age: &str, now: SystemTime) -> Result<Self, Error> {
        let unit = match age.chars().last() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            _ => 0,
        };
        let number = age.get(..age.len().saturating_sub(1));
        let number: Option<u64> = number.and_then(|number| number.parse().ok());
        let seconds = number.and_then(|number| number.checked_mul(unit));
        let wrong = || {
            let age = age.escape_debug();
            Error::usage(format!("{age} is no age such as 90s, 30m, 12h or 7d"))
        };
        let seconds = seconds.filter(|_| unit > 0).ok_or_else(wrong)?;
        let time = now.checked_sub(Duration::from_secs(seconds));
        Ok(Self::than(time.unwrap_or(UNIX_EPOCH)))
    }

    pub(crate) fn admits(self, mtime: i64) -> bool {
        mtime > self.after
    }
}

/// Files of these sizes, both ends included: `..1M`, `10K..`, `1..5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRange {
    least: u64,
    most: u64,
}

impl SizeRange {
    pub(crate) fn admits(self, size: u64) -> bool {
        (self.least..=self.most).contains(&size)
    }
}

impl FromStr for SizeRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let text = text.escape_debug();
            Error::usage(format!(
                "{text} is no range of sizes such as ..1M, 10K.. or 1..5"
            ))
        };
        let (least, most) = text.split_once("..").ok_or_else(wrong)?;
        let bound = |text: &str, usual| match text {
            "" => Some(usual),
            _ => bytes(text),
        };
        let range = Self {
            least: bound(least, 0).ok_or_else(wrong)?,
            most: bound(most, u64::MAX).ok_or_else(wrong)?,
        };
        match range.least <= range.most {
            true => Ok(range),
            false => Err(wrong()),
        }
    }
}

/// A number of bytes, by itself or in units of 1,024: `10`, `10K`, `10M`, `10G`.
fn bytes(text: &str) -> Option<u64> {
    let shift = match text.chars().last()? {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        _ => return text.parse().ok(),
    };
    let number: u64 = text[..text.len() - 1].parse().ok()?;
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_ranges() {
        let admits = |range: &str, size| range.parse::<SizeRange>().unwrap().admits(size);
        assert!(admits("..", 0) && admits("..1K", 1024) && !admits("..1K", 1025));
        assert!(admits("2M..", 2 << 20) && !admits("2M..", (2 << 20) - 1));
        assert!(admits("3G..", 3 << 30) && !admits("3G..", (3 << 30) - 1));
        for text in ["", "5", "5..4", "x..", "..1k", "..99999999999G"] {
            assert!(text.parse::<SizeRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn ages_are_counted_from_now() {
        let now = UNIX_EPOCH + Duration::from_secs(100_000);
        let newer = Newer::within("1d", now).unwrap();
        let second = 1_000_000_000;
        assert!(newer.admits(13_601 * second) && !newer.admits(13_600 * second));
        for age in ["", "5", "d", "-1d", "1w", "1é", "99999999999999999999d"] {
            assert!(Newer::within(age, now).is_err(), "{age}");
        }
    }
}
