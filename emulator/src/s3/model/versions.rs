//! The versions of a bucket's objects.
//!
//! A bucket that was never versioned holds one version of each key, the null version, and does not speak of
//! it. Once versioning is enabled, a put adds a version and a delete adds a marker; while it is suspended, both
//! replace the null version.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, LAST_MODIFIED};
use s3s::{S3Error, S3Result, s3_error};

use crate::encode;
use crate::s3::keep::record::S3Record;
use crate::s3::model::error::no_such_key;
use crate::s3::model::lock::BucketLock;
use crate::s3::model::store::{Object, Pen};

/// What the null version is called.
pub(in crate::s3) const NULL: &str = "null";

const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");
const DELETE_MARKER: HeaderName = HeaderName::from_static("x-amz-delete-marker");

/// Whether puts add versions; a bucket that never was either has no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::s3) enum Status {
    Enabled,
    Suspended,
}

#[derive(Clone, Debug)]
pub(in crate::s3) enum Content {
    Object(Arc<Object>),
    Marker(SystemTime),
}

/// One version of a key.
#[derive(Clone, Debug)]
pub(in crate::s3) struct Version {
    /// A number that grows with every version of the bucket.
    pub(in crate::s3) serial: u64,
    /// [`NULL`], or an identifier that only this version has.
    pub(in crate::s3) id: Arc<str>,
    pub(in crate::s3) content: Content,
}

/// This is what a deletion did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::s3) struct Removed {
    /// The version that is gone, or that of the new marker.
    pub(in crate::s3) version_id: Option<String>,
    /// Whether that is a marker.
    pub(in crate::s3) marker: bool,
}

/// All versions of all keys; of each key, the newest last.
#[derive(Debug, Default)]
pub(in crate::s3) struct Objects {
    keys: BTreeMap<String, Vec<Version>>,
    pub(in crate::s3) status: Option<Status>,
    /// Whether versions can be locked.
    pub(in crate::s3) lock: Option<BucketLock>,
    serial: u64,
}

impl Objects {
    /// Whether there is nothing, markers included.
    pub(in crate::s3) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The current object of a key.
    pub(in crate::s3) fn get(&self, key: &str) -> Option<&Arc<Object>> {
        match &self.keys.get(key)?.last()?.content {
            Content::Object(object) => Some(object),
            Content::Marker(_) => None,
        }
    }

    /// What `x-amz-version-id` says of a version here.
    pub(in crate::s3) fn told(&self, id: &str) -> Option<String> {
        self.status.map(|_| id.to_owned())
    }

    /// The object of a key and version, or the current one, with what is told of its version.
    pub(in crate::s3) fn find(
        &self,
        key: &str,
        id: Option<&str>,
    ) -> S3Result<(Arc<Object>, Option<String>)> {
        let versions = self.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        let found = match id {
            None => versions.last().ok_or_else(no_such_key)?,
            Some(id) => {
                check_id(id)?;
                let found = versions.iter().find(|version| *version.id == *id);
                found.ok_or_else(no_such_version)?
            }
        };
        match &found.content {
            Content::Object(object) => Ok((Arc::clone(object), self.told(&found.id))),
            Content::Marker(made) => Err(marked(found, *made, id.is_some())),
        }
    }

    /// Changes what is kept beside the body of an object; tells its version.
    pub(in crate::s3) fn change(
        &mut self,
        pen: Pen<'_>,
        key: &str,
        id: Option<&str>,
        act: impl FnOnce(&mut Object) -> S3Result<()>,
    ) -> S3Result<Option<String>> {
        self.find(key, id)?;
        let versions = self.keys.get_mut(key).ok_or_else(no_such_key)?;
        let at = match id {
            None => versions.len().checked_sub(1),
            Some(id) => versions.iter().position(|version| *version.id == *id),
        };
        let version = at.map(|at| &mut versions[at]).ok_or_else(no_such_key)?;
        let mut changed = version.clone();
        if let Content::Object(object) = &mut changed.content {
            act(Arc::make_mut(object))?;
        }
        pen.write(|bucket| S3Record::Version(bucket, key, &changed))?;
        let id = Arc::clone(&changed.id);
        *version = changed;
        Ok(self.told(&id))
    }

    /// Stores a new object, locked as it or the bucket says; tells its version.
    pub(in crate::s3) fn store(
        &mut self,
        pen: Pen<'_>,
        key: String,
        mut object: Object,
    ) -> S3Result<Option<String>> {
        let given = std::mem::take(&mut object.headers.lock);
        object.headers.lock = self.lock_of(given)?;
        self.push(pen, key, Content::Object(Arc::new(object)))
    }

