//! Buckets and keys: a store of small values under two names each, over S3 or over SimpleDB.
//!
//! [`Keys`] is one *partition* of such a store. A *bucket* is the first of the two names of a value, and no bucket of
//! S3: one bucket of S3, or one domain of SimpleDB, holds any number of partitions. Buckets are not made or removed;
//! there are those that have a key.
//!
//! The operations are those of a
//! [backend of Riak](https://github.com/basho/riak_kv/blob/develop/src/riak_kv_backend.erl). **Each write is one atomic
//! request**: what tells which buckets and keys there are is the listing of S3 or the index of SimpleDB, so there is
//! nothing beside the value to keep in step with it, and nothing to roll back.
//!
//! | of a backend | here | requests to S3 | requests to SimpleDB |
//! |---|---|---|---|
//! | `put` | [`put`](Keys::put), [`put_new`](Keys::put_new), [`replace`](Keys::replace) | one `PutObject` | one `PutAttributes` |
//! | `get` | [`get`](Keys::get) | one `GetObject` | one `GetAttributes` |
//! | `delete` | [`delete`](Keys::delete) | one `DeleteObject` | one `DeleteAttributes` |
//! | `fold_buckets` | [`buckets`](Keys::buckets) | a `ListObjectsV2` for each 1,000 buckets | a `Select` for each 100 buckets, or for each bucket of 100 keys and more |
//! | `fold_keys` | [`keys`](Keys::keys), [`all_keys`](Keys::all_keys) | a `ListObjectsV2` for each 1,000 keys | a `Select` for each page, which has up to 2,500 items and 1 MB |
//! | `fold_objects` | [`values`](Keys::values), [`all_values`](Keys::all_values) | as for keys, and one `GetObject` for each value, 64 at a time | as for keys |
//! | `drop` | [`clear`](Keys::clear) | for each 1,000 values a `ListObjectVersions` and a `DeleteObjects`; one `ListMultipartUploads` | for each 2,500 values a `Select`, for each 25 a `BatchDeleteAttributes` |
//! | `is_empty` | [`is_empty`](Keys::is_empty) | one `ListObjectsV2` | one `Select`, or more where a page of it is empty |
//! | `status` | [`status`](Keys::status) | as for all keys | a `Select` that counts, and those for buckets |
//!
//! Retries come on top, and a read that a cache answers is no request. The lists are streams; [`Found::fold`] folds one.
//!
//! # Setting up
//!
//! A program depends on this crate, on `s3-client` or `sdb-client`, with which it makes the client, and on `tokio` with
//! the feature `rt`. The bucket of S3 or the domain has to be there, and to hold nothing but partitions.
//!
//! S3 asks for the permissions `s3:PutObject`, `s3:GetObject`, `s3:DeleteObject` and `s3:ListBucket`. Without the last
//! one [S3 answers](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html) 403 in place of 404, so that a
//! [`get`](Keys::get) of a key without a value is an error. [`clear`](Keys::clear) also asks for `s3:ListBucketVersions`,
//! `s3:DeleteObjectVersion`, `s3:ListBucketMultipartUploads` and `s3:AbortMultipartUpload`.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let store = emulator::Emulator::start_blocking()?;
//! use keys::Keys;
//! use s3_client::{Credentials, S3Client};
//!
//! let s3 = S3Client::builder()
//!     .endpoint(store.url())
//!     .credentials(Credentials::new(store.access_key(), store.secret_key()))
//!     .build()?;
//! let bucket = s3.bucket("riak");
//! bucket.create().await?;
//!
//! let keys = Keys::s3(bucket, "partition-7");
//! keys.put("users", "ann", "Ann").await?;
//! let (value, tag) = keys.get("users", "ann").await?.expect("it was put");
//! assert_eq!(value, "Ann");
//! keys.replace("users", "ann", "Anna", &tag).await?;
//! assert!(keys.put_new("users", "ann", "another").await.unwrap_err().is_condition_failed());
//!
//! let mut found = keys.keys("users");
//! while let Some(key) = found.try_next().await? {
//!     assert_eq!((&*key.bucket, &*key.key), (&b"users"[..], &b"ann"[..]));
//! }
//! let bytes = keys.values("users").fold(0, |sum, (_, value)| sum + value.len()).await?;
//! assert_eq!(bytes, 4);
//! keys.clear().await?;
//! assert!(keys.is_empty().await?);
//! # Ok(()) }
//! ```
//!
//! # Names
//!
//! A value is stored under `PARTITION/BUCKET/KEY`. Each of the three is any bytes, the empty ones too, percent-encoded
//! but for letters, digits, `-`, `_`, `~` and dots that are not the first byte; an empty name is a lone `%`. So a `/`
//! never stands within one of them, and no two triples are stored under one name. The whole may have 1,024 bytes once
//! it is encoded, [in S3](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html) as
//! [in SimpleDB](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDBLimits.html); an encoded byte takes
//! three. Partitions never see each other. Lists of buckets and keys are in the order of the encoded names, which for
//! letters and digits is that of their bytes.
//!
//! # What differs between the two
//!
//! | | S3 | SimpleDB |
//! |---|---|---|
//! | one value | an object | an item with the attributes `b` (`PARTITION/BUCKET/`), `t` (the tag), `v` (the value) |
//! | its largest size | [`max_value`](Keys::max_value) | the same, and just under 253 KiB of text in UTF-8, 189 KiB of other bytes |
//! | its tag | the entity tag, which equal values share | a random one for each put |
//! | order of [`values`](Keys::values) | that in which they arrive | that of the names |
//! | [`Status::bytes`] | yes | no |
//! | [reads that see all writes](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/ConsistencySummary.html) | always | unless [`consistent`](Keys::consistent) is turned off |
//! | [one store holds](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDBLimits.html) | any number | 10 GB and 1,000,000,000 pairs of attribute and value |
//!
//! A value of SimpleDB that is not UTF-8 is kept in Base64. One of up to 1,023 bytes takes three pairs; a longer one takes
//! one more for each 1,024 bytes, of which a shorter value after it leaves some behind, unread, until the key is deleted.
//!
//! # A cache
//!
//! Clients that are built with a cache (their feature `cache`, or that of this crate) answer [`Keys::get`] from it; over
//! S3, [`Keys::values`] too. For SimpleDB turn [`consistent`](Keys::consistent) off as well: a consistent read goes past
//! the cache. A [`Tag`] from a cache may be that of an older value, which another process has replaced since;
//! [`Keys::replace`] is refused then, as it should be.
//!
//! ```
//! # #[cfg(feature = "cache")]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let store = emulator::Emulator::start_blocking()?;
//! use std::time::Duration;
//!
//! use keys::Keys;
//! use sdb_client::cache_layer::{Cache, Memcached};
//! use sdb_client::{Credentials, SdbClient};
//!
//! let memcached = Memcached::builder().servers(["127.0.0.1:11211"]).build()?;
//! let sdb = SdbClient::builder()
//!     .endpoint(store.url())
//!     .credentials(Credentials::new(store.access_key(), store.secret_key()))
//!     .cache(Cache::builder(memcached, Duration::from_secs(60)).build()?)
//!     .build()?;
//! let domain = sdb.domain("riak");
//! domain.create().await?;
//!
//! let keys = Keys::sdb(domain, "partition-7").consistent(false);
//! keys.put("users", "ann", "Ann").await?;
//! let (value, _) = keys.get("users", "ann").await?.expect("it was put");
//! assert_eq!(value, "Ann");
//! # Ok(()) }
//! # #[cfg(not(feature = "cache"))]
//! # fn main() {}
//! ```

