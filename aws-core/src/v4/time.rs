//! The spelling of a time that requests carry.

use std::cell::Cell;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sigv2::date;

/// A time as `x-amz-date` has it, `20130524T000000Z`: in UTC, fractions cut off.
///
/// It begins at a whole word, which makes its text cheap to look at.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(align(8))]
pub struct AmzDate([u8; 16]);

impl AmzDate {
    /// The text of this time; outside the years 0 to 9999 the nearest end of that range.
    pub fn new(time: SystemTime) -> Self {
        // Requests come by the thousand in a second.
        thread_local! {
            static LAST: Cell<Option<(u64, AmzDate)>> = const { Cell::new(None) };
        }
        let second = time.duration_since(UNIX_EPOCH).map(|since| since.as_secs());
        match (second, LAST.get()) {
            (Ok(second), Some((last, date))) if last == second => date,
            (Ok(second), _) => {
                let date = Self::written(time);
                LAST.set(Some((second, date)));
                date
            }
            (Err(_), _) => Self::written(time),
        }
    }

    fn written(time: SystemTime) -> Self {
        let iso = date::iso8601(time);
        let iso = iso.as_bytes();
        let mut text = *b"00000101T000000Z";
        // 2013-05-24T00:00:00Z has its digits in between.
        for (to, from) in [(0, 0..4), (4, 5..7), (6, 8..13), (11, 14..16), (13, 17..20)] {
            text[to..to + from.len()].copy_from_slice(&iso[from]);
        }
        Self(text)
    }

    /// The day alone: `20130524`.
    pub fn day(&self) -> &str {
        &self.as_ref()[..8]
    }

    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(super) fn day_bytes(&self) -> [u8; 8] {
        *self.0.first_chunk().unwrap_or(&[b'0'; 8])
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
    use std::time::Duration;

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

    #[test]
    fn each_second_has_its_own() {
        let at = |second: i64, millis| {
            let (distance, millis) = (
                Duration::from_secs(second.unsigned_abs()),
                Duration::from_millis(millis),
            );
            let second = if second < 0 {
                UNIX_EPOCH - distance
            } else {
                UNIX_EPOCH + distance
            };
            AmzDate::new(second + millis).to_string()
        };
        for _ in 0..2 {
            assert_eq!(at(0, 0), "19700101T000000Z");
            assert_eq!(at(-1, 0), "19691231T235959Z");
            assert_eq!(at(-1, 900), "19691231T235959Z");
            assert_eq!(at(0, 900), "19700101T000000Z");
            assert_eq!(at(1, 0), "19700101T000001Z");
        }
    }
}
