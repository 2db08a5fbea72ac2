//! Listings of versions: keys in byte order, of each the newest version first.

use std::ops::Bound;
use std::sync::Arc;

use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput,
    ObjectVersion, Timestamp,
};
use s3s::{S3Result, s3_error};

use crate::accounts::Account;
use crate::s3::model::acl::owner_of;
use crate::s3::model::store::Store;
use crate::s3::model::versions::{Content, Objects};
use crate::s3::ops::list::{Encoding, page_size};

/// One page, and where the next begins.
#[derive(Default)]
struct VersionPage {
    versions: Vec<ObjectVersion>,
    markers: Vec<DeleteMarkerEntry>,
    prefixes: Vec<String>,
    /// The last key or prefix of the page and the last version, if there is more behind.
    next: Option<(String, Option<String>)>,
}

impl VersionPage {
    fn len(&self) -> usize {
        self.versions.len() + self.markers.len() + self.prefixes.len()
    }
}

/// This is what a request asks for.
struct Wanted<'a> {
    /// The markers belong to this account.
    bucket_owner: &'a Account,
    prefix: &'a str,
    delimiter: &'a str,
    key_marker: &'a str,
    version_marker: Option<&'a str>,
    max: usize,
    encoding: Encoding,
}

fn read(objects: &Objects, wanted: &Wanted<'_>) -> S3Result<VersionPage> {
    let mut page = VersionPage::default();
    let start = if wanted.key_marker < wanted.prefix {
        Bound::Included(wanted.prefix)
    } else if wanted.version_marker.is_some() {
        Bound::Included(wanted.key_marker)
    } else {
        Bound::Excluded(wanted.key_marker)
    };
    let mut last = None;
    for (key, version, current) in objects.versions(start) {
        let Some(rest) = key.strip_prefix(wanted.prefix) else {
            break;
        };
        if key == wanted.key_marker
            && let Some(marker) = wanted.version_marker
            && !objects.is_behind(key, version, marker)?
        {
            continue;
        }
        let rolled = (!wanted.delimiter.is_empty())
            .then(|| rest.find(wanted.delimiter))
            .flatten()
            .map(|at| &key[..wanted.prefix.len() + at + wanted.delimiter.len()]);
        if let Some(rolled) = rolled
            && (rolled <= wanted.key_marker
                || page.prefixes.last().is_some_and(|seen| seen == rolled))
        {
            continue;
        }
        if page.len() == wanted.max {
            page.next = last;
            break;
        }
        if let Some(rolled) = rolled {
            page.prefixes.push(rolled.to_owned());
            last = Some((rolled.to_owned(), None));
            continue;
        }
        let id = version.id.to_string();
        last = Some((key.clone(), Some(id.clone())));
        match &version.content {
            Content::Object(object) => page.versions.push(ObjectVersion {
                key: Some(wanted.encoding.apply(key)),
                version_id: Some(id),
                is_latest: Some(current),
                e_tag: Some(object.etag()),
                last_modified: Some(object.modified()),
                size: Some(object.size()),
                owner: Some(owner_of(&object.headers.owner)),
                storage_class: Some(object.class().to_owned().into()),
                ..Default::default()
            }),
            Content::Marker(made) => page.markers.push(DeleteMarkerEntry {
                key: Some(wanted.encoding.apply(key)),
                version_id: Some(id),
                is_latest: Some(current),
                last_modified: Some(Timestamp::from(*made)),
                owner: Some(owner_of(wanted.bucket_owner)),
            }),
        }
    }
    Ok(page)
}

pub(in crate::s3) fn list(
    store: &Store,
    input: ListObjectVersionsInput,
) -> S3Result<ListObjectVersionsOutput> {
    let encoding = Encoding::new(input.encoding_type.as_ref())?;
    let max = page_size(input.max_keys)?;
    let prefix = input.prefix.unwrap_or_default();
    let delimiter = input.delimiter.filter(|text| !text.is_empty());
    let key_marker = input.key_marker.unwrap_or_default();
    let version_marker = input.version_id_marker.filter(|text| !text.is_empty());
    if version_marker.is_some() && key_marker.is_empty() {
        return Err(s3_error!(
            InvalidArgument,
            "A version-id marker cannot be specified without a key marker."
        ));
    }
    let bucket_owner = Arc::clone(&store.bucket(&input.bucket)?.owner);
    let wanted = Wanted {
        bucket_owner: &bucket_owner,
        prefix: &prefix,
        delimiter: delimiter.as_deref().unwrap_or_default(),
        key_marker: &key_marker,
        version_marker: version_marker.as_deref(),
        max: usize::try_from(max).unwrap_or_default(),
        encoding,
    };
    let page = store.within(&input.bucket, |bucket| read(&bucket.read(), &wanted))?;
    let truncated = page.next.is_some();
    let (next_key, next_version) = page.next.unzip();
    let wrap = |prefix: &String| CommonPrefix {
        prefix: Some(encoding.apply(prefix)),
    };
    Ok(ListObjectVersionsOutput {
        name: Some(input.bucket),
        common_prefixes: Some(page.prefixes.iter().map(wrap).collect()),
        versions: Some(page.versions),
        delete_markers: Some(page.markers),
        is_truncated: Some(truncated),
        max_keys: Some(max),
        next_key_marker: next_key.map(|key| encoding.apply(&key)),
        next_version_id_marker: next_version.flatten(),
        prefix: Some(encoding.apply(&prefix)),
        key_marker: Some(encoding.apply(&key_marker)),
        version_id_marker: version_marker,
        delimiter: delimiter.map(|text| encoding.apply(&text)),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}
