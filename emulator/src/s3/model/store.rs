//! What the S3 half has: buckets, objects and unfinished uploads.
//!
//! A change is written down before it is made, while its bucket lets nobody else in; see [`keep`](crate::s3::keep).

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use bytes::Bytes;
use s3s::dto::{ETag, StorageClass, Timestamp};
use s3s::{S3Result, s3_error};

use crate::accounts::{Account, Accounts};
use crate::disk::DiskOptions;
use crate::s3::config::route::Configs;
use crate::s3::config::schema::Node;
use crate::s3::keep::body::Body;
use crate::s3::keep::record::S3Record;
use crate::s3::keep::{Buckets, Keeping, Kept};
use crate::s3::model::acl::Acl;
use crate::s3::model::attributes::Headers;
use crate::s3::model::checksums::Checksums;
use crate::s3::model::error::no_such_bucket;
use crate::s3::model::lock::BucketLock;
use crate::s3::model::uploads::Uploads;
use crate::s3::model::versions::{Objects, Status};
use crate::{clock, encode};

/// One object; replaced as a whole, never changed.
#[derive(Clone, Debug)]
pub(in crate::s3) struct Object {
    pub(in crate::s3) body: Body,
    /// The tag has no quotes.
    pub(in crate::s3) etag: String,
    pub(in crate::s3) modified: SystemTime,
    pub(in crate::s3) headers: Headers,
    pub(in crate::s3) checksums: Checksums,
    /// The sizes of the parts that it came in; none for what came by one put.
    pub(in crate::s3) parts: Arc<[u64]>,
    /// The numbers and checksums of those parts.
    pub(in crate::s3) part_sums: Arc<[(i32, Checksums)]>,
    /// Until when it can be read, for an archived one that was brought back.
    pub(in crate::s3) restored: Option<SystemTime>,
}

impl Object {
    pub(in crate::s3) fn new(body: impl Into<Body>, etag: String, headers: Headers) -> Self {
        let etag = match &headers.encryption {
            hiding if hiding.hides_tag() => hidden(&etag, hiding.customer_key.as_deref()),
            _ => etag,
        };
        Self {
            body: body.into(),
            etag,
            modified: SystemTime::now(),
            headers,
            checksums: Checksums::default(),
            parts: Arc::default(),
            part_sums: Arc::default(),
            restored: None,
        }
    }

    pub(in crate::s3) fn etag(&self) -> ETag {
        ETag::Strong(self.etag.clone())
    }

    pub(in crate::s3) fn size(&self) -> i64 {
        i64::try_from(self.body.len()).unwrap_or(i64::MAX)
    }

    pub(in crate::s3) fn class(&self) -> &str {
        let class = self.headers.storage_class.as_ref();
        class.map_or(StorageClass::STANDARD, StorageClass::as_str)
    }

    pub(in crate::s3) fn modified(&self) -> Timestamp {
        Timestamp::from(self.modified)
    }

    /// In whole seconds, as the `Last-Modified` header has it.
    pub(in crate::s3) fn modified_unix(&self) -> i64 {
        clock::unix(self.modified)
    }
}

/// The tag of an object whose tag is not the digest of its bytes.
pub(in crate::s3) fn hidden(etag: &str, key: Option<&str>) -> String {
    let (digest, parts) = etag.split_at(etag.len().min(32));
    let salted = format!("{digest} {}", key.unwrap_or("kms"));
    encode::hex(&encode::md5(salted.as_bytes())) + parts
}

/// One bucket.
#[derive(Debug)]
pub(in crate::s3) struct Bucket {
    pub(in crate::s3) owner: Arc<Account>,
    acl: RwLock<Acl>,
    pub(in crate::s3) created: SystemTime,
    /// The region it was made in, empty for the first of all.
    pub(in crate::s3) location: String,
    pub(in crate::s3) configs: Configs,
    objects: RwLock<Objects>,
    pub(in crate::s3) uploads: Uploads,
}

