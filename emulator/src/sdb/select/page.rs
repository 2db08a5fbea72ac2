//! Answers a select with one page.

use std::time::{Duration, Instant};

pub(crate) use super::rows::Position;

use super::eval::Subjects;
use super::rows::{ItemRows, rows};
use super::tree::{Output, Select};
use crate::sdb::error::{SdbError, SdbResult};
use crate::sdb::store::{DomainView, Item};
use crate::sdb::xml;

const LIMIT_DEFAULT: usize = 100;
/// The most that a page holds, in bytes.
const PAGE_BYTES: usize = 1 << 20;
/// How many rows go between two looks at the clock.
const TURN: usize = 64;

/// One page of a select.
#[derive(Debug)]
pub(crate) struct SelectPage {
    pub(crate) body: String,
    /// How many items it took.
    pub(crate) items: usize,
    /// How many items and entries of the index were looked at for it.
    pub(crate) examined: usize,
    /// Where the next page goes on, if there is one.
    pub(crate) next: Option<Position>,
}

/// When a page has to end before it is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    /// Items looked at.
    pub(crate) rows: usize,
}

/// Reads the page behind a position that an earlier page named.
pub(crate) fn run(
    select: &Select,
    view: &DomainView<'_>,
    from: Option<&Position>,
    bounds: Bounds,
) -> SdbResult<SelectPage> {
    let start = Instant::now();
    let count = select.output == Output::Count;
    let limit = select.limit;
    let limit = limit.unwrap_or(if count { usize::MAX } else { LIMIT_DEFAULT });
    let ItemRows { rows, read } = rows(select, view, from, limit);
    if start.elapsed() >= bounds.time {
        return Err(SdbError::timeout());
    }
    let mut page = SelectPage {
        body: String::new(),
        items: 0,
        examined: read,
        next: None,
    };
    let mut rows = rows.peekable();
    let mut seen = 0;
    let mut last = None;
    while let Some((sort, name, item)) = rows.next() {
        seen += 1;
        let holds = select
            .filter
            .as_ref()
            .is_none_or(|filter| Subjects { name, item }.holds(filter));
        if holds {
            let before = page.body.len();
            if !count {
                write_item(&mut page.body, &select.output, name, item);
            }
            // One item always goes out, or a large one would never be passed.
            if page.items == limit || page.items > 0 && page.body.len() > PAGE_BYTES {
                page.body.truncate(before);
                page.next = last.map(position);
                break;
            }
            page.items += 1;
        }
        last = Some((sort, name));
        let over =
            seen >= bounds.rows || seen.is_multiple_of(TURN) && start.elapsed() >= bounds.time;
        if over && rows.peek().is_some() {
            page.next = last.map(position);
            break;
        }
    }
    page.examined += seen;
    if count {
        page.body.push_str("<Item><Name>Domain</Name>");
        xml::attribute(&mut page.body, "Count", &page.items.to_string());
        page.body.push_str("</Item>");
    }
    Ok(page)
}

fn position((sort, name): (&str, &str)) -> Position {
    Position {
        sort: sort.to_owned(),
        name: name.to_owned(),
    }
}

