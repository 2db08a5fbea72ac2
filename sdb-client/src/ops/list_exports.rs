//! Listing exports: [`SdbClient::list_exports`].

use std::sync::Arc;
use std::time::SystemTime;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::paginate::{Cursor, IntoItems, Items, Listing, Pages};
use aws_core::{Error, Result, awaitable};
use serde_json::Map;

use crate::client::SdbClient;
use crate::export::{ExportStatus, Exports, JsonFields, UnsignedExport, sized};
use crate::idempotency;
use crate::limits;
use crate::operation::{Call, SdbOperation};
use crate::options::Options;

/// A request that lists exports; made by [`SdbClient::list_exports`].
///
/// [`exports`](Self::exports) and [`pages`](Self::pages) make streams of it; awaited, it gives one page.
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone, Debug)]
pub struct ListExports {
    client: SdbClient,
    domain: Option<Arc<str>>,
    page_size: Option<u32>,
    cursor: Cursor<Arc<str>>,
    options: Options,
}

/// The stream of [`ListExports::exports`].
pub type ExportItems = Items<ListExports>;
/// The stream of [`ListExports::pages`].
pub type ExportPages = Pages<ListExports>;

/// One export in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportSummary {
    /// What it is known by.
    pub arn: String,
    /// The export is at this point.
    pub status: ExportStatus,
    /// The domain that is exported.
    pub domain: String,
    /// When it was asked for.
    pub requested_at: SystemTime,
}

/// One page of exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportPage {
    /// The exports of this page.
    pub exports: Vec<ExportSummary>,
    /// Where the next page begins; nothing on the last.
    pub next_token: Option<String>,
}

impl IntoItems for ExportPage {
    type Item = ExportSummary;

    fn into_items(self) -> impl Iterator<Item = ExportSummary> {
        self.exports.into_iter()
    }
}

impl ListExports {
    pub(crate) fn new(client: SdbClient) -> Self {
        Self {
            client,
            domain: None,
            page_size: None,
            cursor: Cursor::default(),
            options: Options::default(),
        }
    }

    /// Lists only exports of this domain. Defaults to all.
    pub fn domain(mut self, name: impl Into<Arc<str>>) -> Self {
        self.domain = Some(name.into());
        self
    }

    /// The most exports of one page, from 1. Defaults to the service's choice.
    pub fn page_size(mut self, exports: u32) -> Self {
        self.page_size = Some(exports);
        self
    }

    /// Goes on where an earlier page ended.
    pub fn token(mut self, token: impl Into<Arc<str>>) -> Self {
        self.cursor.set(token.into());
        self
    }

    /// The exports, one after another; page after page is fetched as they are read.
    pub fn exports(self) -> ExportItems {
        Items::new(self)
    }

    /// Makes a stream of the pages, each of which is fetched when it is asked for.
    pub fn pages(self) -> ExportPages {
        Pages::new(self)
    }

    /// Fetches one page by one ListExports, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the service say.
    pub async fn send(self) -> Result<ExportPage> {
        self.page().await
    }
}

options!(ListExports);
awaitable!(ListExports, ExportPage);

impl Listing for ListExports {
    type Page = ExportPage;
    type Token = Arc<str>;

    fn cursor(&mut self) -> &mut Cursor<Arc<str>> {
        &mut self.cursor
    }

    fn next(page: &ExportPage) -> Option<Arc<str>> {
        page.next_token.as_deref().map(Into::into)
    }

    async fn ask(&self) -> Result<ExportPage> {
        let mut params = Map::new();
        if let Some(domain) = &self.domain {
            limits::domain(domain)?;
            params.insert("domainName".into(), (&**domain).into());
        }
        if let Some(size) = self.page_size {
            if size == 0 {
                return Err(Error::invalid("a page size of 0 is not at least 1"));
            }
            params.insert("maxResults".into(), size.into());
        }
        if let Some(token) = self.cursor.at() {
            sized("token", token, 1..=2048)?;
            params.insert("nextToken".into(), (&**token).into());
        }
        let options = self.options.clone();
        let domain = self.domain.as_ref();
        let wire = UnsignedExport::new(
            &self.client,
            ListExportsOperation::ROW.operation,
            domain,
            params,
            options,
        );
        let page = self
            .client
            .export_call(&Call::new(wire, ListExportsOperation))
            .await?;
        Ok(page)
    }
}

struct ListExportsOperation;

impl SdbOperation for ListExportsOperation {
    type Request = UnsignedExport;
    type Output = ExportPage;
    const ROW: Row = idempotency::LIST_EXPORTS;

    fn parse(&self, _: &UnsignedExport, _: &Exports, answer: Answer) -> Result<ExportPage> {
        let mut fields = JsonFields::read(&answer)?;
        let summary = |value| {
            let mut fields = JsonFields::of(value)?;
            Ok(ExportSummary {
                arn: fields.text("exportArn")?,
                status: fields.text("exportStatus")?.into(),
                domain: fields.text("domainName")?,
                requested_at: fields.time("requestedAt")?,
            })
        };
        let exports = fields.list("exportSummaries")?;
        Ok(ExportPage {
            exports: exports.into_iter().map(summary).collect::<Result<_>>()?,
            next_token: fields.maybe_text("nextToken")?.filter(|t| !t.is_empty()),
        })
    }
}
