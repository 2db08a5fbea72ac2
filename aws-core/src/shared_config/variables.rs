//! Environment variables, as values.

use std::collections::BTreeMap;
use std::fmt;

/// Environment variables at one moment: those of the process, or others in their place.
///
/// What reads them never asks the process itself, so that programs and tests can say what they are:
///
/// ```
/// use aws_core::shared_config::Variables;
///
/// let variables = Variables::from_iter([("AWS_REGION", "eu-west-1"), ("AWS_PROFILE", "")]);
/// assert_eq!(variables.get("AWS_REGION"), Some("eu-west-1"));
/// assert_eq!(variables.get("AWS_PROFILE"), None, "an empty one is as none");
/// let work = variables.with("AWS_PROFILE", "work");
/// assert_eq!(work.get("AWS_PROFILE"), Some("work"));
/// ```
///
/// `Debug` shows names only, as values may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Those that this process has now. A value that is not UTF-8 is there all the same, with U+FFFD for what is not.
    pub fn process() -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        std::env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    /// The value of a variable; an empty one is as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// The same with this variable besides, or in place of the one of this name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The same without this variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The names of all that have a value, in the order of their bytes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let set = self.0.iter().filter(|(_, value)| !value.is_empty());
        set.map(|(name, _)| name.as_str())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let owned = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self(owned.collect())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_shown() {
        let variables = Variables::from_iter([("AWS_SECRET_ACCESS_KEY", "hidden")]);
        assert_eq!(format!("{variables:?}"), "{\"AWS_SECRET_ACCESS_KEY\"}");
    }

    #[test]
    fn those_without_a_value_are_as_none() {
        let variables = Variables::from_iter([("A", ""), ("B", "b"), ("C", "c")]).without("C");
        assert_eq!(variables.names().collect::<Vec<_>>(), ["B"]);
        assert_eq!((variables.get("A"), variables.get("C")), (None, None));
    }

    #[test]
    fn the_process_has_some() {
        assert!(Variables::process().get("PATH").is_some());
    }
}