fn write_item(out: &mut String, output: &Output, name: &str, item: &Item) {
    out.push_str("<Item>");
    xml::text(out, "Name", name);
    match output {
        Output::All => {
            xml::attributes(out, item, |_| true);
        }
        Output::Names(names) => {
            xml::attributes(out, item, |name| names.iter().any(|wanted| wanted == name));
        }
        Output::ItemName | Output::Count => {}
    }
    out.push_str("</Item>");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::parse::parse;
    use super::*;
    use crate::sdb::SdbJournal;
    use crate::sdb::options::Limits;
    use crate::sdb::store::{Change, Domain, Domains, Terms};

    const FREE: Bounds = Bounds {
        time: Duration::MAX,
        rows: usize::MAX,
    };

    type Pairs = Vec<(String, String)>;

    fn domain(items: &[(String, Pairs)]) -> std::sync::Arc<Domain> {
        let (domains, limits, journal) =
            (Domains::default(), Limits::default(), SdbJournal::none());
        domains.create("dom", &limits, &journal).unwrap();
        let domain = domains.get("dom").unwrap();
        let terms = Terms {
            limits: &limits,
            journal: &journal,
            stale: Duration::from_secs(3600),
        };
        for (name, pairs) in items {
            let changes = pairs.iter().map(|(name, value)| Change {
                name: name.clone(),
                value: Some(value.clone()),
                replace: false,
            });
            let batch = [(name.clone(), changes.collect())];
            domain.put(&batch, None, terms).unwrap();
        }
        domain
    }

    fn names(body: &str) -> Vec<String> {
        let items = body.split("<Item><Name>").skip(1);
        let names = items.filter_map(|item| item.split('<').next());
        names.map(str::to_owned).collect()
    }

    /// All pages one after another, and what was looked at for them.
    fn pages(select: &Select, view: &DomainView<'_>, bounds: Bounds) -> (Vec<String>, usize) {
        let (mut found, mut examined, mut from) = (Vec::new(), 0, None);
        loop {
            let page = run(select, view, from.as_ref(), bounds).unwrap();
            found.extend(names(&page.body));
            examined += page.examined;
            match page.next {
                Some(next) => from = Some(next),
                None => return (found, examined),
            }
        }
    }

    /// What holds for each item alone, in order.
    fn by_hand(select: &Select, view: &DomainView<'_>) -> Vec<String> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (name, item) in view.all() {
            let filter = select.filter.as_ref();
            if !filter.is_none_or(|filter| Subjects { name, item }.holds(filter)) {
                continue;
            }
            let sort = match &select.order {
                Some(order) => match &order.by {
                    super::super::tree::Subject::ItemName => Some(String::new()),
                    super::super::tree::Subject::Attribute(attribute) => {
                        let values = item.get(attribute.as_str());
                        let value = values.and_then(|values| match order.descending {
                            true => values.last(),
                            false => values.first(),
                        });
                        value.map(|value| value.to_string())
                    }
                },
                None => Some(String::new()),
            };
            found.extend(sort.map(|sort| (sort, name.to_string())));
        }
        found.sort();
        if select.order.as_ref().is_some_and(|order| order.descending) {
            found.reverse();
        }
        found.into_iter().map(|(_, name)| name).collect()
    }

    fn filter() -> impl Strategy<Value = String> {
        let subject = prop_oneof![
            4 => "[ab]",
            1 => Just("itemName()".to_owned()),
            1 => "every\\([ab]\\)",
        ];
        let value = || "[0-4]{0,2}";
        let test = prop_oneof![
            (prop_oneof!["=", "!=", "<", "<=", ">", ">="], value())
                .prop_map(|(sign, value)| format!("{sign} '{value}'")),
            value().prop_map(|value| format!("like '{value}%'")),
            value().prop_map(|value| format!("like '%{value}'")),
            value().prop_map(|value| format!("not like '{value}%'")),
            (value(), value()).prop_map(|(low, high)| format!("between '{low}' and '{high}'")),
            (value(), value()).prop_map(|(one, two)| format!("in ('{one}', '{two}')")),
        ];
        let leaf = prop_oneof![
            6 => (subject, test).prop_map(|(subject, test)| format!("{subject} {test}")),
            1 => Just("a is null".to_owned()),
            1 => Just("b is not null".to_owned()),
        ];
        leaf.prop_recursive(3, 8, 2, |inner| {
            let join = prop_oneof![Just("and"), Just("or"), Just("intersection")];
            prop_oneof![
                4 => (inner.clone(), join, inner.clone())
                    .prop_map(|(left, join, right)| format!("({left} {join} {right})")),
                1 => inner.prop_map(|inner| format!("not ({inner})")),
            ]
        })
    }

    fn items() -> impl Strategy<Value = Vec<(String, Pairs)>> {
        let pairs = prop::collection::vec(("[ab]", "[0-4]{0,2}"), 1..4);
        prop::collection::vec(("[0-4]{1,3}", pairs), 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn the_index_finds_what_a_look_at_every_item_finds(
            items in items(),
            filter in filter(),
            order in prop_oneof![Just(""), Just("order by a"), Just("order by a desc"), Just("order by itemName() desc")],
            limit in 1..6_usize,
            rows in prop_oneof![Just(usize::MAX), 1..5_usize],
            unseen in prop_oneof![Just(0), 0..9_usize],
        ) {
            let domain = domain(&items);
            let content = domain.read();
            // A sort needs a constraint.
            let subject = order.split(' ').nth(2).map(|subject| format!("({filter}) and {subject} is not null"));
            let filter = subject.unwrap_or(filter);
            for limit in [limit, 2500] {
                let text = format!("select itemName() from dom where {filter} {order} limit {limit}");
                let select = parse(&text).unwrap();
                let view = content.view(unseen);
                let (found, _) = pages(&select, &view, Bounds { rows, ..FREE });
                prop_assert_eq!(&found, &by_hand(&select, &view), "{}", text);
                let count = parse(&text.replace("itemName() from", "count(*) from")).unwrap();
                let (mut sum, mut from) = (0, None);
                loop {
                    let page = run(&count, &view, from.as_ref(), Bounds { rows, ..FREE }).unwrap();
                    sum += page.items;
                    from = page.next;
                    if from.is_none() {
                        break;
                    }
                }
                prop_assert_eq!(sum, found.len());
            }
        }

        #[test]
        fn no_text_makes_the_parser_fall_over(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn no_row_of_words_makes_the_parser_fall_over(
            words in prop::collection::vec(prop_oneof![
                "select|from|where|order|by|asc|desc|limit|and|or|not|is|null|like|in|between|every|intersection",
                "itemName\\(\\)|count\\(\\*\\)|[(),*=<>!`'\"%]{1,2}|a|b|'x'|`y`|[0-9]{1,4}",
            ], 0..30),
        ) {
            let _ = parse(&words.join(" "));
        }
    }

    fn numbered(count: usize, multi: bool) -> std::sync::Arc<Domain> {
        let items: Vec<_> = (0..count)
            .map(|n| {
                let number = format!("{n:05}");
                let mut pairs = vec![
                    ("n".to_owned(), number),
                    ("ten".to_owned(), (n % 10).to_string()),
                ];
                if multi && n % 100 == 0 {
                    pairs.push(("n".to_owned(), format!("{:05}", count + n)));
                }
                // Not in the order of the numbers.
                (format!("{:05}", n * 7919 % count), pairs)
            })
            .collect();
        domain(&items)
    }

    #[test]
    fn selects_look_at_little_more_than_they_find() {
        let count = 10_000;
        for multi in [false, true] {
            let domain = numbered(count, multi);
            let content = domain.read();
            let view = content.view(0);
            // The filter and order, how many are found, and the most that may be looked at for
            // all pages of 100.
            for (rest, found, most) in [
                ("where n = '01234'", 1, 2),
                ("where n between '01000' and '01099'", 100, 201),
                ("where n > '09990' and n < '09995'", 4, 10),
                ("where n like '0123%'", 10, 30),
                ("where n in ('00001', '00002', 'x')", 2, 4),
                ("where n like '0123%' and ten = '5'", 1, 30),
                ("where ten = '5' intersection n < '00100'", 10, 220),
                ("where n = '00001' or n = '00002'", 2, 6),
                ("where itemName() = '00077'", 1, 1),
                ("where itemName() like '0007%'", 10, 10),
                (
                    "where itemName() > '09990' and ten = '5' order by itemName() desc",
                    1,
                    10,
                ),
                ("where n between '01000' and '01099' order by n", 100, 301),
                ("where ten = '5'", 1000, 1100),
                (
                    "where ten = '5' and itemName() > '' order by itemName() desc",
                    1000,
                    1100,
                ),
            ] {
                let select = parse(&format!("select itemName() from dom {rest}")).unwrap();
                let (names, examined) = pages(&select, &view, FREE);
                let expected = by_hand(&select, &view).len();
                assert_eq!(names.len(), expected, "{rest}");
                assert!(multi || names.len() == found, "{rest}: {}", names.len());
                assert!(
                    examined <= most + 300 * usize::from(multi),
                    "{rest}: {examined}"
                );
            }
            for (rest, most) in [
                ("where n is not null order by n limit 100", 102),
                ("where n is not null order by n desc limit 100", 210),
                ("where n > '05000' order by n limit 100", 102),
                ("where n > '00000' and ten = '5' order by n limit 100", 1110),
            ] {
                let select = parse(&format!("select itemName() from dom {rest}")).unwrap();
                let page = run(&select, &view, None, FREE).unwrap();
                assert_eq!(page.items, 100, "{rest}");
                // With several values an item has its place by another than the one that fits.
                let multi_most = if rest.contains("05000") { 5_200 } else { most };
                let most = if multi { multi_most } else { most };
                assert!(page.examined <= most, "{rest} {multi}: {}", page.examined);
            }
        }
    }

    #[test]
    fn time_and_rows_end_a_page() {
        let domain = numbered(300, false);
        let content = domain.read();
        let view = content.view(0);
        let select = parse("select itemName() from dom where n like '%7' limit 2500").unwrap();
        let page = run(&select, &view, None, Bounds { rows: 10, ..FREE }).unwrap();
        assert!(page.items < 30 && page.next.is_some());
        let (all, examined) = pages(&select, &view, Bounds { rows: 10, ..FREE });
        assert_eq!((all.len(), examined), (30, 300));
        let late = Bounds {
            time: Duration::ZERO,
            ..FREE
        };
        assert_eq!(
            run(&select, &view, None, late).unwrap_err().code,
            "RequestTimeout"
        );
    }

    #[test]
    fn a_page_holds_one_mebibyte() {
        let value = |n: u32| ("a".to_owned(), "x".repeat(1000) + &n.to_string());
        let item = |n: u32| (format!("i{n}"), (0..200).map(value).collect());
        let items: Vec<(String, Pairs)> = (0..10).map(item).collect();
        let domain = domain(&items);
        let content = domain.read();
        let select = parse("select * from dom").unwrap();
        let page = run(&select, &content.view(0), None, FREE).unwrap();
        assert!(page.items < 10 && page.body.len() <= PAGE_BYTES && page.next.is_some());
        assert_eq!(pages(&select, &content.view(0), FREE).0.len(), 10);
    }
}
