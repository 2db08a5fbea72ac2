//! Answers: what requests come to, and the streams that listings and many requests at once give.
//!
//! [`Object`](crate::Object) and [`ObjectHead`](crate::ObjectHead), which `get` and `head` answer with, are at the
//! root. The table of [`request`](crate::request) says which request has which answer.
//!
//! | about | types |
//! |---|---|
//! | an object that was read under a condition | [`Fetched`], [`HeadFetched`] |
//! | an object that was stored, copied or removed | [`Stored`], [`Copied`], [`Deleted`] |
//! | what a store keeps of an object | [`ObjectAttributes`], [`PartAttributes`], [`VerifiedBy`] |
//! | an archived object | [`Restored`], [`RestoreStatus`] |
//! | links and forms | [`Link`], [`PostForm`] |
//! | buckets | [`BucketInfo`] |
//! | listings of objects | [`ObjectInfo`], pages [`ListPage`], streams [`Objects`], [`ObjectPages`], [`ObjectsV1`], [`ObjectPagesV1`] |
//! | listings of versions | [`VersionInfo`], pages [`VersionsPage`], streams [`Versions`], [`VersionPages`] |
//! | many requests at once | streams [`Results`], [`Deletions`], and [`Removed`], [`DeleteSummary`] |
//! | a purge | [`PurgeSummary`], [`PurgeStep`], [`PurgePosition`], stream [`PurgeSteps`] |
//! | an upload in parts, by hand | [`MultipartUpload`], [`Part`], [`Completed`] |
//! | listings of parts | pages [`PartPage`], streams [`Parts`], [`PartPages`] |
//! | listings of uploads | [`MultipartInfo`], pages [`MultipartPage`], streams [`Multiparts`], [`MultipartPages`] |
//! | a transfer of any size | [`Uploaded`], [`Progress`] |
//! | a checksum of bytes that come in pieces | [`ChecksumHasher`] |
//! | what kind of failure an error of the service is | [`Class`] |

pub(crate) mod etag;
pub(crate) mod object;
pub(crate) mod values;

pub use aws_core::Class;

pub use crate::bucket::BucketInfo;
pub use crate::checksum::{ChecksumHasher, VerifiedBy};
pub use crate::list::{
    ListPage, ObjectInfo, ObjectPages, ObjectPagesV1, Objects, ObjectsV1, RestoreStatus,
    VersionInfo, VersionPages, Versions, VersionsPage,
};
pub use crate::many::{
    DeleteSummary, Deletions, PurgePosition, PurgeStep, PurgeSteps, PurgeSummary, Removed, Results,
};
pub use crate::multipart::{
    Completed, MultipartInfo, MultipartPage, MultipartPages, MultipartUpload, Multiparts, Part,
    PartPage, PartPages, Parts,
};
pub use crate::object::attributes::{ObjectAttributes, PartAttributes};
pub use crate::object::copy::Copied;
pub use crate::object::delete::Deleted;
pub use crate::object::get::Fetched;
pub use crate::object::head::HeadFetched;
pub use crate::object::post_policy::PostForm;
pub use crate::object::presign::Link;
pub use crate::object::put::Stored;
pub use crate::object::restore::Restored;
pub use crate::transfer::{Progress, Uploaded};
