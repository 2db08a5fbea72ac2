//! Buckets and keys: a store of small values under two names each, over S3 or over SimpleDB.
//!
//! [`Keys`] has the operations of a [backend of Riak](https://github.com/basho/riak_kv/blob/develop/src/riak_kv_backend.erl):
//! put, get and delete by bucket and key, folds over buckets, keys and values, drop, whether it is empty, and its
//! status. **Each write is one atomic request**: what tells which buckets and keys there are is the listing of S3 or
//! the index of SimpleDB, so there is nothing beside the value to keep in step with it, and nothing to roll back.
//!
//! # Names
//!
//! A value is stored under `PARTITION/BUCKET/KEY`. Each of the three is any bytes, the empty ones too, percent-encoded
//! but for letters, digits, `-`, `_`, `~` and dots that are not the first byte; an empty name is a lone `%`. So a `/`
//! never stands within one of them, and no two triples are stored under one name. It may have 1,024 bytes, in S3 as
//! in SimpleDB. Partitions never see each other. Lists are in the order of the encoded names, which for letters and
//! digits is that of their bytes.
//!
//! # What differs between the two
//!
//! | | S3 | SimpleDB |
//! |---|---|---|
//! | one value | an object | an item with the attributes `b` (partition and bucket), `t` (the tag), `v` (the value) |
//! | its largest size | [`max_value`](Keys::max_value) | about 250 KB of text, 190 KB of other bytes |
//! | its tag | the entity tag, which equal values share | a random one for each put |
//! | values in a list | one request each, 64 at a time, beside those of the listing | in the pages of the list |
//! | reads that must see all writes | always | unless [`consistent`](Keys::consistent) is turned off |
//! | one store holds | any number | 10 GB and 1,000,000,000 pairs |
//!
//! A value of SimpleDB that is not UTF-8 is kept in Base64. One of more than about 1 KB takes several attributes, of
//! which a shorter value after it leaves some behind, unread, until the key is deleted.
//!
//! # A cache
//!
//! Clients that are built with a cache (their feature `cache`, or that of this crate) answer [`Keys::get`] from it.
//! For SimpleDB turn [`consistent`](Keys::consistent) off as well: a consistent read goes past the cache.
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
//! keys.delete("users", "ann").await?;
//! assert!(keys.is_empty().await?);
//! # Ok(()) }
//! ```

#![forbid(unsafe_code)]

mod escape;
mod found;
mod s3;
mod sdb;

use std::fmt;

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

