//! How what S3 keeps of an object is written into records.

use std::sync::Arc;

use s3s::dto::{ServerSideEncryption, StorageClass, Tag, Timestamp};
use time::OffsetDateTime;

use std::time::SystemTime;

use super::body::Body;
use crate::accounts::Account;
use crate::disk::code::{Coded, Cursor};
use crate::s3::model::acl::Acl;
use crate::s3::model::attributes::{Encryption, Headers};
use crate::s3::model::checksums::{Checksums, OfParts};
use crate::s3::model::lock::Lock;
use crate::s3::model::store::Object;
use crate::s3::model::uploads::Part;
use crate::s3::model::versions::{Content, Status, Version};

impl Coded for Arc<Account> {
    fn encode(&self, out: &mut Vec<u8>) {
        for text in self.texts() {
            crate::disk::code::text(out, text);
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let mut text = || String::decode(cursor);
        Some(Self::new(Account::of([text()?, text()?, text()?, text()?])))
    }
}

impl Coded for Acl {
    fn encode(&self, out: &mut Vec<u8>) {
        let grants = self.grants();
        let owned = |(who, name): (&str, &str)| (who.to_owned(), name.to_owned());
        grants.map(owned).collect::<Vec<_>>().encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Self::of_grants(Vec::decode(cursor)?)
    }
}

impl Coded for Checksums {
    fn encode(&self, out: &mut Vec<u8>) {
        let parts = self.parts();
        parts
            .map(|(kind, value, whole)| (kind.to_owned(), (value.to_owned(), whole)))
            .encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        match Option::<(String, (String, bool))>::decode(cursor)? {
            None => Some(Self::default()),
            Some((kind, (value, is_composite))) => Self::of_parts(&kind, value, is_composite),
        }
    }
}

impl Coded for OfParts {
    fn encode(&self, out: &mut Vec<u8>) {
        let (kind, flags) = self.to_code();
        (kind.to_owned(), flags).encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Coded::decode(cursor).map(|(kind, flags)| Self::from_code(kind, flags))
    }
}

impl Coded for Lock {
    fn encode(&self, out: &mut Vec<u8>) {
        self.mode().map(|mode| mode.as_str().to_owned()).encode(out);
        self.until().map(time_of).encode(out);
        self.is_held().encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let mode = Option::<String>::decode(cursor)?;
        let until = Option::<SystemTime>::decode(cursor)?;
        Self::kept(mode.as_deref(), until, Option::decode(cursor)?)
    }
}

fn time_of(time: Timestamp) -> SystemTime {
    SystemTime::from(OffsetDateTime::from(time))
}

impl Coded for Encryption {
    fn encode(&self, out: &mut Vec<u8>) {
        let kind = self.kind.as_ref();
        kind.map(|kind| kind.as_str().to_owned()).encode(out);
        self.kms_key.encode(out);
        self.bucket_key.encode(out);
        self.customer_key.encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            kind: Option::<String>::decode(cursor)?.map(ServerSideEncryption::from),
            kms_key: Option::decode(cursor)?,
            bucket_key: Option::decode(cursor)?,
            customer_key: Option::decode(cursor)?,
        })
    }
}

impl Coded for Headers {
    fn encode(&self, out: &mut Vec<u8>) {
        self.content_type.encode(out);
        self.cache_control.encode(out);
        self.content_disposition.encode(out);
        self.content_encoding.encode(out);
        self.content_language.encode(out);
        self.expires.clone().map(time_of).encode(out);
        let metadata = self.metadata.as_ref().map(|metadata| {
            let pairs = metadata.iter();
            pairs.map(|(name, value)| (name.clone(), value.clone()))
        });
        metadata.map(Vec::from_iter).encode(out);
        self.website_redirect.encode(out);
        let class = self.storage_class.as_ref();
        class.map(|class| class.as_str().to_owned()).encode(out);
        self.encryption.encode(out);
        let tags = self.tags.iter();
        let tags = tags.map(|tag| (tag.key.clone(), tag.value.clone()));
        Vec::from_iter(tags).encode(out);
        self.owner.encode(out);
        self.acl.encode(out);
        self.lock.encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let tag = |(key, value)| Tag { key, value };
        Some(Self {
            content_type: Option::decode(cursor)?,
            cache_control: Option::decode(cursor)?,
            content_disposition: Option::decode(cursor)?,
            content_encoding: Option::decode(cursor)?,
            content_language: Option::decode(cursor)?,
            expires: Option::<SystemTime>::decode(cursor)?.map(Timestamp::from),
            metadata: Option::<Vec<(String, String)>>::decode(cursor)?
                .map(|pairs| pairs.into_iter().collect()),
            website_redirect: Option::decode(cursor)?,
            storage_class: Option::<String>::decode(cursor)?.map(StorageClass::from),
            encryption: Encryption::decode(cursor)?,
            tags: Vec::decode(cursor)?.into_iter().map(tag).collect(),
            owner: Arc::decode(cursor)?,
            acl: Acl::decode(cursor)?,
            lock: Lock::decode(cursor)?,
        })
    }
}

impl Coded for Object {
    fn encode(&self, out: &mut Vec<u8>) {
        self.body.encode(out);
        self.etag.encode(out);
        self.modified.encode(out);
        self.headers.encode(out);
        self.checksums.encode(out);
        self.parts.to_vec().encode(out);
        self.part_sums.to_vec().encode(out);
        self.restored.encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            body: Body::decode(cursor)?,
            etag: String::decode(cursor)?,
            modified: SystemTime::decode(cursor)?,
            headers: Headers::decode(cursor)?,
            checksums: Checksums::decode(cursor)?,
            parts: Vec::decode(cursor)?.into(),
            part_sums: Vec::decode(cursor)?.into(),
            restored: Option::decode(cursor)?,
        })
    }
}

const OBJECT: u8 = 0;
const MARKER: u8 = 1;

impl Coded for Version {
    fn encode(&self, out: &mut Vec<u8>) {
        self.serial.encode(out);
        crate::disk::code::text(out, &self.id);
        match &self.content {
            Content::Object(object) => {
                out.push(OBJECT);
                object.encode(out);
            }
            Content::Marker(made) => {
                out.push(MARKER);
                made.encode(out);
            }
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            serial: u64::decode(cursor)?,
            id: String::decode(cursor)?.into(),
            content: match cursor.byte()? {
                OBJECT => Content::Object(Arc::new(Object::decode(cursor)?)),
                MARKER => Content::Marker(SystemTime::decode(cursor)?),
                _ => return None,
            },
        })
    }
}

impl Coded for Status {
    fn encode(&self, out: &mut Vec<u8>) {
        (*self == Self::Enabled).encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(match bool::decode(cursor)? {
            true => Self::Enabled,
            false => Self::Suspended,
        })
    }
}

impl Coded for Part {
    fn encode(&self, out: &mut Vec<u8>) {
        self.body.encode(out);
        out.extend_from_slice(&self.digest);
        self.checksums.encode(out);
        self.modified.encode(out);
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            body: Body::decode(cursor)?,
            digest: cursor.take(16)?.try_into().ok()?,
            checksums: Checksums::decode(cursor)?,
            modified: SystemTime::decode(cursor)?,
        })
    }
}
