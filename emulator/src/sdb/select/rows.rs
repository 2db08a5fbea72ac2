//! Items in the order of a select, from where the page before ended.

use std::ops::Bound;

use super::plan::{Span, after, plan, range_of};
use super::tree::{Order, Select, Subject};
use crate::sdb::store::{Attribute, DomainContent, DomainView, Item, Text};

/// An item: its sort value, its name and itself.
pub(super) type ItemRow<'a> = (&'a str, &'a str, &'a Item);

/// A value and the item that has it.
type ValueRow = (Text, Text);

/// This is where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) sort: String,
    pub(crate) name: String,
}

/// Rows in order, and what it took to begin.
pub(super) struct ItemRows<'a> {
    pub(super) rows: Box<dyn Iterator<Item = ItemRow<'a>> + 'a>,
    /// How many entries of the index were read before the first row.
    pub(super) read: usize,
}

/// The rows behind a position that the filter may hold for.
pub(super) fn rows<'a>(
    select: &Select,
    view: &'a DomainView<'a>,
    from: Option<&Position>,
    limit: usize,
) -> ItemRows<'a> {
    let order = select.order.as_ref();
    let Some(content) = view.present() else {
        // The past has no index.
        let all = view.all().map(|(name, item)| (&**name, &**item));
        return sorted(order, all, from);
    };
    let sort_by = match order {
        Some(Order {
            by: Subject::Attribute(name),
            ..
        }) => match content.index().attribute(name) {
            Some(attribute) => Some((name.as_str(), attribute)),
            // What no item has, no item is sorted by.
            None => return lazy(std::iter::empty()),
        },
        _ => None,
    };
    let size = sort_by.map_or(content.len(), |(_, attribute)| attribute.len());
    let filter = select.filter.as_ref();
    if let Some((spans, found)) = filter.and_then(|filter| plan(filter, content, size)) {
        if let ([span], None) = (spans.as_slice(), sort_by)
            && let Some(rows) = in_order(content, span, order, from)
        {
            return rows;
        }
        // Walking in order looks at `size / found` items for each that is found.
        let walk = (size as f64 / found.max(1) as f64) * limit as f64;
        if (found as f64) < walk.min(size as f64) {
            return collect(content, &spans, order, from);
        }
    }
    match (sort_by, order) {
        (Some((name, attribute)), Some(order)) => {
            let span = match filter {
                Some(filter) if attribute.is_single() => Some(range_of(filter, &order.by)),
                _ => None,
            };
            walk(content, name, attribute, span, order, from)
        }
        _ => {
            let descending = order.is_some_and(|order| order.descending);
            let low = Bound::Unbounded;
            by_name(content, low, Bound::Unbounded, descending, order, from)
        }
    }
}

/// The items of a span that are in order without being sorted: those with one value, and those
/// of a range of names.
fn in_order<'a>(
    content: &'a DomainContent,
    span: &Span,
    order: Option<&Order>,
    from: Option<&Position>,
) -> Option<ItemRows<'a>> {
    let descending = order.is_some_and(|order| order.descending);
    match &span.subject {
        Subject::ItemName => {
            let low = Bound::Included(span.low.as_str());
            let high = span.high.as_deref();
            let high = high.map_or(Bound::Unbounded, Bound::Excluded);
            Some(by_name(content, low, high, descending, order, from))
        }
        Subject::Attribute(name) => {
            let value = Text::from(span.point()?);
            let attribute = content.index().attribute(name)?;
            let end = (Text::from(after(&value)), Text::from(""));
            let (mut low, mut high) = (
                Bound::Included((value.clone(), Text::from(""))),
                Bound::Excluded(end),
            );
            if let Some(from) = from {
                let pair = (value, Text::from(from.name.as_str()));
                *(if descending { &mut high } else { &mut low }) = Bound::Excluded(pair);
            }
            let names = attribute.range(low, high).map(|(_, name)| name);
            let rows = directed(names, descending).filter_map(move |name| {
                let item = content.get(name)?;
                Some((&**name, &**item))
            });
            Some(lazy(with_sort(rows, order)))
        }
    }
}

fn by_name<'a, 'b>(
    content: &'a DomainContent,
    mut low: Bound<&'b str>,
    mut high: Bound<&'b str>,
    descending: bool,
    order: Option<&Order>,
    from: Option<&'b Position>,
) -> ItemRows<'a> {
    if let Some(from) = from {
        let name = from.name.as_str();
        let inside = match (descending, low, high) {
            (false, Bound::Included(low), _) => name >= low,
            (true, _, Bound::Excluded(high)) => name < high,
            _ => true,
        };
        if inside {
            *(if descending { &mut high } else { &mut low }) = Bound::Excluded(name);
        }
    }
    let items = content.range(low, high);
    let items = directed(items, descending).map(|(name, item)| (&**name, &**item));
    lazy(with_sort(items, order))
}

