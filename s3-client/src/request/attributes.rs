//! What is kept beside the bytes of an object, and given when it is made.

use std::borrow::Cow;
use std::time::SystemTime;

use aws_core::{Error, Result, http_date};
use aws_sigv2::date::iso8601_millis;
use aws_sigv2::escape;
use pipeline_pool::Origin;

use crate::bucket::config::grant_fields;
use crate::config::{Grantee, Permission, RetentionMode, Tag, Tagging};
use crate::limits;
use crate::request::encryption::ServerSideEncryption;
use crate::unsigned::Field;

/// The field that holds an object.
pub(crate) const LEGAL_HOLD: &str = "x-amz-object-lock-legal-hold";

/// What the setters of [`attributes!`] have been told.
#[derive(Clone, Default)]
pub(crate) struct Attributes {
    /// What a copy takes over from its source unless it is told to replace it.
    described: Vec<Field>,
    metadata: Vec<(String, String)>,
    fields: Vec<Field>,
    tagging: Tagging,
    grants: Vec<(Permission, Grantee)>,
    encryption: Option<ServerSideEncryption>,
    retention: Option<(RetentionMode, SystemTime)>,
    /// The first setting that cannot be sent.
    wrong: Option<Error>,
}

impl Attributes {
    /// A header field that describes the content.
    pub(crate) fn describe(&mut self, name: &'static str, value: String) {
        put(&mut self.described, name, value);
    }

    /// The media type, unless one was said.
    pub(crate) fn media_type_or(&mut self, usual: Option<&str>) {
        let said = self
            .described
            .iter()
            .any(|(name, _)| name == "content-type");
        if let (false, Some(usual)) = (said, usual) {
            self.describe("content-type", usual.to_owned());
        }
    }

    /// Sets any other header field.
    pub(crate) fn field(&mut self, name: &'static str, value: String) {
        put(&mut self.fields, name, value);
    }

    pub(crate) fn metadata(&mut self, name: &str, value: String) {
        let name = name.to_ascii_lowercase();
        self.metadata.retain(|(n, _)| *n != name);
        self.metadata.push((name, value));
    }

    pub(crate) fn expires(&mut self, time: SystemTime) {
        match limits::time("expires", time) {
            Ok(()) => self.describe("expires", http_date(time).as_ref().to_owned()),
            Err(error) => self.wrong = self.wrong.take().or(Some(error)),
        }
    }

    pub(crate) fn encryption(&mut self, encryption: ServerSideEncryption) {
        self.encryption = Some(encryption);
    }

    pub(crate) fn tag(&mut self, tag: Tag) {
        match self.tagging.tags.iter_mut().find(|t| t.key == tag.key) {
            Some(old) => *old = tag,
            None => self.tagging.tags.push(tag),
        }
    }

    pub(crate) fn has_tags(&self) -> bool {
        !self.tagging.tags.is_empty()
    }

    pub(crate) fn grant(&mut self, permission: Permission, grantee: Grantee) {
        self.grants.push((permission, grantee));
    }

    pub(crate) fn retention(&mut self, mode: RetentionMode, until: SystemTime) {
        self.retention = Some((mode, until));
    }

    /// Whether a store may want a digest of the body, since it locks the object.
    pub(crate) fn is_locked(&self) -> bool {
        self.retention.is_some() || self.fields.iter().any(|(name, _)| name == LEGAL_HOLD)
    }

    /// The key of the customer's that the object is encrypted with, if it is one.
    pub(crate) fn customer_key(&self) -> Option<&crate::request::CustomerKey> {
        self.encryption.as_ref()?.customer_key()
    }

    /// Whether there is a description of the content.
    pub(crate) fn is_described(&self) -> bool {
        !self.described.is_empty() || !self.metadata.is_empty()
    }

