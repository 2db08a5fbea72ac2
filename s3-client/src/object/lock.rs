//! How long one object is kept, and whether it is held.

use std::borrow::Cow;

use aws_core::operation::Answer;
use aws_core::{Idempotency, Operation, Result, awaitable};
use pipeline_pool::Method;

use super::target::Target;
use crate::bucket::Bucket;
use crate::bucket::config::document_fields;
use crate::config::{LegalHold, Retention, Root as _};
use crate::idempotency;
use crate::request::options::Options;
use crate::wire::{Field, S3, Wire};

/// Makes a request for a lock of one object, and one to change it.
macro_rules! lock {
    (
        $document:ident $query:literal
        $(#[$get_doc:meta])* $get:ident $get_row:ident $get_operation:ident
        $(#[$put_doc:meta])* $put:ident $put_row:ident $put_operation:ident
    ) => {
        $(#[$get_doc])*
        #[must_use = "nothing is sent until this is awaited"]
        #[derive(Clone, Debug)]
        pub struct $get {
            target: Target,
            options: Options,
        }

        impl $get {
            pub(crate) fn new(bucket: Bucket, key: String) -> Self {
                Self {
                    target: Target::new(bucket, key),
                    options: Options::default(),
                }
            }

            /// That of this version of it. Defaults to the current one.
            pub fn version(mut self, id: impl Into<String>) -> Self {
                self.target.version = Some(id.into());
                self
            }

            /// Sends it.
            ///
            /// # Errors
            /// [`is_not_found`](crate::Error::is_not_found) when there is no such object, or it has none (at some
            /// stores with status 400 or 404 and the code `NoSuchObjectLockConfiguration`); `InvalidRequest` where the
            /// bucket has no object lock; otherwise as sending and the store say.
            pub async fn send(self) -> Result<$document> {
                let wire = self.target.wire(Method::Get, $query, self.options)?;
                let client = &self.target.bucket.client;
                client.call(&$get_operation { wire }).await
            }
        }

        options!($get);
        awaitable!($get, $document);

        struct $get_operation {
            wire: Wire,
        }

        impl Operation for $get_operation {
            type Output = $document;
            const NAME: &'static str = idempotency::$get_row.operation;

            from_wire!();

            fn idempotency(&self) -> Idempotency {
                idempotency::$get_row.idempotency
            }

            fn parse(&self, _: &S3, answer: Answer) -> Result<$document> {
                Ok($document::decode(&answer.bytes())?)
            }
        }

        $(#[$put_doc])*
        #[must_use = "nothing is sent until this is awaited"]
        #[derive(Clone, Debug)]
        pub struct $put {
            target: Target,
            document: $document,
            fields: Vec<Field>,
            options: Options,
        }

        impl $put {
            pub(crate) fn new(bucket: Bucket, key: String, document: $document) -> Self {
                Self {
                    target: Target::new(bucket, key),
                    document,
                    fields: Vec::new(),
                    options: Options::default(),
                }
            }

            /// That of this version of it. Defaults to the current one.
            pub fn version(mut self, id: impl Into<String>) -> Self {
                self.target.version = Some(id.into());
                self
            }

            /// Sends it.
            ///
            /// # Errors
            /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken;
            /// [`is_not_found`](crate::Error::is_not_found) when there is no such object; `InvalidRequest` where the
            /// bucket has no object lock; otherwise as sending and the store say.
            pub async fn send(self) -> Result<()> {
                let body = self.document.encode()?;
                let mut wire = self.target.wire(Method::Put, $query, self.options)?;
                let fields = document_fields(&body, "application/xml");
                wire.fields(fields.into_iter().chain(self.fields).collect())?;
                wire.body(body.into());
                let client = &self.target.bucket.client;
                client.call(&$put_operation { wire }).await
            }
        }

        options!($put);
        awaitable!($put, ());

        struct $put_operation {
            wire: Wire,
        }

        impl Operation for $put_operation {
            type Output = ();
            const NAME: &'static str = idempotency::$put_row.operation;

            from_wire!();
            changes_object!();

            fn idempotency(&self) -> Idempotency {
                idempotency::$put_row.idempotency
            }

            fn parse(&self, _: &S3, _: Answer) -> Result<()> {
                Ok(())
            }
        }
    };
}

lock! {
    Retention "retention"
    /// A request for how long an object is kept; made by [`Bucket::get_object_retention`].
    GetObjectRetention GET_OBJECT_RETENTION GetRetentionOperation
    /// A request to keep an object for some time; made by [`Bucket::put_object_retention`].
    PutObjectRetention PUT_OBJECT_RETENTION PutRetentionOperation
}

lock! {
    LegalHold "legal-hold"
    /// A request for whether an object is held; made by [`Bucket::get_object_legal_hold`].
    GetObjectLegalHold GET_OBJECT_LEGAL_HOLD GetHoldOperation
    /// A request to hold an object, or to let it go; made by [`Bucket::put_object_legal_hold`].
    PutObjectLegalHold PUT_OBJECT_LEGAL_HOLD PutHoldOperation
}

impl PutObjectRetention {
    /// Shortens or ends what governance mode keeps. Defaults to no: such a change is `AccessDenied`.
    pub fn bypass_governance(mut self) -> Self {
        let name = Cow::Borrowed("x-amz-bypass-governance-retention");
        self.fields = vec![(name, "true".to_owned())];
        self
    }
}

impl Bucket {
    /// Fetches how long an object is kept.
    ///
    /// [GetObjectRetention](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html)
    pub fn get_object_retention(&self, key: impl Into<String>) -> GetObjectRetention {
        GetObjectRetention::new(self.clone(), key.into())
    }

    /// Keeps an object in a [mode](crate::config::RetentionMode) until some time, or, with a retention that is empty,
    /// no longer. A time can be put off by anybody who may do this; to bring it forward takes
    /// [`bypass_governance`](PutObjectRetention::bypass_governance).
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # async fn example(files: s3_client::Bucket) -> s3_client::Result<()> {
    /// use s3_client::config::RetentionMode;
    ///
    /// let month = SystemTime::now() + Duration::from_secs(30 * 86_400);
    /// files.put_object_retention("invoice.pdf", (RetentionMode::Compliance, month)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// [PutObjectRetention](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html)
    pub fn put_object_retention(
        &self,
        key: impl Into<String>,
        retention: impl Into<Retention>,
    ) -> PutObjectRetention {
        PutObjectRetention::new(self.clone(), key.into(), retention.into())
    }

    /// Fetches whether an object is held.
    ///
    /// [GetObjectLegalHold](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLegalHold.html)
    pub fn get_object_legal_hold(&self, key: impl Into<String>) -> GetObjectLegalHold {
        GetObjectLegalHold::new(self.clone(), key.into())
    }

    /// Holds an object (`true`), whatever its retention says, or lets it go (`false`).
    ///
    /// [PutObjectLegalHold](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html)
    pub fn put_object_legal_hold(
        &self,
        key: impl Into<String>,
        hold: impl Into<LegalHold>,
    ) -> PutObjectLegalHold {
        PutObjectLegalHold::new(self.clone(), key.into(), hold.into())
    }
}
