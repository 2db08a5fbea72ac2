//! What a condition is about: an attribute, every value of one, or the name of the item.

use std::fmt;

use super::filter::{Filter, Node, Test};
use crate::quote::quote_name;

/// What a comparison looks at: see [`attr`], [`every`] and [`item_name`].
#[derive(Clone, Debug)]
pub struct Key {
    /// None for the item's name.
    pub(super) name: Option<String>,
    pub(super) every: bool,
}

/// An attribute. Where it has many values, a comparison holds for the item if it holds for **one** of them.
///
/// Without any value, no comparison holds but [`is_null`](Key::is_null).
pub fn attr(name: impl Into<String>) -> Key {
    Key {
        name: Some(name.into()),
        every: false,
    }
}

/// An attribute of which **every** value has to satisfy the comparison.
///
/// [Queries on attributes with multiple values](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/RangeValueQueriesSelect.html)
pub fn every(name: impl Into<String>) -> Key {
    Key {
        name: Some(name.into()),
        every: true,
    }
}

/// The name of the item, `itemName()`.
pub fn item_name() -> Key {
    Key {
        name: None,
        every: false,
    }
}

/// [Comparison operators](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/UsingSelectOperators.html)
///
/// In the patterns of `like` a percent sign stands for any text, and `\%` for itself;
/// [`starts_with`](Self::starts_with), [`ends_with`](Self::ends_with) and [`contains`](Self::contains) take plain
/// text and write it so. SimpleDB does not say how a backslash before a percent sign is written, so a text that
/// needs one is refused when the query is checked.
impl Key {
    /// `=`: has this value.
    pub fn eq(self, value: impl Into<String>) -> Filter {
        self.compare("=", value.into())
    }

    /// `!=`: has a value other than this (of many values, one is enough; see [`every`]).
    pub fn ne(self, value: impl Into<String>) -> Filter {
        self.compare("!=", value.into())
    }

    /// `<`: has a value that sorts before this one.
    pub fn lt(self, value: impl Into<String>) -> Filter {
        self.compare("<", value.into())
    }

    /// `<=`: has this value, or one that sorts before it.
    pub fn le(self, value: impl Into<String>) -> Filter {
        self.compare("<=", value.into())
    }

    /// `>`: has a value that sorts after this one.
    pub fn gt(self, value: impl Into<String>) -> Filter {
        self.compare(">", value.into())
    }

    /// `>=`: has this value, or one that sorts after it.
    pub fn ge(self, value: impl Into<String>) -> Filter {
        self.compare(">=", value.into())
    }

    /// `between`: has a value from the one to the other, both included.
    pub fn between(self, low: impl Into<String>, high: impl Into<String>) -> Filter {
        self.test(Test::Between(low.into(), high.into()))
    }

    /// `in`: has any of these values, 1 to 20.
    pub fn is_in<S: Into<String>>(self, values: impl IntoIterator<Item = S>) -> Filter {
        self.test(Test::In(values.into_iter().map(Into::into).collect()))
    }

    /// `like` a pattern: text with `%` before it, behind it, or both.
    pub fn like(self, pattern: impl Into<String>) -> Filter {
        self.pattern(false, pattern.into())
    }

    /// `not like` a pattern: has a value that it does not fit.
    pub fn not_like(self, pattern: impl Into<String>) -> Filter {
        self.pattern(true, pattern.into())
    }

    /// Begins with this text.
    pub fn starts_with(self, text: impl AsRef<str>) -> Filter {
        self.around(false, "", text.as_ref(), "%")
    }

    /// Ends with this text. SimpleDB has to look at all values for it.
    pub fn ends_with(self, text: impl AsRef<str>) -> Filter {
        self.around(false, "%", text.as_ref(), "")
    }

    /// Has this text somewhere. SimpleDB has to look at all values for it.
    pub fn contains(self, text: impl AsRef<str>) -> Filter {
        self.around(false, "%", text.as_ref(), "%")
    }

    /// Has a value that does not begin with this text.
    pub fn not_starts_with(self, text: impl AsRef<str>) -> Filter {
        self.around(true, "", text.as_ref(), "%")
    }

    /// Has a value that does not end with this text.
    pub fn not_ends_with(self, text: impl AsRef<str>) -> Filter {
        self.around(true, "%", text.as_ref(), "")
    }

    /// Has a value without this text anywhere.
    pub fn not_contains(self, text: impl AsRef<str>) -> Filter {
        self.around(true, "%", text.as_ref(), "%")
    }

    /// `is null`: the item has no such attribute.
    pub fn is_null(self) -> Filter {
        self.test(Test::Null)
    }

    /// `is not null`: the item has such an attribute.
    pub fn is_not_null(self) -> Filter {
        self.test(Test::NotNull)
    }

    fn compare(self, operator: &'static str, value: String) -> Filter {
        self.test(Test::Compare(operator, value))
    }

    fn pattern(self, not: bool, pattern: String) -> Filter {
        let problem = inner_percent(&pattern).then_some(
            "a pattern has % only before its text, behind it, or both; \\% stands for itself",
        );
        self.test(Test::Like {
            not,
            pattern,
            problem,
        })
    }

    fn around(self, not: bool, before: &str, text: &str, behind: &str) -> Filter {
        let unclear = text.contains("\\%") || (text.ends_with('\\') && !behind.is_empty());
        let problem = unclear
            .then_some("no way is known to write a backslash before a percent sign in a pattern");
        let pattern = format!("{before}{}{behind}", text.replace('%', "\\%"));
        self.test(Test::Like {
            not,
            pattern,
            problem,
        })
    }

    fn test(self, test: Test) -> Filter {
        Filter {
            node: Node::Predicate(self, test),
            comparisons: 1,
        }
    }

    pub(super) fn is_every(&self) -> bool {
        self.every
    }
}

/// Whether there is a percent sign that stands for any text elsewhere than at the ends.
fn inner_percent(pattern: &str) -> bool {
    let inner = pattern.strip_prefix('%').unwrap_or(pattern);
    let mut rest = inner
        .match_indices('%')
        .filter(|(at, _)| !inner[..*at].ends_with('\\'));
    rest.any(|(at, _)| at + 1 < inner.len())
}

/// The key as it is written.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => f.write_str("itemName()"),
            Some(name) if self.every => write!(f, "every({})", quote_name(name)),
            Some(name) => f.write_str(&quote_name(name)),
        }
    }
}

/// For comparing an expression with the parts that it was made of.
#[cfg(any(test, fuzzing))]
impl Key {
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_belong_at_the_ends() {
        for (pattern, inner) in [
            ("", false),
            ("%", false),
            ("%%", false),
            ("x%", false),
            ("%x%", false),
            ("\\%x", false),
            ("x\\%y", false),
            ("x%y", true),
            ("%%%", true),
            ("%x%y", true),
        ] {
            assert_eq!(inner_percent(pattern), inner, "{pattern}");
        }
    }
}