    /// All of it as header fields of a request to this origin.
    pub(crate) fn into_fields(self, origin: &Origin) -> Result<Vec<Field>> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        limits::metadata(self.metadata.iter().map(|(n, v)| (n.as_str(), v.as_str())))?;
        let has_tags = self.has_tags();
        let mut fields = self.described;
        fields.extend(self.fields);
        if let Some((mode, until)) = self.retention {
            limits::retain_until(until, SystemTime::now())?;
            let until = iso8601_millis(until).as_ref().to_owned();
            let mode = mode.as_str().to_owned();
            fields.push((Cow::Borrowed("x-amz-object-lock-mode"), mode));
            fields.push((Cow::Borrowed("x-amz-object-lock-retain-until-date"), until));
        }
        for (name, value) in self.metadata {
            fields.push((Cow::Owned(format!("x-amz-meta-{name}")), value));
        }
        if has_tags {
            limits::object_tags(&self.tagging)?;
            let value = tagging_header(&self.tagging);
            fields.push((Cow::Borrowed("x-amz-tagging"), value));
        }
        fields.extend(grant_fields(&self.grants)?);
        if let Some(encryption) = self.encryption {
            encryption.put_fields(origin, &mut fields)?;
        }
        Ok(fields)
    }
}

/// Tags as the value of `x-amz-tagging`.
fn tagging_header(tagging: &Tagging) -> String {
    let mut out = String::new();
    for tag in &tagging.tags {
        if !out.is_empty() {
            out.push('&');
        }
        escape::push_component(&mut out, &tag.key);
        out.push('=');
        escape::push_component(&mut out, &tag.value);
    }
    out
}

/// Adds a field in place of one of the same name.
pub(crate) fn put(fields: &mut Vec<Field>, name: &'static str, value: String) {
    fields.retain(|(n, _)| n != name);
    fields.push((Cow::Borrowed(name), value));
}