#![forbid(unsafe_code)]

mod escape;
mod found;
mod s3;
mod sdb;

use std::fmt;

use aws_core::{Class, ErrorBody};
use bytes::Bytes;
pub use s3_client::{Error, Kind, Result};

pub use self::found::Found;
use self::s3::S3;
use self::sdb::Sdb;

/// The names of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The bucket's name.
    pub bucket: Vec<u8>,
    /// The key within the bucket.
    pub key: Vec<u8>,
}

/// Which of the values of a key it was, for [`Keys::replace`]. It can be compared and kept, and not made by hand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub(crate) String);

/// How much there is in a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Buckets that have a key.
    pub buckets: u64,
    /// Keys.
    pub keys: u64,
    /// Bytes of all values; SimpleDB does not tell.
    pub bytes: Option<u64>,
}

/// The most bytes of `PARTITION/BUCKET/KEY`, of a key of
/// [S3](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html) as of the name of an item of
/// [SimpleDB](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDBLimits.html).
const MAX_NAME: usize = 1024;

/// One partition of a store of buckets and keys: see the [crate]. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    partition: Vec<u8>,
    max_value: usize,
}

#[derive(Clone)]
enum Store {
    S3(S3),
    Sdb(Sdb),
}

/// Does the same with either store.
macro_rules! either {
    ($keys:expr, $store:ident => $do:expr) => {
        match &$keys.store {
            Store::S3($store) => $do,
            Store::Sdb($store) => $do,
        }
    };
}

