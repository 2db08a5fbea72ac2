//! Decides which items a select holds for, and writes a page of them.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::{Expr, Output, Pattern, Select, Subject, Test};
use crate::sdb::error::{Error, Result};
use crate::sdb::store::{Item, Items};
use crate::sdb::{write_item, xml};

const LIMIT_DEFAULT: usize = 100;
/// The most that a page holds, in bytes.
const PAGE_BYTES: usize = 1 << 20;

/// One page of a select.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) body: String,
    /// How many items it took.
    pub(crate) items: usize,
    /// Where the next page goes on, if there is one: sort value and item name of the last item.
    pub(crate) next: Option<Vec<String>>,
}

/// Reads the page behind `after`, which an earlier page named.
pub(crate) fn run(select: &Select, items: &Items, after: Option<Vec<String>>) -> Result<Page> {
    let after = match after {
        Some(parts) => {
            let parts: [String; 2] = parts.try_into().map_err(|_| Error::next_token())?;
            Some(parts)
        }
        None => None,
    };
    let matching = ordered(select, items);
    let behind = matching.into_iter().filter(|(sort, name, _)| {
        after.as_ref().is_none_or(|[last_sort, last_name]| {
            let here = (*sort, *name);
            let last = (last_sort.as_str(), last_name.as_str());
            match &select.order {
                Some(order) if order.descending => here < last,
                _ => here > last,
            }
        })
    });
    Ok(if select.output == Output::Count {
        count(select, behind)
    } else {
        page(select, behind)
    })
}

/// An item that matches: its sort value, its name and itself.
type Row<'a> = (&'a str, &'a str, &'a Item);

fn ordered<'a>(select: &Select, items: &'a Items) -> Vec<Row<'a>> {
    let matching = items.iter().filter(|(name, item)| {
        let row = Subjects { name, item };
        select
            .filter
            .as_ref()
            .is_none_or(|filter| row.holds(filter))
    });
    let mut rows: Vec<Row<'a>> = matching
        .map(|(name, item)| {
            let sort = match &select.order {
                None => "",
                Some(order) => match &order.by {
                    Subject::ItemName => name,
                    Subject::Attribute(attribute) => {
                        let values = item.get(attribute);
                        let pick = |values: &'a BTreeSet<String>| {
                            if order.descending {
                                values.last()
                            } else {
                                values.first()
                            }
                        };
                        values.and_then(pick).map_or("", String::as_str)
                    }
                },
            };
            (sort, name.as_str(), item)
        })
        .collect();
    if let Some(order) = &select.order {
        rows.sort_unstable_by_key(|(sort, name, _)| (*sort, *name));
        if order.descending {
            rows.reverse();
        }
    }
    rows
}

fn position((sort, name, _): Row<'_>) -> Vec<String> {
    vec![sort.to_owned(), name.to_owned()]
}

fn count<'a>(select: &Select, mut rows: impl Iterator<Item = Row<'a>>) -> Page {
    let limit = select.limit.unwrap_or(usize::MAX);
    let mut items = 0;
    let mut last = None;
    for row in rows.by_ref().take(limit) {
        items += 1;
        last = Some(row);
    }
    let mut body = String::from("<Item><Name>Domain</Name>");
    xml::attribute(&mut body, "Count", &items.to_string());
    body.push_str("</Item>");
    Page {
        body,
        items,
        next: rows.next().and(last).map(position),
    }
}

fn page<'a>(select: &Select, rows: impl Iterator<Item = Row<'a>>) -> Page {
    let limit = select.limit.unwrap_or(LIMIT_DEFAULT);
    let mut page = Page {
        body: String::new(),
        items: 0,
        next: None,
    };
    let mut last: Option<Row<'a>> = None;
    for row in rows {
        if page.items == limit {
            page.next = last.map(position);
            break;
        }
        let before = page.body.len();
        let (_, name, item) = row;
        page.body.push_str("<Item>");
        xml::text(&mut page.body, "Name", name);
        match &select.output {
            Output::All => {
                write_item(&mut page.body, item, |_| true);
            }
            Output::Names(names) => {
                write_item(&mut page.body, item, |name| {
                    names.iter().any(|wanted| wanted == name)
                });
            }
            Output::ItemName | Output::Count => {}
        }
        page.body.push_str("</Item>");
        // One item always goes out, or a large one would never be passed.
        if page.body.len() > PAGE_BYTES && last.is_some() {
            page.body.truncate(before);
            page.next = last.map(position);
            break;
        }
        page.items += 1;
        last = Some(row);
    }
    page
}

/// One item, seen as what comparisons look at.
struct Subjects<'a> {
    name: &'a str,
    item: &'a Item,
}

impl Subjects<'_> {
    fn values(&self, subject: &Subject) -> Vec<&str> {
        match subject {
            Subject::ItemName => vec![self.name],
            Subject::Attribute(name) => {
                let values = self.item.get(name).into_iter().flatten();
                values.map(String::as_str).collect()
            }
        }
    }

    fn holds(&self, expr: &Expr) -> bool {
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

fn flatten<'a>(parts: &'a [Expr], flat: &mut Vec<&'a Expr>) {
    for part in parts {
        match part {
            Expr::And(inner) => flatten(inner, flat),
            _ => flat.push(part),
        }
    }
}

