//! What is said of objects whose keys match a pattern: `pattern=value`.

use super::keys::Pattern;
use crate::error::{Error, Result};

/// Rules in order, of which the last that matches a key gives the value.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<(Pattern, String)>);

impl Rules {
    /// Adds a rule `pattern=value`, whose pattern has [the forms of `.gitignore`](super::Patterns). It ends at the first `=`.
    ///
    /// # Errors
    /// When the rule has no pattern, or no value that a header may have.
    pub fn rule(mut self, rule: &str) -> Result<Self> {
        let (pattern, value) = rule.split_once('=').unwrap_or((rule, ""));
        if value.is_empty() {
            let rule = rule.escape_debug();
            return Err(Error::usage(format!(
                "{rule} is not of the form pattern=value"
            )));
        }
        if let Some(odd) = value.chars().find(|c| !matches!(c, ' '..='~')) {
            let (rule, odd) = (rule.escape_debug(), odd.escape_debug());
            return Err(Error::usage(format!(
                "{rule}: the value has the character '{odd}', and a header has printable ASCII only"
            )));
        }
        self.0.push((Pattern::new(pattern)?, value.to_owned()));
        Ok(self)
    }

    /// The value for a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        let mut rules = self.0.iter().rev();
        let (_, value) = rules.find(|(pattern, _)| pattern.matches(key))?;
        Some(value)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The media type of a key: what these rules say, or else that of its suffix.
pub(crate) fn media_type<'r>(rules: &'r Rules, key: &str) -> Option<&'r str> {
    let told = rules.value(key);
    told.or_else(|| mime_guess::from_path(key).first_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_matches_gives_the_value() {
        let rules = Rules::default().rule("*=a=b").unwrap();
        let rules = rules.rule("assets/**=max-age=31536000,immutable").unwrap();
        assert_eq!(rules.value("x"), Some("a=b"));
        assert_eq!(
            rules.value("assets/x/y"),
            Some("max-age=31536000,immutable")
        );
        for rule in ["", "x", "x=", "=y", "x=\u{e4}", "x=a\nb", "[=y"] {
            assert!(Rules::default().rule(rule).is_err(), "{rule}");
        }
        assert_eq!(Rules::default().value("x"), None);
    }
}
