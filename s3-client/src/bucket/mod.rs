//! A bucket: what it is, and the verbs about the bucket itself, each in a file of its name. Verbs about its objects are
//! in the folder `object`.

pub mod config;
pub(crate) mod create;
mod delete;
mod head;
mod is_empty;
mod list;

pub use create::CreateBucket;
pub use delete::DeleteBucket;
pub use head::HeadBucket;
pub use is_empty::IsEmpty;
pub use list::{BucketInfo, ListBuckets};

use std::fmt;
use std::sync::Arc;

use aws_core::Error;

use crate::client::S3Client;
use crate::limits;
use crate::route::BucketAddress;
use crate::sign::Signature;

/// A bucket: the place for verbs about it and its objects. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    pub(crate) client: S3Client,
    pub(crate) name: Arc<str>,
    pub(crate) place: BucketAddress,
    /// Whether the name is within the limits; each request would otherwise look at it again.
    pub(crate) legal: bool,
}

impl Bucket {
    pub(crate) fn new(client: S3Client, name: Arc<str>) -> Self {
        Self {
            place: client.address_of(&name),
            legal: limits::bucket(&name).is_ok(),
            client,
            name,
        }
    }

    /// The name of the bucket.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The client that sends its requests.
    pub fn client(&self) -> &S3Client {
        &self.client
    }

    /// The error of a request that cannot be made, told what it is about.
    pub(crate) fn refused(&self, error: Error, key: &str) -> Error {
        error.about(Some(&self.name), Some(key), self.client.key_visibility())
    }

    /// How requests about this bucket are signed, as far as is known: [`Signature::Auto`] as long as nothing was said
    /// and no store has answered, and for an [anonymous](crate::S3Builder::anonymous) client.
    pub fn signature(&self) -> Signature {
        self.client.signature_of(Some(&self.name))
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
