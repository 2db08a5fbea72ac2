//! A bucket: what it is, and the verbs about the bucket itself, each in a file of its name. Verbs about its objects are
//! in the folder `object`.

mod acl;
pub mod config;
pub(crate) mod create;
mod delete;
mod head;
mod is_empty;
mod list;

pub use acl::{AclChange, PutBucketAcl};
pub use config::{Config, DeleteConfig, GetConfig, PutConfig, Removable, Settable};
pub use create::CreateBucket;
pub use delete::DeleteBucket;
pub use head::HeadBucket;
pub use is_empty::IsEmpty;
pub use list::{BucketInfo, ListBuckets};

use std::fmt;
use std::sync::Arc;

use aws_core::Place;
use bytes::Bytes;
use futures_core::Stream;
use pipeline_pool::BodyError;

use crate::client::S3Client;
use crate::config::Tagging;
use crate::limits;
use crate::list::{List, ListV1, ListVersions};
use crate::object::acl::{GetObjectAcl, PutObjectAcl};
use crate::object::attributes::GetObjectAttributes;
use crate::object::copy::Copy;
use crate::object::delete::Delete;
use crate::object::get::Get;
use crate::object::head::Head;
use crate::object::put::Put;
use crate::object::restore::Restore;
use crate::object::tagging::{DeleteObjectTagging, GetObjectTagging, PutObjectTagging};
use crate::request::body::Source;

/// A bucket: the place for verbs about it and its objects. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    pub(crate) client: S3Client,
    pub(crate) name: Arc<str>,
    pub(crate) place: Place,
    /// Whether the name is within the limits; each request would otherwise look at it again.
    pub(crate) legal: bool,
}

impl Bucket {
    pub(crate) fn new(client: S3Client, name: Arc<str>) -> Self {
        Self {
            place: client.endpoint().place(&name),
            legal: limits::bucket(&name).is_ok(),
            client,
            name,
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes the bucket.
    ///
    /// [CreateBucket](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html)
    pub fn create(&self) -> CreateBucket {
        CreateBucket::new(self.clone())
    }

    /// Removes the bucket, which must be empty.
    ///
    /// [DeleteBucket](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html)
    pub fn delete_bucket(&self) -> DeleteBucket {
        DeleteBucket::new(self.clone())
    }

    /// Asks whether the bucket is there and may be read.
    ///
    /// [HeadBucket](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html)
    #[doc(alias = "exists")]
    pub fn head_bucket(&self) -> HeadBucket {
        HeadBucket::new(self.clone())
    }

    /// Stores an object of up to 5 GiB: bytes, or another [`Source`].
    ///
    /// [PutObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html)
    pub fn put(&self, key: impl Into<String>, body: impl Into<Source>) -> Put {
        Put::new(self.clone(), key.into(), body.into())
    }

    /// Stores an object of exactly `len` bytes, up to 5 GiB, which are read from a stream while they are sent.
    ///
    /// It is sent again after a failure only if nothing had been read. As [`put`](Self::put) of a [`Source::stream`].
    pub fn put_stream<S, E>(&self, key: impl Into<String>, len: u64, stream: S) -> Put
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BodyError> + 'static,
    {
        self.put(key, Source::stream(len, stream))
    }

    /// Stores a file of up to 5 GiB in one request. As [`put`](Self::put) of a [`Source::file`].
    #[cfg(feature = "fs")]
    pub fn put_file(&self, key: impl Into<String>, path: impl AsRef<std::path::Path>) -> Put {
        self.put(key, Source::file(path))
    }

    /// Fetches an object, or a range of it.
    ///
    /// An object of up to 64 KiB is here whole when this resolves. A larger one is a stream that holds
    /// its connection until it is read to its end or dropped: as many unread objects as the pool has
    /// connections (64 by default) leave none for other requests, which fail as busy after their wait.
    ///
    /// [GetObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html)
    pub fn get(&self, key: impl Into<String>) -> Get {
        Get::new(self.clone(), key.into())
    }

    /// Fetches what is known of an object without its body.
    ///
    /// [HeadObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html)
    #[doc(alias = "exists")]
    pub fn head(&self, key: impl Into<String>) -> Head {
        Head::new(self.clone(), key.into())
    }

    /// Removes an object; one that is not there is no error.
    ///
    /// [DeleteObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html)
    pub fn delete(&self, key: impl Into<String>) -> Delete {
        Delete::new(self.clone(), key.into())
    }

    /// Copies an object within the store, here from a key of this bucket; [`Copy::from_bucket`] takes another.
    ///
    /// [CopyObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html)
    pub fn copy(&self, from: impl Into<String>, to: impl Into<String>) -> Copy {
        Copy::new(self.clone(), from.into(), to.into())
    }

    /// Fetches the tags of an object.
    ///
    /// [GetObjectTagging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html)
    pub fn get_object_tagging(&self, key: impl Into<String>) -> GetObjectTagging {
        GetObjectTagging::new(self.clone(), key.into())
    }

    /// Gives an object these tags in place of those that it has.
    ///
    /// [PutObjectTagging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html)
    pub fn put_object_tagging(
        &self,
        key: impl Into<String>,
        tagging: impl Into<Tagging>,
    ) -> PutObjectTagging {
        PutObjectTagging::new(self.clone(), key.into(), tagging.into())
    }

    /// Removes all tags of an object.
    ///
    /// [DeleteObjectTagging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html)
    pub fn delete_object_tagging(&self, key: impl Into<String>) -> DeleteObjectTagging {
        DeleteObjectTagging::new(self.clone(), key.into())
    }

    /// Fetches what the store keeps of an object: its checksums, and how it came in parts.
    ///
    /// [GetObjectAttributes](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html)
    pub fn get_object_attributes(&self, key: impl Into<String>) -> GetObjectAttributes {
        GetObjectAttributes::new(self.clone(), key.into())
    }

    /// Brings an archived object back for this many days.
    ///
    /// [RestoreObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html)
    pub fn restore(&self, key: impl Into<String>, days: u32) -> Restore {
        Restore::new(self.clone(), key.into(), days)
    }

    /// Fetches who may do what with an object.
    ///
    /// [GetObjectAcl](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html)
    pub fn get_object_acl(&self, key: impl Into<String>) -> GetObjectAcl {
        GetObjectAcl::new(self.clone(), key.into())
    }

    /// Replaces who may do what with an object, by a [`CannedAcl`](crate::config::CannedAcl) or an
    /// [`Acl`](crate::config::Acl).
    ///
    /// [PutObjectAcl](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html)
    pub fn put_object_acl(
        &self,
        key: impl Into<String>,
        acl: impl Into<AclChange>,
    ) -> PutObjectAcl {
        PutObjectAcl::new(self.clone(), key.into(), acl.into())
    }

    /// Lists objects in the order of their keys.
    ///
    /// [ListObjectsV2](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html)
    pub fn list(&self) -> List {
        List::new(self.clone())
    }

    /// Lists objects in the order of their keys, in the first version of that operation: for stores that lack the
    /// second.
    ///
    /// [ListObjects](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html)
    pub fn list_v1(&self) -> ListV1 {
        ListV1::new(self.clone())
    }

    /// Lists versions of objects and delete markers.
    ///
    /// [ListObjectVersions](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html)
    pub fn list_versions(&self) -> ListVersions {
        ListVersions::new(self.clone())
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("name", &self.name)
            .field("origin", &self.place.origin)
            .finish()
    }
}
