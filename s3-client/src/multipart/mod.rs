//! Uploads in parts, by hand.
//!
//! [Multipart upload](https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html)

mod abort;
mod complete;
mod copy_part;
mod create;
mod list;
mod part;
mod parts;

pub use abort::AbortMultipart;
pub use complete::{CompleteMultipart, Completed};
pub use copy_part::CopyPart;
pub use create::CreateMultipart;
pub use list::{
    ListMultipart, MultipartInfo, MultipartPage, MultipartPages, Multiparts, UnfinishedUploads,
};
pub use part::UploadPart;
pub use parts::{ListParts, Part, PartPage, PartPages, Parts};

use std::fmt;
use std::sync::Arc;

use crate::bucket::Bucket;
use crate::request::encryption::CustomerKey;
use crate::request::source::Source;

/// An upload in parts that has begun; made by [`Bucket::create_multipart`], or by [`Bucket::multipart`] of one
/// that is known. Cheap to clone.
///
/// Parts can be sent in any order, at the same time and from several programs. They take room, and cost, until
/// the upload is [completed](Self::complete) or [aborted](Self::abort); nothing does that by itself, unless the
/// bucket has [a rule for it](https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
/// [`Bucket::upload`] does all of this for a whole object.
///
/// ```
/// # use s3_client::{Credentials, S3Client};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = emulator::Emulator::start_blocking()?;
/// # let s3 = S3Client::builder()
/// #     .endpoint(store.url())
/// #     .credentials(Credentials::new(store.access_key(), store.secret_key()))
/// #     .build()?;
/// # let films = s3.bucket("films");
/// # films.create().await?;
/// let upload = films.create_multipart("cat.mp4").content_type("video/mp4").await?;
/// let first = upload.part(1, vec![b'a'; 5 << 20]).await?;
/// let last = upload.part(2, "the end").await?;
/// let film = upload.complete([first, last]).await?;
/// assert!(film.etag().is_some_and(|tag| tag.ends_with("-2\"")));
/// assert_eq!(films.head("cat.mp4").await?.size(), Some((5 << 20) + 7));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MultipartUpload {
    pub(crate) bucket: Bucket,
    pub(crate) key: Arc<str>,
    pub(crate) id: Arc<str>,
    /// What each part has to bring.
    customer_key: Option<CustomerKey>,
    /// Whether the object will be locked, so that each part has to bring a digest.
    locked: bool,
}

impl MultipartUpload {
    /// The key that the object will have.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The store's identifier of the upload.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The bucket that the object will be in.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// The same with the key that it was begun with. Not needed where the handle comes from
    /// [`Bucket::create_multipart`].
    #[must_use]
    pub fn customer_key(mut self, key: CustomerKey) -> Self {
        self.customer_key = Some(key);
        self
    }

    /// Sends a part: its number, 1 to 10,000, says where it belongs. All but the last have 5 MiB to 5 GiB. A part
    /// that was sent under the same number is replaced.
    ///
    /// [UploadPart](https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html)
    #[doc(alias("upload_part", "UploadPart"))]
    pub fn part(&self, number: u32, body: impl Into<Source>) -> UploadPart {
        UploadPart::new(self.clone(), number, body.into())
    }

    /// Makes a part of what another object has, or of a range of it, within the store.
    ///
    /// [UploadPartCopy](https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html)
    #[doc(alias("upload_part_copy", "UploadPartCopy"))]
    pub fn copy_part(
        &self,
        number: u32,
        source_bucket: impl Into<String>,
        source_key: impl Into<String>,
    ) -> CopyPart {
        CopyPart::new(
            self.clone(),
            number,
            source_bucket.into(),
            source_key.into(),
        )
    }

    /// Lists the parts that the store has, in the order of their numbers.
    ///
    /// [ListParts](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html)
    #[doc(alias("list_parts", "ListParts"))]
    pub fn parts(&self) -> ListParts {
        ListParts::new(self.clone())
    }

    /// Makes the object of these parts, which may come in any order; others that were sent are dropped.
    ///
    /// [CompleteMultipartUpload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html)
    #[doc(alias("complete_multipart_upload", "CompleteMultipartUpload"))]
    pub fn complete(&self, parts: impl IntoIterator<Item = Part>) -> CompleteMultipart {
        CompleteMultipart::new(self.clone(), parts.into_iter().collect())
    }

    /// Gives the upload up and drops its parts. A part that is still being sent may come to be kept: abort
    /// again after it.
    ///
    /// [AbortMultipartUpload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html)
    #[doc(alias("abort_multipart_upload", "AbortMultipartUpload"))]
    pub fn abort(&self) -> AbortMultipart {
        AbortMultipart::new(self.clone())
    }
}

impl fmt::Debug for MultipartUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartUpload")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("id", &self.id)
            .finish()
    }
}

impl Bucket {
    /// Begins an upload in parts.
    ///
    /// [CreateMultipartUpload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html)
    #[doc(alias("create_multipart_upload", "CreateMultipartUpload"))]
    pub fn create_multipart(&self, key: impl Into<String>) -> CreateMultipart {
        CreateMultipart::new(self.clone(), key.into())
    }

    /// The upload in parts of this key and identifier, which has begun before. Nothing is sent.
    pub fn multipart(&self, key: impl Into<Arc<str>>, id: impl Into<Arc<str>>) -> MultipartUpload {
        MultipartUpload {
            bucket: self.clone(),
            key: key.into(),
            id: id.into(),
            customer_key: None,
            locked: false,
        }
    }

    /// Lists the uploads in parts that are neither completed nor aborted, in the order of their keys.
    ///
    /// [ListMultipartUploads](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html)
    #[doc(alias("list_multipart_uploads", "ListMultipartUploads"))]
    pub fn list_multipart(&self) -> ListMultipart {
        ListMultipart::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Credentials, S3Client};

    #[test]
    fn an_upload_that_goes_on_is_that_of_its_key_and_identifier() {
        let client = S3Client::builder()
            .endpoint("http://127.0.0.1:1")
            .credentials(Credentials::new("AK", "secret"))
            .build()
            .unwrap();
        let upload = client.bucket("films").multipart("a/b", "id7");
        assert_eq!((upload.key(), upload.id()), ("a/b", "id7"));
        assert_eq!(upload.bucket().name(), "films");
    }
}
