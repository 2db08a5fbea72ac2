use aws_core::awaitable;
use std::time::SystemTime;

use aws_core::operation::Answer;
use aws_core::paginate::{IntoItems, Items, Paged, Pages};
use aws_core::time::parse_iso8601;
use aws_core::xml::{Xml, XmlError};
use aws_core::{Error, Idempotency, Operation, Result};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::idempotency;
use crate::limits;
use crate::options::Options;
use crate::wire::{S3, Wire};

/// A request that lists objects; made by [`Bucket::list`].
///
/// [`objects`](Self::objects) and [`pages`](Self::pages) make streams of it; awaited, it gives one page.
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone, Debug)]
pub struct List {
    bucket: Bucket,
    prefix: Option<String>,
    delimiter: Option<String>,
    start_after: Option<String>,
    page_size: Option<u32>,
    token: Option<String>,
    options: Options,
}

/// The stream of [`List::objects`].
pub type Objects = Items<List>;
/// The stream of [`List::pages`].
pub type ObjectPages = Pages<List>;

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The key.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The entity tag, in its quotes.
    pub etag: Option<String>,
    /// When it was stored.
    pub last_modified: Option<SystemTime>,
    /// The storage class, where the store says it.
    pub storage_class: Option<String>,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListPage {
    /// The objects, in the order of their keys.
    pub objects: Vec<ObjectInfo>,
    /// What keys have in common up to the delimiter, in place of those keys.
    pub prefixes: Vec<String>,
    /// Where the next page begins; nothing on the last.
    pub next_token: Option<String>,
}

impl IntoItems for ListPage {
    type Item = ObjectInfo;

    fn into_items(self) -> impl Iterator<Item = ObjectInfo> {
        self.objects.into_iter()
    }
}

impl List {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            prefix: None,
            delimiter: None,
            start_after: None,
            page_size: None,
            token: None,
            options: Options::default(),
        }
    }

    /// Only keys that begin with this.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Keys that go on with this after the prefix are given as one of [`ListPage::prefixes`]. Usually `/`.
    pub fn delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.delimiter = Some(delimiter.into());
        self
    }

    /// Only keys after this one.
    pub fn start_after(mut self, key: impl Into<String>) -> Self {
        self.start_after = Some(key.into());
        self
    }

    /// The most objects and prefixes of one page, 1 to 1,000. Defaults to the store's choice, which is 1,000.
    pub fn page_size(mut self, keys: u32) -> Self {
        self.page_size = Some(keys);
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

    /// The pages.
    pub fn pages(self) -> ObjectPages {
        Pages::new(self)
    }

    /// Fetches one page.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such bucket; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<ListPage> {
        self.page().await
    }

    async fn page(&self) -> Result<ListPage> {
        let mut wire = Wire::bucket_root(Method::Get, &self.bucket)?;
        wire.options(self.options.clone());
        wire.query("list-type", "2");
        // XML cannot carry every character that a key can have.
        wire.query("encoding-type", "url");
        let page_size = self
            .page_size
            .map(|n| limits::page_size(n).map(|()| n.to_string()))
            .transpose()?;
        for (name, value) in [
            ("prefix", &self.prefix),
            ("delimiter", &self.delimiter),
            ("start-after", &self.start_after),
            ("max-keys", &page_size),
            ("continuation-token", &self.token),
        ] {
            if let Some(value) = value {
                wire.query(name, value);
            }
        }
        let page = self.bucket.client.call(&ListObjects { wire }).await?;
        if page.next_token.is_some() && page.next_token == self.token {
            return Err(Error::protocol(
                "the listing does not get on: the next page is this one",
            ));
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
        let next = page.next_token.clone().map(|token| {
            self.token = Some(token);
            self
        });
        Ok((page, next))
    }
}

struct ListObjects {
    wire: Wire,
}

