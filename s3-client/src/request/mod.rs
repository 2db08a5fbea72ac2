//! Requests, and what their setters take.
//!
//! Each is made by a method of [`Bucket`](crate::Bucket), of [`S3Client`](crate::S3Client) or of
//! [`MultipartUpload`](crate::answer::MultipartUpload), and sent by `.await` or by its `send`.
//!
//! | made by | request | answer |
//! |---|---|---|
//! | `get` | [`Get`] | [`Object`](crate::Object) or, with a condition, [`Fetched`](crate::answer::Fetched) |
//! | `get(…).to_file` | `SaveFile` (feature `fs`) | [`ObjectHead`](crate::ObjectHead) |
//! | `head` | [`Head`] | [`ObjectHead`](crate::ObjectHead) or, with a condition, [`HeadFetched`](crate::answer::HeadFetched) |
//! | `put`, `put_stream`, `put_file` | [`Put`] | [`Stored`](crate::answer::Stored) |
//! | `copy` | [`Copy`](struct@Copy) | [`Copied`](crate::answer::Copied) |
//! | `delete` | [`Delete`] | [`Deleted`](crate::answer::Deleted) |
//! | `get_object_attributes` | [`GetObjectAttributes`] | [`ObjectAttributes`](crate::answer::ObjectAttributes) |
//! | `restore` | [`Restore`] | [`Restored`](crate::answer::Restored) |
//! | `presign_get` and its like | [`Presign`] | [`Link`](crate::answer::Link) |
//! | `post_policy` | [`PostPolicy`] | [`PostForm`](crate::answer::PostForm) |
//! | `get_config`, `get_object_tagging` and its like | [`GetConfig`] | a document of [`config`](crate::config) |
//! | `put_config`, `put_object_tagging` and its like | [`PutConfig`] | nothing |
//! | `delete_config`, `delete_object_tagging` | [`DeleteConfig`] | nothing |
//! | `create` | [`CreateBucket`] | nothing |
//! | `delete_bucket` | [`DeleteBucket`] | nothing |
//! | `head_bucket` | [`HeadBucket`] | nothing |
//! | `is_empty` | [`IsEmpty`] | `bool` |
//! | `list_buckets` | [`ListBuckets`] | [`BucketInfo`](crate::answer::BucketInfo) of each |
//! | `list` | [`List`] | [`ListPage`](crate::answer::ListPage), or a stream |
//! | `list_v1` | [`ListV1`] | [`ListPage`](crate::answer::ListPage), or a stream |
//! | `list_versions` | [`ListVersions`] | [`VersionsPage`](crate::answer::VersionsPage), or a stream |
//! | `get_many`, `get_many_from` | [`GetMany`] | [`Results`](crate::answer::Results), a stream |
//! | `list().get_many` | [`GetListed`] | [`Results`](crate::answer::Results), a stream |
//! | `put_many`, `put_many_from` | [`PutMany`] | [`Results`](crate::answer::Results), a stream |
//! | `delete_many`, `delete_many_from` | [`DeleteMany`] | [`DeleteSummary`](crate::answer::DeleteSummary), or a stream |
//! | `purge` | [`Purge`] | [`PurgeSummary`](crate::answer::PurgeSummary), or a stream |
//! | `upload` | [`Upload`] | [`Uploaded`](crate::answer::Uploaded) |
//! | `download` | `Download` (feature `fs`), `DownloadFile` | [`ObjectHead`](crate::ObjectHead) |
//! | `create_multipart` | [`CreateMultipart`] | [`MultipartUpload`](crate::answer::MultipartUpload) |
//! | `list_multipart` | [`ListMultipart`] | [`MultipartPage`](crate::answer::MultipartPage), or a stream |
//! | `part` of an upload | [`UploadPart`] | [`Part`](crate::answer::Part) |
//! | `copy_part` of an upload | [`CopyPart`] | [`Part`](crate::answer::Part) |
//! | `parts` of an upload | [`ListParts`] | [`PartPage`](crate::answer::PartPage), or a stream |
//! | `complete` of an upload | [`CompleteMultipart`] | [`Completed`](crate::answer::Completed) |
//! | `abort` of an upload | [`AbortMultipart`] | nothing |
//!
//! What setters take: [`CustomerKey`] and [`ServerSideEncryption`] (`encryption`), [`RetryConfig`] (`retry`),
//! `CacheMode` (`cache`, with the feature of this name), [`ObjectId`] (`delete_many`), [`AclChange`]
//! (`put_object_acl`). [`Get`] and [`Head`] are the two kinds of [`ReadObject`], which has the setters that
//! both share: [`Fetch`] and [`Look`] say in the type which of them it is, and [`Always`] and [`IfChanged`] whether it has
//! a condition.

#[macro_use]
pub(crate) mod options;
#[macro_use]
pub(crate) mod attributes;

pub(crate) mod body;
pub(crate) mod encryption;
pub(crate) mod reading;
pub(crate) mod source;

pub use aws_core::RetryConfig;
#[cfg(feature = "cache")]
pub use aws_core::cache::CacheMode;

pub use self::encryption::{CustomerKey, ServerSideEncryption};
pub use crate::bucket::config::{DeleteConfig, GetConfig, PutConfig};
pub use crate::bucket::{CreateBucket, DeleteBucket, HeadBucket, IsEmpty, ListBuckets};
#[cfg(feature = "fs")]
pub use crate::file::SaveFile;
pub use crate::list::{
    BucketListing, List, ListV1, ListVersions, Listed, ObjectVersions, ObjectsByMarker,
    ObjectsByToken,
};
pub use crate::many::{DeleteMany, GetListed, GetMany, ObjectId, Purge, PutMany};
pub use crate::multipart::{
    AbortMultipart, CompleteMultipart, CopyPart, CreateMultipart, ListMultipart, ListParts,
    UnfinishedUploads, UploadPart,
};
pub use crate::object::acl::AclChange;
pub use crate::object::attributes::GetObjectAttributes;
pub use crate::object::copy::Copy;
pub use crate::object::delete::Delete;
pub use crate::object::get::{Fetch, Get};
pub use crate::object::head::{Head, Look};
pub use crate::object::post_policy::PostPolicy;
pub use crate::object::presign::Presign;
pub use crate::object::put::Put;
pub use crate::object::read::{Always, IfChanged, Mode, ReadObject, Verb};
// One trait is the mode of a `Get` and of a `Head`; code may name it by either.
#[doc(hidden)]
pub use crate::object::read::Mode as HeadMode;
pub use crate::object::restore::Restore;
pub use crate::transfer::Upload;
#[cfg(feature = "fs")]
pub use crate::transfer::{Download, DownloadFile};

#[cfg(test)]
mod tests {
    use crate::{Credentials, S3Client};

    /// A future is as large as all that it may ever hold, and is moved with it.
    #[test]
    fn futures_of_small_requests_are_small() {
        let builder = S3Client::builder().endpoint("http://h");
        let client = builder.credentials(Credentials::new("id", "secret"));
        let bucket = client.build().unwrap().bucket("photos");
        let sizes = [
            ("get", size_of_val(&bucket.get("k").send())),
            ("head", size_of_val(&bucket.head("k").send())),
            ("put", size_of_val(&bucket.put("k", "v").send())),
            ("delete", size_of_val(&bucket.delete("k").send())),
        ];
        for (verb, bytes) in sizes {
            assert!(bytes <= 960, "{verb}: {bytes} bytes; all: {sizes:?}");
        }
    }
}
