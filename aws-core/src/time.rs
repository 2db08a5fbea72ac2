//! Times in answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads a time of the `Date` and `Last-Modified` headers ([RFC 9110, 5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)).
pub fn parse_http(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

/// Reads `2009-10-12T17:50:30.000Z`: a time of XML answers, from 1970 on, with or without a fraction.
pub fn parse_iso8601(text: &str) -> Option<SystemTime> {
    let text = text
        .strip_suffix('Z')
        .or_else(|| text.strip_suffix("+00:00"))?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let bytes = whole.as_bytes();
    let shape = |i: usize, b: u8| bytes.get(i) == Some(&b);
    if bytes.len() != 19
        || !(shape(4, b'-')
            && shape(7, b'-')
            && shape(10, b'T')
            && shape(13, b':')
            && shape(16, b':'))
    {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        let step = |n: i64, b: &u8| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0'));
        digits.iter().try_fold(0, step)
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let mut nanos = 0u32;
    let mut unit = 100_000_000;
    for b in fraction.bytes() {
        if !b.is_ascii_digit() {
            return None;
        }
        nanos += u32::from(b - b'0') * unit;
        unit /= 10;
    }
    Some(UNIX_EPOCH + Duration::new(u64::try_from(seconds).ok()?, nanos))
}

/// Days from 1970-01-01 in the Gregorian calendar; March begins the year, so that the leap day ends it.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_times() {
        let at = |s: u64, ms: u64| Some(UNIX_EPOCH + Duration::from_millis(s * 1000 + ms));
        for (text, time) in [
            ("1970-01-01T00:00:00Z", at(0, 0)),
            ("2007-03-27T19:36:42Z", at(1_175_024_202, 0)),
            ("2007-03-27T19:36:42.123Z", at(1_175_024_202, 123)),
            ("2000-02-29T23:59:59.5+00:00", at(951_868_799, 500)),
            ("2026-12-31T00:00:00.000Z", at(1_798_675_200, 0)),
            ("2007-03-27T19:36:42", None),
            ("2007-13-27T19:36:42Z", None),
            ("2007-03-27 19:36:42Z", None),
            ("2007-03-27T19:36:42.x0Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("+007-03-27T19:36:42Z", None),
            ("", None),
            ("\u{e9}Z", None),
        ] {
            assert_eq!(parse_iso8601(text), time, "{text}");
        }
    }

    #[test]
    fn http_times() {
        let time = Some(UNIX_EPOCH + Duration::from_secs(1_175_024_202));
        assert_eq!(parse_http("Tue, 27 Mar 2007 19:36:42 GMT"), time);
        assert_eq!(parse_http("yesterday"), None);
    }
}
