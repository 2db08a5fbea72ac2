//! Building select expressions such that no value and no name can break out of its quotes.

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod check;
mod filter;
mod key;

use std::fmt::{self, Write as _};
use std::sync::Arc;

use aws_core::{Error, Result};

pub use self::filter::Filter;
pub use self::key::{Key, attr, every, item_name};
use crate::domain::Domain;
use crate::limits;
pub use crate::quote::{quote_name, quote_value};

/// A select expression in parts; [`SdbClient::select`](crate::SdbClient::select) takes it.
///
/// Names go in backticks and values in quotes, so whatever they hold they stay names and values. Before anything
/// is sent it is checked against SimpleDB's limits: 20 comparisons, 20 different attributes in them, 20 values
/// of one [`is_in`](Key::is_in), 1,024 bytes for each name and value, a limit of 1 to 2,500; and the attribute to
/// sort by has to be compared with something, other than by `is null`.
///
/// Everything is compared as text, byte by byte: [`ordered`](crate::ordered) has forms of numbers and dates that
/// sort as they should.
///
/// [Using Select](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/UsingSelect.html)
///
/// ```
/// use sdb_client::query::{Query, attr, item_name};
///
/// let query = Query::all("users")
///     .filter(attr("name").eq("O'Hara").or(attr("age").between("030", "039")))
///     .filter(!item_name().starts_with("test-"))
///     .order_by_desc(attr("age"))
///     .limit(50);
/// assert_eq!(
///     query.to_string(),
///     "select * from `users` where (`name` = 'O''Hara' or `age` between '030' and '039') \
///      and not (itemName() like 'test-%') order by `age` desc limit 50",
/// );
/// ```
///
/// `Display` is the expression; `Debug` leaves the values out.
#[derive(Clone)]
pub struct Query {
    domain: Arc<str>,
    output: Output,
    filter: Option<Filter>,
    order: Option<Order>,
    limit: Option<u32>,
}

#[derive(Clone)]
enum Output {
    All,
    Names,
    Count,
    Attributes(Vec<String>),
}

#[derive(Clone)]
struct Order {
    by: Key,
    descending: bool,
}

impl Domain {
    /// A query for all items of this domain, to be refined and given to [`SdbClient::select`](crate::SdbClient::select).
    pub fn query(&self) -> Query {
        Query::all(self.name.clone())
    }
}

impl Query {
    /// `select *`: items with all their attributes.
    pub fn all(domain: impl Into<Arc<str>>) -> Self {
        Self::new(domain.into(), Output::All)
    }

    /// `select itemName()`: items without attributes.
    pub fn names(domain: impl Into<Arc<str>>) -> Self {
        Self::new(domain.into(), Output::Names)
    }

    /// `select count(*)`: how many items there are; see [`Select::count`](crate::request::Select::count).
    pub fn count(domain: impl Into<Arc<str>>) -> Self {
        Self::new(domain.into(), Output::Count)
    }

    /// `select a, b`: items with these attributes, up to 256.
    ///
    /// Amazon's page has the answer hold the "item names that match the select expression", and says nothing of items
    /// that have none of the attributes. They may come back without any, and do so from the emulator; a
    /// [filter](Self::filter) by [`is_not_null`](Key::is_not_null) leaves them out for certain.
    pub fn attributes<S: Into<String>>(
        domain: impl Into<Arc<str>>,
        names: impl IntoIterator<Item = S>,
    ) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        Self::new(domain.into(), Output::Attributes(names))
    }

    fn new(domain: Arc<str>, output: Output) -> Self {
        Self {
            domain,
            output,
            filter: None,
            order: None,
            limit: None,
        }
    }

    /// `where`: only items for which this holds, and what was given before.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter {
            Some(before) => before.and(filter),
            None => filter,
        });
        self
    }

    /// Adds `order by … asc`. A second order takes the place of the first.
    #[must_use]
    pub fn order_by(self, key: Key) -> Self {
        self.ordered(key, false)
    }

    /// Adds `order by … desc`. A second order takes the place of the first.
    #[must_use]
    pub fn order_by_desc(self, key: Key) -> Self {
        self.ordered(key, true)
    }

    fn ordered(mut self, by: Key, descending: bool) -> Self {
        self.order = Some(Order { by, descending });
        self
    }

    /// `limit`: the most items of one page, 1 to 2,500; for `count(*)` the most that one page counts. A page also
    /// ends at 1 MB and after five seconds. Defaults to SimpleDB's choice, which is 100.
    #[must_use]
    pub fn limit(mut self, items: u32) -> Self {
        self.limit = Some(items);
        self
    }

    /// Whether it is within the limits and sorts by what it compares.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid), with the limit and the value.
    pub fn check(&self) -> Result<()> {
        limits::domain(&self.domain)?;
        if let Output::Attributes(names) = &self.output {
            if names.is_empty() {
                return Err(Error::invalid("the select names no attribute"));
            }
            limits::selected(names.len())?;
            names.iter().try_for_each(|name| limits::attribute(name))?;
        }
        if let Some(filter) = &self.filter {
            filter.check()?;
        }
        if let Some(order) = &self.order {
            let constrained = |filter: &Filter| filter.constrains(&order.by);
            if order.by.is_every() || !self.filter.as_ref().is_some_and(constrained) {
                return Err(Error::invalid(format!(
                    "the select sorts by {}, which it does not compare with anything (other than by is null)",
                    order.by
                )));
            }
        }
        match self.limit {
            Some(limit) => limits::select_limit(limit),
            None => Ok(()),
        }
    }
}

