//! Asking about an export: [`SdbClient::export`].

use std::time::{Duration, SystemTime};

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::{Result, awaitable};
use serde_json::Map;

use crate::client::SdbClient;
use crate::export::{Encryption, ExportStatus, Exports, JsonFields, UnsignedExport, sized};
use crate::idempotency;
use crate::operation::{Call, SdbOperation};
use crate::options::Options;

/// A request to tell of one export; made by [`SdbClient::export`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct GetExport {
    client: SdbClient,
    arn: String,
    options: Options,
}

/// An export of a domain to S3, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// What it is known by.
    pub arn: String,
    /// The export is at this point.
    pub status: ExportStatus,
    /// The domain that is exported.
    pub domain: String,
    /// The token of the request that started it.
    pub token: String,
    /// When it was asked for.
    pub requested_at: SystemTime,
    /// The bucket it goes to.
    pub bucket: String,
    /// What its keys begin with.
    pub prefix: Option<String>,
    /// The account that the bucket has to belong to.
    pub bucket_owner: Option<String>,
    /// How its objects are encrypted, if that was asked for.
    pub encryption: Option<Encryption>,
    /// Why it failed, as a code.
    pub failure_code: Option<String>,
    /// Why it failed, in words.
    pub failure_message: Option<String>,
    /// The key of the object that lists the others, once all are written.
    pub manifest: Option<String>,
    /// The items that were written, once all are.
    pub items: Option<u64>,
    /// Writes before this time are in it.
    pub cut_off: Option<SystemTime>,
}

impl GetExport {
    pub(crate) fn new(client: SdbClient, arn: String) -> Self {
        Self {
            client,
            arn,
            options: Options::default(),
        }
    }

    /// Asks again and again, with this pause, until the export has ended, well or not.
    ///
    /// # Errors
    /// As [`send`](Self::send); the first ends it. A failed export is no error: see [`Export::status`].
    pub async fn until_ended(self, pause: Duration) -> Result<Export> {
        loop {
            let export = self.clone().send().await?;
            if export.status.has_ended() {
                return Ok(export);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends GetExport, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for what is no ARN; `NoSuchExportException`; otherwise as sending and
    /// the service say.
    pub async fn send(self) -> Result<Export> {
        sized("ARN of the export", &self.arn, 20..=2048)?;
        let mut params = Map::new();
        params.insert("exportArn".into(), self.arn.into());
        let wire = UnsignedExport::new(
            &self.client,
            GetExportOperation::ROW.operation,
            None,
            params,
            self.options,
        );
        self.client
            .export_call(&Call::new(wire, GetExportOperation))
            .await
    }
}

options!(GetExport);
awaitable!(GetExport, Export);

struct GetExportOperation;

impl SdbOperation for GetExportOperation {
    type Request = UnsignedExport;
    type Output = Export;
    const ROW: Row = idempotency::GET_EXPORT;

    fn parse(&self, _: &UnsignedExport, _: &Exports, answer: Answer) -> Result<Export> {
        let mut fields = JsonFields::read(&answer)?;
        let key = fields.maybe_text("s3SseKmsKeyId")?;
        let encryption = match fields.maybe_text("s3SseAlgorithm")?.as_deref() {
            Some("KMS") => Some(Encryption::Kms(key)),
            Some("AES256") => Some(Encryption::Aes256),
            _ => None,
        };
        Ok(Export {
            arn: fields.text("exportArn")?,
            status: fields.text("exportStatus")?.into(),
            domain: fields.text("domainName")?,
            token: fields.text("clientToken")?,
            requested_at: fields.time("requestedAt")?,
            bucket: fields.text("s3Bucket")?,
            prefix: fields.maybe_text("s3KeyPrefix")?,
            bucket_owner: fields.maybe_text("s3BucketOwner")?,
            encryption,
            failure_code: fields.maybe_text("failureCode")?,
            failure_message: fields.maybe_text("failureMessage")?,
            manifest: fields.maybe_text("exportManifest")?,
            items: fields.number("itemsCount"),
            cut_off: fields.maybe_time("exportDataCutoffTime")?,
        })
    }
}
