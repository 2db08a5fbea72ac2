//! Listings of objects and of their versions.

mod page;
mod params;
mod v1;
mod v2;
mod versions;

pub use page::{ListPage, ObjectInfo, RestoreStatus};
pub(crate) use page::{decoded, marker};
pub use v1::{ListV1, ObjectPagesV1, ObjectsV1};
pub use v2::{List, ObjectPages, Objects};
pub use versions::{ListVersions, VersionInfo, VersionPages, Versions, VersionsPage};
