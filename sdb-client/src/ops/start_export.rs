//! Beginning an export: [`Domain::start_export`].

use std::time::SystemTime;

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::{Error, Result, awaitable};
use serde_json::Map;

use crate::domain::Domain;
use crate::export::{Encryption, Exports, JsonFields, UnsignedExport, sized};
use crate::idempotency;
use crate::limits;
use crate::operation::{Call, SdbOperation};
use crate::options::Options;

/// A request to start an export of a domain; made by [`Domain::start_export`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct StartExport {
    domain: Domain,
    bucket: String,
    prefix: Option<String>,
    owner: Option<String>,
    encryption: Option<Encryption>,
    token: String,
    options: Options,
}

/// An export that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Started {
    /// What it is known by.
    pub arn: String,
    /// The token of the request.
    pub token: String,
    /// When it was asked for.
    pub requested_at: SystemTime,
}

impl Domain {
    /// Has SimpleDB export the domain into a bucket of S3 (feature `export`): see [`export`](crate::export).
    ///
    /// [StartDomainExport](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_StartDomainExport.html)
    pub fn start_export(&self, bucket: impl Into<String>) -> StartExport {
        StartExport::new(self.clone(), bucket.into())
    }
}

impl StartExport {
    pub(crate) fn new(domain: Domain, bucket: String) -> Self {
        Self {
            domain,
            bucket,
            prefix: None,
            owner: None,
            encryption: None,
            token: format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)),
            options: Options::default(),
        }
    }

    /// What the keys of its objects begin with, 1 to 850 bytes; behind it comes
    /// `AWSSimpleDB/EXPORT/DOMAIN/`. Defaults to nothing.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// The account that the bucket has to belong to, 12 digits. Needed for a bucket of another account.
    pub fn bucket_owner(mut self, account: impl Into<String>) -> Self {
        self.owner = Some(account.into());
        self
    }

    /// How the objects are encrypted. Defaults to what the bucket does.
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.encryption = Some(encryption);
        self
    }

    /// By what the service knows this request again for eight hours: the same token starts one export only.
    /// Defaults to a random one for each request made; retries of a request have the same.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = token.into();
        self
    }

    /// Sends StartDomainExport, as `.await` does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when a limit is broken; `NoSuchDomain`, `ConflictException` (the
    /// token came with other parameters), `NumberExportsLimitExceeded`; otherwise as sending and the service say.
    pub async fn send(self) -> Result<Started> {
        limits::domain(&self.domain.name)?;
        sized("name of the bucket", &self.bucket, 3..=255)?;
        sized("token", &self.token, 1..=2048)?;
        let mut params = Map::new();
        let mut set = |name: &str, value: &str| params.insert(name.to_owned(), value.into());
        set("clientToken", &self.token);
        set("domainName", &self.domain.name);
        set("s3Bucket", &self.bucket);
        if let Some(prefix) = &self.prefix {
            sized("prefix", prefix, 1..=850)?;
            set("s3KeyPrefix", prefix);
        }
        if let Some(owner) = &self.owner {
            if owner.len() != 12 || !owner.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Error::invalid("the owner of the bucket is not 12 digits"));
            }
            set("s3BucketOwner", owner);
        }
        match &self.encryption {
            None => {}
            Some(Encryption::Aes256) => drop(set("s3SseAlgorithm", "AES256")),
            Some(Encryption::Kms(key)) => {
                set("s3SseAlgorithm", "KMS");
                if let Some(key) = key {
                    sized("ID of the KMS key", key, 1..=2048)?;
                    set("s3SseKmsKeyId", key);
                }
            }
        }
        let client = &self.domain.client;
        let name = Some(&self.domain.name);
        let wire = UnsignedExport::new(
            client,
            StartDomainExport::ROW.operation,
            name,
            params,
            self.options,
        );
        client
            .export_call(&Call::new(wire, StartDomainExport))
            .await
    }
}

options!(StartExport);
awaitable!(StartExport, Started);

struct StartDomainExport;

impl SdbOperation for StartDomainExport {
    type Request = UnsignedExport;
    type Output = Started;
    const ROW: Row = idempotency::START_DOMAIN_EXPORT;

    fn parse(&self, _: &UnsignedExport, _: &Exports, answer: Answer) -> Result<Started> {
        let mut fields = JsonFields::read(&answer)?;
        Ok(Started {
            arn: fields.text("exportArn")?,
            token: fields.text("clientToken")?,
            requested_at: fields.time("requestedAt")?,
        })
    }
}
