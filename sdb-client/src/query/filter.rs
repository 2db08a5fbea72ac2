use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::ops::Not;

use aws_core::{Error, Result};

use crate::limits;
use crate::quote::{quote_name, quote_value};

/// What a comparison looks at: see [`attr`], [`every`] and [`item_name`].
#[derive(Clone, Debug)]
pub struct Key {
    /// None for the item's name.
    name: Option<String>,
    every: bool,
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
    /// `=`
    pub fn eq(self, value: impl Into<String>) -> Filter {
        self.compare("=", value.into())
    }

    /// `!=`: has a value other than this (of many values, one is enough; see [`every`]).
    pub fn ne(self, value: impl Into<String>) -> Filter {
        self.compare("!=", value.into())
    }

    /// `<`
    pub fn lt(self, value: impl Into<String>) -> Filter {
        self.compare("<", value.into())
    }

    /// `<=`
    pub fn le(self, value: impl Into<String>) -> Filter {
        self.compare("<=", value.into())
    }

    /// `>`
    pub fn gt(self, value: impl Into<String>) -> Filter {
        self.compare(">", value.into())
    }

    /// `>=`
    pub fn ge(self, value: impl Into<String>) -> Filter {
        self.compare(">=", value.into())
    }

    /// `between`: from the one to the other, both included.
    pub fn between(self, low: impl Into<String>, high: impl Into<String>) -> Filter {
        self.test(Test::Between(low.into(), high.into()))
    }

    /// `in`: any of these, 1 to 20.
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

/// A condition that an item satisfies or not: comparisons of [keys](Key), joined.
///
/// ```
/// use sdb_client::query::{attr, every};
///
/// let either = attr("a").eq("1").or(attr("b").is_null());
/// let all = either.and(!every("c").lt("5"));
/// # let _ = all;
/// ```
#[derive(Clone)]
pub struct Filter {
    pub(super) node: Node,
    pub(super) comparisons: usize,
}

#[derive(Clone)]
pub(super) enum Node {
    Predicate(Key, Test),
    Not(Box<Node>),
    Joined(&'static str, Vec<Node>),
    /// More comparisons than are allowed: the tree was dropped, so that it cannot grow without bound.
    TooLarge,
}

#[derive(Clone)]
pub(super) enum Test {
    Compare(&'static str, String),
    Like {
        not: bool,
        pattern: String,
        problem: Option<&'static str>,
    },
    Between(String, String),
    In(Vec<String>),
    Null,
    NotNull,
}

impl Filter {
    /// Both hold. On one attribute, `a = 'x' and a = 'y'` asks **one** value to be both; see
    /// [`intersection`](Self::intersection).
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.join("and", other)
    }

    /// One of them holds, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.join("or", other)
    }

    /// The item is among those of both: for attributes of many values, where each condition may be satisfied by
    /// another value.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        self.join("intersection", other)
    }

    fn join(self, word: &'static str, other: Self) -> Self {
        let comparisons = self.comparisons + other.comparisons;
        if comparisons > limits::MAX_COMPARISONS {
            return Self {
                node: Node::TooLarge,
                comparisons,
            };
        }
        let mut all = Vec::new();
        for node in [self.node, other.node] {
            match node {
                Node::Joined(same, nodes) if same == word => all.extend(nodes),
                node => all.push(node),
            }
        }
        Self {
            node: Node::Joined(word, all),
            comparisons,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        limits::comparisons(self.comparisons)?;
        let mut names = HashSet::new();
        self.node.each(&mut |key, test| {
            if let Some(name) = &key.name {
                limits::attribute(name)?;
                names.insert(name.to_owned());
            }
            test.check(key)
        })?;
        limits::unique_attributes(names.len())
    }

    /// Whether it compares this key with something, other than by `is null`.
    pub(super) fn constrains(&self, key: &Key) -> bool {
        let mut found = false;
        let walked = self.node.each(&mut |other, test| {
            found |= other.name == key.name && !matches!(test, Test::Null);
            Ok(())
        });
        walked.is_ok() && found
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.node.write(&mut out);
        out
    }
}

/// The items for which it does not hold.
impl Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        let node = match self.node {
            Node::Not(inside) => *inside,
            node => Node::Not(Box::new(node)),
        };
        Self { node, ..self }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("comparisons", &self.comparisons)
            .finish_non_exhaustive()
    }
}

impl Node {
    fn each(&self, see: &mut impl FnMut(&Key, &Test) -> Result<()>) -> Result<()> {
        match self {
            Self::Predicate(key, test) => see(key, test),
            Self::Not(inside) => inside.each(see),
            Self::Joined(_, nodes) => nodes.iter().try_for_each(|node| node.each(see)),
            Self::TooLarge => Ok(()),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Predicate(key, test) => {
                // Writing into a string does not fail.
                let _ = write!(out, "{key} ");
                test.write(out);
            }
            Self::Not(inside) => {
                out.push_str("not ");
                inside.write_grouped(out);
            }
            Self::Joined(word, nodes) => {
                for (i, node) in nodes.iter().enumerate() {
                    if i > 0 {
                        let _ = write!(out, " {word} ");
                    }
                    match node {
                        Self::Joined(..) => node.write_grouped(out),
                        _ => node.write(out),
                    }
                }
            }
            Self::TooLarge => {}
        }
    }

