//! The date forms that signed requests carry, read as seconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; negative before it.
pub(crate) fn unix(at: SystemTime) -> i64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// Reads an HTTP date (RFC 9110, also with `+0000` or `UTC` for `GMT`) or `20060102T150405Z`.
pub(crate) fn parse_header_date(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(at) = parse_basic(text) {
        return Some(at);
    }
    let zone = ["+0000", "-0000", "UTC"]
        .iter()
        .find_map(|zone| text.strip_suffix(zone));
    let parsed = match zone {
        Some(stem) => httpdate::parse_http_date(&format!("{stem}GMT")),
        None => httpdate::parse_http_date(text),
    };
    parsed.ok().map(unix)
}

/// Reads `20060102T150405Z`, the date form of Signature Version 4.
fn parse_basic(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    instant(
        digits(&bytes[0..4])?,
        digits(&bytes[4..6])?,
        digits(&bytes[6..8])?,
        digits(&bytes[9..11])?,
        digits(&bytes[11..13])?,
        digits(&bytes[13..15])?,
    )
}

/// Reads `2006-01-02T15:04:05`, with an optional fraction, ending in `Z` or an offset such as
/// `+01:00`; without either it is taken as UTC.
pub(crate) fn parse_iso8601(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 19
        || bytes[4] != b'-'
        || bytes[7] != b'-'
        || bytes[10] != b'T'
        || bytes[13] != b':'
        || bytes[16] != b':'
    {
        return None;
    }
    let at = instant(
        digits(&bytes[0..4])?,
        digits(&bytes[5..7])?,
        digits(&bytes[8..10])?,
        digits(&bytes[11..13])?,
        digits(&bytes[14..16])?,
        digits(&bytes[17..19])?,
    )?;
    let mut rest = &bytes[19..];
    if let [b'.', fraction @ ..] = rest {
        let len = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if len == 0 {
            return None;
        }
        rest = &fraction[len..];
    }
    match rest {
        b"" | b"Z" => Some(at),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            let offset = digits(&[*h1, *h2])? * 3600 + digits(&[*m1, *m2])? * 60;
            Some(if *sign == b'+' {
                at - offset
            } else {
                at + offset
            })
        }
        _ => None,
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + i64::from(byte - b'0'))
    })
}

fn instant(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    let sane = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !sane {
        return None;
    }
    // Days from civil, counted from March so that a leap day comes last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// `2006-01-02T15:04:05Z`, as error documents carry it.
pub(crate) fn format_iso8601(at: i64) -> String {
    let days = at.div_euclid(86_400);
    let second = at.rem_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_form() {
        let at = 1_175_024_202; // Tue, 27 Mar 2007 19:36:42 GMT
        for text in [
            "Tue, 27 Mar 2007 19:36:42 GMT",
            "Tue, 27 Mar 2007 19:36:42 +0000",
            "Tuesday, 27-Mar-07 19:36:42 GMT",
            "Tue Mar 27 19:36:42 2007",
            "20070327T193642Z",
        ] {
            assert_eq!(parse_header_date(text), Some(at), "{text}");
        }
        for text in [
            "2007-03-27T19:36:42Z",
            "2007-03-27T19:36:42",
            "2007-03-27T19:36:42.000Z",
            "2007-03-27T20:36:42.5+01:00",
            "2007-03-27T11:36:42-08:00",
        ] {
            assert_eq!(parse_iso8601(text), Some(at), "{text}");
        }
        assert_eq!(format_iso8601(at), "2007-03-27T19:36:42Z");
        assert_eq!(format_iso8601(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(format_iso8601(-1), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "yesterday", "20071327T193642Z", "2007032XT193642Z"] {
            assert_eq!(parse_header_date(text), None, "{text}");
        }
        for text in [
            "",
            "2007-03-27",
            "2007-03-27T19:36:42.Z",
            "2007-03-27T19:36:42é",
        ] {
            assert_eq!(parse_iso8601(text), None, "{text}");
        }
    }
}
