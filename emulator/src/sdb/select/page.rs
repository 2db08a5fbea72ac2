//! Answers a select with one page.

use std::time::{Duration, Instant};

pub(crate) use super::rows::Position;

use super::eval::Subjects;
use super::parse::{Output, Select};
use super::rows::{Rows, rows};
use crate::sdb::error::{Error, Result};
use crate::sdb::store::{Item, View};
use crate::sdb::xml;

const LIMIT_DEFAULT: usize = 100;
/// The most that a page holds, in bytes.
const PAGE_BYTES: usize = 1 << 20;
/// How many rows go between two looks at the clock.
const TURN: usize = 64;

/// One page of a select.
#[derive(Debug)]
pub(crate) struct Page {
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
    view: &View<'_>,
    from: Option<&Position>,
    bounds: Bounds,
) -> Result<Page> {
    let start = Instant::now();
    let count = select.output == Output::Count;
    let limit = select.limit;
    let limit = limit.unwrap_or(if count { usize::MAX } else { LIMIT_DEFAULT });
    let Rows { rows, read } = rows(select, view, from, limit);
    if start.elapsed() >= bounds.time {
        return Err(Error::timeout());
    }
    let mut page = Page {
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
