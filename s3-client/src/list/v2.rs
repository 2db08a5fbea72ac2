//! Listing objects: [`Bucket::list`].

use aws_core::operation::Answer;
use aws_core::paginate::{Items, LoopGuard, Paged, Pages};
use aws_core::{Error, Result, awaitable};

use super::page::{ListPage, objects};
use super::params::ListParams;
use crate::bucket::Bucket;
use crate::idempotency::{self, Row};
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;

/// A request that lists objects; made by [`Bucket::list`].
///
/// [`objects`](Self::objects) and [`pages`](Self::pages) make streams of it; awaited, it gives one page. A store
/// that sends a stream round in circles is an error.
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone, Debug)]
pub struct List {
    bucket: Bucket,
    params: ListParams,
    start_after: Option<String>,
    fetch_owner: bool,
    token: Option<String>,
    guard: LoopGuard,
    options: Options,
}

/// The stream of [`List::objects`].
pub type Objects = Items<List>;
/// The stream of [`List::pages`].
pub type ObjectPages = Pages<List>;

impl Bucket {
    /// Lists objects in the order of their keys.
    ///
    /// [ListObjectsV2](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html)
    #[doc(alias("list_objects_v2", "ListObjectsV2"))]
    pub fn list(&self) -> List {
        List::new(self.clone())
    }
}

impl List {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            params: ListParams::default(),
            start_after: None,
            fetch_owner: false,
            token: None,
            guard: LoopGuard::default(),
            options: Options::default(),
        }
    }

    pub(crate) fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Only keys that begin with this.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.params.prefix = Some(prefix.into());
        self
    }

    /// Keys that go on with this after the prefix are given as one of the page's `prefixes`. Usually `/`.
    pub fn delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.params.delimiter = Some(delimiter.into());
        self
    }

    /// The most entries and prefixes of one page, 1 to 1,000. Defaults to the store's choice, which is
    /// 1,000.
    pub fn page_size(mut self, keys: u32) -> Self {
        self.params.page_size = Some(keys);
        self
    }

    /// Whether the store shall tell how far archived objects are restored. Defaults to no; stores without
    /// archives ignore it.
    pub fn restore_status(mut self, yes: bool) -> Self {
        self.params.restore_status = yes;
        self
    }

    /// Lists only keys after this one.
    pub fn start_after(mut self, key: impl Into<String>) -> Self {
        self.start_after = Some(key.into());
        self
    }

    /// Whether the store shall tell whose each object is. Defaults to no.
    pub fn fetch_owner(mut self, yes: bool) -> Self {
        self.fetch_owner = yes;
        self
    }

    /// Goes on where an earlier page ended.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The objects, one after another; page after page is fetched as they are read.
    pub fn objects(self) -> Objects {
        Items::new(self)
    }

    /// Makes a stream of the pages, each of which is fetched when it is asked for.
    pub fn pages(self) -> ObjectPages {
        Pages::new(self)
    }

    /// Fetches one page by one ListObjectsV2, as `.await` does.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such bucket; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<ListPage> {
        self.page().await
    }

    pub(crate) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    async fn page(&self) -> Result<ListPage> {
        let more = [
            ("start-after", self.start_after.as_deref()),
            ("fetch-owner", self.fetch_owner.then_some("true")),
            ("continuation-token", self.token.as_deref()),
        ];
        let kind = Some(("list-type", "2"));
        let wire = self.params.wire(&self.bucket, &self.options, kind, &more)?;
        let page = self
            .bucket
            .client
            .call(&Call::new(wire, ListObjects))
            .await?;
        if page.next_token.is_some() && page.next_token == self.token {
            return Err(LoopGuard::error());
        }
        Ok(page)
    }
}

options!(List);
awaitable!(List, ListPage);

impl Paged for List {
    type Page = ListPage;

    async fn fetch(mut self) -> Result<(ListPage, Option<Self>)> {
        let page = self.page().await?;
        let Some(token) = page.next_token.clone() else {
            return Ok((page, None));
        };
        self.guard.step(&token)?;
        self.token = Some(token);
        Ok((page, Some(self)))
    }
}

struct ListObjects;

impl S3Operation for ListObjects {
    type Output = ListPage;
    const ROW: Row = idempotency::LIST_OBJECTS;

    fn parse(&self, answer: Answer) -> Result<ListPage> {
        read(&answer.bytes())
    }
}

fn read(text: &[u8]) -> Result<ListPage> {
    let read = objects(text)?;
    let mut page = read.page;
    if !read.truncated {
        page.next_token = None;
    } else if page.next_token.is_none() {
        return Err(Error::protocol(
            "the listing is cut off and does not say where to go on",
        ));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_where_there_is_more() {
        let page = |inner: &str| {
            let inner = format!("<NextContinuationToken>t</NextContinuationToken>{inner}");
            read(format!("<ListBucketResult>{inner}</ListBucketResult>").as_bytes()).unwrap()
        };
        let more = page("<IsTruncated>true</IsTruncated>");
        assert_eq!(more.next_token.as_deref(), Some("t"));
        assert_eq!(page("<IsTruncated>false</IsTruncated>").next_token, None);
        assert_eq!(page("").next_token, None);
        for token in ["", "<NextContinuationToken/>"] {
            let lost = format!(
                "<ListBucketResult><IsTruncated>true</IsTruncated>{token}</ListBucketResult>"
            );
            let error = read(lost.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("cut off"), "{error}");
        }
    }
}
