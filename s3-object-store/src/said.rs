//! The options that were said, by what they are, with the name that each was said by.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use object_store::Result;

use crate::error::any;
use crate::options::{Taken, yes_or_no};

/// The options that were said. `Debug` shows no value: it may be a secret.
#[derive(Default)]
pub(crate) struct Said(BTreeMap<Taken, NamedValue>);

struct NamedValue {
    /// As it was said, in small letters.
    name: String,
    value: String,
}

impl Said {
    pub(crate) fn insert(&mut self, option: Taken, name: String, value: String) {
        self.0.insert(option, NamedValue { name, value });
    }

    fn get(&self, option: Taken) -> Option<&NamedValue> {
        self.0.get(&option).filter(|said| !said.value.is_empty())
    }

    /// The value of an option; an empty one is as none.
    pub(crate) fn text(&self, option: Taken) -> Option<&str> {
        self.get(option).map(|said| said.value.as_str())
    }

    /// The name that an option was said by, in small letters; none where its value is empty.
    pub(crate) fn name(&self, option: Taken) -> Option<&str> {
        self.get(option).map(|said| said.name.as_str())
    }

    /// What `read` makes of the value of an option.
    ///
    /// # Errors
    /// Where that is nothing: the option, by its name, is what `wrong` says. The value is not shown.
    pub(crate) fn read<T>(
        &self,
        option: Taken,
        wrong: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(said) = self.get(option) else {
            return Ok(None);
        };
        let why = || any(format!("the option {} is {wrong}", said.name));
        read(&said.value).map(Some).ok_or_else(why)
    }

    /// That of one which is true or false.
    ///
    /// # Errors
    /// When it is neither, by its name.
    pub(crate) fn flag(&self, option: Taken) -> Result<Option<bool>> {
        self.read(option, "neither true nor false", yes_or_no)
    }

    /// That of one which is a time.
    ///
    /// # Errors
    /// When it is none, by its name.
    pub(crate) fn time(&self, option: Taken) -> Result<Option<Duration>> {
        self.read(option, "no time such as 30s", duration)
    }

    /// Which of these words, in small letters, it is.
    ///
    /// # Errors
    /// When it is none of them, by its name.
    pub(crate) fn word(
        &self,
        option: Taken,
        words: &[&'static str],
    ) -> Result<Option<&'static str>> {
        let wrong = format!("not {}", words.join(" or "));
        let mut words = words.iter().copied();
        let found = |value: &str| words.find(|word| value.eq_ignore_ascii_case(word));
        self.read(option, &wrong, found)
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A number with a unit, as `30s`, `500 ms`, `5 minutes`.
fn duration(value: &str) -> Option<Duration> {
    let value = value.trim();
    let end = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    let millis = match unit.trim() {
        "ms" | "msec" | "millis" => 1,
        "s" | "sec" | "second" | "seconds" => 1000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hour" | "hours" => 3_600_000,
        _ => return None,
    };
    let number = number.parse::<u64>().ok()?;
    Some(Duration::from_millis(number.checked_mul(millis)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, millis) in [
            ("500 ms", 500),
            ("30s", 30_000),
            (" 2 seconds ", 2_000),
            ("5 minutes", 300_000),
            ("1m", 60_000),
            ("2 hours", 7_200_000),
        ] {
            let time = duration(text).unwrap();
            assert_eq!(time, Duration::from_millis(millis), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "1 day",
            "-1s",
            "1.5s",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(duration(text).is_none(), "{text}");
        }
    }
}
