//! Finding items: [`SdbClient::select`].

use std::fmt;
use std::sync::Arc;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::paginate::{self, Cursor, IntoItems, Listing, Paged, Pages};
use aws_core::xml::{Xml, XmlError};
use aws_core::{Error, Result, awaitable};

use crate::client::SdbClient;
use crate::idempotency;
use crate::item::Item;
use crate::operation::{Call, SdbOperation};
use crate::options::Options;
use crate::query::Expression;
use crate::usage::{TotalUsage, Usage};
use crate::wire::{Sdb, UnsignedRequest, attribute, read, text};

/// A request to find items; made by [`SdbClient::select`].
///
/// [`items`](Self::items) and [`pages`](Self::pages) make streams of it; awaited, it gives one page, which may
/// be empty and not the last: SimpleDB works five seconds on a page at most. A service that sends a stream round in
/// circles is an error of [`Kind::Protocol`](crate::Kind::Protocol).
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone)]
pub struct Select {
    client: SdbClient,
    expression: Expression,
    consistent: bool,
    cursor: Cursor<Arc<str>>,
    options: Options,
}

/// The stream of [`Select::items`].
pub type Items = paginate::Items<Select>;
/// The stream of [`Select::pages`].
pub type SelectPages = Pages<Select>;

/// One page of found items.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SelectPage {
    /// The items. For `count(*)` there is one, named `Domain`, with an attribute `Count`: a part of the count
    /// if there are more pages.
    pub items: Vec<Item>,
    /// Where the next page begins; nothing on the last.
    pub next_token: Option<String>,
    /// The machine hours that the page cost.
    pub usage: Usage,
}

impl IntoItems for SelectPage {
    type Item = Item;

    fn into_items(self) -> impl Iterator<Item = Item> {
        self.items.into_iter()
    }
}

impl Select {
    pub(crate) fn new(client: SdbClient, expression: Expression) -> Self {
        Self {
            client,
            expression,
            consistent: false,
            cursor: Cursor::default(),
            options: Options::default(),
        }
    }

    /// Whether every write answered so far must be seen. Defaults to no: what is found may then be old.
    pub fn consistent(mut self, yes: bool) -> Self {
        self.consistent = yes;
        self
    }

    /// Goes on where an earlier page of the same expression ended.
    pub fn token(mut self, token: impl Into<Arc<str>>) -> Self {
        self.cursor.set(token.into());
        self
    }

    /// The items, one after another; page after page is fetched as they are read.
    pub fn items(self) -> Items {
        paginate::Items::new(self)
    }

    /// Makes a stream of the pages, each of which is fetched when it is asked for.
    pub fn pages(self) -> SelectPages {
        Pages::new(self)
    }

    /// The parts of a `count(*)`, page by page; [`count`](Self::count) adds them up.
    pub fn counts(self) -> Counts {
        Pages::new(Counting(self))
    }

    /// How many items there are, by a `count(*)`: SimpleDB counts for five seconds at most, and goes on with the
    /// next page, so all pages are fetched and added up.
    ///
    /// # Errors
    /// [`Kind::Protocol`](crate::Kind::Protocol) when the selection is no `count(*)`; otherwise as
    /// [`send`](Self::send).
    pub async fn count(self) -> Result<Count> {
        let mut total = Count::default();
        let mut pages = self.counts();
        while let Some((count, usage)) = pages.try_next().await? {
            total.count = total.count.saturating_add(count);
            total.usage.add(&usage);
        }
        Ok(total)
    }

    /// Fetches one page by one Select, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a [`Query`](crate::query::Query) breaks a limit;
    /// `InvalidQueryExpression` and its like; otherwise as sending and the service say.
    pub async fn send(self) -> Result<SelectPage> {
        self.page().await
    }
}

options!(Select);
awaitable!(Select, SelectPage);

impl Listing for Select {
    type Page = SelectPage;
    type Token = Arc<str>;

    fn cursor(&mut self) -> &mut Cursor<Arc<str>> {
        &mut self.cursor
    }

    fn next(page: &SelectPage) -> Option<Arc<str>> {
        page.next_token.as_deref().map(Into::into)
    }

    async fn ask(&self) -> Result<SelectPage> {
        let expression = self.expression.text()?;
        let mut wire = UnsignedRequest::new(&self.client, SelectOperation::ROW.operation);
        wire.options(self.options.clone());
        wire.param("SelectExpression", &**expression);
        if self.consistent {
            wire.param("ConsistentRead", "true");
        }
        if let Some(token) = self.cursor.at() {
            wire.param("NextToken", &**token);
        }
        let page = self.client.call(&Call::new(wire, SelectOperation)).await?;
        Ok(page)
    }
}

/// How many items a `count(*)` has found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Count {
    /// How many items were found.
    pub count: u64,
    /// The machine hours that all pages cost.
    pub usage: TotalUsage,
}

/// The stream of [`Select::counts`]: how many items each page counted, and what it cost.
pub type Counts = Pages<Counting>;

/// A [`Select`] of which only the count is read.
#[derive(Debug)]
pub struct Counting(Select);

impl Paged for Counting {
    type Page = (u64, Usage);

    async fn fetch(self) -> Result<((u64, Usage), Option<Self>)> {
        let (page, next) = self.0.fetch().await?;
        let count = match page.items.first() {
            Some(item) => item.first("Count").and_then(|text| text.parse().ok()),
            // It ran out of time before it counted any.
            None => Some(0),
        };
        let count = count.ok_or_else(|| Error::protocol("the selection is no count(*)"))?;
        Ok(((count, page.usage), next.map(Self)))
    }
}

/// Leaves out the expression, which holds the caller's data.
impl fmt::Debug for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("consistent", &self.consistent)
            .finish_non_exhaustive()
    }
}

struct SelectOperation;

impl SdbOperation for SelectOperation {
    type Request = UnsignedRequest;
    type Output = SelectPage;
    const ROW: Row = idempotency::SELECT;

    fn parse(&self, _: &UnsignedRequest, service: &Sdb, answer: Answer) -> Result<SelectPage> {
        let mut page = SelectPage::default();
        page.usage = read(service, &answer, |xml| {
            while let Some(tag) = xml.child()? {
                match tag.name() {
                    "Item" => page.items.push(item(xml)?),
                    "NextToken" => page.next_token = Some(xml.text()?).filter(|t| !t.is_empty()),
                    _ => xml.skip()?,
                }
            }
            Ok(())
        })?;
        Ok(page)
    }
}

fn item(xml: &mut Xml<'_>) -> Result<Item, XmlError> {
    let mut item = Item::default();
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Name" => item.name = text(xml, &tag)?,
            "Attribute" => item.attributes.push(attribute(xml)?),
            _ => xml.skip()?,
        }
    }
    Ok(item)
}