impl Keys {
    /// This partition in a bucket of S3, which has to be there. It may hold other partitions, and nothing else. Nothing
    /// is sent.
    pub fn s3(bucket: s3_client::Bucket, partition: impl AsRef<[u8]>) -> Self {
        Self::new(Store::S3(S3 { bucket }), partition)
    }

    /// This partition in a domain of SimpleDB, which has to be there. It may hold other partitions, and nothing else.
    /// Nothing is sent.
    pub fn sdb(domain: sdb_client::Domain, partition: impl AsRef<[u8]>) -> Self {
        Self::new(Store::Sdb(Sdb::new(domain)), partition)
    }

    fn new(store: Store, partition: impl AsRef<[u8]>) -> Self {
        Self {
            store,
            partition: partition.as_ref().to_vec(),
            max_value: 1 << 20,
        }
    }

    /// Another partition of the same store.
    #[must_use]
    pub fn partition(&self, partition: impl AsRef<[u8]>) -> Self {
        Self {
            partition: partition.as_ref().to_vec(),
            ..self.clone()
        }
    }

    /// The most bytes of a value, when it is put and when it is read: a longer one is [`Kind::Invalid`] there and
    /// [`Kind::Protocol`] here. Defaults to 1 MiB. Values are held in memory whole. An item of SimpleDB holds less: see
    /// [what differs](crate#what-differs-between-the-two).
    #[must_use]
    pub fn max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// Whether reads of SimpleDB see every write that was answered before. Defaults to yes. Without it they cost the
    /// service less, may be old, and can be answered by the client's cache. S3 itself always shows every write.
    #[must_use]
    pub fn consistent(mut self, yes: bool) -> Self {
        if let Store::Sdb(sdb) = &mut self.store {
            sdb.consistent = yes;
        }
        self
    }

    /// Stores a value in place of the one that the key has, if it has any. One request, which is sent again after a
    /// failure that may pass.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when the value or the names are too long; otherwise as sending and the service say.
    pub async fn put(
        &self,
        bucket: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
    ) -> Result<Tag> {
        let names = (bucket.as_ref(), key.as_ref());
        self.write(names, value.into(), When::Always).await
    }

