//! The two spellings of a time that signed requests carry, without a clock and without allocation.
//!
//! Both are in UTC and cut off fractions. Times outside the years 0000 to 9999 are written as the nearest
//! end of that range.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use aws_sigv2::date;
//!
//! let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_175_024_202);
//! assert_eq!(date::http(time).as_ref(), "Tue, 27 Mar 2007 19:36:42 GMT");
//! assert_eq!(date::iso8601(time).as_ref(), "2007-03-27T19:36:42Z");
//! assert_eq!(date::iso8601_millis(time).as_ref(), "2007-03-27T19:36:42.000Z");
//! ```

use std::fmt;
use std::time::SystemTime;

const DAY: i64 = 86_400;
/// This is 0000-01-01T00:00:00Z, the first second that has four digits for its year, in seconds since 1970.
const FIRST: i64 = -62_167_219_200;
/// This is 9999-12-31T23:59:59Z, the last second that has four digits for its year, in seconds since 1970.
const LAST: i64 = 253_402_300_799;

/// The form of the `Date` header: [`IMF-fixdate`](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7).
#[must_use]
pub fn http(t: SystemTime) -> HttpDate {
    const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed";
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let civil = Civil::of(t);
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT   ";
    text[..3].copy_from_slice(&DAYS[civil.weekday * 3..][..3]);
    two(&mut text, 5, civil.day);
    text[8..11].copy_from_slice(&MONTHS[(civil.month as usize - 1) * 3..][..3]);
    two(&mut text, 12, civil.year / 100);
    two(&mut text, 14, civil.year % 100);
    two(&mut text, 17, civil.hour);
    two(&mut text, 20, civil.minute);
    two(&mut text, 23, civil.second);
    HttpDate(text)
}

/// The form of a `Timestamp` or `Expires` parameter: `2007-03-27T19:36:42Z`.
#[must_use]
pub fn iso8601(t: SystemTime) -> IsoDate {
    let mut date = iso8601_millis(t);
    date.text[19] = b'Z';
    date.length = 20;
    date
}

/// The form of a policy's expiration: `2007-03-27T19:36:42.000Z`, milliseconds always written.
#[must_use]
pub fn iso8601_millis(t: SystemTime) -> IsoDate {
    let civil = Civil::of(t);
    let mut text = *b"1970-01-01T00:00:00.000Z        ";
    two(&mut text, 0, civil.year / 100);
    two(&mut text, 2, civil.year % 100);
    two(&mut text, 5, civil.month);
    two(&mut text, 8, civil.day);
    two(&mut text, 11, civil.hour);
    two(&mut text, 14, civil.minute);
    two(&mut text, 17, civil.second);
    two(&mut text, 20, civil.milli / 10);
    text[22] = b'0' + (civil.milli % 10) as u8;
    IsoDate { text, length: 24 }
}

/// A time as HTTP headers write it.
///
/// Its text is within some whole words, which makes it cheap to look at.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(align(8))]
pub struct HttpDate([u8; 32]);

/// A time as the Query API and policies write it.
///
/// Its text is within some whole words, which makes it cheap to look at.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C, align(8))]
pub struct IsoDate {
    text: [u8; 32],
    length: u8,
}

impl AsRef<str> for HttpDate {
    fn as_ref(&self) -> &str {
        ascii(&self.0, 29)
    }
}

impl AsRef<str> for IsoDate {
    fn as_ref(&self) -> &str {
        ascii(&self.text, self.length.into())
    }
}

impl IsoDate {
    /// The bytes of the text, which are ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }
}

/// The first characters of a text that is ASCII. The whole of it is checked: that goes by the word, and what
/// is left over after the last one by the byte.
#[inline]
fn ascii(text: &[u8; 32], length: usize) -> &str {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.get(..length).unwrap_or_default()
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_ref())
    }
}

impl fmt::Display for IsoDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_ref())
    }
}

impl fmt::Debug for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_ref(), f)
    }
}

impl fmt::Debug for IsoDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_ref(), f)
    }
}

struct Civil {
    year: u32,
    month: u32,
    day: u32,
    /// Days since a Thursday, 0 to 6.
    weekday: usize,
    hour: u32,
    minute: u32,
    second: u32,
    milli: u32,
}