impl Bucket {
    pub(in crate::s3) fn acl(&self) -> RwLockReadGuard<'_, Acl> {
        self.acl.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::s3) fn new(owner: Arc<Account>, location: String, created: SystemTime) -> Self {
        Self {
            owner,
            acl: RwLock::default(),
            created,
            location,
            configs: Configs::default(),
            objects: RwLock::default(),
            uploads: Uploads::default(),
        }
    }

    /// Returns what can be set of it; the lock shows that nobody changes it.
    pub(in crate::s3) fn settings(&self, objects: &Objects) -> Settings {
        Settings {
            acl: self.acl().clone(),
            configs: self.configs.all(),
            status: objects.status,
            lock: objects.lock,
        }
    }

    /// Sets all of it.
    pub(in crate::s3) fn set(&self, objects: &mut Objects, settings: Settings) {
        *self.acl.write().unwrap_or_else(PoisonError::into_inner) = settings.acl;
        self.configs.set(settings.configs);
        objects.status = settings.status;
        objects.lock = settings.lock;
    }

    /// Changes what can be set of it, unless `act` refuses to.
    pub(in crate::s3) fn change(
        &self,
        pen: Pen<'_>,
        act: impl FnOnce(&mut Settings) -> S3Result<()>,
    ) -> S3Result<()> {
        let mut objects = self.write();
        let mut settings = self.settings(&objects);
        act(&mut settings)?;
        pen.write(|name| S3Record::Bucket(name, self, &settings, objects.serial()))?;
        self.set(&mut objects, settings);
        Ok(())
    }

    /// A configuration, read.
    pub(in crate::s3) fn config(&self, query: &str) -> Option<Node> {
        Node::parse(&self.configs.get(query)?)
    }

    /// Who owns new objects, if the bucket says it: `BucketOwnerEnforced`, `BucketOwnerPreferred` or
    /// `ObjectWriter`, which is what goes without it.
    pub(in crate::s3) fn ownership(&self) -> Option<String> {
        let controls = self.config("ownershipControls")?;
        Some(
            controls
                .child("Rule")?
                .text_of("ObjectOwnership")
                .to_owned(),
        )
    }

    /// Whether this setting of its public access block is on.
    pub(in crate::s3) fn blocks(&self, setting: &str) -> bool {
        let block = self.config("publicAccessBlock");
        block.is_some_and(|block| block.text_of(setting).trim().eq_ignore_ascii_case("true"))
    }

    pub(in crate::s3) fn read(&self) -> RwLockReadGuard<'_, Objects> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::s3) fn write(&self) -> RwLockWriteGuard<'_, Objects> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be set of a bucket.
#[derive(Clone, Debug, Default)]
pub(in crate::s3) struct Settings {
    pub(in crate::s3) acl: Acl,
    /// The documents about it, by the parameter that names them.
    pub(in crate::s3) configs: BTreeMap<&'static str, Bytes>,
    pub(in crate::s3) status: Option<Status>,
    /// Whether versions can be locked; it follows from a document.
    pub(in crate::s3) lock: Option<BucketLock>,
}

impl Settings {
    /// Makes the settings that were kept of a bucket; nothing if they do not fit together.
    pub(in crate::s3) fn kept(
        acl: Acl,
        configs: BTreeMap<&'static str, Bytes>,
        status: Option<Status>,
    ) -> Option<Self> {
        let lock = configs.get("object-lock").cloned();
        let mut settings = Self {
            acl,
            configs,
            status,
            lock: None,
        };
        if let Some(lock) = lock {
            settings.set_lock(&Node::parse(&lock)?).ok()?;
        }
        Some(settings)
    }
}

/// Writes down the changes of one bucket.
#[derive(Clone, Copy, Debug)]
pub(in crate::s3) struct Pen<'a> {
    keeping: &'a Keeping,
    bucket: &'a str,
}

impl Pen<'_> {
    /// Writes a change of the bucket down, whose name `record` is given, before it is made.
    pub(in crate::s3) fn write<'r>(
        &'r self,
        record: impl FnOnce(&'r str) -> S3Record<'r>,
    ) -> S3Result<()> {
        self.keeping.write(&record(self.bucket))
    }

    /// Makes one that writes nothing.
    #[cfg(test)]
    pub(in crate::s3) fn none() -> Pen<'static> {
        static NONE: Keeping = Keeping::none();
        Pen {
            keeping: &NONE,
            bucket: "",
        }
    }
}

