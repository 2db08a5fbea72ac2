//! Days and times of day, in UTC.

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Date {
    year: u64,
    month: u64,
    day: u64,
}

const MICROS: u64 = 1_000_000;
const SECONDS_OF_A_DAY: u64 = 86_400;

impl Date {
    /// The day of a time, in microseconds since 1970.
    pub(super) fn of(at: u64) -> Self {
        // Days since 0000-03-01, in eras of 400 years: https://howardhinnant.github.io/date_algorithms.html#civil_from_days
        let days = at / MICROS / SECONDS_OF_A_DAY + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
        }
    }

    /// `YYYY/MM/DD.html`, and `YYYY/MM/DD-N.html` for a further page.
    pub(super) fn path(self, page: u32) -> String {
        format!("{:04}/{:02}/{}", self.year, self.month, self.file(page))
    }

    /// The last part of the path.
    pub(super) fn file(self, page: u32) -> String {
        match page {
            0 | 1 => format!("{:02}.html", self.day),
            page => format!("{:02}-{page}.html", self.day),
        }
    }

    /// `YYYY-MM-DD`.
    pub(super) fn text(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// `HH:MM:SS` of a time, in microseconds since 1970.
pub(super) fn time_of_day(at: u64) -> String {
    let seconds = at / MICROS % SECONDS_OF_A_DAY;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        // From `date -u -d @SECONDS`.
        for (seconds, date, time) in [
            (0, "1970-01-01", "00:00:00"),
            (951_782_399, "2000-02-28", "23:59:59"),
            (951_782_400, "2000-02-29", "00:00:00"),
            (951_868_800, "2000-03-01", "00:00:00"),
            (1_709_251_199, "2024-02-29", "23:59:59"),
            (1_798_761_599, "2026-12-31", "23:59:59"),
            (4_107_542_400, "2100-03-01", "00:00:00"),
            (253_402_300_799, "9999-12-31", "23:59:59"),
        ] {
            let at = seconds * MICROS + 999_999;
            assert_eq!(
                (Date::of(at).text(), time_of_day(at)),
                (date.to_owned(), time.to_owned())
            );
        }
        let date = Date::of(951_782_400 * MICROS);
        assert_eq!(date.path(1), "2000/02/29.html");
        assert_eq!(date.path(12), "2000/02/29-12.html");
        let _far = Date::of(u64::MAX).text();
    }
}