    /// Stores a value if the key has none. One request, which is not sent again once it may have run: when its answer is
    /// lost, the error says that it [may have been sent](Error::may_have_been_sent), and a [`get`](Self::get) tells which
    /// value is there. S3 takes it by
    /// [`If-None-Match`](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html), SimpleDB by a
    /// [conditional put](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/ConditionalPut.html).
    ///
    /// Two that run at the same time in S3 may be refused with the code `ConditionalRequestConflict`, which is
    /// [`Class::Conflict`], once they have been retried.
    ///
    /// # Errors
    /// [`is_condition_failed`](Error::is_condition_failed) when the key has a value; otherwise as [`put`](Self::put).
    pub async fn put_new(
        &self,
        bucket: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
    ) -> Result<Tag> {
        let names = (bucket.as_ref(), key.as_ref());
        self.write(names, value.into(), When::Absent).await
    }

    /// Stores a value if the key still has the one of this tag. One request, not sent again once it may have run, as
    /// [`put_new`](Self::put_new). In S3 equal values have the same tag: one that was changed and changed back is replaced.
    /// Not every store that speaks S3 has this condition: Ceph RGW up to 16.2 refuses each with
    /// [`is_condition_failed`](Error::is_condition_failed).
    ///
    /// # Errors
    /// [`is_condition_failed`](Error::is_condition_failed) when the key has another value or none; otherwise as
    /// [`put`](Self::put).
    pub async fn replace(
        &self,
        bucket: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        tag: &Tag,
    ) -> Result<Tag> {
        let names = (bucket.as_ref(), key.as_ref());
        let written = self.write(names, value.into(), When::Is(tag)).await;
        written.map_err(conflict)
    }

