//! A part, and the list of parts that the store has: [`MultipartUpload::parts`].

use std::time::SystemTime;

use aws_core::operation::Answer;
use aws_core::paginate::{Cursor, IntoItems, Items, Listing, Pages};
use aws_core::xml::{Element, Xml, XmlError};
use aws_core::{Error, Result, awaitable};
use pipeline_pool::Method;

use super::MultipartUpload;
use super::part::of_upload;
use crate::answer::etag;
use crate::answer::object::ObjectHead;
use crate::answer::values;
use crate::checksum::Checksum;
use crate::idempotency::{self, Row};
use crate::limits;
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;

/// A part that the store has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Its number, from 1: where it belongs.
    pub number: u32,
    /// The entity tag, in its quotes.
    pub etag: String,
    /// How many bytes it has, where that is known.
    pub size: Option<u64>,
    /// When it was stored, where the store says it.
    pub last_modified: Option<SystemTime>,
    /// The checksums that the store told, as elements of the completion.
    checksums: Vec<(&'static str, String)>,
}

/// Header fields of checksums and the elements that stand for them.
const CHECKSUMS: [(&str, &str); 5] = [
    ("x-amz-checksum-crc32", "ChecksumCRC32"),
    ("x-amz-checksum-crc32c", "ChecksumCRC32C"),
    ("x-amz-checksum-crc64nvme", "ChecksumCRC64NVME"),
    ("x-amz-checksum-sha1", "ChecksumSHA1"),
    ("x-amz-checksum-sha256", "ChecksumSHA256"),
];

/// The element of a checksum.
fn element(checksum: Checksum) -> &'static str {
    let mut known = CHECKSUMS.iter();
    let found = known.find(|(field, _)| *field == checksum.header());
    found.map_or("", |(_, element)| *element)
}

impl Part {
    /// A part of this number and entity tag, noted down elsewhere.
    pub fn new(number: u32, etag: impl Into<String>) -> Self {
        Self {
            number,
            etag: etag.into(),
            size: None,
            last_modified: None,
            checksums: Vec::new(),
        }
    }

    /// The same with a checksum that was noted down too: the completion of an upload that was
    /// [begun](crate::request::CreateMultipart::checksum) with one may need those of its parts.
    #[must_use]
    pub fn with_checksum(mut self, checksum: Checksum, value: impl Into<String>) -> Self {
        let element = element(checksum);
        self.checksums.retain(|(name, _)| *name != element);
        self.checksums.push((element, value.into()));
        self
    }

    /// A checksum that the store has told, in Base64.
    pub fn checksum(&self, checksum: Checksum) -> Option<&str> {
        let element = element(checksum);
        let mut told = self.checksums.iter();
        let (_, value) = told.find(|(name, _)| *name == element)?;
        Some(value)
    }

    /// What the answer to sending it says.
    pub(super) fn sent(number: u32, size: u64, head: &ObjectHead) -> Result<Self> {
        let etag = head
            .etag()
            .ok_or_else(|| Error::protocol("the store has told no entity tag of the part"))?;
        let told = |(field, element): &(&str, &'static str)| {
            Some((*element, head.header(field)?.to_owned()))
        };
        Ok(Self {
            size: Some(size),
            checksums: CHECKSUMS.iter().filter_map(told).collect(),
            ..Self::new(number, etag)
        })
    }

    /// Reads the elements of a part, or of a copy into one, which does not say its number.
    pub(super) fn read(xml: &mut Xml<'_>, mut number: Option<u32>) -> Result<Self, XmlError> {
        let mut etag = None;
        let mut part = Self::new(0, "");
        while let Some(tag) = xml.child()? {
            match tag.name() {
                "PartNumber" => number = values::value(xml)?.or(number),
                "ETag" => etag = values::text(xml)?.map(etag::quoted),
                "Size" => part.size = values::value(xml)?,
                "LastModified" => part.last_modified = values::time(xml)?,
                name => match CHECKSUMS.iter().find(|(_, element)| *element == name) {
                    Some((_, element)) => part
                        .checksums
                        .extend(values::text(xml)?.map(|value| (*element, value))),
                    None => xml.skip()?,
                },
            }
        }
        part.number = number.ok_or_else(|| XmlError::new("a part without a number"))?;
        part.etag = etag.ok_or_else(|| XmlError::new("a part without an entity tag"))?;
        Ok(part)
    }

    /// The element of the completion.
    pub(super) fn element(&self) -> Element {
        let mut element = Element::new("Part")
            .with(Element::new("PartNumber").with_text(self.number.to_string()))
            .with(Element::new("ETag").with_text(&self.etag));
        for (name, value) in &self.checksums {
            element.push(Element::new(*name).with_text(value));
        }
        element
    }
}

/// A request to list the parts of an upload; made by [`MultipartUpload::parts`].
///
/// Awaited it answers with one page; [`stream`](Self::stream) and [`pages`](Self::pages) go on to the end.
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone, Debug)]
pub struct ListParts {
    upload: MultipartUpload,
    cursor: Cursor<u32>,
    page_size: Option<u32>,
    options: Options,
}

/// The stream of [`ListParts::stream`].
pub type Parts = Items<ListParts>;
/// The stream of [`ListParts::pages`].
pub type PartPages = Pages<ListParts>;

/// One page of parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartPage {
    /// The parts, in the order of their numbers.
    pub parts: Vec<Part>,
    /// The number after which the next page begins; nothing on the last.
    pub next: Option<u32>,
}

impl IntoItems for PartPage {
    type Item = Part;

    fn into_items(self) -> impl Iterator<Item = Part> {
        self.parts.into_iter()
    }
}

