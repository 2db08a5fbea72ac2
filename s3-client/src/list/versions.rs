//! Listing versions of objects: [`Bucket::list_versions`].

use std::time::SystemTime;

use aws_core::paginate::{IntoItems, Items, Pages};
use aws_core::xml::{Xml, XmlError};
use aws_core::{Error, Result};

use super::listing::BucketListing;
use super::listing::sealed::{Kind, Parameters, TellsRestores};
use super::page::{ObjectInfo, RestoreStatus, decode, field, marker, prefixes};
use crate::answer::values;
use crate::bucket::Bucket;
use crate::config::Owner;
use crate::idempotency::{self, Row};

/// A request that lists versions of objects and delete markers, by ListObjectVersions; made by
/// [`Bucket::list_versions`].
///
/// `versions` and `pages` make streams of it; awaited, it gives one page.
pub type ListVersions = BucketListing<ObjectVersions>;

/// What only a [`ListVersions`] can be told: nothing.
#[derive(Clone, Debug, Default)]
pub struct ObjectVersions(());

/// The stream of the versions of a [`ListVersions`].
pub type Versions = Items<ListVersions>;
/// The stream of the pages of a [`ListVersions`].
pub type VersionPages = Pages<ListVersions>;

/// A version of an object in a listing, or a delete marker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionInfo {
    /// The key of the object.
    pub key: String,
    /// The version: `null` for what was stored while the bucket kept none.
    pub version_id: String,
    /// Whether it is the current one of its key.
    pub is_latest: bool,
    /// Whether it is a delete marker, which has neither size nor entity tag.
    #[doc(alias = "is_delete_marker")]
    pub is_marker: bool,
    /// The size in bytes.
    pub size: u64,
    /// The entity tag, in its quotes.
    pub etag: Option<String>,
    /// The time at which the version was stored.
    pub last_modified: Option<SystemTime>,
    /// The storage class, where the store says it.
    pub storage_class: Option<String>,
    /// Whose it is, where the store says it.
    pub owner: Option<Owner>,
    /// The algorithms of the checksums that are stored with it, such as `CRC32C`.
    pub checksum_algorithms: Vec<String>,
    /// Whether its checksum is of all of it (`FULL_OBJECT`) or of its parts (`COMPOSITE`).
    pub checksum_type: Option<String>,
    /// How far it is restored from an archive, where that was asked for.
    pub restore: Option<RestoreStatus>,
}

/// One page of a listing of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionsPage {
    /// Versions and delete markers in the order of their keys, of each key the newest first; some stores put all
    /// the markers behind the versions.
    pub versions: Vec<VersionInfo>,
    /// What keys have in common up to the delimiter, in place of those keys.
    #[doc(alias("common_prefixes", "CommonPrefixes"))]
    pub prefixes: Vec<String>,
    /// The key to go on after; nothing on the last page.
    pub next_key: Option<String>,
    /// The version of that key to go on after, if not after all of them.
    pub next_version: Option<String>,
}

impl Bucket {
    /// Lists versions of objects and delete markers.
    ///
    /// [ListObjectVersions](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html)
    #[doc(alias("list_object_versions", "ListObjectVersions"))]
    pub fn list_versions(&self) -> ListVersions {
        ListVersions::new(self.clone())
    }
}

impl IntoItems for VersionsPage {
    type Item = VersionInfo;

    fn into_items(self) -> impl Iterator<Item = VersionInfo> {
        self.versions.into_iter()
    }
}

impl ListVersions {
    /// Lists only keys after this one: where an earlier page ended.
    pub fn key_marker(mut self, key: impl Into<String>) -> Self {
        let key = Some(key.into());
        let behind = self.cursor.at().cloned().unwrap_or_default();
        self.cursor.set(VersionMarker { key, ..behind });
        self
    }

    /// Of the key of [`key_marker`](Self::key_marker), also the versions after this one. Sending fails without that
    /// key.
    pub fn version_marker(mut self, version_id: impl Into<String>) -> Self {
        let version = Some(version_id.into());
        let behind = self.cursor.at().cloned().unwrap_or_default();
        self.cursor.set(VersionMarker { version, ..behind });
        self
    }

    /// Versions and markers, one after another; page after page is fetched as they are read.
    pub fn versions(self) -> Versions {
        Items::new(self)
    }
}

/// The key, and the version of it, behind which a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionMarker {
    key: Option<String>,
    version: Option<String>,
}

impl Kind for ObjectVersions {
    type Page = VersionsPage;
    type Token = VersionMarker;
    const ROW: Row = idempotency::LIST_OBJECT_VERSIONS;
    const MARK: Option<(&'static str, Option<&'static str>)> = Some(("versions", Some("")));

    fn parameters<'a>(&'a self, behind: Option<&'a VersionMarker>) -> Result<Parameters<'a>> {
        let key = behind.and_then(|behind| behind.key.as_deref());
        let version = behind.and_then(|behind| behind.version.as_deref());
        if version.is_some() && key.is_none() {
            return Err(Error::invalid("a version marker needs a key marker"));
        }
        Ok([
            ("key-marker", key),
            ("version-id-marker", version),
            ("", None),
        ])
    }

    fn read(text: &[u8]) -> Result<VersionsPage> {
        Ok(read(text)?)
    }

