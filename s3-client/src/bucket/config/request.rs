use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result, awaitable};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::config::{
    Accelerate, Acl, Cors, Encryption, Lifecycle, Location, Logging, Notification, ObjectLock,
    Ownership, Policy, PolicyStatus, PublicAccessBlock, Replication, RequestPayment, Root, Status,
    Tagging, Versioning, Website,
};
use crate::request::options::Options;
use crate::wire::{Field, S3, Wire};

/// What can be fetched of a bucket besides objects: the types of [`config`](crate::config). Sealed.
pub trait Config: sealed::Get {}

/// What can be stored of them. Sealed.
pub trait Settable: Config + sealed::Put {}

/// What can be removed of them. Sealed.
pub trait Removable: Config + sealed::Delete {}

pub(crate) mod sealed {
    use super::{Result, Row};

    pub trait Get: Sized + Send + Sync + 'static {
        /// The parameter that names it.
        const QUERY: &'static str;
        const GET: Row;
        const CONTENT_TYPE: &'static str = "application/xml";
        fn decode(document: &[u8]) -> Result<Self>;
    }

    pub trait Put: Get {
        const PUT: Row;
        fn encode(&self) -> Result<String>;
    }

    pub trait Delete: Get {
        const DELETE: Row;
    }
}

/// A request for a configuration of a bucket; made by one of the `get_` methods of [`Bucket`].
#[must_use = "nothing is sent until this is awaited"]
pub struct GetConfig<C: Config> {
    bucket: Bucket,
    options: Options,
    config: PhantomData<fn() -> C>,
}

/// A request to store a configuration of a bucket; made by one of the `put_` methods of [`Bucket`].
///
/// It replaces what was there. The MD5 digest of the document is sent with it.
#[must_use = "nothing is sent until this is awaited"]
pub struct PutConfig<C: Settable> {
    bucket: Bucket,
    config: C,
    fields: Vec<Field>,
    row: Row,
    options: Options,
}

/// A request to remove a configuration of a bucket; made by one of the `delete_` methods of [`Bucket`].
///
/// A store that does not know the configuration may take this for the deletion of the bucket itself, which succeeds
/// where the bucket is empty: Ceph RGW 16.2 does for `encryption` and `ownershipControls`.
#[must_use = "nothing is sent until this is awaited"]
pub struct DeleteConfig<C: Removable> {
    bucket: Bucket,
    options: Options,
    config: PhantomData<fn() -> C>,
}

impl<C: Config> GetConfig<C> {
    fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            options: Options::default(),
            config: PhantomData,
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when the bucket is not there or, for what can be deleted, has
    /// no such configuration; otherwise as sending and the store say.
    pub async fn send(self) -> Result<C> {
        let mut wire = Wire::bucket_root(Method::Get, &self.bucket)?;
        wire.options(self.options);
        wire.query(C::QUERY, "");
        let config = PhantomData;
        let operation = GetOperation::<C> { wire, config };
        self.bucket.client.call(&operation).await
    }
}

impl<C: Settable> PutConfig<C> {
    fn new(bucket: Bucket, config: C) -> Self {
        Self {
            bucket,
            config,
            fields: Vec::new(),
            row: C::PUT,
            options: Options::default(),
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        let body = self.config.encode()?;
        let mut wire = Wire::bucket_root(Method::Put, &self.bucket)?;
        wire.options(self.options);
        wire.query(C::QUERY, "");
        let fields = document_fields(&body, C::CONTENT_TYPE);
        wire.fields(fields.into_iter().chain(self.fields).collect())?;
        wire.body(Bytes::from(body));
        let (row, config) = (self.row, PhantomData);
        let operation = PutOperation::<C> { wire, row, config };
        self.bucket.client.call(&operation).await
    }
}

impl PutConfig<Versioning> {
    /// The serial number of the owner's device, a blank, and the code that it shows: needed when the bucket has or
    /// gets `MfaDelete`. Sent once, as a code counts once.
    pub fn mfa(mut self, serial_and_code: impl Into<String>) -> Self {
        self.row = PUT_VERSIONING_MFA;
        let field = (Cow::Borrowed("x-amz-mfa"), serial_and_code.into());
        self.fields.push(field);
        self
    }
}

impl<C: Removable> DeleteConfig<C> {
    fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            options: Options::default(),
            config: PhantomData,
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// As sending and the store say; what is not there is no error.
    pub async fn send(self) -> Result<()> {
        let mut wire = Wire::bucket_root(Method::Delete, &self.bucket)?;
        wire.options(self.options);
        wire.query(C::QUERY, "");
        let config = PhantomData;
        let operation = DeleteOperation::<C> { wire, config };
        self.bucket.client.call(&operation).await
    }
}

options!(GetConfig<C>, C: Config);
options!(PutConfig<C>, C: Settable);
options!(DeleteConfig<C>, C: Removable);
awaitable!(GetConfig<C>, C, C: Config);
awaitable!(PutConfig<C>, (), C: Settable);
awaitable!(DeleteConfig<C>, (), C: Removable);

/// The fields that go with a document: some servers refuse one without a digest.
pub(crate) fn document_fields(body: &str, content_type: &'static str) -> [Field; 2] {
    let digest = STANDARD.encode(Md5::digest(body));
    [
        (Cow::Borrowed("content-md5"), digest),
        (Cow::Borrowed("content-type"), content_type.to_owned()),
    ]
}

impl<C: Config> Clone for GetConfig<C> {
    fn clone(&self) -> Self {
        Self {
            bucket: self.bucket.clone(),
            options: self.options.clone(),
            config: PhantomData,
        }
    }
}

impl<C: Settable + Clone> Clone for PutConfig<C> {
    fn clone(&self) -> Self {
        Self {
            bucket: self.bucket.clone(),
            config: self.config.clone(),
            fields: self.fields.clone(),
            row: self.row,
            options: self.options.clone(),
        }
    }
}

impl<C: Removable> Clone for DeleteConfig<C> {
    fn clone(&self) -> Self {
        Self {
            bucket: self.bucket.clone(),
            options: self.options.clone(),
            config: PhantomData,
        }
    }
}

impl<C: Config> fmt::Debug for GetConfig<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, C::GET, &self.bucket)
    }
}

