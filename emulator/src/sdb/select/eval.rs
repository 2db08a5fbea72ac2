//! Decides whether an expression holds for an item.

use std::collections::BTreeMap;

use super::tree::{Expr, Pattern, Subject, Test};
use crate::sdb::store::Item;

/// One item, seen as what comparisons look at.
pub(super) struct Subjects<'a> {
    pub(super) name: &'a str,
    pub(super) item: &'a Item,
}

impl Subjects<'_> {
    fn values(&self, subject: &Subject) -> Vec<&str> {
        match subject {
            Subject::ItemName => vec![self.name],
            Subject::Attribute(name) => {
                let values = self.item.get(name.as_str()).into_iter().flatten();
                values.map(|value| &**value).collect()
            }
        }
    }

    pub(super) fn holds(&self, expr: &Expr) -> bool {
        match expr {
            Expr::And(parts) => self.all(parts),
            Expr::Or(parts) => parts.iter().any(|part| self.holds(part)),
            Expr::Intersection(parts) => parts.iter().all(|part| self.holds(part)),
            Expr::Not(inner) => !self.holds(inner),
            Expr::Null(subject) => self.values(subject).is_empty(),
            Expr::NotNull(subject) => !self.values(subject).is_empty(),
            Expr::Compare {
                subject,
                every,
                test,
            } => {
                let values = self.values(subject);
                if *every {
                    !values.is_empty() && values.iter().all(|value| test.holds(value))
                } else {
                    values.iter().any(|value| test.holds(value))
                }
            }
        }
    }

    /// What `and` says of one attribute has to hold for one and the same of its values.
    fn all(&self, parts: &[Expr]) -> bool {
        let mut flat = Vec::new();
        flatten(parts, &mut flat);
        let mut by_subject: BTreeMap<&Subject, Vec<&Expr>> = BTreeMap::new();
        for part in flat {
            match by_value(part) {
                Some(subject) => by_subject.entry(subject).or_default().push(part),
                None if !self.holds(part) => return false,
                None => {}
            }
        }
        by_subject.iter().all(|(subject, parts)| {
            let values = self.values(subject);
            values
                .iter()
                .any(|value| parts.iter().all(|part| holds_for(part, value)))
        })
    }
}

/// The parts of nested `and`s.
pub(super) fn flatten<'a>(parts: &'a [Expr], flat: &mut Vec<&'a Expr>) {
    for part in parts {
        match part {
            Expr::And(inner) => flatten(inner, flat),
            _ => flat.push(part),
        }
    }
}

/// The one subject whose single values decide the expression, if there is such a one.
pub(super) fn by_value(expr: &Expr) -> Option<&Subject> {
    match expr {
        Expr::Compare {
            subject,
            every: false,
            ..
        } => Some(subject),
        Expr::And(parts) | Expr::Or(parts) => {
            let (first, rest) = parts.split_first()?;
            let subject = by_value(first)?;
            rest.iter()
                .all(|part| by_value(part) == Some(subject))
                .then_some(subject)
        }
        _ => None,
    }
}

/// Whether one value satisfies an expression that [`by_value`] has a subject for.
fn holds_for(expr: &Expr, value: &str) -> bool {
    match expr {
        Expr::Compare { test, .. } => test.holds(value),
        Expr::And(parts) => parts.iter().all(|part| holds_for(part, value)),
        Expr::Or(parts) => parts.iter().any(|part| holds_for(part, value)),
        _ => false,
    }
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Equal(to) => value == to,
            Self::NotEqual(to) => value != to,
            Self::Less(than) => value < than.as_str(),
            Self::LessOrEqual(than) => value <= than.as_str(),
            Self::Greater(than) => value > than.as_str(),
            Self::GreaterOrEqual(than) => value >= than.as_str(),
            Self::Like(pattern) => pattern.holds(value),
            Self::NotLike(pattern) => !pattern.holds(value),
            Self::Between(low, high) => low.as_str() <= value && value <= high.as_str(),
            Self::In(values) => values.iter().any(|given| given == value),
        }
    }
}

impl Pattern {
    fn holds(&self, value: &str) -> bool {
        match (self.open_start, self.open_end) {
            (false, false) => value == self.text,
            (false, true) => value.starts_with(&self.text),
            (true, false) => value.ends_with(&self.text),
            (true, true) => value.contains(&self.text),
        }
    }
}
