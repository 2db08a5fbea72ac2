//! The pages of listings of objects, and how keys in them are decoded.

use std::time::SystemTime;

use aws_core::paginate::IntoItems;
use aws_core::xml::{Xml, XmlError};

use crate::answer::etag;
use crate::answer::values;
use crate::config::Owner;

/// An object in a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The key of the object.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The entity tag, in its quotes.
    pub etag: Option<String>,
    /// The time at which the object was stored.
    pub last_modified: Option<SystemTime>,
    /// The storage class, where the store says it.
    pub storage_class: Option<String>,
    /// Whose it is, where the store says it: see [`List::fetch_owner`](crate::request::List::fetch_owner).
    pub owner: Option<Owner>,
    /// The algorithms of the checksums that are stored with it, such as `CRC32C`.
    pub checksum_algorithms: Vec<String>,
    /// Whether its checksum is of all of it (`FULL_OBJECT`) or of its parts (`COMPOSITE`).
    pub checksum_type: Option<String>,
    /// How far it is restored from an archive, where that was asked for.
    pub restore: Option<RestoreStatus>,
}

/// How far an object is restored from an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreStatus {
    /// Whether it is being restored.
    pub in_progress: bool,
    /// Until when the restored copy is kept.
    pub expiry: Option<SystemTime>,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListPage {
    /// The objects, in the order of their keys.
    pub objects: Vec<ObjectInfo>,
    /// What keys have in common up to the delimiter, in place of those keys.
    #[doc(alias("common_prefixes", "CommonPrefixes"))]
    pub prefixes: Vec<String>,
    /// Where the next page begins, nothing on the last: a [token](crate::request::List::token), or in the first version a
    /// [marker](crate::request::ListV1::marker).
    pub next_token: Option<String>,
}

impl IntoItems for ListPage {
    type Item = ObjectInfo;

    fn into_items(self) -> impl Iterator<Item = ObjectInfo> {
        self.objects.into_iter()
    }
}

/// What a page of objects says, in either version.
pub(super) struct Read {
    pub(super) page: ListPage,
    pub(super) truncated: bool,
    pub(super) next_marker: Option<String>,
}

pub(super) fn objects(text: &[u8]) -> Result<Read, XmlError> {
    let mut page = ListPage::default();
    let (mut truncated, mut encoded, mut next_marker) = (false, false, None);
    let mut xml = Xml::new(text)?;
    xml.expect_root("ListBucketResult")?;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Contents" => page.objects.push(object(&mut xml)?),
            "CommonPrefixes" => prefixes(&mut xml, &mut page.prefixes)?,
            "IsTruncated" => truncated = values::flag(&mut xml)?,
            "EncodingType" => encoded = xml.text()? == "url",
            "NextContinuationToken" => page.next_token = values::text(&mut xml)?,
            "NextMarker" => next_marker = values::text(&mut xml)?,
            _ => xml.skip()?,
        }
    }
    if encoded {
        for object in &mut page.objects {
            decode(&mut object.key)?;
        }
        for prefix in &mut page.prefixes {
            decode(prefix)?;
        }
        next_marker = next_marker.map(|next| {
            let keys = page.objects.iter().map(|object| &object.key);
            marker(next, keys.chain(&page.prefixes))
        });
    }
    Ok(Read {
        page,
        truncated,
        next_marker,
    })
}

/// The prefixes of one `CommonPrefixes`.
pub(super) fn prefixes(xml: &mut Xml<'_>, all: &mut Vec<String>) -> Result<(), XmlError> {
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Prefix" => all.extend(values::text(xml)?),
            _ => xml.skip()?,
        }
    }
    Ok(())
}

fn object(xml: &mut Xml<'_>) -> Result<ObjectInfo, XmlError> {
    let mut info = ObjectInfo::default();
    let mut key = None;
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Key" => key = values::text(xml)?,
            name => field(xml, name, &mut info)?,
        }
    }
    info.key = key.ok_or_else(|| XmlError::new("an object without a key"))?;
    Ok(info)
}

