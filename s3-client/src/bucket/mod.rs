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

use aws_core::{Error, Result};

use crate::client::S3Client;
use crate::limits;
use crate::route::{BucketAddress, push_bucket};
use crate::sign::Signature;

/// A bucket: the place for verbs about it and its objects. Cheap to clone.
#[derive(Clone)]
pub struct Bucket(Arc<BucketParts>);

struct BucketParts {
    client: S3Client,
    name: Arc<str>,
    place: BucketAddress,
    /// What stands in front of the key in the path of a request, percent-encoded.
    path: String,
    /// Whether the name is within the limits; each request would otherwise look at it again.
    legal: bool,
}

impl Bucket {
    pub(crate) fn new(client: S3Client, name: Arc<str>) -> Self {
        let place = client.address_of(&name);
        let mut path = String::new();
        let in_path = (!place.bucket_in_host).then_some(&*name);
        push_bucket(&mut path, client.endpoint().path(), in_path);
        Self(Arc::new(BucketParts {
            place,
            path,
            legal: limits::bucket(&name).is_ok(),
            client,
            name,
        }))
    }

    /// The name of the bucket.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The name, which is cheap to clone.
    pub(crate) fn shared_name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// The client that sends its requests.
    pub fn client(&self) -> &S3Client {
        &self.0.client
    }

    /// Where its requests go, as long as no answer says otherwise.
    pub(crate) fn place(&self) -> &BucketAddress {
        &self.0.place
    }

    /// What stands in front of the key in the path of a request to that place, percent-encoded.
    pub(crate) fn path(&self) -> &str {
        &self.0.path
    }

    /// Refuses a name that no bucket can have.
    ///
    /// # Errors
    /// When it is outside of the limits.
    pub(crate) fn check(&self) -> Result<()> {
        match self.0.legal {
            true => Ok(()),
            false => limits::bucket(&self.0.name),
        }
    }

    /// The error of a request that cannot be made, told what it is about.
    pub(crate) fn refused(&self, error: Error, key: &str) -> Error {
        error.about(
            Some(self.shared_name()),
            Some(key),
            self.client().key_visibility(),
        )
    }

    /// How requests about this bucket are signed, as far as is known: [`Signature::Auto`] as long as nothing was said
    /// and no store has answered, and for an [anonymous](crate::S3Builder::anonymous) client.
    pub fn signature(&self) -> Signature {
        self.client().signature_of(Some(self.shared_name()))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("name", &self.name())
            .field("origin", &self.place().origin)
            .finish()
    }
}