    fn next(page: &VersionsPage) -> Option<VersionMarker> {
        page.next_key.as_ref()?;
        Some(VersionMarker {
            key: page.next_key.clone(),
            version: page.next_version.clone(),
        })
    }
}

impl TellsRestores for ObjectVersions {}

fn read(text: &[u8]) -> Result<VersionsPage, XmlError> {
    let mut page = VersionsPage::default();
    let (mut truncated, mut encoded) = (false, false);
    let mut xml = Xml::new(text)?;
    let root = xml.root()?;
    // Amazon's page calls it ListVersionsResult in one place and ListObjectVersionsResult in another.
    if !matches!(
        root.name(),
        "ListVersionsResult" | "ListObjectVersionsResult"
    ) {
        let found: String = root.name().chars().take(64).collect();
        return Err(XmlError::new(format!(
            "it begins with <{found}>, not <ListVersionsResult>"
        )));
    }
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Version" => page.versions.push(version(&mut xml, false)?),
            "DeleteMarker" => page.versions.push(version(&mut xml, true)?),
            "CommonPrefixes" => prefixes(&mut xml, &mut page.prefixes)?,
            "IsTruncated" => truncated = values::flag(&mut xml)?,
            "EncodingType" => encoded = xml.text()? == "url",
            "NextKeyMarker" => page.next_key = values::text(&mut xml)?,
            "NextVersionIdMarker" => page.next_version = values::text(&mut xml)?,
            _ => xml.skip()?,
        }
    }
    if encoded {
        for version in &mut page.versions {
            decode(&mut version.key)?;
        }
        for prefix in &mut page.prefixes {
            decode(prefix)?;
        }
        page.next_key = page.next_key.map(|key| {
            let keys = page.versions.iter().map(|version| &version.key);
            marker(key, keys.chain(&page.prefixes))
        });
    }
    if !truncated {
        (page.next_key, page.next_version) = (None, None);
    } else if page.next_key.is_none() {
        return Err(XmlError::new(
            "the listing is cut off and does not say where to go on",
        ));
    }
    Ok(page)
}

fn version(xml: &mut Xml<'_>, is_marker: bool) -> Result<VersionInfo, XmlError> {
    let mut common = ObjectInfo::default();
    let (mut key, mut version_id, mut is_latest) = (None, None, false);
    while let Some(tag) = xml.child()? {
        match tag.name() {
            "Key" => key = values::text(xml)?,
            "VersionId" => version_id = values::text(xml)?,
            "IsLatest" => is_latest = values::flag(xml)?,
            name => field(xml, name, &mut common)?,
        }
    }
    Ok(VersionInfo {
        key: key.ok_or_else(|| XmlError::new("a version without a key"))?,
        version_id: version_id.ok_or_else(|| XmlError::new("a version without its id"))?,
        is_latest,
        is_marker,
        size: common.size,
        etag: common.etag,
        last_modified: common.last_modified,
        storage_class: common.storage_class,
        owner: common.owner,
        checksum_algorithms: common.checksum_algorithms,
        checksum_type: common.checksum_type,
        restore: common.restore,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_markers_are_read() {
        let page = read(
            b"<ListVersionsResult xmlns=\"u\"><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>\
              <NextKeyMarker>a%2F1</NextKeyMarker><NextVersionIdMarker>v+1</NextVersionIdMarker><DeleteMarker>\
              <Key>a+b</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest><LastModified>2009-10-12T17:50:30.000Z\
              </LastModified><Owner><ID>7</ID></Owner></DeleteMarker><Version><Key>a+b</Key><VersionId>null\
              </VersionId><IsLatest>false</IsLatest><Size>3</Size><ETag>x</ETag></Version><CommonPrefixes>\
              <Prefix>p%2F</Prefix></CommonPrefixes></ListVersionsResult>",
        )
        .unwrap();
        let [marker, version] = &page.versions[..] else {
            panic!("{page:?}")
        };
        assert!(marker.is_marker && marker.is_latest && marker.owner.is_some());
        assert_eq!(
            (marker.key.as_str(), marker.version_id.as_str()),
            ("a b", "v2")
        );
        assert_eq!((version.version_id.as_str(), version.size), ("null", 3));
        assert!(!version.is_marker && !version.is_latest);
        assert_eq!(page.prefixes, ["p/"]);
        assert_eq!(page.next_key.as_deref(), Some("a/1"));
        assert_eq!(page.next_version.as_deref(), Some("v+1"));
    }

    #[test]
    fn nonsense_is_an_error() {
        for inner in [
            "<IsTruncated>true</IsTruncated>",
            "<IsTruncated>true</IsTruncated><NextKeyMarker/>",
            "<Version><VersionId>1</VersionId></Version>",
            "<DeleteMarker><Key>1</Key></DeleteMarker>",
            "<Version><Key>1</Key><VersionId>1</VersionId><IsLatest>maybe</IsLatest></Version>",
            "<Version><Key/><VersionId>1</VersionId></Version>",
            "<Version><Key>1</Key><VersionId/></Version>",
            "<EncodingType>url</EncodingType><Version><Key>%FF</Key><VersionId>1</VersionId></Version>",
        ] {
            let text = format!("<ListVersionsResult>{inner}</ListVersionsResult>");
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"<ListBucketResult/>").is_err());
    }
}
