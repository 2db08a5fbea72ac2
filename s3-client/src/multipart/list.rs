//! Listing the uploads in parts that are unfinished: [`Bucket::list_multipart`](crate::Bucket::list_multipart).

use std::time::SystemTime;

use aws_core::Result;
use aws_core::paginate::{IntoItems, Items, Pages};
use aws_core::xml::{Xml, XmlError};

use crate::answer::values;
use crate::idempotency::{self, Row};
use crate::list::listing::sealed::{Kind, Parameters};
use crate::list::{BucketListing, decode, marker};

/// A request to list the uploads in parts that have begun, by ListMultipartUploads; made by
/// [`Bucket::list_multipart`](crate::Bucket::list_multipart).
///
/// Awaited it answers with one page; `stream` and `pages` go on to the end.
pub type ListMultipart = BucketListing<UnfinishedUploads>;

/// What only a [`ListMultipart`] can be told: nothing.
#[derive(Clone, Debug, Default)]
pub struct UnfinishedUploads(());

/// The stream of the uploads of a [`ListMultipart`].
pub type Multiparts = Items<ListMultipart>;
/// The stream of the pages of a [`ListMultipart`].
pub type MultipartPages = Pages<ListMultipart>;

/// An upload in parts in a listing; [`Bucket::multipart`](crate::Bucket::multipart) gives a handle to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultipartInfo {
    /// The key that the object will have.
    pub key: String,
    /// The store's identifier of the upload.
    pub id: String,
    /// When it began, where the store says it.
    pub initiated: Option<SystemTime>,
    /// The storage class, where the store says it.
    pub storage_class: Option<String>,
}

/// One page of uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultipartPage {
    /// The uploads, in the order of their keys.
    pub uploads: Vec<MultipartInfo>,
    /// What keys have in common up to the delimiter, in place of their uploads.
    pub prefixes: Vec<String>,
    /// Key and identifier after which the next page begins; nothing on the last.
    pub next: Option<(String, String)>,
}

impl IntoItems for MultipartPage {
    type Item = MultipartInfo;

    fn into_items(self) -> impl Iterator<Item = MultipartInfo> {
        self.uploads.into_iter()
    }
}

impl ListMultipart {
    /// Lists only uploads behind this one: of higher keys, or of the same key and behind this identifier, or with an
    /// empty identifier of higher keys only.
    pub fn after(mut self, key: impl Into<String>, id: impl Into<String>) -> Self {
        self.cursor.set((key.into(), id.into()));
        self
    }

    /// The uploads, one after another; page after page is fetched as they are read.
    pub fn stream(self) -> Multiparts {
        Items::new(self)
    }
}

impl Kind for UnfinishedUploads {
    type Page = MultipartPage;
    type Token = (String, String);
    const ROW: Row = idempotency::LIST_MULTIPART_UPLOADS;
    const MARK: Option<(&'static str, Option<&'static str>)> = Some(("uploads", None));
    const PAGE_SIZE: &'static str = "max-uploads";
    // Ceph RGW encodes keys where it is asked to, and does not say so.
    const IS_ENCODED: bool = false;

    fn parameters<'a>(&'a self, after: Option<&'a (String, String)>) -> Result<Parameters<'a>> {
        let key = after.map(|(key, _)| key.as_str());
        let id = after.map(|(_, id)| id.as_str()).filter(|id| !id.is_empty());
        Ok([("key-marker", key), ("upload-id-marker", id), ("", None)])
    }

    fn read(text: &[u8]) -> Result<MultipartPage> {
        Ok(read(text)?)
    }

    fn next(page: &MultipartPage) -> Option<(String, String)> {
        page.next.clone()
    }
}

