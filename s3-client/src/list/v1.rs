//! Listing objects by the first version of the operation: [`Bucket::list_v1`].

use aws_core::operation::Answer;
use aws_core::paginate::{Items, LoopGuard, Paged, Pages};
use aws_core::{Error, Result, awaitable};

use super::page::{ListPage, objects};
use super::params::ListParams;
use crate::bucket::Bucket;
use crate::idempotency::{self, Row};
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;

/// A request that lists objects in the first version of that operation, for stores that lack the second; made by
/// [`Bucket::list_v1`].
///
/// [`objects`](Self::objects) and [`pages`](Self::pages) make streams of it; awaited, it gives one page. A store
/// that sends a stream round in circles is an error.
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone, Debug)]
pub struct ListV1 {
    bucket: Bucket,
    params: ListParams,
    marker: Option<String>,
    guard: LoopGuard,
    options: Options,
}

/// The stream of [`ListV1::objects`].
pub type ObjectsV1 = Items<ListV1>;
/// The stream of [`ListV1::pages`].
pub type ObjectPagesV1 = Pages<ListV1>;

impl Bucket {
    /// Lists objects in the order of their keys, in the first version of that operation: for stores that lack the
    /// second.
    ///
    /// [ListObjects](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html)
    #[doc(alias("list_objects", "ListObjects"))]
    pub fn list_v1(&self) -> ListV1 {
        ListV1::new(self.clone())
    }
}

impl ListV1 {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            params: ListParams::default(),
            marker: None,
            guard: LoopGuard::default(),
            options: Options::default(),
        }
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

    /// Only keys after this one, and prefixes after it: where an earlier page ended.
    pub fn marker(mut self, key: impl Into<String>) -> Self {
        self.marker = Some(key.into());
        self
    }

    /// The objects, one after another; page after page is fetched as they are read.
    pub fn objects(self) -> ObjectsV1 {
        Items::new(self)
    }

    /// Makes a stream of the pages, each of which is fetched when it is asked for.
    pub fn pages(self) -> ObjectPagesV1 {
        Pages::new(self)
    }

    /// Fetches one page by one ListObjects, as `.await` does.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such bucket; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<ListPage> {
        self.page().await
    }

    async fn page(&self) -> Result<ListPage> {
        let more = [("marker", self.marker.as_deref())];
        let wire = self.params.wire(&self.bucket, &self.options, None, &more)?;
        let page = self
            .bucket
            .client
            .call(&Call::new(wire, ListObjectsV1))
            .await?;
        if page.next_token.is_some() && page.next_token == self.marker {
            return Err(LoopGuard::error());
        }
        Ok(page)
    }
}

options!(ListV1);
awaitable!(ListV1, ListPage);

impl Paged for ListV1 {
    type Page = ListPage;

    async fn fetch(mut self) -> Result<(ListPage, Option<Self>)> {
        let page = self.page().await?;
        let Some(marker) = page.next_token.clone() else {
            return Ok((page, None));
        };
        self.guard.step(&marker)?;
        self.marker = Some(marker);
        Ok((page, Some(self)))
    }
}

struct ListObjectsV1;

impl S3Operation for ListObjectsV1 {
    type Output = ListPage;
    const ROW: Row = idempotency::LIST_OBJECTS_V1;

    fn parse(&self, answer: Answer) -> Result<ListPage> {
        read(&answer.bytes())
    }
}

/// Without a delimiter stores leave the marker out: it is the last key then.
fn read(text: &[u8]) -> Result<ListPage> {
    let read = objects(text)?;
    let mut page = read.page;
    page.next_token = None;
    if read.truncated {
        let last_key = page.objects.last().map(|object| &object.key);
        let last = last_key.max(page.prefixes.last());
        let next = read.next_marker.or_else(|| last.cloned());
        page.next_token = Some(next.ok_or_else(|| {
            Error::protocol("the listing is cut off and does not say where to go on")
        })?);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_given_or_what_came_last() {
        let next = |inner: &str| {
            let page = format!(
                "<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>k</Key></Contents>{inner}\
                 </ListBucketResult>"
            );
            read(page.as_bytes()).unwrap().next_token.unwrap()
        };
        assert_eq!(next(""), "k");
        assert_eq!(next("<NextMarker></NextMarker>"), "k");
        assert_eq!(next("<NextMarker>m</NextMarker>"), "m");
        assert_eq!(
            next("<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>"),
            "p/"
        );
        assert_eq!(
            next("<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"),
            "k"
        );
        let lost = b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
        assert!(read(lost).unwrap_err().to_string().contains("cut off"));
        let last = b"<ListBucketResult><NextMarker>m</NextMarker></ListBucketResult>";
        assert_eq!(read(last).unwrap().next_token, None);
    }
}
