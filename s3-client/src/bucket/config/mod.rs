//! Documents about buckets, and about objects: access control lists, policies, lifecycles, tags and the like.
//!
//! [`Bucket::get_config`](crate::Bucket::get_config), [`put_config`](crate::Bucket::put_config) and
//! [`delete_config`](crate::Bucket::delete_config) fetch, replace and remove them by their types.
//!
//! *Problem:* A configuration that is fetched, changed and stored must not lose what this version does not know.
//! *Decision:* Documents keep the elements that they do not know, in their place. *Cost:* A document takes more memory
//! than its known fields.
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
//! photos.put_config(Lifecycle::new().rule(rule)).await?;
//!
//! let rule = CorsRule::new().allowed_method("GET").allowed_origin("https://example.com").max_age_seconds(600);
//! let mut cors = photos.get_config::<Cors>().await?;
//! cors.rules.push(rule);
//! photos.put_config(cors).await?;
//! photos.delete_config::<Lifecycle>().await?;
//! # Ok(()) }
//! ```
//!
//! | document | what it says | [`get_config`](crate::Bucket::get_config) | [`put_config`](crate::Bucket::put_config) | [`delete_config`](crate::Bucket::delete_config) |
//! |---|---|---|---|---|
//! | [`Location`] | where the bucket is | [GetBucketLocation](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html) |  |  |
//! | [`Versioning`] | whether the bucket keeps versions of its objects | [GetBucketVersioning](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html) | [PutBucketVersioning](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html) |  |
//! | [`Acl`] | who may do what with the bucket | [GetBucketAcl](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html) | [PutBucketAcl](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html) |  |
//! | [`CannedAcl`] | the same, by a list that has a name | | [PutBucketAcl](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html) | |
//! | [`Policy`] | the policy of the bucket | [GetBucketPolicy](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html) | [PutBucketPolicy](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html) | [DeleteBucketPolicy](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html) |
//! | [`PolicyStatus`] | whether the policy makes the bucket public | [GetBucketPolicyStatus](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html) |  |  |
//! | [`Cors`] | from which sites browsers may send requests | [GetBucketCors](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html) | [PutBucketCors](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html) | [DeleteBucketCors](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html) |
//! | [`Lifecycle`] | what becomes of objects as they age | [GetBucketLifecycleConfiguration](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html) | [PutBucketLifecycleConfiguration](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html) | [DeleteBucketLifecycle](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html) |
//! | [`Tagging`] | the tags of the bucket | [GetBucketTagging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html) | [PutBucketTagging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html) | [DeleteBucketTagging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html) |
//! | [`Website`] | how the bucket is a website | [GetBucketWebsite](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketWebsite.html) | [PutBucketWebsite](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html) | [DeleteBucketWebsite](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketWebsite.html) |
//! | [`Encryption`] | how objects are encrypted that do not say it | [GetBucketEncryption](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html) | [PutBucketEncryption](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html) | [DeleteBucketEncryption](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketEncryption.html) |
//! | [`PublicAccessBlock`] | which ways to make the bucket public are closed | [GetPublicAccessBlock](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html) | [PutPublicAccessBlock](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html) | [DeletePublicAccessBlock](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html) |
//! | [`Ownership`] | whose objects are that others store | [GetBucketOwnershipControls](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html) | [PutBucketOwnershipControls](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html) | [DeleteBucketOwnershipControls](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html) |
//! | [`Logging`] | where the log of requests goes | [GetBucketLogging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLogging.html) | [PutBucketLogging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html) |  |
//! | [`Notification`] | who is told what happens in the bucket | [GetBucketNotificationConfiguration](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html) | [PutBucketNotificationConfiguration](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html) |  |
//! | [`RequestPayment`] | who pays for requests | [GetBucketRequestPayment](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketRequestPayment.html) | [PutBucketRequestPayment](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html) |  |
//! | [`Accelerate`] | whether the bucket has an accelerated endpoint | [GetBucketAccelerateConfiguration](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAccelerateConfiguration.html) | [PutBucketAccelerateConfiguration](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAccelerateConfiguration.html) |  |
//! | [`ObjectLock`] | whether objects of the bucket can be locked against removal, and how long they are | [GetObjectLockConfiguration](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html) | [PutObjectLockConfiguration](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html) |  |
//! | [`Replication`] | to where objects of the bucket are copied | [GetBucketReplication](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html) | [PutBucketReplication](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html) | [DeleteBucketReplication](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketReplication.html) |
//!
//! Documents about one object have methods of their own:
//!
//! | document | fetched by | stored by | removed by |
//! |---|---|---|---|
//! | [`Acl`] | [`get_object_acl`](crate::Bucket::get_object_acl) | [`put_object_acl`](crate::Bucket::put_object_acl) | |
//! | [`Tagging`] | [`get_object_tagging`](crate::Bucket::get_object_tagging) | [`put_object_tagging`](crate::Bucket::put_object_tagging) | [`delete_object_tagging`](crate::Bucket::delete_object_tagging) |
//! | [`Retention`] | [`get_object_retention`](crate::Bucket::get_object_retention) | [`put_object_retention`](crate::Bucket::put_object_retention) | |
//! | [`LegalHold`] | [`get_object_legal_hold`](crate::Bucket::get_object_legal_hold) | [`put_object_legal_hold`](crate::Bucket::put_object_legal_hold) | |
//!
//! Each document is a struct with public fields, and for each field a setter of the same name. Every element that
//! Amazon documents has a field; elements that are not known here are kept in `other` and written back, so that a
//! document that is fetched, changed and stored loses nothing. Words, such as the name of a storage class, are enums
//! that keep what they do not know as `Other`.

#[macro_use]
mod declare;
mod document;

mod acl;
mod cors;
mod delete;
mod encryption;
mod get;
mod lifecycle;
mod lock;
mod logging;
mod notification;
mod policy;
mod put;
mod replication;
mod settings;
mod subject;
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
    AccessTranslation, DeleteMarkerReplication, ExistingObjects, ReplicaEncryption,
    ReplicaModifications, Replication, ReplicationAnd, ReplicationDestination, ReplicationFilter,
    ReplicationMetrics, ReplicationMinutes, ReplicationRule, ReplicationTime, SourceSelection,
    SseKmsObjects,
};
pub use settings::{
    Accelerate, Location, ObjectOwnership, Ownership, OwnershipRule, Payer, PublicAccessBlock,
    RequestPayment, Status, Versioning,
};
pub use tagging::{Tag, Tagging};
pub use website::{
    ErrorDocument, IndexDocument, Redirect, RedirectAll, RoutingCondition, RoutingRule, Website,
};

pub use delete::{DeleteConfig, Removable};
pub use get::{Config, GetConfig};
pub use put::{PutConfig, Settable};
pub use subject::{OfBucket, OfObject};

pub(crate) use acl::grant_fields;
pub(crate) use document::{Encoded, Readable, Writable};
pub(crate) use put::document_fields;

pub(crate) use document::{Root, XmlPart, check_count, check_length};
