//! Which items an expression can hold for at all, as far as the index can tell.
//!
//! *Problem:* A select over many items must not look at all of them. *Decision:* The index is one ordered set of value
//! and item for each attribute. A select takes the condition that offers the fewest entries, and walks in the wanted
//! order instead where that looks at less. A next token is bound to domain, filter and order, not to output and limit.
//! *Cost:* Each pair is stored twice.

use super::eval::{by_value, flatten};
use super::tree::{Expr, Pattern, Subject, Test};
use crate::sdb::store::DomainContent;

/// Values of a subject, from one on up to but without another, in the order of their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) subject: Subject,
    pub(super) low: String,
    /// Without it, there is no end.
    pub(super) high: Option<String>,
}

impl Span {
    fn all(subject: &Subject) -> Self {
        Self {
            subject: subject.clone(),
            low: String::new(),
            high: None,
        }
    }

    /// The one value that it holds, if it is that.
    pub(super) fn point(&self) -> Option<&str> {
        let high = self.high.as_deref()?;
        (high.strip_suffix('\0')? == self.low).then_some(self.low.as_str())
    }

    fn intersect(mut self, other: &Self) -> Self {
        if other.low > self.low {
            self.low.clone_from(&other.low);
        }
        self.high = match (self.high.take(), &other.high) {
            (Some(one), Some(two)) => Some(one.min(two.clone())),
            (one, two) => one.or_else(|| two.clone()),
        };
        self
    }

    /// How many pairs or items it holds, counted up to `most`.
    fn count(&self, content: &DomainContent, most: usize) -> usize {
        match &self.subject {
            Subject::ItemName => super::rows::names(content, self).take(most).count(),
            Subject::Attribute(name) => {
                let attribute = content.index().attribute(name);
                attribute.map_or(0, |attribute| {
                    super::rows::entries(attribute, self).take(most).count()
                })
            }
        }
    }
}

/// Spans that together hold every item that the expression holds for, of those that the
/// expression offers the fewest; and how many they hold, if that is fewer than `most`.
///
/// `None` is for an expression that says nothing about where its items are.
pub(super) fn plan(
    expr: &Expr,
    content: &DomainContent,
    most: usize,
) -> Option<(Vec<Span>, usize)> {
    let offers = offers(expr);
    let mut cap = 64;
    loop {
        // Counting costs as much as it counts, so all are counted a little at first.
        let counted = offers
            .iter()
            .map(|spans| (spans, count(spans, content, cap)));
        let fewest = counted.min_by_key(|(_, count)| *count)?;
        if fewest.1 < cap || cap >= most {
            return Some((fewest.0.clone(), fewest.1));
        }
        cap = (cap * 8).min(most);
    }
}

fn count(spans: &[Span], content: &DomainContent, most: usize) -> usize {
    let mut sum = 0;
    for span in spans {
        sum += span.count(content, most - sum);
    }
    sum
}

/// Lists of spans, each of which holds every item that the expression holds for.
fn offers(expr: &Expr) -> Vec<Vec<Span>> {
    match expr {
        Expr::Compare { subject, test, .. } => vec![spans(subject, test)],
        Expr::NotNull(subject) => vec![vec![Span::all(subject)]],
        Expr::Null(_) | Expr::Not(_) => Vec::new(),
        Expr::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                // Choosing among the offers of each part is left; the first is as good as any.
                match offers(part).into_iter().next() {
                    Some(spans) => all.extend(spans),
                    None => return Vec::new(),
                }
            }
            vec![all]
        }
        Expr::Intersection(parts) => parts.iter().flat_map(offers).collect(),
        Expr::And(parts) => {
            let mut flat = Vec::new();
            flatten(parts, &mut flat);
            // What is tighter comes first, for an `or` around this.
            let mut all: Vec<_> = ranges(&flat).into_iter().map(|span| vec![span]).collect();
            all.extend(flat.into_iter().flat_map(offers));
            all
        }
    }
}

/// For each subject, the values that satisfy all that an `and` asks of one and the same value.
fn ranges(parts: &[&Expr]) -> Vec<Span> {
    let mut ranges: Vec<Span> = Vec::new();
    for part in parts {
        let Expr::Compare { subject, test, .. } = part else {
            continue;
        };
        if by_value(part) != Some(subject) {
            continue;
        }
        let Ok([span]) = <[Span; 1]>::try_from(spans(subject, test)) else {
            continue;
        };
        match ranges.iter_mut().find(|range| range.subject == *subject) {
            Some(range) => *range = range.clone().intersect(&span),
            None => ranges.push(span),
        }
    }
    ranges
}

