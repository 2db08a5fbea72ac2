//! A value, and the setting that says it.

use std::fmt;

use crate::endpoint::Endpoint;
use crate::error::{Error, Result};

/// A value that a variable or a profile says. What is wrong with it is an error that names the setting and not the value,
/// and `Debug` shows no value: it may be a secret in the wrong place.
#[derive(Clone, PartialEq, Eq)]
pub struct SettingValue {
    value: String,
    by: String,
}

impl SettingValue {
    pub(super) fn new(value: &str, by: String) -> Self {
        let value = value.to_owned();
        Self { value, by }
    }

    /// Which setting it is, such as `AWS_REGION`, or `region of the profile work`.
    pub(super) fn name(&self) -> &str {
        &self.by
    }

    /// The value.
    pub fn text(&self) -> &str {
        &self.value
    }

    /// Reads `true` or `false`, in small or capital letters.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for all else.
    pub fn boolean(&self) -> Result<bool> {
        match self.value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.bad("true or false")),
        }
    }

    /// Which of these words it is, in small or capital letters.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when it is none of them.
    pub fn one_of(&self, words: &[&'static str]) -> Result<&'static str> {
        let mut known = words.iter();
        let found = known.find(|word| word.eq_ignore_ascii_case(&self.value));
        found
            .copied()
            .ok_or_else(|| self.bad(&format!("one of {}", words.join(", "))))
    }

    pub(super) fn count(&self) -> Result<u32> {
        let count = self.value.parse().ok().filter(|count| *count > 0);
        count.ok_or_else(|| self.bad("a number from 1 on"))
    }

    pub(super) fn region(&self) -> Result<String> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        match self.value.len() <= 64 && self.value.bytes().all(legal) {
            true => Ok(self.value.clone()),
            false => Err(self.bad("1 to 64 letters, digits, hyphens and underscores")),
        }
    }

    pub(super) fn endpoint(&self) -> Result<String> {
        // That https needs a feature is said by the builder, for the endpoint that it takes in the end.
        let plain = match self.value.strip_prefix("https://") {
            Some(rest) => format!("http://{rest}"),
            None => self.value.clone(),
        };
        match Endpoint::parse(&plain) {
            Ok(_) => Ok(self.value.clone()),
            Err(_) => {
                Err(self.bad("of the form https://host[:port][/path] or http://host[:port][/path]"))
            }
        }
    }

    fn bad(&self, expected: &str) -> Error {
        Error::invalid(format!("{} is not {expected}", self.by))
    }
}

impl fmt::Debug for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SettingValue").field(&self.by).finish()
    }
}