    /// The value of a key and its tag, or nothing. One request, or none where the client's cache has the answer.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when the names are too long; [`Kind::Protocol`] when what is stored is not of this crate or too
    /// long; otherwise as sending and the service say.
    pub async fn get(
        &self,
        bucket: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<(Bytes, Tag)>> {
        let name = self.name(bucket.as_ref(), key.as_ref())?;
        either!(self, store => store.get(name, self.max_value).await)
    }

    /// Removes the value of a key; one that has none is no error. One request.
    ///
    /// # Errors
    /// As sending and the service say.
    pub async fn delete(&self, bucket: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<()> {
        let name = self.name(bucket.as_ref(), key.as_ref())?;
        either!(self, store => store.delete(name).await)
    }

    /// The buckets that have a key, each once and in order.
    #[doc(alias("fold_buckets"))]
    pub fn buckets(&self) -> Found<Vec<u8>> {
        Found::under(
            self.prefix(),
            |prefix| either!(self, store => store.buckets(prefix)),
        )
    }

    /// The keys of a bucket, in order.
    #[doc(alias("fold_keys", "list_bucket"))]
    pub fn keys(&self, bucket: impl AsRef<[u8]>) -> Found<Key> {
        Found::under(
            self.prefix_of(bucket.as_ref()),
            |prefix| either!(self, store => store.keys(prefix)),
        )
    }

    /// The keys of all buckets, in order.
    #[doc(alias("list"))]
    pub fn all_keys(&self) -> Found<Key> {
        Found::under(
            self.prefix(),
            |prefix| either!(self, store => store.keys(prefix)),
        )
    }

    /// The keys of a bucket with their values, over S3 in the order in which they arrive. A key that is removed meanwhile
    /// may be left out.
    #[doc(alias("fold_objects"))]
    pub fn values(&self, bucket: impl AsRef<[u8]>) -> Found<(Key, Bytes)> {
        Found::under(
            self.prefix_of(bucket.as_ref()),
            |prefix| either!(self, store => store.values(prefix, self.max_value)),
        )
    }

    /// The keys of all buckets with their values, as [`values`](Self::values).
    pub fn all_values(&self) -> Found<(Key, Bytes)> {
        Found::under(
            self.prefix(),
            |prefix| either!(self, store => store.values(prefix, self.max_value)),
        )
    }

    /// Removes everything from the partition, over S3 with all versions of it. What is stored meanwhile may be left. After
    /// an error it can be begun again. The bucket of S3 or the domain stays.
    ///
    /// # Errors
    /// That of the first request that failed.
    #[doc(alias("drop", "purge"))]
    pub async fn clear(&self) -> Result<()> {
        let prefix = self.prefix()?;
        either!(self, store => store.clear(prefix).await)
    }

    /// Whether there is no key in the partition.
    ///
    /// # Errors
    /// As sending and the service say.
    pub async fn is_empty(&self) -> Result<bool> {
        let prefix = self.prefix()?;
        either!(self, store => store.is_empty(prefix).await)
    }

    /// How much there is in the partition, counted from a list of all of its keys: its cost grows with them.
    ///
    /// # Errors
    /// As sending and the service say.
    pub async fn status(&self) -> Result<Status> {
        let prefix = self.prefix()?;
        either!(self, store => store.status(prefix).await)
    }

    async fn write(
        &self,
        (bucket, key): (&[u8], &[u8]),
        value: Bytes,
        when: When<'_>,
    ) -> Result<Tag> {
        if value.len() > self.max_value {
            return Err(Error::invalid(format!(
                "the value has {} bytes, over the limit of {} (max_value)",
                value.len(),
                self.max_value
            )));
        }
        let name = self.name(bucket, key)?;
        either!(self, store => store.put(name, value, when).await)
    }

    fn name(&self, bucket: &[u8], key: &[u8]) -> Result<String> {
        let [partition, bucket] = [&*self.partition, bucket].map(escape::escape);
        checked(format!("{partition}/{bucket}/{}", escape::escape(key)), "")
    }

    /// What the names of all keys of a bucket begin with, and no others.
    fn prefix_of(&self, bucket: &[u8]) -> Result<String> {
        let [partition, bucket] = [&*self.partition, bucket].map(escape::escape);
        checked(format!("{partition}/{bucket}/"), "k")
    }

    /// What the names of all keys of the partition begin with, and no others.
    fn prefix(&self) -> Result<String> {
        checked(escape::escape(&self.partition) + "/", "b/k")
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (store, place) = match &self.store {
            Store::S3(s3) => ("S3", s3.bucket.name()),
            Store::Sdb(sdb) => ("SimpleDB", sdb.domain.name()),
        };
        f.debug_struct("Keys")
            .field(store, &place)
            .field("partition", &self.partition.escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}

/// When a value is stored.
enum When<'a> {
    Always,
    /// When the key has none.
    Absent,
    /// When the key has the value of this tag.
    Is(&'a Tag),
}

/// A name, or what names begin with that go on with at least as many bytes as `rest`.
fn checked(name: String, rest: &str) -> Result<String> {
    match name.len() + rest.len() {
        ..=MAX_NAME => Ok(name),
        bytes => Err(Error::invalid(format!(
            "PARTITION/BUCKET/KEY has {bytes} bytes in its encoded form, over the limit of {MAX_NAME}"
        ))),
    }
}

/// The error of a write that a tag was given for: where the key has no value any more, both services say that something
/// is not there, S3 the object and SimpleDB the attribute.
fn conflict(error: Error) -> Error {
    let (Some(status), Some(code @ ("NoSuchKey" | "AttributeDoesNotExist"))) =
        (error.status(), error.code())
    else {
        return error;
    };
    let mut body = ErrorBody::new(code, "the key has no value any more");
    body.request_id = error.request_id().map(str::to_owned);
    Error::service(status, body, Some(Class::ConditionFailed)).with_source(error)
}

/// The names within `PARTITION/BUCKET/KEY`.
fn parse(name: &str) -> Result<Key> {
    let parts: Option<Vec<Vec<u8>>> = name.split('/').map(escape::unescape).collect();
    match parts.map(<[Vec<u8>; 3]>::try_from) {
        Some(Ok([_, bucket, key])) => Ok(Key { bucket, key }),
        _ => Err(foreign(&format!("{name:?} is not PARTITION/BUCKET/KEY"))),
    }
}

/// The error for what is stored and not of this crate.
fn foreign(why: &str) -> Error {
    Error::protocol(format!(
        "something that is stored is no value of keys: {why}"
    ))
}