    /// Stores an object that nothing is written down of; tells its version.
    #[cfg(test)]
    pub(in crate::s3) fn insert(&mut self, key: String, object: Arc<Object>) -> Option<String> {
        self.push(Pen::none(), key, Content::Object(object))
            .unwrap()
    }

    /// Deletes a key: for good where versions are not kept, else by a marker.
    pub(in crate::s3) fn remove(&mut self, pen: Pen<'_>, key: &str) -> S3Result<Removed> {
        if self.status.is_none() {
            if self.keys.contains_key(key) {
                pen.write(|bucket| S3Record::VersionGone(bucket, key, NULL))?;
                self.keys.remove(key);
            }
            return Ok(Removed::default());
        }
        let marker = Content::Marker(SystemTime::now());
        Ok(Removed {
            version_id: self.push(pen, key.to_owned(), marker)?,
            marker: true,
        })
    }

    /// Deletes one version for good, unless it is locked. One that is not there is none to complain of.
    pub(in crate::s3) fn remove_version(
        &mut self,
        pen: Pen<'_>,
        key: &str,
        id: &str,
        bypass: bool,
    ) -> S3Result<Removed> {
        check_id(id)?;
        let mut removed = Removed {
            version_id: self.told(id),
            marker: false,
        };
        let versions = self.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        if let Some(version) = versions.iter().find(|version| *version.id == *id) {
            match &version.content {
                Content::Object(object) => object.headers.lock.check_removal(bypass)?,
                Content::Marker(_) => removed.marker = true,
            }
            pen.write(|bucket| S3Record::VersionGone(bucket, key, id))?;
            self.drop_version(key, id);
        }
        Ok(removed)
    }

    fn push(&mut self, pen: Pen<'_>, key: String, content: Content) -> S3Result<Option<String>> {
        self.serial += 1;
        let serial = self.serial;
        let id: Arc<str> = if self.status == Some(Status::Enabled) {
            id_of(serial, &key).into()
        } else {
            NULL.into()
        };
        let told = self.told(&id);
        let version = Version {
            serial,
            id,
            content,
        };
        pen.write(|bucket| S3Record::Version(bucket, &key, &version))?;
        self.set_version(key, version);
        Ok(told)
    }

    /// Sets a version of a key, in its place among the others.
    pub(in crate::s3) fn set_version(&mut self, key: String, version: Version) {
        self.came_to(version.serial);
        let versions = self.keys.entry(key).or_default();
        // There is one null version; another has its identifier for itself.
        versions.retain(|old| old.id != version.id);
        let at = versions.partition_point(|old| old.serial < version.serial);
        versions.insert(at, version);
    }

    /// Drops a version of a key, if it is there.
    pub(in crate::s3) fn drop_version(&mut self, key: &str, id: &str) {
        if let Some(versions) = self.keys.get_mut(key) {
            versions.retain(|version| *version.id != *id);
            if versions.is_empty() {
                self.keys.remove(key);
            }
        }
    }

    /// How many versions were made so far.
    pub(in crate::s3) fn serial(&self) -> u64 {
        self.serial
    }

    /// Takes note that so many versions were made.
    pub(in crate::s3) fn came_to(&mut self, serial: u64) {
        self.serial = self.serial.max(serial);
    }

    /// The first keys from a bound on, with their versions, the newest last.
    pub(in crate::s3) fn turn(&self, low: Bound<&str>, keys: usize) -> Vec<(String, Vec<Version>)> {
        let all = self.keys.range::<str, _>((low, Bound::Unbounded));
        let some = all.take(keys);
        some.map(|(key, versions)| (key.clone(), versions.clone()))
            .collect()
    }

    /// The current objects from a key on, in the order of their keys.
    pub(in crate::s3) fn range(
        &self,
        start: Bound<&str>,
    ) -> impl Iterator<Item = (&String, &Arc<Object>)> {
        self.keys
            .range::<str, _>((start, Bound::Unbounded))
            .filter_map(|(key, versions)| match &versions.last()?.content {
                Content::Object(object) => Some((key, object)),
                Content::Marker(_) => None,
            })
    }

    /// Every version from a key on, the newest of each key first, with whether it is the current one.
    pub(in crate::s3) fn versions(
        &self,
        start: Bound<&str>,
    ) -> impl Iterator<Item = (&String, &Version, bool)> {
        self.keys
            .range::<str, _>((start, Bound::Unbounded))
            .flat_map(|(key, versions)| {
                let newest_first = versions.iter().rev().enumerate();
                newest_first.map(move |(at, version)| (key, version, at == 0))
            })
    }

