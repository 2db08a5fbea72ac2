//! Listing the buckets of an account: [`S3Client::list_buckets`].

use std::time::SystemTime;

use aws_core::operation::Answer;
use aws_core::xml::{Xml, XmlError};
use aws_core::{Result, awaitable};
use pipeline_pool::Method;

use crate::answer::values;
use crate::client::S3Client;
use crate::idempotency::{self, Row};
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;
use crate::unsigned::UnsignedRequest;

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
    /// The name of the bucket.
    pub name: String,
    /// The time at which the bucket was made.
    pub created: Option<SystemTime>,
}

impl ListBuckets {
    pub(crate) fn new(client: S3Client) -> Self {
        Self {
            client,
            options: Options::default(),
        }
    }

    /// Sends ListBuckets, as `.await` does.
    ///
    /// # Errors
    /// As sending and the store say.
    pub async fn send(self) -> Result<Vec<BucketInfo>> {
        let mut wire = UnsignedRequest::service(Method::Get, &self.client);
        wire.options(self.options);
        self.client
            .call(&Call::new(wire, ListBucketsOperation))
            .await
    }
}

options!(ListBuckets);
awaitable!(ListBuckets, Vec<BucketInfo>);

struct ListBucketsOperation;

impl S3Operation for ListBucketsOperation {
    type Output = Vec<BucketInfo>;
    const ROW: Row = idempotency::LIST_BUCKETS;

    fn parse(&self, answer: Answer) -> Result<Vec<BucketInfo>> {
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
            let (mut name, mut created) = (None, None);
            while let Some(tag) = xml.child()? {
                match tag.name() {
                    "Name" => name = values::text(&mut xml)?,
                    "CreationDate" => created = values::time(&mut xml)?,
                    _ => xml.skip()?,
                }
            }
            let name = name.ok_or_else(|| XmlError::new("a bucket without a name"))?;
            buckets.push(BucketInfo { name, created });
        }
    }
    Ok(buckets)
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
        for nameless in ["", "<Name/>", "<Name></Name>"] {
            let text = format!(
                "<ListAllMyBucketsResult><Buckets><Bucket>{nameless}</Bucket></Buckets></ListAllMyBucketsResult>"
            );
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"<html/>").is_err());
    }
}