/// All buckets of the emulator.
#[derive(Debug)]
pub(in crate::s3) struct Store {
    kept: Arc<Kept>,
    pub(in crate::s3) keeping: Keeping,
    ids: AtomicU64,
    pub(in crate::s3) accounts: Accounts,
    /// The least that a part of an upload, other than its last, may hold, in bytes.
    pub(in crate::s3) part_min: u64,
}

impl Store {
    /// Opens the folder, if there is one, with what was kept in it.
    pub(in crate::s3) fn open(
        part_min: u64,
        accounts: Accounts,
        disk: Option<&DiskOptions>,
    ) -> io::Result<Self> {
        let (keeping, kept) = Keeping::open(disk)?;
        Ok(Self {
            ids: AtomicU64::new(keeping.first_id()),
            kept,
            keeping,
            accounts,
            part_min,
        })
    }

    /// Returns all that is kept.
    #[cfg(test)]
    pub(in crate::s3) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Returns what the changes of this bucket are written down with.
    pub(in crate::s3) fn pen<'a>(&'a self, bucket: &'a str) -> Pen<'a> {
        Pen {
            keeping: &self.keeping,
            bucket,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Buckets> {
        let buckets = &self.kept.buckets;
        buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::s3) fn bucket(&self, name: &str) -> S3Result<Arc<Bucket>> {
        self.read().get(name).cloned().ok_or_else(no_such_bucket)
    }

    /// Runs `act` while the bucket cannot be deleted.
    pub(in crate::s3) fn within<T>(
        &self,
        name: &str,
        act: impl FnOnce(&Bucket) -> S3Result<T>,
    ) -> S3Result<T> {
        let buckets = self.read();
        let bucket = buckets.get(name).ok_or_else(no_such_bucket)?;
        act(bucket)
    }

    /// The object of a key and version, or the current one, with what is told of its version.
    pub(in crate::s3) fn find(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> S3Result<(Arc<Object>, Option<String>)> {
        self.within(bucket, |bucket| bucket.read().find(key, version))
    }

    pub(in crate::s3) fn create(
        &self,
        name: &str,
        location: String,
        owner: Arc<Account>,
        settings: Settings,
    ) -> S3Result<()> {
        let buckets = &self.kept.buckets;
        let mut buckets = buckets.write().unwrap_or_else(PoisonError::into_inner);
        match buckets.get(name) {
            Some(bucket) if bucket.owner == owner => {
                return Err(s3_error!(
                    BucketAlreadyOwnedByYou,
                    "Your previous request to create the named bucket succeeded and you already own it."
                ));
            }
            Some(_) => {
                return Err(s3_error!(
                    BucketAlreadyExists,
                    "The requested bucket name is not available. The bucket namespace is shared by all users of                      the system. Please select a different name and try again."
                ));
            }
            None => {}
        }
        let bucket = Bucket::new(owner, location, SystemTime::now());
        bucket.change(self.pen(name), |changed| {
            *changed = settings;
            Ok(())
        })?;
        buckets.insert(name.to_owned(), Arc::new(bucket));
        Ok(())
    }

    pub(in crate::s3) fn delete(&self, name: &str) -> S3Result<()> {
        let buckets = &self.kept.buckets;
        let mut buckets = buckets.write().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get(name).ok_or_else(no_such_bucket)?;
        if !bucket.read().is_empty() {
            return Err(s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete is not empty"
            ));
        }
        self.keeping.write(&S3Record::BucketGone(name))?;
        buckets.remove(name);
        Ok(())
    }

    /// Names and creation times of an account's buckets, sorted by name.
    pub(in crate::s3) fn list(&self, owner: &Account) -> Vec<(String, SystemTime)> {
        let buckets = self.read();
        buckets
            .iter()
            .filter(|(_, bucket)| *bucket.owner == *owner)
            .map(|(name, bucket)| (name.clone(), bucket.created))
            .collect()
    }

    /// An identifier that was not given out before and tells nothing.
    pub(in crate::s3) fn fresh_id(&self) -> String {
        let serial = self.ids.fetch_add(1, Ordering::Relaxed);
        encode::hex(&encode::md5(&serial.to_le_bytes()))
    }
}
