//! What is known of objects, in the words of the interface.

use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{Attribute, AttributeValue, Attributes, ObjectMeta, Result};
use s3_client::ObjectHead;
use s3_client::answer::ObjectInfo;

use crate::error::any;

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

/// Gives a request of the client these attributes and tags.
macro_rules! described {
    ($request:expr, $attributes:expr, $tags:expr) => {{
        let mut request = $request;
        for (attribute, value) in $attributes {
            let value = value.to_string();
            request = match attribute {
                object_store::Attribute::CacheControl => request.cache_control(value),
                object_store::Attribute::ContentDisposition => request.content_disposition(value),
                object_store::Attribute::ContentEncoding => request.content_encoding(value),
                object_store::Attribute::ContentLanguage => request.content_language(value),
                object_store::Attribute::ContentType => request.content_type(value),
                object_store::Attribute::StorageClass => request.storage_class(value),
                object_store::Attribute::Metadata(name) => {
                    request.metadata(name.to_string(), value)
                }
                other => return Err($crate::error::missing(format!("the attribute {other:?}"))),
            };
        }
        let tags = $tags.encoded();
        if tags.is_empty() {
            request
        } else {
            request.header("x-amz-tagging", tags)
        }
    }};
}

pub(crate) use described;
