//! Listing objects by the first version of the operation: [`Bucket::list_v1`].

use aws_core::paginate::{Items, Pages};
use aws_core::{Error, Result};

use super::listing::BucketListing;
use super::listing::sealed::{Kind, Parameters, TellsRestores};
use super::page::{ListPage, objects};
use crate::bucket::Bucket;
use crate::idempotency::{self, Row};

/// A request that lists objects by ListObjects, the first version of that operation, for stores that lack the second;
/// made by [`Bucket::list_v1`].
///
/// `objects` and `pages` make streams of it; awaited, it gives one page.
pub type ListV1 = BucketListing<ObjectsByMarker>;

/// What only a [`ListV1`] can be told: nothing.
#[derive(Clone, Debug, Default)]
pub struct ObjectsByMarker(());

/// The stream of the objects of a [`ListV1`].
pub type ObjectsV1 = Items<ListV1>;
/// The stream of the pages of a [`ListV1`].
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
    /// Lists only keys after this one, and prefixes after it: where an earlier page ended.
    pub fn marker(mut self, key: impl Into<String>) -> Self {
        self.cursor.set(key.into());
        self
    }

    /// The objects, one after another; page after page is fetched as they are read.
    pub fn objects(self) -> ObjectsV1 {
        Items::new(self)
    }
}

impl Kind for ObjectsByMarker {
    type Page = ListPage;
    type Token = String;
    const ROW: Row = idempotency::LIST_OBJECTS_V1;
    const MARK: Option<(&'static str, Option<&'static str>)> = None;

    fn parameters<'a>(&'a self, marker: Option<&'a String>) -> Result<Parameters<'a>> {
        let marker = ("marker", marker.map(String::as_str));
        Ok([marker, ("", None), ("", None)])
    }

    fn read(text: &[u8]) -> Result<ListPage> {
        read(text)
    }

    fn next(page: &ListPage) -> Option<String> {
        page.next_token.clone()
    }
}

impl TellsRestores for ObjectsByMarker {}

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
