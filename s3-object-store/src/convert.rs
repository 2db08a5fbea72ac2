//! What is known of objects, in the words of the interface.

use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{Attribute, AttributeValue, Attributes, ObjectMeta, Result, TagSet};
use s3_client::ObjectHead;
use s3_client::answer::ObjectInfo;
use s3_client::request::{CreateMultipart, Put};

use crate::error::{any, missing};

/// What a listing says of an object.
pub(crate) fn listed(info: ObjectInfo) -> Result<ObjectMeta> {
    Ok(ObjectMeta {
        location: Path::parse(&info.key)?,
        last_modified: info.last_modified.map(time).unwrap_or_default(),
        size: info.size,
        e_tag: info.etag,
        version: None,
    })
}

/// What the answer to a read says of an object.
pub(crate) fn read(path: &Path, head: &ObjectHead) -> Result<ObjectMeta> {
    let lacks = |what: &str| any(format!("the answer about {path} does not say the {what}"));
    Ok(ObjectMeta {
        location: path.clone(),
        last_modified: head
            .last_modified()
            .map(time)
            .ok_or_else(|| lacks("time"))?,
        size: head.size().ok_or_else(|| lacks("size"))?,
        e_tag: head.etag().map(str::to_owned),
        version: head.version_id().map(str::to_owned),
    })
}

fn time(time: std::time::SystemTime) -> DateTime<Utc> {
    time.into()
}

pub(crate) fn attributes(head: &ObjectHead) -> Attributes {
    let mut attributes = Attributes::new();
    for (attribute, name) in [
        (Attribute::CacheControl, "cache-control"),
        (Attribute::ContentDisposition, "content-disposition"),
        (Attribute::ContentEncoding, "content-encoding"),
        (Attribute::ContentLanguage, "content-language"),
        (Attribute::ContentType, "content-type"),
        (Attribute::StorageClass, "x-amz-storage-class"),
    ] {
        if let Some(value) = head.header(name) {
            attributes.insert(attribute, AttributeValue::from(value.to_owned()));
        }
    }
    for (name, value) in head.all_metadata() {
        let name = Attribute::Metadata(name.to_owned().into());
        attributes.insert(name, AttributeValue::from(value.to_owned()));
    }
    attributes
}

/// A request of the client that an object is described by.
pub(crate) trait Describe: Sized {
    /// The request with this attribute; nothing if there is no place for it.
    fn attribute(self, attribute: &Attribute, value: String) -> Option<Self>;

    /// The request with this header field.
    fn field(self, name: &str, value: &str) -> Self;
}

impl Describe for Put {
    fn attribute(self, attribute: &Attribute, value: String) -> Option<Self> {
        Some(match attribute {
            Attribute::CacheControl => self.cache_control(value),
            Attribute::ContentDisposition => self.content_disposition(value),
            Attribute::ContentEncoding => self.content_encoding(value),
            Attribute::ContentLanguage => self.content_language(value),
            Attribute::ContentType => self.content_type(value),
            Attribute::StorageClass => self.storage_class(value),
            Attribute::Metadata(name) => self.metadata(name.to_string(), value),
            _ => return None,
        })
    }

    fn field(self, name: &str, value: &str) -> Self {
        self.header(name, value)
    }
}

impl Describe for CreateMultipart {
    fn attribute(self, attribute: &Attribute, value: String) -> Option<Self> {
        Some(match attribute {
            Attribute::CacheControl => self.cache_control(value),
            Attribute::ContentDisposition => self.content_disposition(value),
            Attribute::ContentEncoding => self.content_encoding(value),
            Attribute::ContentLanguage => self.content_language(value),
            Attribute::ContentType => self.content_type(value),
            Attribute::StorageClass => self.storage_class(value),
            Attribute::Metadata(name) => self.metadata(name.to_string(), value),
            _ => return None,
        })
    }

    fn field(self, name: &str, value: &str) -> Self {
        self.header(name, value)
    }
}

/// The request with these attributes and tags.
///
/// # Errors
/// `NotImplemented` for an attribute that the store has no place for.
pub(crate) fn described<R: Describe>(
    mut request: R,
    attributes: &Attributes,
    tags: &TagSet,
) -> Result<R> {
    for (attribute, value) in attributes {
        request = request
            .attribute(attribute, value.to_string())
            .ok_or_else(|| missing(format!("the attribute {attribute:?}")))?;
    }
    Ok(match tags.encoded() {
        "" => request,
        tags => request.field("x-amz-tagging", tags),
    })
}