    fn write_grouped(&self, out: &mut String) {
        out.push('(');
        self.write(out);
        out.push(')');
    }
}

impl Test {
    fn check(&self, key: &Key) -> Result<()> {
        let name = key.name.as_deref().unwrap_or("itemName()");
        match self {
            Self::Compare(_, value) => limits::value(name, value),
            Self::Like {
                pattern, problem, ..
            } => {
                if let Some(problem) = problem {
                    return Err(Error::invalid(*problem));
                }
                limits::value(name, pattern)
            }
            Self::Between(low, high) => {
                limits::value(name, low)?;
                limits::value(name, high)
            }
            Self::In(values) => {
                limits::value_tests(name, values.len())?;
                values
                    .iter()
                    .try_for_each(|value| limits::value(name, value))
            }
            Self::Null | Self::NotNull if key.every => Err(Error::invalid(format!(
                "every({}) cannot be asked whether it is null: ask the attribute itself",
                quote_name(name)
            ))),
            Self::Null | Self::NotNull => Ok(()),
        }
    }

    fn write(&self, out: &mut String) {
        // Writing into a string does not fail.
        let _ = match self {
            Self::Compare(operator, value) => write!(out, "{operator} {}", quote_value(value)),
            Self::Like { not, pattern, .. } => {
                let word = if *not { "not like" } else { "like" };
                write!(out, "{word} {}", quote_value(pattern))
            }
            Self::Between(low, high) => {
                write!(
                    out,
                    "between {} and {}",
                    quote_value(low),
                    quote_value(high)
                )
            }
            Self::In(values) => {
                let values: Vec<_> = values.iter().map(|value| quote_value(value)).collect();
                write!(out, "in ({})", values.join(", "))
            }
            Self::Null => write!(out, "is null"),
            Self::NotNull => write!(out, "is not null"),
        };
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
    fn comparisons_are_written() {
        let table = [
            (attr("a").eq("x"), "`a` = 'x'"),
            (attr("a").ne("x"), "`a` != 'x'"),
            (attr("a").lt("x"), "`a` < 'x'"),
            (attr("a").le("x"), "`a` <= 'x'"),
            (attr("a").gt("x"), "`a` > 'x'"),
            (item_name().ge("x"), "itemName() >= 'x'"),
            (
                every("a").between("x", "y"),
                "every(`a`) between 'x' and 'y'",
            ),
            (attr("a").is_in(["x", "y'"]), "`a` in ('x', 'y''')"),
            (attr("a").like("%x"), "`a` like '%x'"),
            (attr("a").not_like("x%"), "`a` not like 'x%'"),
            (attr("a").starts_with("3%"), "`a` like '3\\%%'"),
            (attr("a").ends_with("3%\\"), "`a` like '%3\\%\\'"),
            (attr("a").contains("x"), "`a` like '%x%'"),
            (attr("a").not_starts_with("x"), "`a` not like 'x%'"),
            (attr("a").not_ends_with("x"), "`a` not like '%x'"),
            (attr("a").not_contains("x"), "`a` not like '%x%'"),
            (attr("a").is_null(), "`a` is null"),
            (attr("a").is_not_null(), "`a` is not null"),
        ];
        for (filter, text) in table {
            assert_eq!(filter.text(), text);
            assert!(filter.check().is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_joined_is_grouped() {
        let [a, b, c] = ["a", "b", "c"].map(|name| attr(name).eq("1"));
        let table = [
            (
                a.clone().and(b.clone()).and(c.clone()),
                "`a` = '1' and `b` = '1' and `c` = '1'",
            ),
            (
                a.clone().or(b.clone()).and(c.clone()),
                "(`a` = '1' or `b` = '1') and `c` = '1'",
            ),
            (
                a.clone().intersection(b.clone().and(c.clone())),
                "`a` = '1' intersection (`b` = '1' and `c` = '1')",
            ),
            (!a.clone(), "not (`a` = '1')"),
            (!!a.clone(), "`a` = '1'"),
            (
                (!(a.clone().or(!b))).and(c.clone()),
                "not (`a` = '1' or not (`b` = '1')) and `c` = '1'",
            ),
        ];
        for (filter, text) in table {
            assert_eq!(filter.text(), text);
        }
        let deep = (0..100_000).fold(a, |filter, _| !(filter.or(c.clone())));
        assert_eq!(deep.comparisons, 100_001);
    }

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