/// What objects and versions have alike; leaves out what is not known.
pub(super) fn field(xml: &mut Xml<'_>, name: &str, info: &mut ObjectInfo) -> Result<(), XmlError> {
    match name {
        "Size" => info.size = values::value(xml)?.unwrap_or_default(),
        "ETag" => info.etag = values::text(xml)?.map(etag::quoted),
        "LastModified" => info.last_modified = values::time(xml)?,
        "StorageClass" => info.storage_class = values::text(xml)?,
        "Owner" => info.owner = Some(owner(xml)?),
        "ChecksumAlgorithm" => info.checksum_algorithms.extend(values::text(xml)?),
        "ChecksumType" => info.checksum_type = values::text(xml)?,
        "RestoreStatus" => info.restore = Some(restore(xml)?),
        _ => xml.skip()?,
    }
    Ok(())
}

fn owner(xml: &mut Xml<'_>) -> Result<Owner, XmlError> {
    let mut owner = Owner::new();
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "ID" => owner.id = values::text(xml)?,
            "DisplayName" => owner.display_name = values::text(xml)?,
            _ => xml.skip()?,
        }
    }
    Ok(owner)
}

fn restore(xml: &mut Xml<'_>) -> Result<RestoreStatus, XmlError> {
    let mut status = RestoreStatus::default();
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "IsRestoreInProgress" => status.in_progress = values::flag(xml)?,
            "RestoreExpiryDate" => status.expiry = values::time(xml)?,
            _ => xml.skip()?,
        }
    }
    Ok(status)
}

/// The marker of the next page, on a page that is encoded. Ceph RGW encodes all but this, so that it may be meant
/// encoded or as it stands: what is a name of the page is meant, and of two names the later, since the page ends there.
/// The names are the decoded ones.
pub(crate) fn marker<'a>(text: String, names: impl Iterator<Item = &'a String>) -> String {
    let Ok(meant) = decoded(&text) else {
        return text;
    };
    let named = names.filter(|name| **name == meant || **name == text);
    named.max().cloned().unwrap_or(meant)
}

/// Decodes a key where it stands: most have nothing that was encoded.
///
/// # Errors
/// When it is not UTF-8.
pub(crate) fn decode(key: &mut String) -> Result<(), XmlError> {
    if key.bytes().any(|b| matches!(b, b'+' | b'%')) {
        *key = decoded(key)?;
    }
    Ok(())
}

/// A key as a form field encodes it: some stores write a space as `+`, all write a plus as `%2B`. A percent sign that
/// begins no escape stands for itself, as [browsers](https://url.spec.whatwg.org/#percent-decode) read it.
///
/// # Errors
/// When it is not UTF-8.
pub(crate) fn decoded(text: &str) -> Result<String, XmlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match (first, escaped(after)) {
            (b'+', _) => b' ',
            (b'%', Some(byte)) => {
                rest = &after[2..];
                byte
            }
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| XmlError::new("a key is not UTF-8"))
}