impl<C: Settable> fmt::Debug for PutConfig<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, C::PUT, &self.bucket)
    }
}

impl<C: Removable> fmt::Debug for DeleteConfig<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, C::DELETE, &self.bucket)
    }
}

fn show(f: &mut fmt::Formatter<'_>, row: Row, bucket: &Bucket) -> fmt::Result {
    f.debug_struct(row.operation)
        .field("bucket", bucket)
        .finish_non_exhaustive()
}

struct GetOperation<C> {
    wire: Wire,
    config: PhantomData<fn() -> C>,
}

impl<C: Config> Operation for GetOperation<C> {
    type Output = C;
    const NAME: &'static str = C::GET.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        C::GET.idempotency
    }

    fn parse(&self, _: &S3, answer: Answer) -> Result<C> {
        C::decode(&answer.bytes())
    }
}

struct PutOperation<C> {
    wire: Wire,
    row: Row,
    config: PhantomData<fn() -> C>,
}

impl<C: Settable> Operation for PutOperation<C> {
    type Output = ();
    const NAME: &'static str = C::PUT.operation;

    from_wire!();
    changes_bucket!();

    fn idempotency(&self) -> Idempotency {
        self.row.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}

struct DeleteOperation<C> {
    wire: Wire,
    config: PhantomData<fn() -> C>,
}

impl<C: Removable> Operation for DeleteOperation<C> {
    type Output = ();
    const NAME: &'static str = C::DELETE.operation;

    from_wire!();
    changes_bucket!();