    /// What comes after this version of a key in the order of [`versions`](Self::versions), also when it is
    /// gone: whoever deletes what is listed asks for what follows it.
    pub(in crate::s3) fn is_behind(
        &self,
        key: &str,
        version: &Version,
        marker: &str,
    ) -> S3Result<bool> {
        check_id(marker)?;
        let known = self.keys.get(key).and_then(|versions| {
            let found = versions.iter().find(|version| *version.id == *marker)?;
            Some(found.serial)
        });
        Ok(match known.or_else(|| serial_of(marker)) {
            Some(serial) => version.serial < serial,
            None => true,
        })
    }
}

/// 32 digits: a number that falls as versions come, so that it tells their order, and a digest.
fn id_of(serial: u64, key: &str) -> String {
    let mut digest = encode::hex(&encode::md5(key.as_bytes()));
    digest.truncate(16);
    format!("{:016x}{digest}", !serial)
}

fn serial_of(id: &str) -> Option<u64> {
    let number = id.get(..16).filter(|_| id.len() == 32)?;
    u64::from_str_radix(number, 16).ok().map(|number| !number)
}

fn check_id(id: &str) -> S3Result<()> {
    if id == NULL || serial_of(id).is_some() {
        return Ok(());
    }
    Err(s3_error!(InvalidArgument, "Invalid version id specified"))
}

fn no_such_version() -> S3Error {
    s3_error!(NoSuchVersion, "The specified version does not exist.")
}

/// The answer to whoever reads a delete marker: by its version, or as what is current.
fn marked(version: &Version, made: SystemTime, asked_for: bool) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.insert(DELETE_MARKER, HeaderValue::from_static("true"));
    if let Ok(id) = HeaderValue::try_from(&*version.id) {
        headers.insert(VERSION_ID, id);
    }
    let mut error = if asked_for {
        if let Ok(made) = httpdate::fmt_http_date(made).try_into() {
            headers.insert(LAST_MODIFIED, made);
        }
        s3_error!(
            MethodNotAllowed,
            "The specified method is not allowed against this resource."
        )
    } else {
        no_such_key()
    };
    error.set_headers(headers);
    error
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::s3::model::attributes::Headers;

    fn object(etag: &str) -> Arc<Object> {
        Arc::new(Object::new(
            Bytes::new(),
            etag.to_owned(),
            Headers::default(),
        ))
    }

    fn etag(objects: &Objects, id: Option<&str>) -> Option<String> {
        let found = objects.find("k", id).ok()?;
        Some(found.0.etag.clone())
    }

    #[test]
    fn the_null_version_is_replaced_and_others_stay() {
        let mut objects = Objects::default();
        assert_eq!(objects.insert("k".into(), object("a")), None);
        objects.status = Some(Status::Enabled);
        let second = objects.insert("k".into(), object("b")).unwrap();
        let third = objects.insert("k".into(), object("c")).unwrap();
        objects.status = Some(Status::Suspended);
        let null = objects.insert("k".into(), object("d"));
        assert_eq!(null.as_deref(), Some(NULL));
        assert_eq!(etag(&objects, None).as_deref(), Some("d"));
        assert_eq!(etag(&objects, Some(NULL)).as_deref(), Some("d"));
        assert_eq!(etag(&objects, Some(&second)).as_deref(), Some("b"));
        assert_eq!(etag(&objects, Some(&third)).as_deref(), Some("c"));
        let removed = objects.remove(Pen::none(), "k").unwrap();
        assert!(removed.marker && removed.version_id.as_deref() == Some(NULL));
        assert_eq!(etag(&objects, None), None);
        let removed = objects
            .remove_version(Pen::none(), "k", NULL, false)
            .unwrap();
        assert!(removed.marker);
        assert_eq!(etag(&objects, None).as_deref(), Some("c"));
    }

    #[test]
    fn order_is_known_of_versions_that_are_gone() {
        let mut objects = Objects {
            status: Some(Status::Enabled),
            ..Objects::default()
        };
        let put = |objects: &mut Objects, e| objects.insert("k".into(), object(e)).unwrap();
        let ids = ["a", "b", "c"].map(|e| put(&mut objects, e));
        objects
            .remove_version(Pen::none(), "k", &ids[1], false)
            .unwrap();
        let behind: Vec<_> = objects
            .versions(Bound::Unbounded)
            .filter(|(key, version, _)| objects.is_behind(key, version, &ids[1]).unwrap())
            .map(|(_, version, current)| (version.id.to_string(), current))
            .collect();
        assert_eq!(behind, [(ids[0].clone(), false)]);
        assert!(
            objects
                .remove_version(Pen::none(), "k", "x", false)
                .is_err()
        );
        assert!(objects.find("k", Some(&ids[1])).is_err());
    }
}
