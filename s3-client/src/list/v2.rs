//! Listing objects: [`Bucket::list`].

use aws_core::paginate::{Items, Pages};
use aws_core::{Error, Result};

use super::listing::BucketListing;
use super::listing::sealed::{Kind, Parameters, TellsRestores};
use super::page::{ListPage, objects};
use crate::bucket::Bucket;
use crate::idempotency::{self, Row};

/// A request that lists objects by ListObjectsV2; made by [`Bucket::list`].
///
/// `objects` and `pages` make streams of it; awaited, it gives one page.
pub type List = BucketListing<ObjectsByToken>;

/// What only a [`List`] can be told.
#[derive(Clone, Debug, Default)]
pub struct ObjectsByToken {
    start_after: Option<String>,
    fetch_owner: bool,
}

/// The stream of the objects of a [`List`].
pub type Objects = Items<List>;
/// The stream of the pages of a [`List`].
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
    /// Lists only keys after this one.
    pub fn start_after(mut self, key: impl Into<String>) -> Self {
        self.told.start_after = Some(key.into());
        self
    }

    /// Whether the store shall tell whose each object is. Defaults to no.
    pub fn fetch_owner(mut self, yes: bool) -> Self {
        self.told.fetch_owner = yes;
        self
    }

    /// Goes on where an earlier page ended.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.cursor.set(token.into());
        self
    }

    /// The objects, one after another; page after page is fetched as they are read.
    pub fn objects(self) -> Objects {
        Items::new(self)
    }
}

impl Kind for ObjectsByToken {
    type Page = ListPage;
    type Token = String;
    const ROW: Row = idempotency::LIST_OBJECTS;
    const MARK: Option<(&'static str, Option<&'static str>)> = Some(("list-type", Some("2")));

    fn parameters<'a>(&'a self, token: Option<&'a String>) -> Result<Parameters<'a>> {
        Ok([
            ("start-after", self.start_after.as_deref()),
            ("fetch-owner", self.fetch_owner.then_some("true")),
            ("continuation-token", token.map(String::as_str)),
        ])
    }

    fn read(text: &[u8]) -> Result<ListPage> {
        read(text)
    }

    fn next(page: &ListPage) -> Option<String> {
        page.next_token.clone()
    }
}

impl TellsRestores for ObjectsByToken {}

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
