//! Conditions of a query, and what joins them.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::ops::Not;

use aws_core::{Error, Result};

use super::key::Key;
use crate::limits;
use crate::quote::{quote_name, quote_value};

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
    /// Holds where both hold. On one attribute, `a = 'x' and a = 'y'` asks **one** value to be both; see
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

#[cfg(test)]
mod tests {
    use super::super::{attr, every, item_name};

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
}
