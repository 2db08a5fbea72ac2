//! Listing the uploads in parts that are unfinished: [`Bucket::list_multipart`].

use std::time::SystemTime;

use aws_core::operation::Answer;
use aws_core::paginate::{IntoItems, Items, Paged, Pages};
use aws_core::xml::{Xml, XmlError};
use aws_core::{Error, Result, awaitable};
use pipeline_pool::Method;

use crate::answer::values;
use crate::bucket::Bucket;
use crate::idempotency::{self, Row};
use crate::limits;
use crate::list::{decoded, marker};
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;
use crate::unsigned::UnsignedRequest;

/// A request to list the uploads in parts that have begun; made by [`Bucket::list_multipart`].
///
/// Awaited it answers with one page; [`stream`](Self::stream) and [`pages`](Self::pages) go on to the end.
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone, Debug)]
pub struct ListMultipart {
    bucket: Bucket,
    prefix: Option<String>,
    delimiter: Option<String>,
    page_size: Option<u32>,
    after: Option<(String, String)>,
    options: Options,
}

/// The stream of [`ListMultipart::stream`].
pub type Multiparts = Items<ListMultipart>;
/// The stream of [`ListMultipart::pages`].
pub type MultipartPages = Pages<ListMultipart>;

/// An upload in parts in a listing; [`Bucket::multipart`] gives a handle to it.
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
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            prefix: None,
            delimiter: None,
            page_size: None,
            after: None,
            options: Options::default(),
        }
    }

    pub(crate) fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Only keys that begin with this.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Keys that go on with this after the prefix are given as one of [`MultipartPage::prefixes`]. Usually `/`.
    pub fn delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.delimiter = Some(delimiter.into());
        self
    }

    /// Lists only uploads behind this one: of higher keys, or of the same key and behind this identifier, or with an
    /// empty identifier of higher keys only.
    pub fn after(mut self, key: impl Into<String>, id: impl Into<String>) -> Self {
        self.after = Some((key.into(), id.into()));
        self
    }

    /// The most uploads and prefixes of one page, 1 to 1,000. Defaults to the store's choice, which is 1,000.
    pub fn page_size(mut self, uploads: u32) -> Self {
        self.page_size = Some(uploads);
        self
    }

    /// The uploads, one after another; page after page is fetched as they are read.
    pub fn stream(self) -> Multiparts {
        Items::new(self)
    }

    /// Makes a stream of the pages, each of which is fetched when it is asked for.
    pub fn pages(self) -> MultipartPages {
        Pages::new(self)
    }

    /// Fetches one page by one ListMultipartUploads, as `.await` does.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such bucket; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<MultipartPage> {
        self.page().await
    }

    async fn page(&self) -> Result<MultipartPage> {
        let mut wire = UnsignedRequest::bucket_root(Method::Get, &self.bucket)?;
        wire.flag("uploads");
        // Not asked to encode keys: Ceph RGW then does it and does not say so.
        if let Some(n) = self.page_size {
            limits::page_size(n)?;
            wire.query("max-uploads", &n.to_string());
        }
        for (name, value) in [("prefix", &self.prefix), ("delimiter", &self.delimiter)] {
            if let Some(value) = value {
                wire.query(name, value);
            }
        }
        if let Some((key, id)) = &self.after {
            wire.query("key-marker", key);
            if !id.is_empty() {
                wire.query("upload-id-marker", id);
            }
        }
        wire.options(self.options.clone());
        let page = self
            .bucket
            .client
            .call(&Call::new(wire, ListMultipartUploads))
            .await?;
        if page.next.is_some() && page.next == self.after {
            return Err(Error::protocol(
                "the listing does not get on: the next page is this one",
            ));
        }
        Ok(page)
    }
}

options!(ListMultipart);
awaitable!(ListMultipart, MultipartPage);

impl Paged for ListMultipart {
    type Page = MultipartPage;

    async fn fetch(mut self) -> Result<(MultipartPage, Option<Self>)> {
        let page = self.page().await?;
        let next = page.next.clone().map(|next| {
            self.after = Some(next);
            self
        });
        Ok((page, next))
    }
}

struct ListMultipartUploads;

impl S3Operation for ListMultipartUploads {
    type Output = MultipartPage;
    const ROW: Row = idempotency::LIST_MULTIPART_UPLOADS;

    fn parse(&self, answer: Answer) -> Result<MultipartPage> {
        Ok(read(&answer.bytes())?)
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
            upload.key = decoded(&upload.key)?;
        }
        for prefix in &mut page.prefixes {
            *prefix = decoded(prefix)?;
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