impl ListParts {
    pub(crate) fn new(upload: MultipartUpload) -> Self {
        Self {
            upload,
            cursor: Cursor::default(),
            page_size: None,
            options: Options::default(),
        }
    }

    pub(crate) fn with(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Lists only parts of higher numbers. Defaults to all.
    pub fn after(mut self, number: u32) -> Self {
        self.cursor.set(number);
        self
    }

    /// The most parts of one page, 1 to 1,000. Defaults to the store's choice, which is 1,000.
    pub fn page_size(mut self, parts: u32) -> Self {
        self.page_size = Some(parts);
        self
    }

    /// The parts, one after another; page after page is fetched as they are read.
    pub fn stream(self) -> Parts {
        Items::new(self)
    }

    /// Makes a stream of the pages, each of which is fetched when it is asked for.
    pub fn pages(self) -> PartPages {
        Pages::new(self)
    }

    /// Fetches one page by one ListParts, as `.await` does.
    ///
    /// # Errors
    /// The code `NoSuchUpload` when the upload was completed or aborted; otherwise as sending and the store say.
    pub async fn send(self) -> Result<PartPage> {
        self.page().await
    }
}

options!(ListParts);
awaitable!(ListParts, PartPage);

impl Listing for ListParts {
    type Page = PartPage;
    type Token = u32;

    fn cursor(&mut self) -> &mut Cursor<u32> {
        &mut self.cursor
    }

    fn next(page: &PartPage) -> Option<u32> {
        page.next
    }

    async fn ask(&self) -> Result<PartPage> {
        let mut wire = of_upload(Method::Get, &self.upload)?;
        if let Some(n) = self.page_size {
            limits::page_size(n)?;
            wire.query("max-parts", &n.to_string());
        }
        let after = self.cursor.at();
        if let Some(n) = after {
            wire.query("part-number-marker", &n.to_string());
        }
        wire.options(self.options.clone());
        let client = self.upload.bucket.client();
        let page = client.call(&Call::new(wire, ListPartsOperation)).await?;
        if page.next.is_some_and(|next| Some(&next) <= after) {
            return Err(Error::protocol("the list of parts does not get on"));
        }
        Ok(page)
    }
}

struct ListPartsOperation;

impl S3Operation for ListPartsOperation {
    type Output = PartPage;
    const ROW: Row = idempotency::LIST_PARTS;

    fn parse(&self, answer: Answer) -> Result<PartPage> {
        Ok(read(&answer.bytes())?)
    }
}

fn read(text: &[u8]) -> Result<PartPage, XmlError> {
    let mut page = PartPage::default();
    let mut truncated = false;
    let mut xml = Xml::new(text)?;
    xml.expect_root("ListPartsResult")?;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Part" => page.parts.push(Part::read(&mut xml, None)?),
            "IsTruncated" => truncated = values::flag(&mut xml)?,
            "NextPartNumberMarker" => page.next = values::value(&mut xml)?,
            _ => xml.skip()?,
        }
    }
    match (truncated, page.next) {
        (true, None) => Err(XmlError::new(
            "the list of parts is cut off and does not say where to go on",
        )),
        (true, Some(_)) => Ok(page),
        (false, _) => Ok(PartPage { next: None, ..page }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_and_its_parts_written() {
        let page = read(
            b"<ListPartsResult><Part><PartNumber>2</PartNumber><LastModified>2010-11-10T20:48:34.000Z</LastModified>\
              <ETag>&quot;x&quot;</ETag><Size>10485760</Size><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>\
              <IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker></ListPartsResult>",
        )
        .unwrap();
        let part = &page.parts[0];
        assert_eq!(
            (part.number, part.size, page.next),
            (2, Some(10_485_760), Some(2))
        );
        assert!(part.last_modified.is_some());
        assert_eq!(
            part.element()
                .to_xml()
                .unwrap()
                .split_once("<Part>")
                .unwrap()
                .1,
            "<PartNumber>2</PartNumber><ETag>&quot;x&quot;</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>"
        );
    }

    #[test]
    fn checksums_can_be_noted_down() {
        for checksum in Checksum::ALL {
            let part = Part::new(1, "a").with_checksum(checksum, "x=");
            let part = part.with_checksum(checksum, "y=");
            assert_eq!(part.checksum(checksum), Some("y="));
            let written = part.element().to_xml().unwrap();
            let element = format!("<Checksum{0}>y=</Checksum{0}>", checksum.name());
            assert!(
                written.contains(&element) && !written.contains("x="),
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_empty_is_not_there() {
        let page = read(
            b"<ListPartsResult><IsTruncated>FALSE</IsTruncated><NextPartNumberMarker/><Part><PartNumber>1</PartNumber>\
              <ETag>a</ETag><Size/><LastModified/><ChecksumCRC32/></Part></ListPartsResult>",
        )
        .unwrap();
        assert_eq!(page.parts, [Part::new(1, "\"a\"")]);
        assert_eq!(page.next, None);
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in [
            "<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>",
            "<ListPartsResult><Part><ETag>a</ETag></Part></ListPartsResult>",
            "<ListPartsResult><Part><PartNumber>1</PartNumber></Part></ListPartsResult>",
            "<ListPartsResult><Part><PartNumber/><ETag>a</ETag></Part></ListPartsResult>",
            "<ListPartsResult><Part><PartNumber>1</PartNumber><ETag/></Part></ListPartsResult>",
            "<ListPartsResult><Part><PartNumber>-1</PartNumber><ETag>a</ETag></Part></ListPartsResult>",
            "<Other/>",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