impl Civil {
    fn of(t: SystemTime) -> Self {
        let (seconds, milli) = match t.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => (
                i64::try_from(after.as_secs()).unwrap_or(LAST),
                after.subsec_millis(),
            ),
            Err(before) => {
                let before = before.duration();
                let whole = i64::try_from(before.as_secs()).unwrap_or(-FIRST);
                match before.subsec_nanos() {
                    0 => (-whole, 0),
                    nanos => (-whole - 1, (1_000_000_000 - nanos) / 1_000_000),
                }
            }
        };
        let seconds = seconds.clamp(FIRST, LAST);
        // Four centuries are the same number of days as any other four, and no days are negative after one
        // more of them.
        let days = (seconds.div_euclid(DAY) + 719_468 + 146_097) as u32;
        let within = seconds.rem_euclid(DAY) as u32;
        // Days become centuries, years of a century from 1 March on, and months, each by one product and its
        // remainder: Neri and Schneider, https://doi.org/10.1002/spe.3172.
        let (century, rest) = div_rem(4 * days + 3, 146_097);
        let product = 2_939_745 * u64::from(rest | 3);
        let (year, rest) = ((product >> 32) as u32, product as u32 / 2_939_745 / 4);
        let month = 2141 * rest + 197_913;
        let (month, day) = (month >> 16, (month & 0xffff) / 2141 + 1);
        // January and February were counted as the last months of the year before.
        let (turn, month) = if rest >= 306 {
            (1, month - 12)
        } else {
            (0, month)
        };
        Self {
            year: 100 * century + year + turn - 400,
            month,
            day,
            weekday: ((days + 6) % 7) as usize,
            hour: within / 3_600,
            minute: within / 60 % 60,
            second: within % 60,
            milli,
        }
    }
}

fn div_rem(number: u32, by: u32) -> (u32, u32) {
    (number / by, number % by)
}

/// Writes the two digits of a number below 100.
#[inline]
fn two(out: &mut [u8; 32], at: usize, number: u32) {
    const DIGITS: [[u8; 2]; 100] = {
        let mut digits = [[0; 2]; 100];
        let mut number = 0;
        while number < 100 {
            digits[number as usize] = [b'0' + number / 10, b'0' + number % 10];
            number += 1;
        }
        digits
    };
    out[at..at + 2].copy_from_slice(&DIGITS[number as usize % 100]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: i64) -> SystemTime {
        let distance = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            SystemTime::UNIX_EPOCH - distance
        } else {
            SystemTime::UNIX_EPOCH + distance
        }
    }

    #[test]
    fn known_times() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_175_024_202, "Tue, 27 Mar 2007 19:36:42 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (LAST, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (LAST + 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (FIRST, "Sat, 01 Jan 0000 00:00:00 GMT"),
            (FIRST - 1, "Sat, 01 Jan 0000 00:00:00 GMT"),
        ] {
            assert_eq!(http(at(seconds)).as_ref(), expected, "{seconds}");
        }
    }

    #[test]
    fn dates_are_shown_as_they_are_sent() {
        let date = http(at(1_175_024_202));
        assert_eq!(date.to_string(), "Tue, 27 Mar 2007 19:36:42 GMT");
        assert_eq!(format!("{date:>31}"), "  Tue, 27 Mar 2007 19:36:42 GMT");
        assert_eq!(format!("{date:?}"), "\"Tue, 27 Mar 2007 19:36:42 GMT\"");
        let date = iso8601(at(1_175_024_202));
        assert_eq!(format!("{date:>22}"), "  2007-03-27T19:36:42Z");
        assert_eq!(format!("{date:?}"), "\"2007-03-27T19:36:42Z\"");
    }

    #[test]
    fn fractions_are_cut_off_also_before_the_epoch() {
        let time = at(1_175_024_202) + Duration::from_millis(999);
        assert_eq!(iso8601(time).to_string(), "2007-03-27T19:36:42Z");
        assert_eq!(iso8601_millis(time).to_string(), "2007-03-27T19:36:42.999Z");
        let time = at(0) - Duration::from_millis(250);
        assert_eq!(iso8601_millis(time).to_string(), "1969-12-31T23:59:59.750Z");
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_last() {
        let (mut year, mut month, mut day, mut weekday) = (1600_u32, 1_u32, 1_u32, 6_usize);
        let first = -11_676_096_000_i64;
        for n in 0..146_097 * 2 {
            let civil = Civil::of(at(first + n * DAY));
            assert_eq!((civil.year, civil.month, civil.day), (year, month, day));
            // 1600-01-01 was a Saturday; weekday counts from Thursday.
            assert_eq!((civil.weekday + 4) % 7, weekday % 7);
            weekday += 1;
            let leap =
                year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            let length = match month {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
