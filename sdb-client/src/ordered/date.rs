//! Texts of dates that sort as the dates do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_core::{Error, Result};

use super::{Ordered, digits, foreign};

/// Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar.
const EPOCH_DAYS: i64 = 719_468;
/// Seconds from 1970 to the beginning of the year 0, and to the end of 9999.
pub(super) const RANGE: std::ops::Range<i64> = -62_167_219_200..253_402_300_800;

/// Read with 0 to 9 digits of a second, written with 9: texts of other widths do not sort with it.
impl Ordered for SystemTime {
    fn encode(&self) -> Result<String> {
        let (seconds, nanos) = match self.duration_since(UNIX_EPOCH) {
            Ok(after) => (i64::try_from(after.as_secs()).ok(), after.subsec_nanos()),
            Err(error) => {
                let before = error.duration();
                let nanos = before.subsec_nanos();
                let whole = i64::try_from(before.as_secs()).ok();
                let borrow = i64::from(nanos > 0);
                (
                    whole.map(|s| -s - borrow),
                    (1_000_000_000 - nanos) % 1_000_000_000,
                )
            }
        };
        let seconds = seconds.filter(|seconds| RANGE.contains(seconds));
        let Some(seconds) = seconds else {
            return Err(Error::invalid("a date is outside of the years 0 to 9999"));
        };
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let second = seconds.rem_euclid(86_400);
        Ok(format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{nanos:09}Z",
            second / 3600,
            second / 60 % 60,
            second % 60
        ))
    }

    fn decode(text: &str) -> Result<Self> {
        read_date(text).ok_or_else(|| foreign("a date"))
    }
}

/// Year, month and day of a day since 1970.
fn civil(day: i64) -> (i64, i64, i64) {
    // By years that begin in March, so that the leap day is the last of one; 146,097 days are 400 of them.
    let day = day + EPOCH_DAYS;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let moved_month = (5 * of_year + 2) / 153;
    let month = if moved_month < 10 {
        moved_month + 3
    } else {
        moved_month - 9
    };
    let day = of_year - (153 * moved_month + 2) / 5 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The day since 1970 of a year, month and day.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let moved_month = (month + 9) % 12;
    let of_year = (153 * moved_month + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - EPOCH_DAYS
}

fn read_date(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-');
    let mut field = |width| i64::try_from(digits(date.next()?, width)?).ok();
    let (year, month, day) = (field(4)?, field(2)?, field(2)?);
    if date.next().is_some() {
        return None;
    }
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.split(':');
    let mut field = || i64::try_from(digits(time.next()?, 2)?).ok();
    let (hour, minute, second) = (field()?, field()?, field()?);
    if time.next().is_some() || !(1..=9).contains(&fraction.len()) {
        return None;
    }
    let number = days(year, month, day);
    if civil(number) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = digits(&format!("{fraction:0<9}"), 9)?;
    let seconds = number * 86_400 + hour * 3600 + minute * 60 + second;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let at = if seconds < 0 {
        UNIX_EPOCH.checked_sub(whole)?
    } else {
        UNIX_EPOCH.checked_add(whole)?
    };
    at.checked_add(Duration::from_nanos(nanos))
}
