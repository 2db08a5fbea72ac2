//! Listings of objects and of their versions.

pub(crate) mod listing;
mod page;
mod v1;
mod v2;
mod versions;

pub use listing::{BucketListing, Listed};
pub use page::{ListPage, ObjectInfo, RestoreStatus};
pub(crate) use page::{decode, marker};
pub use v1::{ListV1, ObjectPagesV1, ObjectsByMarker, ObjectsV1};
pub use v2::{List, ObjectPages, Objects, ObjectsByToken};
pub use versions::{
    ListVersions, ObjectVersions, VersionInfo, VersionPages, Versions, VersionsPage,
};
