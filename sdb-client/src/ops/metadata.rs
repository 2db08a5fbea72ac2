//! Asking for the size of a domain: [`Domain::metadata`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_core::idempotency::Row;
use aws_core::operation::Answer;
use aws_core::{Result, awaitable};

use crate::domain::Domain;
use crate::idempotency;
use crate::operation::{Call, SdbOperation};
use crate::options::Options;
use crate::usage::Usage;
use crate::wire::{Sdb, UnsignedRequest, read};

/// A request for the size of a domain; made by [`Domain::metadata`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct DomainMetadata {
    domain: Domain,
    options: Options,
}

/// The size of a domain at one time: the service counts now and then, and not for each request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metadata {
    /// How many items there are.
    pub items: u64,
    /// The bytes of the names of all items.
    pub item_name_bytes: u64,
    /// How many different names attributes have.
    pub attribute_names: u64,
    /// Bytes of those names.
    pub attribute_name_bytes: u64,
    /// Pairs of name and value.
    pub attribute_values: u64,
    /// The bytes of the values of all attributes.
    pub attribute_value_bytes: u64,
    /// When it was counted, to the second.
    pub counted_at: SystemTime,
    /// The machine hours that the answer cost.
    pub usage: Usage,
}

impl Domain {
    /// How many items there are, and how large they are, as of some time ago.
    ///
    /// [DomainMetadata](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_DomainMetadata.html)
    #[doc(alias("domain_metadata", "DomainMetadata"))]
    pub fn metadata(&self) -> DomainMetadata {
        DomainMetadata::new(self.clone())
    }
}

impl Metadata {
    /// Bytes that are [billed](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDB_API_DomainMetadata.html)
    /// as storage without the service's overhead of 45 bytes for each item, name and pair.
    pub fn bytes(&self) -> u64 {
        // What a server says may be anything.
        let names = self
            .item_name_bytes
            .saturating_add(self.attribute_name_bytes);
        names.saturating_add(self.attribute_value_bytes)
    }
}

impl DomainMetadata {
    pub(crate) fn new(domain: Domain) -> Self {
        Self {
            domain,
            options: Options::default(),
        }
    }

    /// Sends DomainMetadata, as `.await` does.
    ///
    /// # Errors
    /// `NoSuchDomain`; otherwise as sending and the service say.
    pub async fn send(self) -> Result<Metadata> {
        let domain = &self.domain;
        let mut wire = UnsignedRequest::about(
            &domain.client,
            DomainMetadataOperation::ROW.operation,
            &domain.name,
        )?;
        wire.options(self.options);
        domain
            .client
            .call(&Call::new(wire, DomainMetadataOperation))
            .await
    }
}

options!(DomainMetadata);
awaitable!(DomainMetadata, Metadata);

struct DomainMetadataOperation;

impl SdbOperation for DomainMetadataOperation {
    type Request = UnsignedRequest;
    type Output = Metadata;
    const ROW: Row = idempotency::DOMAIN_METADATA;

    fn parse(&self, _: &UnsignedRequest, service: &Sdb, answer: Answer) -> Result<Metadata> {
        let mut counts = [0u64; 7];
        let usage = read(service, &answer, |xml| {
            while let Some(tag) = xml.child()? {
                match NAMES.iter().position(|name| *name == tag.name()) {
                    Some(i) => counts[i] = xml.value()?,
                    None => xml.skip()?,
                }
            }
            Ok(())
        })?;
        let [
            items,
            item_name_bytes,
            attribute_names,
            attribute_name_bytes,
            attribute_values,
            attribute_value_bytes,
            seconds,
        ] = counts;
        let counted_at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        Ok(Metadata {
            items,
            item_name_bytes,
            attribute_names,
            attribute_name_bytes,
            attribute_values,
            attribute_value_bytes,
            counted_at: counted_at.unwrap_or(UNIX_EPOCH),
            usage,
        })
    }
}

const NAMES: [&str; 7] = [
    "ItemCount",
    "ItemNamesSizeBytes",
    "AttributeNameCount",
    "AttributeNamesSizeBytes",
    "AttributeValueCount",
    "AttributeValuesSizeBytes",
    "Timestamp",
];
