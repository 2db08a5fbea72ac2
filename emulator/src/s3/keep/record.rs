//! The records of the S3 half, and how its state is saved and read.
//!
//! Each sets or removes one thing whatever it was: a bucket with its settings, a version of a key, an upload, a part.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

use super::Kept;
use crate::accounts::Account;
use crate::disk::code::{Coded, Cursor, text};
use crate::disk::{self, Save, State};
use crate::s3::config::route::known;
use crate::s3::model::acl::Acl;
use crate::s3::model::attributes::Headers;
use crate::s3::model::checksums::OfParts;
use crate::s3::model::store::{Bucket, Object, Settings};
use crate::s3::model::uploads::{Part, Upload};
use crate::s3::model::versions::{Content, Status, Version};

const BUCKET: u8 = 16;
const BUCKET_GONE: u8 = 17;
const VERSION: u8 = 18;
const VERSION_GONE: u8 = 19;
const UPLOAD: u8 = 20;
const PART: u8 = 21;
const UPLOAD_GONE: u8 = 22;

/// How many keys are read in one turn, for which writers wait.
const TURN: usize = 64;

/// Which upload something is about: its bucket, its key and its identifier.
pub(in crate::s3) type UploadName<'a> = (&'a str, &'a str, &'a str);

/// A record to write.
#[derive(Clone, Copy, Debug)]
pub(in crate::s3) enum S3Record<'a> {
    /// The bucket has these settings, and so many versions were made in it.
    Bucket(&'a str, &'a Bucket, &'a Settings, u64),
    /// The bucket was deleted, with its unfinished uploads.
    BucketGone(&'a str),
    /// The key of the bucket has this version.
    Version(&'a str, &'a str, &'a Version),
    /// The version of the key was removed that has this identifier.
    VersionGone(&'a str, &'a str, &'a str),
    /// The upload was begun; its parts have records of their own.
    Upload(UploadName<'a>, &'a Upload),
    /// The upload has this part, of this number.
    Part(UploadName<'a>, i32, &'a Part),
    /// The upload was completed or aborted.
    UploadGone(UploadName<'a>),
}

impl disk::Record for S3Record<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let begin = |out: &mut Vec<u8>, kind: u8, names: &[&str]| {
            out.push(kind);
            names.iter().for_each(|name| text(out, name));
        };
        match self {
            Self::Bucket(name, bucket, settings, serial) => {
                begin(out, BUCKET, &[name, &bucket.location]);
                bucket.owner.encode(out);
                bucket.created.encode(out);
                settings.acl.encode(out);
                let configs = settings.configs.iter();
                let configs =
                    configs.map(|(query, document)| (String::from(*query), document.clone()));
                Vec::from_iter(configs).encode(out);
                settings.status.encode(out);
                serial.encode(out);
            }
            Self::BucketGone(name) => begin(out, BUCKET_GONE, &[name]),
            Self::Version(bucket, key, version) => {
                begin(out, VERSION, &[bucket, key]);
                version.encode(out);
            }
            Self::VersionGone(bucket, key, id) => begin(out, VERSION_GONE, &[bucket, key, id]),
            Self::Upload((bucket, key, id), upload) => {
                begin(out, UPLOAD, &[bucket, key, id]);
                upload.headers.encode(out);
                upload.checksum.encode(out);
                upload.initiated.encode(out);
            }
            Self::Part((bucket, key, id), number, part) => {
                begin(out, PART, &[bucket, key, id]);
                number.encode(out);
                part.encode(out);
            }
            Self::UploadGone((bucket, key, id)) => begin(out, UPLOAD_GONE, &[bucket, key, id]),
        }
    }
}

/// A record that was read.
#[derive(Debug)]
pub(in crate::s3) enum S3Entry {
    Bucket(String, Box<BucketEntry>),
    BucketGone(String),
    Version(String, String, Version),
    VersionGone(String, String, String),
    Upload(String, (String, String), Box<Upload>),
    Part(String, (String, String), i32, Part),
    UploadGone(String, (String, String)),
}

#[derive(Debug)]
pub(in crate::s3) struct BucketEntry {
    location: String,
    owner: Arc<Account>,
    created: SystemTime,
    settings: Settings,
    serial: u64,
}

impl BucketEntry {
    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let location = String::decode(cursor)?;
        let owner = Arc::decode(cursor)?;
        let created = SystemTime::decode(cursor)?;
        let acl = Acl::decode(cursor)?;
        let configs = Vec::<(String, Bytes)>::decode(cursor)?;
        let configs = configs.into_iter();
        let configs = configs.map(|(query, document)| Some((known(&query)?, document)));
        let configs = configs.collect::<Option<BTreeMap<_, _>>>()?;
        let status = Option::<Status>::decode(cursor)?;
        Some(Self {
            location,
            owner,
            created,
            settings: Settings::kept(acl, configs, status)?,
            serial: u64::decode(cursor)?,
        })
    }
}

impl S3Entry {
    fn decode(kind: u8, cursor: &mut Cursor<'_>) -> Option<Self> {
        let bucket = String::decode(cursor)?;
        Some(match kind {
            BUCKET => Self::Bucket(bucket, Box::new(BucketEntry::decode(cursor)?)),
            BUCKET_GONE => Self::BucketGone(bucket),
            VERSION => Self::Version(bucket, String::decode(cursor)?, Version::decode(cursor)?),
            VERSION_GONE => {
                Self::VersionGone(bucket, String::decode(cursor)?, String::decode(cursor)?)
            }
            UPLOAD => {
                let name = Coded::decode(cursor)?;
                let upload = Upload {
                    headers: Headers::decode(cursor)?,
                    checksum: OfParts::decode(cursor)?,
                    initiated: SystemTime::decode(cursor)?,
                    parts: BTreeMap::new(),
                };
                Self::Upload(bucket, name, Box::new(upload))
            }
            PART => {
                let (name, number) = (Coded::decode(cursor)?, i32::decode(cursor)?);
                Self::Part(bucket, name, number, Part::decode(cursor)?)
            }
            UPLOAD_GONE => Self::UploadGone(bucket, Coded::decode(cursor)?),
            _ => return None,
        })
    }
}

impl Kept {
    fn bucket(&self, name: &str) -> Option<Arc<Bucket>> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(name).cloned()
    }

    /// Returns all buckets of this instant.
    fn all(&self) -> Vec<(String, Arc<Bucket>)> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        let buckets = buckets.iter();
        buckets
            .map(|(name, it)| (name.clone(), Arc::clone(it)))
            .collect()
    }

    fn set_bucket(&self, name: String, entry: BucketEntry) {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(name).or_insert_with(|| {
            Arc::new(Bucket::new(
                Arc::clone(&entry.owner),
                entry.location,
                entry.created,
            ))
        });
        let mut objects = bucket.write();
        bucket.set(&mut objects, entry.settings);
        objects.came_to(entry.serial);
    }

    /// Returns the version with the files of its body known.
    fn at_home(&self, version: Version) -> Version {
        let (Some(bodies), Content::Object(object)) = (&self.bodies, &version.content) else {
            return version;
        };
        let object = Object {
            body: object.body.at_home(bodies),
            ..Object::clone(object)
        };
        Version {
            content: Content::Object(Arc::new(object)),
            ..version
        }
    }
}