/// Which of the values of a key it was: for [`Keys::replace`].
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
    /// This partition in a bucket of S3, which is there. It may hold other partitions, and nothing else.
    pub fn s3(bucket: s3_client::Bucket, partition: impl AsRef<[u8]>) -> Self {
        Self::new(Store::S3(S3 { bucket }), partition)
    }

    /// This partition in a domain of SimpleDB, which is there. It may hold other partitions, and nothing else.
    pub fn sdb(domain: &sdb_client::Domain, partition: impl AsRef<[u8]>) -> Self {
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

    /// The most bytes of a value, both when it is put and when it is read, where a longer one is an error. Defaults to
    /// 1 MiB. Values are held in memory.
    #[must_use]
    pub fn max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// Whether reads of SimpleDB see every write that was answered before. Defaults to yes. Without it they cost the
    /// service less, may be old, and can be answered by the client's cache. S3 always shows every write.
    #[must_use]
    pub fn consistent(mut self, yes: bool) -> Self {
        if let Store::Sdb(sdb) = &mut self.store {
            sdb.consistent = yes;
        }
        self
    }

    /// Stores a value in place of the one that the key has, if it has any. One request.
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

    /// Stores a value if the key has none. One request, sent once: when its answer is lost, the error says that it
    /// [may have been sent](Error::may_have_been_sent).
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

    /// Stores a value if the key still has the one of this tag. One request, sent once, as [`put_new`](Self::put_new).
    /// Of the stores of S3 some have no such condition: Ceph RGW up to 16.2 refuses all.
    ///
    /// # Errors
    /// [`is_condition_failed`](Error::is_condition_failed) when the key has another value, that or
    /// [`is_not_found`](Error::is_not_found) when it has none; otherwise as [`put`](Self::put).
    pub async fn replace(
        &self,
        bucket: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        tag: &Tag,
    ) -> Result<Tag> {
        let names = (bucket.as_ref(), key.as_ref());
        self.write(names, value.into(), When::Is(tag)).await
    }

    /// The value of a key and its tag, or nothing. One request.
    ///
    /// # Errors
    /// [`Kind::Protocol`] when what is stored is not of this crate or too long; otherwise as sending and the service
    /// say.
    pub async fn get(
        &self,
        bucket: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<(Bytes, Tag)>> {
        let name = self.name(bucket.as_ref(), key.as_ref());
        either!(self, store => store.get(name, self.max_value).await)
    }

    /// Removes the value of a key; one that has none is no error. One request.
    ///
    /// # Errors
    /// As sending and the service say.
    pub async fn delete(&self, bucket: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<()> {
        let name = self.name(bucket.as_ref(), key.as_ref());
        either!(self, store => store.delete(name).await)
    }

    /// The buckets that have a key, each once.
    pub fn buckets(&self) -> Found<Vec<u8>> {
        either!(self, store => store.buckets(self.prefix()))
    }

    /// The keys of a bucket.
    pub fn keys(&self, bucket: impl AsRef<[u8]>) -> Found<Key> {
        either!(self, store => store.keys(self.prefix_of(bucket.as_ref())))
    }

    /// The keys of all buckets.
    pub fn all_keys(&self) -> Found<Key> {
        either!(self, store => store.keys(self.prefix()))
    }

    /// The keys of a bucket with their values, in no order. One that is removed meanwhile may be left out.
    pub fn values(&self, bucket: impl AsRef<[u8]>) -> Found<(Key, Bytes)> {
        either!(self, store => store.values(self.prefix_of(bucket.as_ref()), self.max_value))
    }

    /// The keys of all buckets with their values, as [`values`](Self::values).
    pub fn all_values(&self) -> Found<(Key, Bytes)> {
        either!(self, store => store.values(self.prefix(), self.max_value))
    }

    /// Removes everything from the partition. What is stored meanwhile may be left. After an error it can be begun
    /// again.
    ///
    /// # Errors
    /// That of the first request that failed.
    pub async fn clear(&self) -> Result<()> {
        either!(self, store => store.clear(self.prefix()).await)
    }

    /// Whether there is no key in the partition. One request.
    ///
    /// # Errors
    /// As sending and the service say.
    pub async fn is_empty(&self) -> Result<bool> {
        either!(self, store => store.is_empty(self.prefix()).await)
    }

    /// How much there is in the partition, counted from a list of all of it.
    ///
    /// # Errors
    /// As sending and the service say.
    pub async fn status(&self) -> Result<Status> {
        either!(self, store => store.status(self.prefix()).await)
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
        let name = self.name(bucket, key);
        either!(self, store => store.put(name, value, when).await)
    }

    fn name(&self, bucket: &[u8], key: &[u8]) -> String {
        self.prefix_of(bucket) + &escape::escape(key)
    }

    /// What the names of all keys of a bucket begin with, and no others.
    fn prefix_of(&self, bucket: &[u8]) -> String {
        self.prefix() + &escape::escape(bucket) + "/"
    }

    /// What the names of all keys of the partition begin with, and no others.
    fn prefix(&self) -> String {
        escape::escape(&self.partition) + "/"
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

/// The names within `PARTITION/BUCKET/KEY`.
fn parse(name: &str) -> Result<Key> {
    let parts: Option<Vec<Vec<u8>>> = name.split('/').map(escape::unescape).collect();
    match parts.map(<[Vec<u8>; 3]>::try_from) {
        Some(Ok([_, bucket, key])) => Ok(Key { bucket, key }),
        _ => Err(foreign("its name is not PARTITION/BUCKET/KEY")),
    }
}

/// The error for what is stored and not of this crate.
fn foreign(why: &str) -> Error {
    Error::protocol(format!(
        "something that is stored is no value of keys: {why}"
    ))
}