/// Walks all items of the sort attribute in the order of their sort values.
fn walk<'a>(
    content: &'a DomainContent,
    name: &str,
    attribute: &'a Attribute,
    span: Option<Span>,
    order: &Order,
    from: Option<&Position>,
) -> ItemRows<'a> {
    let descending = order.descending;
    let (mut low, mut high) =
        span.map_or((Bound::Unbounded, Bound::Unbounded), |span| bounds(&span));
    if let Some(from) = from {
        let pair = (
            Text::from(from.sort.as_str()),
            Text::from(from.name.as_str()),
        );
        let end = if descending { &mut high } else { &mut low };
        let inside = match &*end {
            Bound::Included(end) if !descending => pair >= *end,
            Bound::Excluded(end) if descending => pair < *end,
            _ => true,
        };
        if inside {
            *end = Bound::Excluded(pair);
        }
    }
    let name = name.to_owned();
    let entries = directed(attribute.range(low, high), descending);
    lazy(entries.filter_map(move |(value, item_name)| {
        let item = content.get(item_name)?;
        // An item with several values comes where its sort value is.
        let sort = sort_value(item, &name, descending)?;
        (sort == &**value).then_some((sort, &**item_name, &**item))
    }))
}

/// Reads all entries of the spans, and sorts their items.
fn collect<'a>(
    content: &'a DomainContent,
    spans: &[Span],
    order: Option<&Order>,
    from: Option<&Position>,
) -> ItemRows<'a> {
    let mut found: Vec<(&str, &Item)> = Vec::new();
    for span in spans {
        match &span.subject {
            Subject::ItemName => {
                found.extend(names(content, span));
            }
            Subject::Attribute(name) => {
                let Some(attribute) = content.index().attribute(name) else {
                    continue;
                };
                found.extend(entries(attribute, span).filter_map(|(_, name)| {
                    let item = content.get(name)?;
                    Some((&**name, &**item))
                }));
            }
        }
    }
    let read = found.len();
    found.sort_unstable_by_key(|(name, _)| *name);
    found.dedup_by_key(|(name, _)| *name);
    let mut rows = sorted(order, found.into_iter(), from);
    rows.read = read;
    rows
}

fn sorted<'a>(
    order: Option<&Order>,
    items: impl Iterator<Item = (&'a str, &'a Item)>,
    from: Option<&Position>,
) -> ItemRows<'a> {
    let mut rows: Vec<ItemRow<'a>> = with_sort(items, order).collect();
    rows.sort_unstable_by_key(|(sort, name, _)| (*sort, *name));
    if order.is_some_and(|order| order.descending) {
        rows.reverse();
        rows.retain(|(sort, name, _)| from.is_none_or(|from| (*sort, *name) < from.key()));
    } else {
        rows.retain(|(sort, name, _)| from.is_none_or(|from| (*sort, *name) > from.key()));
    }
    lazy(rows.into_iter())
}

/// Items with their sort values; those without one are left out.
fn with_sort<'a, I: Iterator<Item = (&'a str, &'a Item)>>(
    items: I,
    order: Option<&Order>,
) -> impl Iterator<Item = ItemRow<'a>> + use<'a, I> {
    let by = order.and_then(|order| match &order.by {
        Subject::ItemName => None,
        Subject::Attribute(name) => Some((name.clone(), order.descending)),
    });
    items.filter_map(move |(name, item)| {
        let sort = match &by {
            None => "",
            Some((attribute, descending)) => sort_value(item, attribute, *descending)?,
        };
        Some((sort, name, item))
    })
}

/// Of several values, the one that comes first in the direction of the sort.
fn sort_value<'a>(item: &'a Item, attribute: &str, descending: bool) -> Option<&'a str> {
    let values = item.get(attribute)?;
    let value = if descending {
        values.last()
    } else {
        values.first()
    };
    value.map(|value| &**value)
}

/// The pairs of value and item name of a span.
pub(super) fn entries<'a>(
    attribute: &'a Attribute,
    span: &Span,
) -> impl DoubleEndedIterator<Item = &'a ValueRow> + use<'a> {
    let (low, high) = bounds(span);
    attribute.range(low, high)
}

fn bounds(span: &Span) -> (Bound<ValueRow>, Bound<ValueRow>) {
    let pair = |value: &str| (Text::from(value), Text::from(""));
    let high = span.high.as_deref();
    let high = high.map_or(Bound::Unbounded, |high| Bound::Excluded(pair(high)));
    (Bound::Included(pair(&span.low)), high)
}

/// The items whose names are in a span.
pub(super) fn names<'a>(
    content: &'a DomainContent,
    span: &Span,
) -> impl DoubleEndedIterator<Item = (&'a str, &'a Item)> + use<'a> {
    let high = span.high.as_deref();
    let high = high.map_or(Bound::Unbounded, Bound::Excluded);
    let items = content.range(Bound::Included(span.low.as_str()), high);
    items.map(|(name, item)| (&**name, &**item))
}

fn directed<'a, T: 'a>(
    items: impl DoubleEndedIterator<Item = T> + 'a,
    descending: bool,
) -> Box<dyn Iterator<Item = T> + 'a> {
    if descending {
        Box::new(items.rev())
    } else {
        Box::new(items)
    }
}

fn lazy<'a>(rows: impl Iterator<Item = ItemRow<'a>> + 'a) -> ItemRows<'a> {
    ItemRows {
        rows: Box::new(rows),
        read: 0,
    }
}

impl Position {
    fn key(&self) -> (&str, &str) {
        (&self.sort, &self.name)
    }
}
