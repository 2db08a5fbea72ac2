//! What the S3 half keeps: buckets, objects and unfinished uploads, all in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use bytes::Bytes;
use s3s::dto::{ETag, StorageClass, Timestamp};
use s3s::{S3Result, s3_error};

use crate::accounts::{Account, Accounts};
use crate::s3::config::route::Configs;
use crate::s3::config::schema::Node;
use crate::s3::model::acl::Acl;
use crate::s3::model::attributes::Headers;
use crate::s3::model::checksums::Checksums;
use crate::s3::model::error::no_such_bucket;
use crate::s3::model::uploads::Uploads;
use crate::s3::model::versions::Objects;
use crate::{clock, encode};

/// One object; replaced as a whole, never changed.
#[derive(Clone, Debug)]
pub(in crate::s3) struct Object {
    pub(in crate::s3) body: Bytes,
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
    pub(in crate::s3) fn new(body: Bytes, etag: String, headers: Headers) -> Self {
        let etag = match &headers.encryption {
            hiding if hiding.hides_tag() => hidden(&etag, hiding.customer_key.as_deref()),
            _ => etag,
        };
        Self {
            body,
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

    pub(in crate::s3) fn set_acl(&self, acl: Acl) {
        *self.acl.write().unwrap_or_else(PoisonError::into_inner) = acl;
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

type Buckets = BTreeMap<String, Arc<Bucket>>;

/// All buckets of the emulator.
#[derive(Debug)]
pub(in crate::s3) struct Store {
    buckets: RwLock<Buckets>,
    ids: AtomicU64,
    pub(in crate::s3) accounts: Accounts,
    /// The least that a part of an upload, other than its last, may hold, in bytes.
    pub(in crate::s3) part_min: u64,
}

impl Store {
    pub(in crate::s3) fn new(part_min: u64, accounts: Accounts) -> Self {
        Self {
            buckets: RwLock::default(),
            ids: AtomicU64::new(1),
            accounts,
            part_min,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Buckets> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
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
        acl: Acl,
    ) -> S3Result<()> {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
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
        let bucket = Bucket {
            owner,
            acl: RwLock::new(acl),
            created: SystemTime::now(),
            location,
            configs: Configs::default(),
            objects: RwLock::default(),
            uploads: Uploads::default(),
        };
        buckets.insert(name.to_owned(), Arc::new(bucket));
        Ok(())
    }

    pub(in crate::s3) fn delete(&self, name: &str) -> S3Result<()> {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get(name).ok_or_else(no_such_bucket)?;
        if !bucket.read().is_empty() {
            return Err(s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete is not empty"
            ));
        }
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