/// The values of a subject that has no more than one, where the expression can hold.
pub(super) fn range_of(expr: &Expr, subject: &Subject) -> Span {
    match expr {
        Expr::Compare {
            subject: of, test, ..
        } if of == subject => match <[Span; 1]>::try_from(spans(of, test)) {
            Ok([span]) => span,
            Err(_) => Span::all(subject),
        },
        Expr::And(parts) | Expr::Intersection(parts) => {
            let parts = parts.iter().map(|part| range_of(part, subject));
            parts.fold(Span::all(subject), |range, part| range.intersect(&part))
        }
        _ => Span::all(subject),
    }
}

/// The values that satisfy a test, or more of them.
fn spans(subject: &Subject, test: &Test) -> Vec<Span> {
    let span = |low: &str, high: Option<String>| Span {
        subject: subject.clone(),
        low: low.to_owned(),
        high,
    };
    let point = |value: &str| span(value, Some(after(value)));
    vec![match test {
        Test::Equal(value) => point(value),
        Test::In(values) => return values.iter().map(|value| point(value)).collect(),
        Test::Less(value) => span("", Some(value.clone())),
        Test::LessOrEqual(value) => span("", Some(after(value))),
        Test::Greater(value) => span(&after(value), None),
        Test::GreaterOrEqual(value) => span(value, None),
        Test::Between(low, high) => span(low, Some(after(high))),
        Test::Like(Pattern {
            text,
            open_start: false,
            open_end,
        }) => {
            if *open_end {
                span(text, behind(text))
            } else {
                point(text)
            }
        }
        Test::NotEqual(_) | Test::Like(_) | Test::NotLike(_) => Span::all(subject),
    }]
}

/// The next text in the order of bytes.
pub(super) fn after(value: &str) -> String {
    [value, "\0"].concat()
}

/// The first text behind all that begin with this one.
fn behind(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        if last < char::MAX {
            // Between the two is what UTF-16 uses for itself, which no text has.
            let next = if last == '\u{d7ff}' {
                0xe000
            } else {
                u32::from(last) + 1
            };
            text.extend(char::from_u32(next));
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn offered(filter: &str) -> Vec<String> {
        let select = parse(&format!("select * from dom where {filter}")).unwrap();
        let text = |span: &Span| {
            let subject = match &span.subject {
                Subject::ItemName => "itemName()",
                Subject::Attribute(name) => name,
            };
            let high = span.high.as_deref().map(|high| high.replace('\0', "+"));
            let low = span.low.replace('\0', "+");
            format!("{subject}[{low},{})", high.unwrap_or_default())
        };
        let offers = offers(&select.filter.unwrap());
        let list = |spans: Vec<Span>| spans.iter().map(text).collect::<Vec<_>>().join(" ");
        offers.into_iter().map(list).collect()
    }

    #[test]
    fn comparisons_become_spans() {
        for (filter, spans) in [
            ("a = '1'", "a[1,1+)"),
            ("a < '1'", "a[,1)"),
            ("a <= '1'", "a[,1+)"),
            ("a > '1'", "a[1+,)"),
            ("a >= '1'", "a[1,)"),
            ("a between '1' and '2'", "a[1,2+)"),
            ("a in ('1', '2')", "a[1,1+) a[2,2+)"),
            ("a like '1%'", "a[1,2)"),
            ("a like '%'", "a[,)"),
            ("a like '1'", "a[1,1+)"),
            ("a like '%1'", "a[,)"),
            ("a not like '1%'", "a[,)"),
            ("a != '1'", "a[,)"),
            ("a is not null", "a[,)"),
            ("every(a) = '1'", "a[1,1+)"),
            ("itemName() = '1'", "itemName()[1,1+)"),
            ("a = '1' or b > '2'", "a[1,1+) b[2+,)"),
        ] {
            assert_eq!(offered(filter), [spans], "{filter}");
        }
        for none in ["a is null", "not a = '1'", "a = '1' or b is null"] {
            assert!(offered(none).is_empty(), "{none}");
        }
        assert_eq!(
            offered("a > '1' and b = '3' and a < '2'"),
            ["a[1+,2)", "b[3,3+)", "a[1+,)", "b[3,3+)", "a[,2)"]
        );
        // Another value may satisfy the other side, or all of them have to.
        assert_eq!(offered("a > '1' intersection a < '2'"), ["a[1+,)", "a[,2)"]);
        assert_eq!(
            offered("every(a) > '1' and a < '2'"),
            ["a[,2)", "a[1+,)", "a[,2)"]
        );
    }

    #[test]
    fn what_is_behind_a_prefix() {
        assert_eq!(behind("a").as_deref(), Some("b"));
        assert_eq!(behind("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(behind("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(behind("\u{10ffff}"), None);
        assert_eq!(behind(""), None);
    }
}