fn read(text: &[u8]) -> Result<MultipartPage, XmlError> {
    let mut page = MultipartPage::default();
    let mut truncated = false;
    let mut encoded = false;
    let mut next = (String::new(), String::new());
    let mut xml = Xml::new(text)?;
    xml.expect_root("ListMultipartUploadsResult")?;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Upload" => page.uploads.push(upload(&mut xml)?),
            "CommonPrefixes" => {
                while let Some(tag) = xml.child()? {
                    match tag.name() {
                        "Prefix" => page.prefixes.extend(values::text(&mut xml)?),
                        _ => xml.skip()?,
                    }
                }
            }
            "IsTruncated" => truncated = values::flag(&mut xml)?,
            "EncodingType" => encoded = xml.text()? == "url",
            "NextKeyMarker" => next.0 = xml.text()?,
            "NextUploadIdMarker" => next.1 = xml.text()?,
            _ => xml.skip()?,
        }
    }
    if encoded {
        for upload in &mut page.uploads {
            decode(&mut upload.key)?;
        }
        for prefix in &mut page.prefixes {
            decode(prefix)?;
        }
        let keys = page.uploads.iter().map(|upload| &upload.key);
        next.0 = marker(next.0, keys.chain(&page.prefixes));
    }
    if truncated {
        if next.0.is_empty() {
            return Err(XmlError::new(
                "the listing is cut off and does not say where to go on",
            ));
        }
        page.next = Some(next);
    }
    Ok(page)
}

fn upload(xml: &mut Xml<'_>) -> Result<MultipartInfo, XmlError> {
    let mut key = None;
    let mut id = None;
    let mut initiated = None;
    let mut storage_class = None;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Key" => key = values::text(xml)?,
            "UploadId" => id = values::text(xml)?,
            "Initiated" => initiated = values::time(xml)?,
            "StorageClass" => storage_class = values::text(xml)?,
            _ => xml.skip()?,
        }
    }
    Ok(MultipartInfo {
        key: key.ok_or_else(|| XmlError::new("an upload without a key"))?,
        id: id.ok_or_else(|| XmlError::new("an upload without an identifier"))?,
        initiated,
        storage_class,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let page = read(
            b"<ListMultipartUploadsResult><EncodingType>url</EncodingType><NextKeyMarker>a+b</NextKeyMarker>\
              <NextUploadIdMarker>1</NextUploadIdMarker><IsTruncated>true</IsTruncated><Upload><Key>a+b</Key>\
              <UploadId>1</UploadId><Initiator><ID>x</ID></Initiator><StorageClass>STANDARD</StorageClass>\
              <Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload><CommonPrefixes><Prefix>p%2F</Prefix>\
              </CommonPrefixes></ListMultipartUploadsResult>",
        )
        .unwrap();
        let upload = &page.uploads[0];
        assert_eq!((upload.key.as_str(), upload.id.as_str()), ("a b", "1"));
        assert!(upload.initiated.is_some() && upload.storage_class.is_some());
        assert_eq!(page.prefixes, ["p/"]);
        assert_eq!(page.next, Some(("a b".to_owned(), "1".to_owned())));
    }

    #[test]
    fn what_other_servers_write_is_read() {
        let page = read(
            b"<ListMultipartUploadsResult><EncodingType>url</EncodingType><NextKeyMarker>100%</NextKeyMarker>\
              <NextUploadIdMarker/><IsTruncated>True</IsTruncated><Upload><Key>100%</Key><UploadId>1</UploadId>\
              <StorageClass/><Initiated/></Upload><CommonPrefixes><Prefix/></CommonPrefixes>\
              </ListMultipartUploadsResult>",
        )
        .unwrap();
        let upload = &page.uploads[0];
        assert_eq!(
            (upload.key.as_str(), &upload.storage_class),
            ("100%", &None)
        );
        assert!(page.prefixes.is_empty());
        assert_eq!(page.next, Some(("100%".to_owned(), String::new())));
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in [
            "<ListMultipartUploadsResult><Upload><Key/><UploadId>a</UploadId></Upload></ListMultipartUploadsResult>",
            "<ListMultipartUploadsResult><Upload><Key>a</Key><UploadId/></Upload></ListMultipartUploadsResult>",
            "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>",
            "<ListMultipartUploadsResult><Upload><Key>a</Key></Upload></ListMultipartUploadsResult>",
            "<ListMultipartUploadsResult><Upload><UploadId>a</UploadId></Upload></ListMultipartUploadsResult>",
            "<Other/>",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
