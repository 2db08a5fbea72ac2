//! The spelling of a time that requests carry.

use std::fmt;
use std::time::SystemTime;

use aws_sigv2::date;

/// A time as `x-amz-date` has it, `20130524T000000Z`: in UTC, fractions cut off.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AmzDate([u8; 16]);

impl AmzDate {
    /// The text of this time; outside the years 0 to 9999 the nearest end of that range.
    pub fn new(time: SystemTime) -> Self {
        let iso = date::iso8601(time);
        let mut text = *b"00000101T000000Z";
        if let [
            y0,
            y1,
            y2,
            y3,
            _,
            m0,
            m1,
            _,
            d0,
            d1,
            _,
            h0,
            h1,
            _,
            n0,
            n1,
            _,
            s0,
            s1,
            ..,
        ] = *iso.as_ref().as_bytes()
        {
            text = [
                y0, y1, y2, y3, m0, m1, d0, d1, b'T', h0, h1, n0, n1, s0, s1, b'Z',
            ];
        }
        Self(text)
    }

    /// The day alone: `20130524`.
    pub fn day(&self) -> &str {
        &self.as_ref()[..8]
    }

    pub(super) fn day_bytes(self) -> [u8; 8] {
        let mut day = [0; 8];
        day.copy_from_slice(&self.0[..8]);
        day
    }
}

impl AsRef<str> for AmzDate {
    fn as_ref(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("00000101T000000Z")
    }
}

impl fmt::Display for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_ref())
    }
}

impl fmt::Debug for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_ref(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_time_and_its_day() {
        let date = AmzDate::new(UNIX_EPOCH + Duration::from_millis(1_369_353_600_999));
        assert_eq!(
            (date.as_ref(), date.day()),
            ("20130524T000000Z", "20130524")
        );
        let last = AmzDate::new(UNIX_EPOCH + Duration::from_secs(1 << 40));
        assert_eq!(last.to_string(), "99991231T235959Z");
    }
}