    fn idempotency(&self) -> Idempotency {
        C::DELETE.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}

const READS: &str = "it reads";
const REPLACES: &str = "it replaces the whole by the same";
const REMOVES: &str = "what is gone stays gone, and the answer is the same";

const PUT_VERSIONING_MFA: Row = Row::new(
    "PutBucketVersioning",
    "with `mfa`",
    Idempotency::Once,
    "a code of a device counts once: a replay is refused",
);

/// Declares for each configuration what names it, its verbs as methods of [`Bucket`], and their rows.
macro_rules! configs {
    ($(
        $config:ident $query:literal $what:literal
        get $get:ident $get_name:literal
        $(put $put:ident $put_name:literal)?
        $(delete $delete:ident $delete_name:literal)?;
    )*) => {
        /// The rows of all of them.
        pub(crate) const ROWS: &[Row] = &[
            $(
                <$config as sealed::Get>::GET,
                $(configs!(@row $put_name, $config, Put::PUT),)?
                $(configs!(@row $delete_name, $config, Delete::DELETE),)?
            )*
            PUT_VERSIONING_MFA,
            crate::bucket::acl::ROW,
        ];

        $(
            impl Config for $config {}

            impl sealed::Get for $config {
                const QUERY: &'static str = $query;
                const GET: Row = Row::new($get_name, "always", Idempotency::Repeatable, READS);
                configs!(@content_type $config);

                fn decode(document: &[u8]) -> Result<Self> {
                    configs!(@decode $config document)
                }
            }

            impl Bucket {
                #[doc = concat!("Fetches ", $what, ".\n\n", configs!(@link $get_name))]
                pub fn $get(&self) -> GetConfig<$config> {
                    GetConfig::new(self.clone())
                }
            }

            $(
                impl Settable for $config {}

                impl sealed::Put for $config {
                    const PUT: Row =
                        Row::new($put_name, "always", Idempotency::Repeatable, REPLACES);

                    fn encode(&self) -> Result<String> {
                        configs!(@encode $config self)
                    }
                }

                impl Bucket {
                    #[doc = concat!("Replaces ", $what, ".\n\n", configs!(@link $put_name))]
                    pub fn $put(&self, config: impl Into<$config>) -> PutConfig<$config> {
                        PutConfig::new(self.clone(), config.into())
                    }
                }
            )?

            $(
                impl Removable for $config {}

                impl sealed::Delete for $config {
                    const DELETE: Row =
                        Row::new($delete_name, "always", Idempotency::Repeatable, REMOVES);
                }

                impl Bucket {
                    #[doc = concat!("Removes ", $what, ".\n\n", configs!(@link $delete_name))]
                    pub fn $delete(&self) -> DeleteConfig<$config> {
                        DeleteConfig::new(self.clone())
                    }
                }
            )?
        )*
    };
    (@row $name:literal, $config:ident, $method:ident::$row:ident) => {
        <$config as sealed::$method>::$row
    };
    (@link $name:literal) => {
        concat!("[", $name, "](https://docs.aws.amazon.com/AmazonS3/latest/API/API_", $name, ".html)")
    };
    (@content_type Policy) => { const CONTENT_TYPE: &'static str = "application/json"; };
    (@content_type $config:ident) => {};
    (@decode Policy $document:ident) => { Policy::read($document) };
    (@decode $config:ident $document:ident) => { Ok(<$config as Root>::decode($document)?) };
    (@encode Policy $this:ident) => { $this.check().map(|()| $this.as_str().to_owned()) };
    (@encode $config:ident $this:ident) => { Root::encode($this) };
}

configs! {
    Location "location" "where the bucket is"
        get get_location "GetBucketLocation";
    Versioning "versioning" "whether the bucket keeps versions of its objects"
        get get_versioning "GetBucketVersioning"
        put put_versioning "PutBucketVersioning";
    Acl "acl" "who may do what with the bucket"
        get get_acl "GetBucketAcl";
    Policy "policy" "the policy of the bucket"
        get get_policy "GetBucketPolicy"
        put put_policy "PutBucketPolicy"
        delete delete_policy "DeleteBucketPolicy";
    PolicyStatus "policyStatus" "whether the policy makes the bucket public"
        get get_policy_status "GetBucketPolicyStatus";
    Cors "cors" "from which sites browsers may send requests"
        get get_cors "GetBucketCors"
        put put_cors "PutBucketCors"
        delete delete_cors "DeleteBucketCors";
    Lifecycle "lifecycle" "what becomes of objects as they age"
        get get_lifecycle "GetBucketLifecycleConfiguration"
        put put_lifecycle "PutBucketLifecycleConfiguration"
        delete delete_lifecycle "DeleteBucketLifecycle";
    Tagging "tagging" "the tags of the bucket"
        get get_tagging "GetBucketTagging"
        put put_tagging "PutBucketTagging"
        delete delete_tagging "DeleteBucketTagging";
    Website "website" "how the bucket is a website"
        get get_website "GetBucketWebsite"
        put put_website "PutBucketWebsite"
        delete delete_website "DeleteBucketWebsite";
    Encryption "encryption" "how objects are encrypted that do not say it"
        get get_encryption "GetBucketEncryption"
        put put_encryption "PutBucketEncryption"
        delete delete_encryption "DeleteBucketEncryption";
    PublicAccessBlock "publicAccessBlock" "which ways to make the bucket public are closed"
        get get_public_access_block "GetPublicAccessBlock"
        put put_public_access_block "PutPublicAccessBlock"
        delete delete_public_access_block "DeletePublicAccessBlock";
    Ownership "ownershipControls" "whose objects are that others store"
        get get_ownership "GetBucketOwnershipControls"
        put put_ownership "PutBucketOwnershipControls"
        delete delete_ownership "DeleteBucketOwnershipControls";
    Logging "logging" "where the log of requests goes"
        get get_logging "GetBucketLogging"
        put put_logging "PutBucketLogging";
    Notification "notification" "who is told what happens in the bucket"
        get get_notification "GetBucketNotificationConfiguration"
        put put_notification "PutBucketNotificationConfiguration";
    RequestPayment "requestPayment" "who pays for requests"
        get get_request_payment "GetBucketRequestPayment"
        put put_request_payment "PutBucketRequestPayment";
    Accelerate "accelerate" "whether the bucket has an accelerated endpoint"
        get get_accelerate "GetBucketAccelerateConfiguration"
        put put_accelerate "PutBucketAccelerateConfiguration";
    ObjectLock "object-lock" "whether objects of the bucket can be locked against removal, and how long they are"
        get get_object_lock "GetObjectLockConfiguration"
        put put_object_lock "PutObjectLockConfiguration";
    Replication "replication" "to where objects of the bucket are copied"
        get get_replication "GetBucketReplication"
        put put_replication "PutBucketReplication"
        delete delete_replication "DeleteBucketReplication";
}

impl From<Status> for Versioning {
    fn from(status: Status) -> Self {
        Self::new().status(status)
    }
}