impl State for Kept {
    type Entry = S3Entry;

    fn read(payload: &[u8]) -> Option<S3Entry> {
        let (kind, rest) = payload.split_first()?;
        let mut cursor = Cursor::new(rest);
        let entry = S3Entry::decode(*kind, &mut cursor)?;
        cursor.is_empty().then_some(entry)
    }

    fn replay(&self, entry: S3Entry) {
        match entry {
            S3Entry::Bucket(name, entry) => self.set_bucket(name, *entry),
            S3Entry::BucketGone(name) => {
                let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
                buckets.remove(&name);
            }
            // What is about something that is not there is followed by the record that removed it.
            S3Entry::Version(bucket, key, version) => {
                if let Some(bucket) = self.bucket(&bucket) {
                    bucket.write().set_version(key, self.at_home(version));
                }
            }
            S3Entry::VersionGone(bucket, key, id) => {
                if let Some(bucket) = self.bucket(&bucket) {
                    bucket.write().drop_version(&key, &id);
                }
            }
            S3Entry::Upload(bucket, name, upload) => {
                if let Some(bucket) = self.bucket(&bucket) {
                    bucket.uploads.lock().insert(name, *upload);
                }
            }
            S3Entry::Part(bucket, name, number, part) => {
                let Some(bucket) = self.bucket(&bucket) else {
                    return;
                };
                if let Some(upload) = bucket.uploads.lock().get_mut(&name) {
                    let bodies = self.bodies.as_ref();
                    let body = bodies.map_or(part.body.clone(), |home| part.body.at_home(home));
                    upload.parts.insert(number, Part { body, ..part });
                }
            }
            S3Entry::UploadGone(bucket, name) => {
                if let Some(bucket) = self.bucket(&bucket) {
                    bucket.uploads.lock().remove(&name);
                }
            }
        }
    }

    fn may_be_saved(entry: &S3Entry) -> bool {
        matches!(
            entry,
            S3Entry::Bucket(..) | S3Entry::Version(..) | S3Entry::Upload(..) | S3Entry::Part(..)
        )
    }

    fn save(&self, to: &mut Save<'_>) -> io::Result<()> {
        for (name, bucket) in self.all() {
            let (settings, serial) = {
                let objects = bucket.read();
                (bucket.settings(&objects), objects.serial())
            };
            to.write(&S3Record::Bucket(&name, &bucket, &settings, serial))?;
            versions(to, &name, &bucket)?;
            uploads(to, &name, &bucket)?;
        }
        Ok(())
    }
}

fn versions(to: &mut Save<'_>, name: &str, bucket: &Bucket) -> io::Result<()> {
    let mut last: Option<String> = None;
    loop {
        let low = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let turn = bucket.read().turn(low, TURN);
        let Some((end, _)) = turn.last() else {
            return Ok(());
        };
        last = Some(end.clone());
        for (key, versions) in &turn {
            for version in versions {
                to.write(&S3Record::Version(name, key, version))?;
            }
        }
    }
}

fn uploads(to: &mut Save<'_>, name: &str, bucket: &Bucket) -> io::Result<()> {
    let names: Vec<_> = bucket.uploads.lock().keys().cloned().collect();
    for (key, id) in names {
        // It may have ended meanwhile.
        let upload = bucket
            .uploads
            .lock()
            .get(&(key.clone(), id.clone()))
            .cloned();
        let Some(upload) = upload else { continue };
        let about = (name, key.as_str(), id.as_str());
        to.write(&S3Record::Upload(about, &upload))?;
        for (number, part) in &upload.parts {
            to.write(&S3Record::Part(about, *number, part))?;
        }
    }
    Ok(())
}