/// The byte of two hexadecimal digits that come first.
fn escaped(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    Some((digit(0)? * 16 + digit(1)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_element_is_read() {
        let read = objects(
            b"<ListBucketResult><Name>b</Name><Contents><ChecksumAlgorithm>CRC32C</ChecksumAlgorithm><ChecksumType>\
              FULL_OBJECT</ChecksumType><ETag>&quot;x&quot;</ETag><Key>a+b%2Bc%C3%A9</Key><LastModified>\
              2009-10-12T17:50:30.000Z</LastModified><Owner><DisplayName>ann</DisplayName><ID>7</ID></Owner>\
              <RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress><RestoreExpiryDate>\
              2012-12-21T00:00:00.000Z</RestoreExpiryDate></RestoreStatus><Size>434234</Size><StorageClass>STANDARD\
              </StorageClass></Contents><CommonPrefixes><Prefix>p%2F</Prefix></CommonPrefixes><EncodingType>url\
              </EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t=%2F</NextContinuationToken>\
              <NextMarker>m%2F</NextMarker><KeyCount>2</KeyCount></ListBucketResult>",
        )
        .unwrap();
        let object = &read.page.objects[0];
        assert_eq!(object.key, "a b+c\u{e9}");
        assert_eq!(
            (object.size, object.etag.as_deref()),
            (434_234, Some("\"x\""))
        );
        assert_eq!(object.owner, Some(Owner::new().id("7").display_name("ann")));
        assert_eq!(object.checksum_algorithms, ["CRC32C"]);
        let restore = object.restore.as_ref().unwrap();
        assert!(!restore.in_progress && restore.expiry.is_some());
        assert_eq!(read.page.prefixes, ["p/"]);
        assert_eq!(read.page.next_token.as_deref(), Some("t=%2F"));
        assert_eq!(
            (read.truncated, read.next_marker.as_deref()),
            (true, Some("m/"))
        );
    }

    #[test]
    fn a_tag_has_the_quotes_that_a_get_tells_it_with() {
        for tag in ["x", "&quot;x&quot;"] {
            let text = format!(
                "<ListBucketResult><Contents><Key>a</Key><ETag>{tag}</ETag></Contents></ListBucketResult>"
            );
            let read = objects(text.as_bytes()).unwrap();
            assert_eq!(read.page.objects[0].etag.as_deref(), Some("\"x\""));
        }
    }

    #[test]
    fn without_encoding_keys_are_as_they_come() {
        let text = b"<ListBucketResult><Contents><Key>a+b%</Key></Contents></ListBucketResult>";
        assert_eq!(objects(text).unwrap().page.objects[0].key, "a+b%");
    }

    #[test]
    fn what_other_servers_write_is_read() {
        let read = objects(
            b"<ListBucketResult><IsTruncated>True</IsTruncated><NextContinuationToken/><NextMarker></NextMarker>\
              <EncodingType>url</EncodingType><Contents><Key>100%</Key><Size></Size><ETag/><StorageClass/><Owner><ID/>\
              </Owner><ChecksumAlgorithm/><ChecksumType/><LastModified/></Contents><Contents><Key>%4g%zz%C3%A9</Key>\
              </Contents><CommonPrefixes><Prefix/></CommonPrefixes></ListBucketResult>",
        )
        .unwrap();
        let empty = ObjectInfo {
            key: "100%".to_owned(),
            owner: Some(Owner::new()),
            ..ObjectInfo::default()
        };
        assert_eq!(read.page.objects[0], empty);
        assert_eq!(read.page.objects[1].key, "%4g%zz\u{e9}");
        assert!(read.truncated && read.page.prefixes.is_empty());
        assert_eq!((read.page.next_token, read.next_marker), (None, None));
    }

    #[test]
    fn of_two_names_that_a_marker_may_mean_the_page_ends_at_the_later() {
        let names = ["%C3%A9".to_owned(), "\u{e9}".to_owned()];
        assert_eq!(marker("%C3%A9".to_owned(), names.iter()), "\u{e9}");
        let names = [" a".to_owned(), "+a".to_owned()];
        assert_eq!(marker("+a".to_owned(), names.iter()), "+a");
    }

    #[test]
    fn a_marker_may_be_encoded_or_not() {
        let names = ["a+b".to_owned(), "p/".to_owned()];
        for (text, meant) in [
            ("a+b", "a+b"),
            ("a%2Bb", "a+b"),
            ("c+d", "c d"),
            ("100%", "100%"),
            ("%FF", "%FF"),
            ("p/", "p/"),
        ] {
            assert_eq!(marker(text.to_owned(), names.iter()), meant);
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        for text in [
            "<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>",
            "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%FF</Key></Contents></ListBucketResult>",
            "<ListBucketResult>",
            "<Other/>",
        ] {
            assert!(objects(text.as_bytes()).is_err(), "{text}");
        }
    }
}
