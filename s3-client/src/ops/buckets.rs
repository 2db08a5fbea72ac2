use aws_core::awaitable;
use std::fmt::Write as _;
use std::time::SystemTime;

use aws_core::operation::Answer;
use aws_core::time::parse_iso8601;
use aws_core::xml::{Xml, XmlError};
use aws_core::{Error, Idempotency, Operation, Result};
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::client::S3Client;
use crate::idempotency;
use crate::options::Options;
use crate::wire::{S3, Wire};

/// A request that lists buckets; made by [`S3Client::list_buckets`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct ListBuckets {
    client: S3Client,
    options: Options,
}

/// A bucket in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketInfo {
    /// The name.
    pub name: String,
    /// When it was made.
    pub created: Option<SystemTime>,
}

impl ListBuckets {
    pub(crate) fn new(client: S3Client) -> Self {
        Self {
            client,
            options: Options::default(),
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// As sending and the store say.
    pub async fn send(self) -> Result<Vec<BucketInfo>> {
        let mut wire = Wire::service(Method::Get, &self.client);
        wire.options(self.options);
        self.client.call(&ListBucketsOperation { wire }).await
    }
}

options!(ListBuckets);
awaitable!(ListBuckets, Vec<BucketInfo>);

struct ListBucketsOperation {
    wire: Wire,
}

impl Operation for ListBucketsOperation {
    type Output = Vec<BucketInfo>;
    const NAME: &'static str = idempotency::LIST_BUCKETS.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::LIST_BUCKETS.idempotency
    }

    fn parse(&self, _: &S3, answer: Answer) -> Result<Vec<BucketInfo>> {
        Ok(read(&answer.bytes())?)
    }
}

fn read(text: &[u8]) -> Result<Vec<BucketInfo>, XmlError> {
    let mut buckets = Vec::new();
    let mut xml = Xml::new(text)?;
    xml.expect_root("ListAllMyBucketsResult")?;
    while let Some(tag) = xml.child()? {
        if tag.name() != "Buckets" {
            xml.skip()?;
            continue;
        }
        while let Some(tag) = xml.child()? {
            if tag.name() != "Bucket" {
                xml.skip()?;
                continue;
            }
            let mut info = BucketInfo {
                name: String::new(),
                created: None,
            };
            while let Some(tag) = xml.child()? {
                match tag.name() {
                    "Name" => info.name = xml.text()?,
                    "CreationDate" => info.created = parse_iso8601(&xml.text()?),
                    _ => xml.skip()?,
                }
            }
            buckets.push(info);
        }
    }
    Ok(buckets)
}

/// A request to make a bucket; made by [`Bucket::create`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct CreateBucket {
    bucket: Bucket,
    location: Option<String>,
    options: Options,
}

impl CreateBucket {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            location: None,
            options: Options::default(),
        }
    }

    /// The region it is made in. Defaults to that of the endpoint.
    pub fn location(mut self, region: impl Into<String>) -> Self {
        self.location = Some(region.into());
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// `BucketAlreadyExists` and `BucketAlreadyOwnedByYou`; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        let mut wire = Wire::bucket_root(Method::Put, &self.bucket)?;
        wire.options(self.options);
        if let Some(region) = &self.location {
            wire.body(location_xml(region)?.into());
        }
        self.bucket
            .client
            .call(&CreateBucketOperation { wire })
            .await
    }
}

fn location_xml(region: &str) -> Result<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if region.is_empty() || !region.bytes().all(legal) {
        return Err(Error::invalid(format!(
            "the region {region:?} is not letters, digits and hyphens"
        )));
    }
    let mut xml = String::from(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
    );
    let _infallible = write!(
        xml,
        "<LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    );
    Ok(xml)
}

options!(CreateBucket);
awaitable!(CreateBucket, ());

struct CreateBucketOperation {
    wire: Wire,
}

impl Operation for CreateBucketOperation {
    type Output = ();
    const NAME: &'static str = idempotency::CREATE_BUCKET.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::CREATE_BUCKET.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}

/// A request to remove a bucket; made by [`Bucket::delete_bucket`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct DeleteBucket {
    bucket: Bucket,
    options: Options,
}

impl DeleteBucket {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            options: Options::default(),
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// `BucketNotEmpty`, `NoSuchBucket`; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        let mut wire = Wire::bucket_root(Method::Delete, &self.bucket)?;
        wire.options(self.options);
        self.bucket
            .client
            .call(&DeleteBucketOperation { wire })
            .await
    }
}

options!(DeleteBucket);
awaitable!(DeleteBucket, ());

struct DeleteBucketOperation {
    wire: Wire,
}

impl Operation for DeleteBucketOperation {
    type Output = ();
    const NAME: &'static str = idempotency::DELETE_BUCKET.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::DELETE_BUCKET.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}

/// A question whether a bucket is there; made by [`Bucket::head_bucket`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct HeadBucket {
    bucket: Bucket,
    options: Options,
}

impl HeadBucket {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            options: Options::default(),
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when it is not there; otherwise as sending and the store say.
    pub async fn send(self) -> Result<()> {
        let mut wire = Wire::bucket_root(Method::Head, &self.bucket)?;
        wire.options(self.options);
        self.bucket.client.call(&HeadBucketOperation { wire }).await
    }
}

options!(HeadBucket);
awaitable!(HeadBucket, ());

struct HeadBucketOperation {
    wire: Wire,
}

impl Operation for HeadBucketOperation {
    type Output = ();
    const NAME: &'static str = idempotency::HEAD_BUCKET.operation;

    from_wire!();

    fn idempotency(&self) -> Idempotency {
        idempotency::HEAD_BUCKET.idempotency
    }

    fn parse(&self, _: &S3, _: Answer) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read() {
        let buckets = read(
            b"<?xml version=\"1.0\"?><ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
              <Owner><ID>x</ID></Owner><Buckets><Bucket><Name>quotes</Name><CreationDate>2006-02-03T16:45:09.000Z\
              </CreationDate></Bucket><Bucket><Name>samples</Name></Bucket></Buckets></ListAllMyBucketsResult>",
        )
        .unwrap();
        assert_eq!(buckets.len(), 2);
        assert_eq!(buckets[0].name, "quotes");
        assert!(buckets[0].created.is_some() && buckets[1].created.is_none());
        assert!(read(b"<html/>").is_err());
    }

    #[test]
    fn a_region_cannot_break_out() {
        assert!(
            location_xml("eu-west-1")
                .unwrap()
                .contains("<LocationConstraint>eu-west-1</LocationConstraint>")
        );
        assert!(location_xml("</x>").is_err() && location_xml("").is_err());
    }
}
