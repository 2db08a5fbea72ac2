//! Listings: keys in byte order, rolled up at a delimiter, a page at a time.

use std::ops::Bound;
use std::sync::Arc;

use base64::prelude::*;
use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object as Entry,
};
use s3s::{S3Result, s3_error};

use crate::encode::listing_encode;
use crate::s3::model::acl::owner_of;
use crate::s3::model::store::{Object, Store};
use crate::s3::model::versions::Objects;

const PAGE_MAX: i32 = 1000;

/// One page of a listing.
struct ObjectPage {
    contents: Vec<(String, Arc<Object>)>,
    prefixes: Vec<String>,
    /// The last key or prefix of the page, if there is more behind it.
    next: Option<String>,
}

impl ObjectPage {
    /// Takes the entries behind `after`: keys greater than it, and prefixes greater than it.
    fn read(objects: &Objects, prefix: &str, delimiter: &str, after: &str, max: usize) -> Self {
        let mut page = Self {
            contents: Vec::new(),
            prefixes: Vec::new(),
            next: None,
        };
        let start = if after >= prefix {
            Bound::Excluded(after)
        } else {
            Bound::Included(prefix)
        };
        let mut last = None;
        for (key, object) in objects.range(start) {
            let Some(rest) = key.strip_prefix(prefix) else {
                break;
            };
            let rolled = (!delimiter.is_empty())
                .then(|| rest.find(delimiter))
                .flatten()
                .map(|at| &key[..prefix.len() + at + delimiter.len()]);
            if let Some(rolled) = rolled
                && (rolled <= after || page.prefixes.last().is_some_and(|seen| seen == rolled))
            {
                continue;
            }
            if page.contents.len() + page.prefixes.len() == max {
                page.next = last;
                break;
            }
            match rolled {
                Some(rolled) => {
                    page.prefixes.push(rolled.to_owned());
                    last = Some(rolled.to_owned());
                }
                None => {
                    page.contents.push((key.clone(), Arc::clone(object)));
                    last = Some(key.clone());
                }
            }
        }
        page
    }

    fn len(&self) -> usize {
        self.contents.len() + self.prefixes.len()
    }

    fn entries(&self, encoding: Encoding, owner: bool) -> Vec<Entry> {
        self.contents
            .iter()
            .map(|(key, object)| Entry {
                key: Some(encoding.apply(key)),
                e_tag: Some(object.etag()),
                last_modified: Some(object.modified()),
                size: Some(object.size()),
                storage_class: Some(object.class().to_owned().into()),
                owner: owner.then(|| owner_of(&object.headers.owner)),
                ..Default::default()
            })
            .collect()
    }

    fn common_prefixes(&self, encoding: Encoding) -> Vec<CommonPrefix> {
        let wrap = |prefix: &String| CommonPrefix {
            prefix: Some(encoding.apply(prefix)),
        };
        self.prefixes.iter().map(wrap).collect()
    }
}

/// How the names of a listing are written.
#[derive(Clone, Copy)]
pub(in crate::s3) struct Encoding {
    url: bool,
}

impl Encoding {
    pub(in crate::s3) fn new(given: Option<&EncodingType>) -> S3Result<Self> {
        match given.map(EncodingType::as_str) {
            None => Ok(Self { url: false }),
            Some(EncodingType::URL) => Ok(Self { url: true }),
            Some(_) => Err(s3_error!(
                InvalidArgument,
                "Invalid Encoding Method specified in Request"
            )),
        }
    }

    pub(in crate::s3) fn apply(self, name: &str) -> String {
        if self.url {
            listing_encode(name)
        } else {
            name.to_owned()
        }
    }

    fn apply_some(self, name: Option<String>) -> Option<String> {
        name.map(|name| self.apply(&name))
    }
}

/// The page size asked for, capped as S3 caps it.
pub(in crate::s3) fn page_size(given: Option<i32>) -> S3Result<i32> {
    match given {
        Some(given) if given < 0 => Err(s3_error!(
            InvalidArgument,
            "Argument max-keys must be an integer between 0 and 2147483647"
        )),
        Some(given) => Ok(given.min(PAGE_MAX)),
        None => Ok(PAGE_MAX),
    }
}