impl Operation for ListObjects {
    type Output = ListPage;
    const NAME: &'static str = idempotency::LIST_OBJECTS.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::LIST_OBJECTS.idempotency
    }

    fn parse(&self, _: &S3, answer: Answer) -> Result<ListPage> {
        Ok(read(&answer.bytes())?)
    }
}

fn read(text: &[u8]) -> Result<ListPage, XmlError> {
    let mut page = ListPage::default();
    let mut truncated = false;
    let mut encoded = false;
    let mut xml = Xml::new(text)?;
    xml.expect_root("ListBucketResult")?;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Contents" => page.objects.push(object(&mut xml)?),
            "CommonPrefixes" => {
                while let Some(tag) = xml.child()? {
                    match tag.name() {
                        "Prefix" => page.prefixes.push(xml.text()?),
                        _ => xml.skip()?,
                    }
                }
            }
            "IsTruncated" => truncated = xml.value()?,
            "EncodingType" => encoded = xml.text()? == "url",
            "NextContinuationToken" => page.next_token = Some(xml.text()?),
            _ => xml.skip()?,
        }
    }
    if encoded {
        for object in &mut page.objects {
            object.key = decoded(&object.key)?;
        }
        for prefix in &mut page.prefixes {
            *prefix = decoded(prefix)?;
        }
    }
    match (truncated, &page.next_token) {
        (true, None) => Err(XmlError::new(
            "the listing is cut off and does not say where to go on",
        )),
        (true, Some(_)) => Ok(page),
        (false, _) => Ok(ListPage {
            next_token: None,
            ..page
        }),
    }
}

fn object(xml: &mut Xml<'_>) -> Result<ObjectInfo, XmlError> {
    let mut key = None;
    let mut info = ObjectInfo {
        key: String::new(),
        size: 0,
        etag: None,
        last_modified: None,
        storage_class: None,
    };
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Key" => key = Some(xml.text()?),
            "Size" => info.size = xml.value()?,
            "ETag" => info.etag = Some(xml.text()?),
            "LastModified" => info.last_modified = parse_iso8601(&xml.text()?),
            "StorageClass" => info.storage_class = Some(xml.text()?),
            _ => xml.skip()?,
        }
    }
    info.key = key.ok_or_else(|| XmlError::new("an object without a key"))?;
    Ok(info)
}

/// A key as a form field encodes it: some stores write a space as `+`, all write a plus as `%2B`.
pub(crate) fn decoded(text: &str) -> Result<String, XmlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        bytes.push(match b {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => return Err(XmlError::new("a key is not percent-encoded")),
                }
            }
            b => b,
        });
    }
    String::from_utf8(bytes).map_err(|_| XmlError::new("a key is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let page = read(
            b"<ListBucketResult><Name>b</Name><Contents><Key>a+b%2Bc%C3%A9</Key><LastModified>2009-10-12T17:50:30.000Z\
              </LastModified><ETag>&quot;x&quot;</ETag><Size>434234</Size><StorageClass>STANDARD</StorageClass></Contents>\
              <CommonPrefixes><Prefix>p%2F</Prefix></CommonPrefixes><EncodingType>url</EncodingType>\
              <IsTruncated>true</IsTruncated><NextContinuationToken>t=</NextContinuationToken></ListBucketResult>",
        )
        .unwrap();
        assert_eq!(page.objects[0].key, "a b+c\u{e9}");
        assert_eq!(
            (page.objects[0].size, page.objects[0].etag.as_deref()),
            (434_234, Some("\"x\""))
        );
        assert_eq!(page.prefixes, ["p/"]);
        assert_eq!(page.next_token.as_deref(), Some("t="));
    }

    #[test]
    fn without_encoding_keys_are_as_they_come() {
        let page =
            read(b"<ListBucketResult><Contents><Key>a+b%</Key></Contents></ListBucketResult>")
                .unwrap();
        assert_eq!(page.objects[0].key, "a+b%");
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in [
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>",
            "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%4</Key></Contents></ListBucketResult>",
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%FF</Key></Contents></ListBucketResult>",
            "<Other/>",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
