//! What a store keeps of an object: [`Bucket::get_object_attributes`].

use std::borrow::Cow;
use std::time::SystemTime;

use aws_core::operation::Answer;
use aws_core::xml::{Element, XmlError};
use aws_core::{Result, awaitable};
use pipeline_pool::Method;

use crate::answer::etag::quoted;
use crate::answer::object::ObjectHead;
use crate::answer::values::{parsed_flag, text_of, value_of};
use crate::bucket::Bucket;
use crate::checksum::Checksum;
use crate::idempotency::{self, Row};
use crate::limits;
use crate::operation::{Call, S3Operation};
use crate::request::encryption::{CustomerKey, Of};
use crate::request::options::Options;
use crate::unsigned::{Field, UnsignedRequest};

const ALL: &str = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize";

/// A request for what a store keeps of an object, its parts included; made by [`Bucket::get_object_attributes`].
///
/// Stores that do not know it answer with the object itself, which is then an error of
/// [`Kind::Protocol`](crate::Kind::Protocol).
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct GetObjectAttributes {
    bucket: Bucket,
    key: String,
    version: Option<String>,
    customer_key: Option<CustomerKey>,
    behind: Option<u32>,
    options: Options,
}

impl Bucket {
    /// Fetches what the store keeps of an object: its checksums, and how it came in parts.
    ///
    /// [GetObjectAttributes](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html)
    pub fn get_object_attributes(&self, key: impl Into<String>) -> GetObjectAttributes {
        GetObjectAttributes::new(self.clone(), key.into())
    }
}

impl GetObjectAttributes {
    pub(crate) fn new(bucket: Bucket, key: String) -> Self {
        Self {
            bucket,
            key,
            version: None,
            customer_key: None,
            behind: None,
            options: Options::default(),
        }
    }

    /// Those of this version of it. Defaults to the current one.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version = Some(id.into());
        self
    }

    /// The key that it was [encrypted](CustomerKey) with.
    pub fn customer_key(mut self, key: CustomerKey) -> Self {
        self.customer_key = Some(key);
        self
    }

    /// Tells of the parts behind this one, 1 to 10,000: the answer has up to 1,000. Defaults to the first ones.
    pub fn parts_behind(mut self, number: u32) -> Self {
        self.behind = Some(number);
        self
    }

    /// Sends GetObjectAttributes, as `.await` does.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such object; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<ObjectAttributes> {
        let mut wire = UnsignedRequest::object(Method::Get, &self.bucket, &self.key)?;
        wire.query("attributes", "");
        if let Some(version) = &self.version {
            wire.version(version)?;
        }
        let mut fields: Vec<Field> =
            vec![(Cow::Borrowed("x-amz-object-attributes"), ALL.to_owned())];
        if let Some(behind) = self.behind {
            limits::part(behind)?;
            fields.push((
                Cow::Borrowed("x-amz-part-number-marker"),
                behind.to_string(),
            ));
        }
        if let Some(key) = &self.customer_key {
            key.put_fields(Of::Object, wire.origin(), &mut fields)?;
        }
        wire.fields(fields)?;
        wire.options(self.options);
        self.bucket
            .client()
            .call(&Call::new(wire, GetObjectAttributesOperation))
            .await
    }
}

options!(GetObjectAttributes);
awaitable!(GetObjectAttributes, ObjectAttributes);

/// What a store keeps of an object.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ObjectAttributes {
    /// The entity tag, in its quotes.
    pub etag: Option<String>,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The storage class, for example `STANDARD`.
    pub storage_class: Option<String>,
    /// When it was stored, to the second.
    pub last_modified: Option<SystemTime>,
    /// How many parts it came in; nothing for what came by one put.
    pub parts_count: Option<u32>,
    /// The parts, in their order, where the store keeps a checksum of each.
    pub parts: Vec<PartAttributes>,
    /// Whether there are more parts behind these.
    pub more_parts: bool,
    checksums: Vec<(Checksum, String)>,
    composite: bool,
    version_id: Option<String>,
}

/// What a store keeps of a part.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PartAttributes {
    /// The number of the part, from 1.
    pub number: u32,
    /// The size of the part in bytes.
    pub size: u64,
    checksums: Vec<(Checksum, String)>,
}

impl ObjectAttributes {
    /// A checksum of the object, in Base64.
    pub fn checksum(&self, checksum: Checksum) -> Option<&str> {
        find(&self.checksums, checksum)
    }

    /// Whether the checksum is of those of the parts, rather than of all bytes.
    pub fn is_composite(&self) -> bool {
        self.composite
    }

    /// The version, in a bucket that keeps versions.
    pub fn version_id(&self) -> Option<&str> {
        self.version_id.as_deref()
    }
}

impl PartAttributes {
    /// A checksum of the part, in Base64.
    pub fn checksum(&self, checksum: Checksum) -> Option<&str> {
        find(&self.checksums, checksum)
    }
}

fn find(all: &[(Checksum, String)], wanted: Checksum) -> Option<&str> {
    let mut all = all.iter();
    all.find(|(known, _)| *known == wanted)
        .map(|(_, value)| value.as_str())
}

struct GetObjectAttributesOperation;

impl S3Operation for GetObjectAttributesOperation {
    type Output = ObjectAttributes;
    const ROW: Row = idempotency::GET_OBJECT_ATTRIBUTES;