/// Gives a request with a field `attributes: Attributes` the setters of what is kept beside the bytes.
///
/// `attributes!(Put);` writes
///
/// ```text
/// impl Put {
///     pub fn content_type(mut self, value: impl Into<String>) -> Self {
///         self.attributes.describe("content-type", value.into());
///         self
///     }
///     // and so on for the other content headers, `metadata`, `tag`, `acl`, `grant`, `encryption`, `retention` and so on
/// }
/// ```
macro_rules! attributes {
    ($request:ty) => {
        impl $request {
            /// The media type (`Content-Type`). Defaults to that of the suffix of a [file's
            /// name](crate::Source::file) where it is known, and else to none: stores then say `binary/octet-stream`.
            pub fn content_type(mut self, value: impl Into<String>) -> Self {
                self.attributes.describe("content-type", value.into());
                self
            }

            /// How browsers and proxies may keep the object (`Cache-Control`, RFC 9111).
            pub fn cache_control(mut self, value: impl Into<String>) -> Self {
                self.attributes.describe("cache-control", value.into());
                self
            }

            /// Under which name browsers save the object (`Content-Disposition`, RFC 6266).
            pub fn content_disposition(mut self, value: impl Into<String>) -> Self {
                self.attributes
                    .describe("content-disposition", value.into());
                self
            }

            /// How the body is compressed (`Content-Encoding`).
            pub fn content_encoding(mut self, value: impl Into<String>) -> Self {
                self.attributes.describe("content-encoding", value.into());
                self
            }

            /// The language of the object (`Content-Language`).
            pub fn content_language(mut self, value: impl Into<String>) -> Self {
                self.attributes.describe("content-language", value.into());
                self
            }

            /// The time from which on proxies look for the object again (`Expires`), to the second, in the years 1970 to 9999.
            pub fn expires(mut self, time: std::time::SystemTime) -> Self {
                self.attributes.expires(time);
                self
            }

            /// An entry of the user's metadata: a header name without `x-amz-meta-`, printable ASCII; 2,048 bytes
            /// of names and values [in
            /// all](https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata).
            pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.attributes.metadata(&name.into(), value.into());
                self
            }

            /// The [storage class](https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html), for
            /// example `"STANDARD_IA"`. Defaults to the store's own, which is called `STANDARD`.
            pub fn storage_class(mut self, class: impl Into<$crate::config::StorageClass>) -> Self {
                let class = class.into().as_str().to_owned();
                self.attributes.field("x-amz-storage-class", class);
                self
            }

            /// How the store encrypts it: with [keys of its own](crate::request::ServerSideEncryption), or with one of yours,
            /// [`CustomerKey`](crate::request::CustomerKey). Defaults to what the bucket says.
            pub fn encryption(
                mut self,
                encryption: impl Into<$crate::request::ServerSideEncryption>,
            ) -> Self {
                self.attributes.encryption(encryption.into());
                self
            }

            /// One of its [tags](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html): at most 10,
            /// with names of 1 to 128 characters and values of up to 256. A later one of the same name takes its place.
            pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                let pair: (String, String) = (name.into(), value.into());
                self.attributes.tag(pair.into());
                self
            }

            /// The access control list of the object, by one of those that have a name. Defaults to
            /// [`Private`](crate::config::CannedAcl::Private).
            pub fn acl(mut self, acl: impl Into<$crate::config::CannedAcl>) -> Self {
                let acl = acl.into().as_str().to_owned();
                self.attributes.field("x-amz-acl", acl);
                self
            }

            /// Allows a grantee something. It cannot be said together with [`acl`](Self::acl).
            pub fn grant(
                mut self,
                permission: impl Into<$crate::config::Permission>,
                grantee: $crate::config::Grantee,
            ) -> Self {
                self.attributes.grant(permission.into(), grantee);
                self
            }

            /// Keeps the object from removal until this time, which has to be in the future, in a bucket with [object
            /// lock](crate::request::CreateBucket::object_lock). Defaults to what the
            /// [`ObjectLock`](crate::config::ObjectLock) of the bucket says.
            pub fn retention(
                mut self,
                mode: impl Into<$crate::config::RetentionMode>,
                until: std::time::SystemTime,
            ) -> Self {
                self.attributes.retention(mode.into(), until);
                self
            }

            /// Keeps the object from removal until [somebody lets it go](crate::Bucket::put_object_legal_hold), in a bucket with
            /// [object lock](crate::request::CreateBucket::object_lock). Defaults to no.
            pub fn legal_hold(mut self, yes: bool) -> Self {
                let hold = $crate::config::LegalHold::from(yes).status;
                let hold = hold.map(|status| status.as_str().to_owned());
                self.attributes.field(
                    $crate::request::attributes::LEGAL_HOLD,
                    hold.unwrap_or_default(),
                );
                self
            }

            /// Where a [website](https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html) of the
            /// bucket sends whoever asks for it: a path of the bucket, or an http or https URL.
            pub fn website_redirect(mut self, location: impl Into<String>) -> Self {
                self.attributes
                    .field("x-amz-website-redirect-location", location.into());
                self
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_escaped_and_each_is_there_once() {
        let mut attributes = Attributes::default();
        for (name, value) in [("a b", "0"), ("c", ""), ("a b", "1&2")] {
            attributes.tag((name, value).into());
        }
        assert_eq!(tagging_header(&attributes.tagging), "a%20b=1%262&c=");
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let origin = Origin::parse("http://h").unwrap();
        let before = SystemTime::UNIX_EPOCH - std::time::Duration::from_secs(1);
        let set: [fn(&mut Attributes, SystemTime); 4] = [
            |a, t| a.expires(t),
            |a, _| a.tag(("k".repeat(129), "").into()),
            |a, _| a.metadata("x", "\n".to_owned()),
            |a, _| (0..11).for_each(|i: u8| a.tag((i.to_string(), "").into())),
        ];
        for set in set {
            let mut attributes = Attributes::default();
            set(&mut attributes, before);
            assert!(attributes.into_fields(&origin).is_err());
        }
    }
}
