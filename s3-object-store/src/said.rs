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

    /// That of one which is true or false.
    ///
    /// # Errors
    /// When it is neither, by its name.
    pub(crate) fn flag(&self, option: Taken) -> Result<Option<bool>> {
        let said = self.get(option);
        said.map(|said| boolean(&said.name, &said.value))
            .transpose()
    }

    /// That of one which is a time.
    ///
    /// # Errors
    /// When it is none, by its name.
    pub(crate) fn time(&self, option: Taken) -> Result<Option<Duration>> {
        let said = self.get(option);
        let read = |said: &NamedValue| {
            let why = || any(format!("the option {} is no time such as 30s", said.name));
            duration(&said.value).ok_or_else(why)
        };
        said.map(read).transpose()
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
        let Some(said) = self.get(option) else {
            return Ok(None);
        };
        let found = words
            .iter()
            .find(|word| said.value.eq_ignore_ascii_case(word));
        let why = || {
            any(format!(
                "the option {} is not {}",
                said.name,
                words.join(" or ")
            ))
        };
        found.copied().map(Some).ok_or_else(why)
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A flag of this name.
///
/// # Errors
/// When the value is neither true nor false.
pub(crate) fn boolean(name: &str, value: &str) -> Result<bool> {
    yes_or_no(value).ok_or_else(|| any(format!("the option {name} is neither true nor false")))
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