    fn parse(&self, answer: Answer) -> Result<ObjectAttributes> {
        let text = answer.bytes();
        let head = ObjectHead::new(answer.head);
        let mut attributes = read(&text)?;
        attributes.last_modified = head.last_modified();
        attributes.version_id = head.version_id().map(str::to_owned);
        Ok(attributes)
    }
}

fn read(text: &[u8]) -> Result<ObjectAttributes, XmlError> {
    let root = Element::parse(text)?;
    // The name that the documentation has, and the one that Amazon sends.
    if !["GetObjectAttributesResponse", "GetObjectAttributesOutput"].contains(&root.name()) {
        let found: String = root.name().chars().take(64).collect();
        return Err(XmlError::new(format!(
            "it begins with <{found}>, not with the attributes of an object"
        )));
    }
    let own = |name| text_of(&root, name);
    let checksum = root.child("Checksum");
    let kind = checksum.and_then(|sums| text_of(sums, "ChecksumType"));
    let parts = root.child("ObjectParts");
    let truncated = parts.and_then(|parts| text_of(parts, "IsTruncated"));
    let count = |name| parts.map_or(Ok(None), |parts| value_of(parts, name));
    let listed = parts.map(Element::children).unwrap_or_default().iter();
    Ok(ObjectAttributes {
        etag: own("ETag").map(quoted),
        size: value_of(&root, "ObjectSize")?,
        storage_class: own("StorageClass"),
        last_modified: None,
        parts_count: count("PartsCount")?.or(count("TotalPartsCount")?),
        parts: listed
            .filter(|part| part.name() == "Part")
            .map(read_part)
            .collect::<Result<_, _>>()?,
        more_parts: parsed_flag(&truncated.unwrap_or_default())?.unwrap_or(false),
        checksums: checksum.map(read_checksums).unwrap_or_default(),
        composite: kind.is_some_and(|kind| kind.eq_ignore_ascii_case("COMPOSITE")),
        version_id: None,
    })
}

fn read_part(part: &Element) -> Result<PartAttributes, XmlError> {
    let number = value_of(part, "PartNumber")?;
    let size = value_of(part, "Size")?;
    Ok(PartAttributes {
        number: number.ok_or_else(|| XmlError::new("a part has no number"))?,
        size: size.unwrap_or_default(),
        checksums: read_checksums(part),
    })
}

fn read_checksums(element: &Element) -> Vec<(Checksum, String)> {
    let one = |checksum: Checksum| {
        let value = text_of(element, &format!("Checksum{}", checksum.name()))?;
        Some((checksum, value))
    };
    Checksum::ALL.into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazons_example_is_read() {
        let found = read(
            b"<GetObjectAttributesResponse xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>\
              <ETag>0123-2</ETag>\
              <Checksum><ChecksumSHA256>abc=-2</ChecksumSHA256><ChecksumType>COMPOSITE</ChecksumType></Checksum>\
              <ObjectParts><IsTruncated>true</IsTruncated><MaxParts>1000</MaxParts><PartsCount>2</PartsCount>\
              <Part><ChecksumSHA256>x=</ChecksumSHA256><PartNumber>1</PartNumber><Size>5</Size></Part>\
              <Part><PartNumber>2</PartNumber><Size>1</Size></Part></ObjectParts>\
              <StorageClass>STANDARD</StorageClass><ObjectSize>6</ObjectSize><New/>\
              </GetObjectAttributesResponse>",
        )
        .unwrap();
        assert_eq!(
            (found.etag.as_deref(), found.size),
            (Some("\"0123-2\""), Some(6))
        );
        assert_eq!(found.checksum(Checksum::Sha256), Some("abc=-2"));
        assert!(found.is_composite() && found.more_parts);
        assert_eq!((found.parts_count, found.parts.len()), (Some(2), 2));
        assert_eq!(found.parts[0].checksum(Checksum::Sha256), Some("x="));
        assert_eq!((found.parts[1].number, found.parts[1].size), (2, 1));
    }

    #[test]
    fn what_is_empty_is_not_there() {
        let found = read(
            b"<GetObjectAttributesOutput><ETag/><ObjectSize></ObjectSize><StorageClass/><Checksum><ChecksumSHA256/>\
              </Checksum><ObjectParts><IsTruncated>True</IsTruncated><PartsCount/><TotalPartsCount>3</TotalPartsCount>\
              <Part><PartNumber>1</PartNumber><Size/></Part></ObjectParts></GetObjectAttributesOutput>",
        )
        .unwrap();
        assert_eq!((found.etag.as_deref(), found.size), (None, None));
        assert_eq!(found.storage_class.as_deref(), None);
        assert_eq!(found.checksum(Checksum::Sha256), None);
        assert_eq!((found.parts_count, found.more_parts), (Some(3), true));
        assert_eq!(found.parts[0].size, 0);
    }

    #[test]
    fn an_object_is_not_taken_for_its_attributes() {
        for bad in [
            &b"meow"[..],
            b"",
            b"<html/>",
            b"<GetObjectAttributesResponse><ObjectSize>x</ObjectSize></GetObjectAttributesResponse>",
            b"<GetObjectAttributesResponse><ObjectParts><Part/></ObjectParts></GetObjectAttributesResponse>",
        ] {
            assert!(read(bad).is_err());
        }
    }
}
