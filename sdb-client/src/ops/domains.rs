//! Listing domains: [`SdbClient::list_domains`].

use std::sync::Arc;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::paginate::{Cursor, IntoItems, Items, Listing, Pages};
use aws_core::{Result, awaitable};

use crate::client::SdbClient;
use crate::idempotency;
use crate::limits;
use crate::operation::{Call, SdbOperation};
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, UnsignedRequest, read};

/// A request that lists domains; made by [`SdbClient::list_domains`].
///
/// [`names`](Self::names) and [`pages`](Self::pages) make streams of it; awaited, it gives one page.
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone, Debug)]
pub struct ListDomains {
    client: SdbClient,
    page_size: Option<u32>,
    cursor: Cursor<Arc<str>>,
    options: Options,
}

/// The stream of [`ListDomains::names`].
pub type Domains = Items<ListDomains>;
/// The stream of [`ListDomains::pages`].
pub type DomainPages = Pages<ListDomains>;

/// One page of domains.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DomainPage {
    /// The names of the domains.
    pub names: Vec<String>,
    /// Where the next page begins; nothing on the last.
    pub next_token: Option<String>,
    /// The machine hours that the page cost.
    pub usage: Usage,
}

impl IntoItems for DomainPage {
    type Item = String;

    fn into_items(self) -> impl Iterator<Item = String> {
        self.names.into_iter()
    }
}

impl ListDomains {
    pub(crate) fn new(client: SdbClient) -> Self {
        Self {
            client,
            page_size: None,
            cursor: Cursor::default(),
            options: Options::default(),
        }
    }

    /// The most names of one page, 1 to 100. Defaults to the service's choice, which is 100.
    pub fn page_size(mut self, domains: u32) -> Self {
        self.page_size = Some(domains);
        self
    }

    /// Goes on where an earlier page ended.
    pub fn token(mut self, token: impl Into<Arc<str>>) -> Self {
        self.cursor.set(token.into());
        self
    }

    /// The names, one after another; page after page is fetched as they are read.
    pub fn names(self) -> Domains {
        Items::new(self)
    }

    /// Makes a stream of the pages, each of which is fetched when it is asked for.
    pub fn pages(self) -> DomainPages {
        Pages::new(self)
    }

    /// Fetches one page by one ListDomains, as `.await` does.
    ///
    /// # Errors
    /// As sending and the service say.
    pub async fn send(self) -> Result<DomainPage> {
        self.page().await
    }
}

options!(ListDomains);
awaitable!(ListDomains, DomainPage);

impl Listing for ListDomains {
    type Page = DomainPage;
    type Token = Arc<str>;

    fn cursor(&mut self) -> &mut Cursor<Arc<str>> {
        &mut self.cursor
    }

    fn next(page: &DomainPage) -> Option<Arc<str>> {
        page.next_token.as_deref().map(Into::into)
    }

    async fn ask(&self) -> Result<DomainPage> {
        let mut wire = UnsignedRequest::new(&self.client, ListDomainsOperation::ROW.operation);
        wire.options(self.options.clone());
        if let Some(domains) = self.page_size {
            limits::page_size(domains)?;
            wire.param("MaxNumberOfDomains", domains.to_string());
        }
        if let Some(token) = self.cursor.at() {
            wire.param("NextToken", &**token);
        }
        let page = self
            .client
            .call(&Call::new(wire, ListDomainsOperation))
            .await?;
        Ok(page)
    }
}

struct ListDomainsOperation;

impl SdbOperation for ListDomainsOperation {
    type Request = UnsignedRequest;
    type Output = DomainPage;
    const ROW: Row = idempotency::LIST_DOMAINS;

    fn parse(&self, _: &UnsignedRequest, service: &Sdb, answer: Answer) -> Result<DomainPage> {
        let mut page = DomainPage::default();
        page.usage = read(service, &answer, |xml| {
            while let Some(tag) = xml.child()? {
                match tag.name() {
                    "DomainName" => page.names.push(xml.text()?),
                    "NextToken" => page.next_token = Some(xml.text()?).filter(|t| !t.is_empty()),
                    _ => xml.skip()?,
                }
            }
            Ok(())
        })?;
        Ok(page)
    }
}