/// Writes the select expression.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("select ")?;
        match &self.output {
            Output::All => f.write_char('*')?,
            Output::Names => f.write_str("itemName()")?,
            Output::Count => f.write_str("count(*)")?,
            Output::Attributes(names) => {
                for (i, name) in names.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", quote_name(name))?;
                }
            }
        }
        write!(f, " from {}", quote_name(&self.domain))?;
        if let Some(filter) = &self.filter {
            write!(f, " where {}", filter.text())?;
        }
        if let Some(order) = &self.order {
            let way = if order.descending { "desc" } else { "asc" };
            write!(f, " order by {} {way}", order.by)?;
        }
        match self.limit {
            Some(limit) => write!(f, " limit {limit}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("domain", &self.domain)
            .field("filter", &self.filter)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// A select expression: a [`Query`], or text as it is.
///
/// Text is sent as it is: put values into it by [`quote_value`] and names by
/// [`quote_name`]. `Debug` leaves it out, since it holds the caller's data.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    problem: Option<Error>,
}

impl Expression {
    /// The text, unless it breaks a limit.
    pub(crate) fn text(&self) -> Result<&Arc<str>> {
        match &self.problem {
            Some(problem) => Err(problem.clone()),
            None => Ok(&self.text),
        }
    }
}

impl From<&Query> for Expression {
    fn from(query: &Query) -> Self {
        let problem = query.check().err();
        let text = match &problem {
            Some(_) => "".into(),
            None => query.to_string().into(),
        };
        Self { text, problem }
    }
}

impl From<Query> for Expression {
    fn from(query: Query) -> Self {
        Self::from(&query)
    }
}

impl From<String> for Expression {
    fn from(text: String) -> Self {
        Self {
            text: text.into(),
            problem: None,
        }
    }
}

impl From<&String> for Expression {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for Expression {
    fn from(text: &str) -> Self {
        Self {
            text: text.into(),
            problem: None,
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_written() {
        let table = [
            (Query::all("dom"), "select * from `dom`"),
            (Query::names("dom"), "select itemName() from `dom`"),
            (
                Query::count("dom").limit(2500),
                "select count(*) from `dom` limit 2500",
            ),
            (
                Query::attributes("dom", ["a", "b`c"]),
                "select `a`, `b``c` from `dom`",
            ),
            (
                Query::all("dom")
                    .filter(attr("a").gt("1"))
                    .order_by(attr("a")),
                "select * from `dom` where `a` > '1' order by `a` asc",
            ),
            (
                Query::all("dom")
                    .filter(item_name().is_not_null())
                    .order_by_desc(item_name()),
                "select * from `dom` where itemName() is not null order by itemName() desc",
            ),
        ];
        for (query, text) in table {
            assert_eq!(query.to_string(), text);
            assert!(query.check().is_ok(), "{text}");
        }
    }

    #[test]
    fn limits_are_named_with_the_value() {
        let long = "x".repeat(1025);
        let many =
            |n: usize| (1..n).fold(attr("a").eq("0"), |f, i| f.or(attr("a").eq(i.to_string())));
        let wide =
            |n: usize| (1..n).fold(attr("0").eq(""), |f, i| f.and(attr(i.to_string()).eq("")));
        let all = || Query::all("dom");
        assert!(all().filter(many(20)).check().is_ok());
        assert!(all().filter(wide(20)).check().is_ok());
        assert!(all().filter(attr("a").is_in(vec!["x"; 20])).check().is_ok());
        let table = [
            (Query::all("d"), "3 to 255"),
            (
                Query::attributes("dom", Vec::<String>::new()),
                "no attribute",
            ),
            (Query::attributes("dom", [long.as_str()]), "1025"),
            (Query::attributes("dom", vec!["a"; 257]), "257 attributes"),
            (all().limit(0), "limit of 0 "),
            (all().limit(2501), "2501"),
            (all().filter(many(21)), "21 comparisons"),
            (all().filter(many(10_000)), "10000 comparisons"),
            (all().filter(attr("a").eq(long.as_str())), "1025"),
            (all().filter(attr("").eq("")), "empty"),
            (all().filter(attr("a").is_in(vec!["x"; 21])), "21 values"),
            (
                all().filter(attr("a").is_in(Vec::<String>::new())),
                "no value",
            ),
            (all().filter(every("a").is_null()), "every"),
            (all().filter(attr("a").like("x%y")), "%"),
            (all().filter(attr("a").like("x\\%y%z")), "%"),
            (all().filter(attr("a").starts_with("x\\")), "backslash"),
            (all().filter(attr("a").contains("x\\%")), "backslash"),
            (all().order_by(attr("a")), "sorts by `a`"),
            (
                all().filter(attr("a").is_null()).order_by(attr("a")),
                "sorts by",
            ),
            (
                all().filter(attr("b").eq("")).order_by(attr("a")),
                "sorts by",
            ),
            (
                all().filter(every("a").eq("")).order_by(every("a")),
                "sorts by",
            ),
        ];
        for (query, names) in table {
            let error = query.check().unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
            assert!(Expression::from(query).text().is_err());
        }
    }

    #[test]
    fn values_are_not_shown() {
        let query = Query::all("dom").filter(attr("a").eq("hush"));
        let shown = format!(
            "{query:?} {:?} {:?}",
            attr("a").eq("hush"),
            Expression::from("hush")
        );
        assert!(!shown.contains("hush"), "{shown}");
    }
}
