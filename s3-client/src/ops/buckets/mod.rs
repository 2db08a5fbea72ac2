//! Verbs about buckets themselves.

mod acl;
mod config;
mod create;
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

pub(crate) use config::{ROWS, document_fields};
pub(crate) use create::grant_fields;