pub(in crate::s3) fn list(store: &Store, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
    let encoding = Encoding::new(input.encoding_type.as_ref())?;
    let max = page_size(input.max_keys)?;
    let prefix = input.prefix.unwrap_or_default();
    let marker = input.marker.unwrap_or_default();
    let delimiter = input.delimiter.filter(|text| !text.is_empty());
    let page = read(store, &input.bucket, &prefix, &delimiter, &marker, max)?;
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.apply(&prefix)),
        marker: Some(encoding.apply(&marker)),
        max_keys: Some(max),
        is_truncated: Some(page.next.is_some()),
        contents: Some(page.entries(encoding, true)),
        common_prefixes: Some(page.common_prefixes(encoding)),
        // Without a delimiter the last key of the page is the marker, and S3 does not repeat it.
        next_marker: encoding.apply_some(page.next.filter(|_| delimiter.is_some())),
        delimiter: encoding.apply_some(delimiter),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

pub(in crate::s3) fn list_v2(
    store: &Store,
    input: ListObjectsV2Input,
) -> S3Result<ListObjectsV2Output> {
    let encoding = Encoding::new(input.encoding_type.as_ref())?;
    let max = page_size(input.max_keys)?;
    let prefix = input.prefix.unwrap_or_default();
    let delimiter = input.delimiter.filter(|text| !text.is_empty());
    let after = match &input.continuation_token {
        Some(token) => BASE64_URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .filter(|key| !key.is_empty())
            .ok_or_else(|| {
                s3_error!(
                    InvalidArgument,
                    "The continuation token provided is incorrect"
                )
            })?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let page = read(store, &input.bucket, &prefix, &delimiter, &after, max)?;
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encoding.apply(&prefix)),
        max_keys: Some(max),
        key_count: i32::try_from(page.len()).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        contents: Some(page.entries(encoding, input.fetch_owner.unwrap_or(false))),
        common_prefixes: Some(page.common_prefixes(encoding)),
        next_continuation_token: page.next.map(|key| BASE64_URL_SAFE_NO_PAD.encode(key)),
        delimiter: encoding.apply_some(delimiter),
        start_after: encoding.apply_some(input.start_after),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

fn read(
    store: &Store,
    bucket: &str,
    prefix: &str,
    delimiter: &Option<String>,
    after: &str,
    max: i32,
) -> S3Result<ObjectPage> {
    let max = usize::try_from(max).unwrap_or_default();
    let delimiter = delimiter.as_deref().unwrap_or_default();
    store.within(bucket, |bucket| {
        Ok(ObjectPage::read(
            &bucket.read(),
            prefix,
            delimiter,
            after,
            max,
        ))
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::s3::model::attributes::Headers;

    fn objects(keys: &[&str]) -> Objects {
        let object = Arc::new(Object::new(Bytes::new(), String::new(), Headers::default()));
        let mut objects = Objects::default();
        for key in keys {
            objects.insert((*key).to_owned(), Arc::clone(&object));
        }
        objects
    }

    /// All pages, each as its keys and prefixes.
    fn pages(objects: &Objects, prefix: &str, delimiter: &str, max: usize) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let page = ObjectPage::read(objects, prefix, delimiter, &after, max);
            let mut names: Vec<_> = page.contents.iter().map(|(key, _)| key.clone()).collect();
            names.extend(page.prefixes.iter().cloned());
            names.sort();
            all.push(names);
            match page.next {
                Some(next) => after = next,
                None => return all,
            }
        }
    }

    #[test]
    fn prefixes_are_rolled_up_once() {
        let objects = objects(&["a", "b/1", "b/2", "b/c/3", "c", "d/1", "é"]);
        assert_eq!(
            pages(&objects, "", "/", 2),
            [vec!["a", "b/"], vec!["c", "d/"], vec!["é"]]
        );
        assert_eq!(
            pages(&objects, "b/", "/", 2),
            [vec!["b/1", "b/2"], vec!["b/c/"]]
        );
        assert_eq!(
            pages(&objects, "", "", 4),
            [vec!["a", "b/1", "b/2", "b/c/3"], vec!["c", "d/1", "é"]]
        );
        assert_eq!(pages(&objects, "zz", "", 4), [Vec::<String>::new()]);
    }

    #[test]
    fn an_exact_page_is_not_truncated() {
        let objects = objects(&["x/1", "x/2", "y"]);
        assert_eq!(pages(&objects, "", "/", 2), [vec!["x/", "y"]]);
        assert_eq!(pages(&objects, "", "", 0), [Vec::<String>::new()]);
    }
}
