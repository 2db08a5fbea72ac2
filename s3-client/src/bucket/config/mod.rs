//! Configurations of buckets: what [`Bucket`](crate::Bucket) gets, puts and deletes besides objects.
//!
//! Each is a struct with public fields and a setter of the same name for each. Every element that Amazon
//! documents has a field; elements that are not known here are kept in `other` and written back, so that a
//! configuration that is fetched, changed and stored loses nothing. Words, such as the name of a storage class,
//! are enums that keep what they do not know as `Other`.
//!
//! ```
//! use s3_client::config::{Cors, CorsRule, Expiration, Lifecycle, LifecycleFilter, LifecycleRule, Status};
//!
//! # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
//! let rule = LifecycleRule::new()
//!     .id("thumbnails go after a month")
//!     .status(Status::Enabled)
//!     .filter(LifecycleFilter::new().prefix("thumbnails/"))
//!     .expiration(Expiration::new().days(30));
//! photos.put_lifecycle(Lifecycle::new().rule(rule)).await?;
//!
//! let rule = CorsRule::new().allowed_method("GET").allowed_origin("https://example.com").max_age_seconds(600);
//! let mut cors = photos.get_cors().await?;
//! cors.rules.push(rule);
//! photos.put_cors(cors).await?;
//! # Ok(()) }
//! ```

#[macro_use]
mod declare;
mod document;

mod acl;
mod cors;
mod encryption;
mod lifecycle;
mod lock;
mod logging;
mod notification;
mod policy;
mod replication;
mod request;
mod settings;
mod tagging;
mod website;

pub use acl::{Acl, CannedAcl, Grant, Grantee, Owner, Permission};
pub use aws_core::xml::Element;
pub use cors::{Cors, CorsRule};
pub use encryption::{BlockedEncryption, DefaultEncryption, Encryption, EncryptionRule};
pub use lifecycle::{
    AbortUploads, Expiration, Lifecycle, LifecycleAnd, LifecycleFilter, LifecycleRule,
    NoncurrentExpiration, NoncurrentTransition, StorageClass, Transition,
};
pub use lock::{
    DefaultRetention, HoldStatus, LegalHold, LockRule, ObjectLock, Retention, RetentionMode,
};
pub use logging::{
    KeyFormat, Logging, LoggingEnabled, PartitionDate, PartitionedPrefix, SimplePrefix,
};
pub use notification::{
    EventBridge, FilterRule, FunctionTarget, KeyFilter, Notification, NotificationFilter,
    QueueTarget, TopicTarget,
};
pub use policy::{Policy, PolicyStatus};
pub use replication::{
    AccessTranslation, DeleteMarkerReplication, Destination, ExistingObjects, ReplicaEncryption,
    ReplicaModifications, Replication, ReplicationAnd, ReplicationFilter, ReplicationMetrics,
    ReplicationMinutes, ReplicationRule, ReplicationTime, SourceSelection, SseKmsObjects,
};
pub use settings::{
    Accelerate, Location, ObjectOwnership, Ownership, OwnershipRule, Payer, PublicAccessBlock,
    RequestPayment, Status, Versioning,
};
pub use tagging::{Tag, Tagging};
pub use website::{
    ErrorDocument, IndexDocument, Redirect, RedirectAll, RoutingCondition, RoutingRule, Website,
};

pub use request::{Config, DeleteConfig, GetConfig, PutConfig, Removable, Settable};
pub(crate) use request::{ROWS, document_fields};

#[cfg(test)]
pub(crate) use document::tests as testing;
pub(crate) use document::{Part, Root, check_count, check_length};
