//! Bringing an archived object back: [`Bucket::restore`].

use aws_core::operation::Answer;
use aws_core::xml::Element;
use aws_core::{Error, Result, awaitable};
use bytes::Bytes;
use pipeline_pool::Method;

use crate::bucket::Bucket;
use crate::bucket::config::document_fields;
use crate::idempotency::{self, Row};
use crate::operation::{Call, Changes, S3Operation};
use crate::request::options::Options;
use crate::unsigned::UnsignedRequest;

/// A request to bring an archived object back for a while; made by [`Bucket::restore`].
#[must_use = "nothing is sent until this is awaited"]
#[derive(Clone, Debug)]
pub struct Restore {
    bucket: Bucket,
    key: String,
    days: u32,
    tier: Option<String>,
    version: Option<String>,
    options: Options,
}

impl Bucket {
    /// Brings an archived object back for this many days.
    ///
    /// [RestoreObject](https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html)
    #[doc(alias("restore_object", "RestoreObject"))]
    pub fn restore(&self, key: impl Into<String>, days: u32) -> Restore {
        Restore::new(self.clone(), key.into(), days)
    }
}

impl Restore {
    pub(crate) fn new(bucket: Bucket, key: String, days: u32) -> Self {
        Self {
            bucket,
            key,
            days,
            tier: None,
            version: None,
            options: Options::default(),
        }
    }

    /// How fast: `Expedited`, `Standard` or `Bulk`. Defaults to the store's choice, at Amazon `Standard`.
    pub fn tier(mut self, tier: impl Into<String>) -> Self {
        self.tier = Some(tier.into());
        self
    }

    /// Brings this version of it back. Defaults to the current one.
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version = Some(id.into());
        self
    }

    /// Sends it. It takes minutes to hours until the object can be read; [`ObjectHead::restore`](crate::ObjectHead::restore)
    /// tells how far it is.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for 0 days; `InvalidObjectState` when it is not archived,
    /// `RestoreAlreadyInProgress` when it is being brought back; otherwise as sending and the store say.
    pub async fn send(self) -> Result<Restored> {
        if self.days == 0 {
            return Err(Error::invalid(
                "an object is restored for 0 days, not for 1 or more",
            ));
        }
        let mut wire = UnsignedRequest::object(Method::Post, &self.bucket, &self.key)?;
        wire.query("restore", "");
        if let Some(version) = &self.version {
            wire.version(version)?;
        }
        let body = document(self.days, self.tier.as_deref())?;
        wire.fields(document_fields(&body, "application/xml").into())?;
        wire.body(Bytes::from(body));
        wire.options(self.options);
        self.bucket
            .client()
            .call(&Call::new(wire, RestoreObject))
            .await
    }
}

options!(Restore);
awaitable!(Restore, Restored);

/// What the store says to the wish for an archived object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Restored {
    /// It is being brought back.
    Begun,
    /// It was there already, and stays for the new time.
    Prolonged,
}

fn document(days: u32, tier: Option<&str>) -> Result<String> {
    let mut request = Element::new("RestoreRequest")
        .with_attribute("xmlns", "http://s3.amazonaws.com/doc/2006-03-01/")
        .with(Element::new("Days").with_text(days.to_string()));
    if let Some(tier) = tier {
        let tier = Element::new("Tier").with_text(tier);
        request.push(Element::new("GlacierJobParameters").with(tier));
    }
    request.to_xml()
}

struct RestoreObject;

impl S3Operation for RestoreObject {
    type Output = Restored;
    const ROW: Row = idempotency::RESTORE_OBJECT;
    const CHANGES: Changes = Changes::Object;

    fn parse(&self, answer: Answer) -> Result<Restored> {
        Ok(match answer.head.status() {
            202 => Restored::Begun,
            _ => Restored::Prolonged,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let text = document(3, Some("Bulk")).unwrap();
        assert_eq!(
            text,
            "<RestoreRequest xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Days>3</Days>\
             <GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters></RestoreRequest>"
        );
        assert!(document(1, Some("\u{1}")).is_err());
    }
}
