//! Keys that the clients sign with.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use crate::BoxError;

/// The variable of the environment that the option `--keys` is taken from, and by which a client's
/// process gets it: options can be read by everyone on the machine.
pub const VARIABLE: &str = "BENCH_KEYS";

/// An access key and its secret, as `ACCESS:SECRET`.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys(String);

impl Keys {
    /// The access key.
    ///
    /// # Errors
    /// When the two are not separated by a colon.
    pub fn access(&self) -> Result<&str, BoxError> {
        Ok(self.pair()?.0)
    }

    /// The secret key.
    ///
    /// # Errors
    /// When the two are not separated by a colon.
    pub fn secret(&self) -> Result<&str, BoxError> {
        Ok(self.pair()?.1)
    }

    /// Both as they were given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn pair(&self) -> Result<(&str, &str), BoxError> {
        let pair = self.0.split_once(':');
        Ok(pair.ok_or("the keys must be ACCESS:SECRET")?)
    }
}

impl Default for Keys {
    /// Keys that servers accept which check none.
    fn default() -> Self {
        Self("AKIDBENCH:the-secret-of-the-benchmark".to_owned())
    }
}

impl FromStr for Keys {
    type Err = Infallible;

    /// Takes any text: an error of the command line would show it.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_may_have_colons_and_is_not_shown() {
        let Ok(keys) = "AKID:hush:hush".parse::<Keys>();
        assert_eq!(keys.access().unwrap(), "AKID");
        assert_eq!(keys.secret().unwrap(), "hush:hush");
        assert!(!format!("{keys:?}").contains("hush"));
    }

    #[test]
    fn keys_without_a_colon_are_refused_and_not_shown() {
        let Ok(keys) = "hush".parse::<Keys>();
        let error = keys.access().unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    }
}
