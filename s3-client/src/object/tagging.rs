//! The tags of an object: [`Bucket::get_object_tagging`], [`Bucket::put_object_tagging`] and
//! [`Bucket::delete_object_tagging`].

use aws_core::Result;

use crate::bucket::Bucket;
use crate::bucket::config::{
    Config, DeleteConfig, GetConfig, OfObject, PutConfig, Readable as _, Removable, Settable,
    Tagging,
};
use crate::idempotency::{self, Row};
use crate::limits;

impl Bucket {
    /// Fetches the tags of an object.
    ///
    /// [GetObjectTagging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html)
    pub fn get_object_tagging(&self, key: impl Into<String>) -> GetConfig<Tagging, OfObject> {
        GetConfig::new(self.clone(), OfObject::new(key.into()))
    }

    /// Gives an object these tags in place of those that it has: up to 10, with names of up to 128 and values of up to
    /// 256 characters.
    ///
    /// [PutObjectTagging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html)
    pub fn put_object_tagging(
        &self,
        key: impl Into<String>,
        tagging: impl Into<Tagging>,
    ) -> PutConfig<Tagging, OfObject> {
        PutConfig::new(self.clone(), OfObject::new(key.into()), tagging.into())
    }

    /// Removes all tags of an object.
    ///
    /// [DeleteObjectTagging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html)
    pub fn delete_object_tagging(&self, key: impl Into<String>) -> DeleteConfig<Tagging, OfObject> {
        DeleteConfig::new(self.clone(), OfObject::new(key.into()))
    }
}

impl Config<OfObject> for Tagging {
    const GET: Row = idempotency::GET_OBJECT_TAGGING;

    fn of_answer(answer: &[u8]) -> Result<Self> {
        // Ceph RGW answers with no document for an object that never had any tag.
        if answer.is_empty() {
            return Ok(Self::new());
        }
        Self::parse(answer)
    }
}

impl Settable<OfObject> for Tagging {
    const PUT: Row = idempotency::PUT_OBJECT_TAGGING;

    fn check_subject(&self) -> Result<()> {
        limits::object_tags(self)
    }
}

impl Removable<OfObject> for Tagging {
    const DELETE: Row = idempotency::DELETE_OBJECT_TAGGING;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_document_means_no_tags() {
        let of_object = <Tagging as Config<OfObject>>::of_answer;
        assert_eq!(of_object(b"").unwrap(), Tagging::new());
        assert!(of_object(b"<Other/>").is_err());
        assert!(<Tagging as Config>::of_answer(b"").is_err());
    }

    #[test]
    fn an_object_has_fewer_tags_than_a_bucket() {
        let tags: Tagging = (0..11).map(|i| (i.to_string(), "")).collect();
        assert!(<Tagging as Settable<OfObject>>::check_subject(&tags).is_err());
        assert!(<Tagging as Settable>::check_subject(&tags).is_ok());
    }
}