/// The one subject whose single values decide the expression, if there is such a one.
fn by_value(expr: &Expr) -> Option<&Subject> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdb::select::parse::parse;

    type Attribute = (&'static str, &'static [&'static str]);

    /// The sample of Amazon's guide: books by their attributes.
    fn books() -> Items {
        let rows: [(&str, &[Attribute]); 5] = [
            (
                "0385333498",
                &[
                    ("Title", &["The Sirens of Titan"]),
                    ("Year", &["1959"]),
                    ("Keyword", &["Book", "Paperback"]),
                    ("Rating", &["*****", "5 stars", "Excellent"]),
                ],
            ),
            (
                "0802131786",
                &[
                    ("Title", &["Tropic of Cancer"]),
                    ("Year", &["1934"]),
                    ("Keyword", &["Book"]),
                    ("Rating", &["****"]),
                ],
            ),
            (
                "1579124585",
                &[
                    ("Title", &["The Right Stuff"]),
                    ("Year", &["1979"]),
                    ("Keyword", &["Book", "Hardcover", "American"]),
                    ("Rating", &["****", "4 stars"]),
                ],
            ),
            (
                "B000T9886K",
                &[
                    ("Title", &["In Between"]),
                    ("Year", &["2007"]),
                    ("Keyword", &["CD", "Trance"]),
                    ("Rating", &["4 stars"]),
                ],
            ),
            (
                "B00005JPLW",
                &[
                    ("Title", &["300"]),
                    ("Year", &["2007"]),
                    ("Keyword", &["DVD", "Action", "Frank Miller"]),
                    ("Rating", &["***", "3 stars", "Not bad"]),
                ],
            ),
        ];
        let attribute = |(name, values): &Attribute| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            ((*name).to_owned(), values)
        };
        rows.iter()
            .map(|(name, item)| ((*name).to_owned(), item.iter().map(attribute).collect()))
            .collect()
    }

    fn names(body: &str) -> Vec<&str> {
        body.split("<Item><Name>")
            .skip(1)
            .filter_map(|item| item.split('<').next())
            .collect()
    }

    /// The names of the items that a condition holds for.
    fn found(rest: &str) -> String {
        let select = parse(&format!("select itemName() from d {rest}")).unwrap();
        let page = run(&select, &books(), None).unwrap();
        assert_eq!(page.next, None);
        names(&page.body).join(" ")
    }

    #[test]
    fn comparisons_of_amazons_guide() {
        let (titan, tropic, stuff, between, three) = (
            "0385333498",
            "0802131786",
            "1579124585",
            "B000T9886K",
            "B00005JPLW",
        );
        for (rest, expected) in [
            ("where Title = 'The Right Stuff'", vec![stuff]),
            ("where Year > '1985'", vec![three, between]),
            ("where Title like 'The%'", vec![titan, stuff]),
            ("where Title like '%00'", vec![three]),
            ("where Title not like 'The%'", vec![tropic, three, between]),
            (
                "where Year between '1975' and '2008'",
                vec![stuff, three, between],
            ),
            ("where Year in ('1959', '1934')", vec![titan, tropic]),
            (
                "where Rating = '4 stars' or Rating = '****'",
                vec![tropic, stuff, between],
            ),
            ("where Keyword = 'Book' and Keyword = 'Hardcover'", vec![]),
            (
                "where Keyword = 'Book' intersection Keyword = 'Hardcover'",
                vec![stuff],
            ),
            (
                "where every(Keyword) in ('Book', 'Paperback')",
                vec![titan, tropic],
            ),
            ("where every(Rating) = '****'", vec![tropic]),
            ("where Rating != '****'", vec![titan, stuff, three, between]),
            ("where Publisher is null and Year = '1934'", vec![tropic]),
            ("where not Keyword = 'Book'", vec![three, between]),
            (
                "where (Year > '1950' and Year < '1960') or Year like '193%' or Year = '2007'",
                vec![titan, tropic, three, between],
            ),
            ("where Keyword > 'A' and Keyword < 'B'", vec![stuff, three]),
            (
                "where (Keyword = 'CD' or Keyword = 'DVD') and Keyword = 'DVD'",
                vec![three],
            ),
            (
                "where itemName() like 'B%' order by itemName() desc",
                vec![between, three],
            ),
            (
                "where Year < '1980' order by Year asc",
                vec![tropic, titan, stuff],
            ),
            (
                "where Year = '2007' intersection Title is not null order by Title desc",
                vec![between, three],
            ),
        ] {
            assert_eq!(found(rest), expected.join(" "), "{rest}");
        }
    }

    #[test]
    fn pages_meet_without_gap_or_overlap() {
        for rest in [
            "",
            "where Year > '1' order by Year desc",
            "where Year > '1' order by Year",
        ] {
            let select = parse(&format!("select Year from d {rest} limit 2")).unwrap();
            let whole = parse(&format!("select Year from d {rest}")).unwrap();
            let books = books();
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let page = run(&select, &books, after).unwrap();
                seen.extend(names(&page.body).into_iter().map(str::to_owned));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(
                seen,
                names(&run(&whole, &books, None).unwrap().body),
                "{rest}"
            );
        }
    }

    #[test]
    fn counts_add_up_over_pages() {
        let select = parse("select count(*) from d limit 3").unwrap();
        let first = run(&select, &books(), None).unwrap();
        assert_eq!(first.items, 3);
        assert!(
            first
                .body
                .contains("<Name>Domain</Name><Attribute><Name>Count</Name><Value>3<")
        );
        let second = run(&select, &books(), first.next).unwrap();
        assert_eq!((second.items, second.next), (2, None));
    }

    #[test]
    fn a_page_holds_one_mebibyte() {
        let value = |n: u8| BTreeSet::from(["x".repeat(1000) + &n.to_string()]);
        let item: Item = (0..200).map(|n| (format!("a{n}"), value(n))).collect();
        let items: Items = (0..10).map(|n| (format!("i{n}"), item.clone())).collect();
        let page = run(&parse("select * from d").unwrap(), &items, None).unwrap();
        assert!(page.items < 10 && page.body.len() <= PAGE_BYTES && page.next.is_some());
    }
}
