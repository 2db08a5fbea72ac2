//! Times in answers: HTTP dates and ISO 8601.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads a time of the `Date` and `Last-Modified` headers ([RFC 9110, 5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)).
/// `UTC` and `+0000`, which some servers write in place of `GMT`, are taken for it.
pub fn parse_http(text: &str) -> Option<SystemTime> {
    let read = |text: &str| httpdate::parse_http_date(text).ok();
    let text = text.trim();
    read(text).or_else(|| {
        let mut zones = ["UTC", "+0000"].into_iter();
        let rest = zones.find_map(|zone| text.strip_suffix(zone))?;
        read(&format!("{rest}GMT"))
    })
}

/// Reads `2009-10-12T17:50:30.000Z`, a time of XML and JSON answers: from 1970 on, with or without a fraction, with `Z`
/// or an offset (`+02:00`, `-0530`, `+02`), as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339#section-5.6) and ISO
/// 8601 have it. A time that names no offset is refused, since it could be of any place.
pub fn parse_iso8601(text: &str) -> Option<SystemTime> {
    let (text, offset) = split_offset(text.trim())?;
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let bytes = whole.as_bytes();
    let shape = |i: usize, legal: &[u8]| bytes.get(i).is_some_and(|b| legal.contains(b));
    if bytes.len() != 19
        || !(shape(4, b"-")
            && shape(7, b"-")
            && shape(10, b"Tt ")
            && shape(13, b":")
            && shape(16, b":"))
    {
        return None;
    }
    let number = |from: usize, to: usize| digits(bytes.get(from..to)?);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month)
        || !(1..=days_of(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
        || fraction.is_empty()
    {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let seconds = u64::try_from(seconds - offset).ok()?;
    let mut nanos = 0u32;
    let mut unit = 100_000_000;
    for b in fraction.bytes() {
        if !b.is_ascii_digit() {
            return None;
        }
        nanos += u32::from(b - b'0') * unit;
        unit /= 10;
    }
    Some(UNIX_EPOCH + Duration::new(seconds, nanos))
}

/// A time without its offset, and that in seconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(rest) = text.strip_suffix(['Z', 'z']) {
        return Some((rest, 0));
    }
    // The date has hyphens too.
    let sign = text.rfind(['+', '-']).filter(|at| *at >= 19)?;
    let (rest, offset) = text.split_at_checked(sign)?;
    let (hours, minutes) = match *offset.as_bytes() {
        [_, a, b] => (digits(&[a, b])?, 0),
        [_, a, b, c, d] | [_, a, b, b':', c, d] => (digits(&[a, b])?, digits(&[c, d])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    let is_behind = offset.starts_with('-');
    Some((rest.trim_end(), if is_behind { -seconds } else { seconds }))
}

fn digits(bytes: &[u8]) -> Option<i64> {
    let step = |n: i64, b: &u8| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0'));
    bytes.iter().try_fold(0, step)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
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
            ("2007-03-27T21:36:42+02:00", at(1_175_024_202, 0)),
            ("2007-03-27T14:36:42.25-05:00", at(1_175_024_202, 250)),
            ("2007-03-27T19:36:42+0000", at(1_175_024_202, 0)),
            (
                "2007-03-28T01:06:42.125000000000+0530",
                at(1_175_024_202, 125),
            ),
            ("2007-03-27T21:36:42+02", at(1_175_024_202, 0)),
            ("2007-03-27 19:36:42,5 -00:00", at(1_175_024_202, 500)),
            (" 2007-03-27t19:36:42z\n", at(1_175_024_202, 0)),
            ("1970-01-01T01:00:00+01:00", at(0, 0)),
            ("1970-01-01T00:59:59+01:00", None),
            ("2007-02-29T00:00:00Z", None),
            ("2007-03-27T19:36:42.Z", None),
            ("2007-03-27T19:36:42+", None),
            ("2007-03-27T19:36:42+2", None),
            ("2007-03-27T19:36:42+02:0", None),
            ("2007-03-27T19:36:42+24:00", None),
            ("2007-03-27T19:36:42+0\u{e9}", None),
            ("2007-03-27T19:36:42", None),
            ("2007-13-27T19:36:42Z", None),
            ("2007-03-27_19:36:42Z", None),
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
        assert_eq!(parse_http("Tue, 27 Mar 2007 19:36:42 UTC"), time);
        assert_eq!(parse_http("Tue, 27 Mar 2007 19:36:42 +0000"), time);
        assert_eq!(parse_http("Tuesday, 27-Mar-07 19:36:42 GMT"), time);
        assert_eq!(parse_http("Tue Mar 27 19:36:42 2007"), time);
        assert_eq!(parse_http("Tue, 27 Mar 2007 19:36:42 +0200"), None);
        assert_eq!(parse_http("yesterday"), None);
    }
}
