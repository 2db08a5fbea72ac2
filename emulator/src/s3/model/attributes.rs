//! What is kept beside the bytes of an object: headers, tags, access control, how it is encrypted.

use std::sync::Arc;

use base64::prelude::*;
use s3s::dto::{
    BucketKeyEnabled, Metadata, SSECustomerKeyMD5, SSEKMSKeyId, ServerSideEncryption, StorageClass,
    Tag, Timestamp,
};
use s3s::{S3Error, S3Result, s3_error};

use crate::accounts::Account;
use crate::encode;
use crate::s3::model::acl::Acl;
use crate::s3::model::error::denied;
use crate::s3::model::lock::Lock;

/// The most bytes of names and values of the user's metadata.
const METADATA_MAX: usize = 2048;
/// The most tags of an object.
const TAGS_MAX: usize = 10;
const TAG_NAME_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;

const STORAGE_CLASSES: &[&str] = &[
    StorageClass::STANDARD,
    StorageClass::STANDARD_IA,
    StorageClass::ONEZONE_IA,
    StorageClass::INTELLIGENT_TIERING,
    StorageClass::REDUCED_REDUNDANCY,
    StorageClass::GLACIER,
    StorageClass::GLACIER_IR,
    StorageClass::DEEP_ARCHIVE,
];

/// What an object is stored with, as the request that makes it gives it.
#[derive(Clone, Debug, Default)]
pub(in crate::s3) struct Headers {
    pub(in crate::s3) content_type: Option<String>,
    pub(in crate::s3) cache_control: Option<String>,
    pub(in crate::s3) content_disposition: Option<String>,
    pub(in crate::s3) content_encoding: Option<String>,
    pub(in crate::s3) content_language: Option<String>,
    pub(in crate::s3) expires: Option<Timestamp>,
    pub(in crate::s3) metadata: Option<Metadata>,
    pub(in crate::s3) website_redirect: Option<String>,
    /// Nothing for the standard one.
    pub(in crate::s3) storage_class: Option<StorageClass>,
    pub(in crate::s3) encryption: Encryption,
    pub(in crate::s3) tags: Vec<Tag>,
    pub(in crate::s3) owner: Arc<Account>,
    pub(in crate::s3) acl: Acl,
    pub(in crate::s3) lock: Lock,
}

/// How an object is encrypted; its bytes are kept as they are.
#[derive(Clone, Debug, Default)]
pub(in crate::s3) struct Encryption {
    pub(in crate::s3) kind: Option<ServerSideEncryption>,
    pub(in crate::s3) kms_key: Option<SSEKMSKeyId>,
    pub(in crate::s3) bucket_key: Option<BucketKeyEnabled>,
    /// The digest of the customer's key, which is all that S3 keeps of it.
    pub(in crate::s3) customer_key: Option<SSECustomerKeyMD5>,
}

impl Encryption {
    pub(in crate::s3) fn new(
        kind: Option<ServerSideEncryption>,
        kms_key: Option<SSEKMSKeyId>,
        bucket_key: Option<BucketKeyEnabled>,
        customer_key: CustomerKey<'_>,
    ) -> S3Result<Self> {
        let customer_key = customer_key.check()?;
        let known = [
            ServerSideEncryption::AES256,
            ServerSideEncryption::AWS_KMS,
            ServerSideEncryption::AWS_KMS_DSSE,
        ];
        let kms = |kind: &ServerSideEncryption| kind.as_str().starts_with("aws:kms");
        if kms_key.is_some() && !kind.as_ref().is_some_and(kms) {
            return Err(s3_error!(
                InvalidArgument,
                "Server Side Encryption with AWS KMS managed key requires HTTP header \
                 x-amz-server-side-encryption : aws:kms"
            ));
        }
        if let Some(kind) = &kind {
            if !known.contains(&kind.as_str()) {
                return Err(s3_error!(
                    InvalidArgument,
                    "The encryption method specified is not supported"
                ));
            }
            if customer_key.is_some() {
                return Err(s3_error!(
                    InvalidArgument,
                    "Server Side Encryption with Customer provided key is incompatible with the \
                     encryption method specified"
                ));
            }
        }
        Ok(Self {
            kind,
            kms_key,
            bucket_key,
            customer_key,
        })
    }

    pub(in crate::s3) fn customer_algorithm(&self) -> Option<String> {
        self.customer_key.as_ref().map(|_| "AES256".to_owned())
    }

    /// Whether the entity tag says nothing of the bytes.
    pub(in crate::s3) fn hides_tag(&self) -> bool {
        let kms = |kind: &ServerSideEncryption| kind.as_str() != ServerSideEncryption::AES256;
        self.customer_key.is_some() || self.kind.as_ref().is_some_and(kms)
    }

    /// Lets in who brings the key that the object was stored with.
    pub(in crate::s3) fn unlock(&self, given: CustomerKey<'_>) -> S3Result<()> {
        match (&self.customer_key, given.check()?) {
            (None, None) => Ok(()),
            (Some(stored), Some(given)) if *stored == given => Ok(()),
            (Some(_), Some(_)) => Err(denied()),
            (Some(_), None) => Err(s3_error!(
                InvalidRequest,
                "The object was stored using a form of Server Side Encryption. The correct \
                 parameters must be provided to retrieve the object."
            )),
            (None, Some(_)) => Err(s3_error!(
                InvalidRequest,
                "The encryption parameters are not applicable to this object."
            )),
        }
    }
}

impl Encryption {
    /// Lets in parts of an upload that bring the key that it was begun with.
    pub(in crate::s3) fn unlock_part(&self, given: CustomerKey<'_>) -> S3Result<()> {
        match (&self.customer_key, given.check()?) {
            (None, None) => Ok(()),
            (Some(begun), Some(given)) if *begun == given => Ok(()),
            (Some(_), Some(_)) => Err(s3_error!(
                InvalidRequest,
                "The provided encryption parameters did not match the ones used originally."
            )),
            (Some(_), None) => Err(s3_error!(
                InvalidRequest,
                "The multipart upload initiate requested encryption. Subsequent part requests \
                 must include the appropriate encryption parameters."
            )),
            (None, Some(_)) => Err(s3_error!(
                InvalidRequest,
                "The multipart upload initiate did not request encryption. Please resend the \
                 request without sending encryption parameters."
            )),
        }
    }
}

/// The three fields of a customer's key, as they came.
#[derive(Clone, Copy)]
pub(in crate::s3) struct CustomerKey<'a> {
    pub(in crate::s3) algorithm: Option<&'a str>,
    pub(in crate::s3) key: Option<&'a str>,
    pub(in crate::s3) digest: Option<&'a str>,
}

impl CustomerKey<'_> {
    /// The digest of the key, if there is one and all three fit.
    fn check(self) -> S3Result<Option<String>> {
        let invalid = |message: &'static str| s3_error!(InvalidArgument, "{message}");
        let (key, digest) = match (self.algorithm, self.key, self.digest) {
            (None, None, None) => return Ok(None),
            (Some("AES256"), Some(key), Some(digest)) => (key, digest),
            (Some("AES256"), _, _) => {
                return Err(invalid(
                    "Requests specifying Server Side Encryption with Customer provided keys must \
                     provide an appropriate secret key.",
                ));
            }
            _ => {
                return Err(invalid(
                    "Requests specifying Server Side Encryption with Customer provided keys must \
                     provide a valid encryption algorithm.",
                ));
            }
        };
        let bytes = BASE64_STANDARD.decode(key).ok();
        let bytes = bytes
            .filter(|bytes| bytes.len() == 32)
            .ok_or_else(|| invalid("The secret key was invalid for the specified algorithm."))?;
        if BASE64_STANDARD.encode(encode::md5(&bytes)) != digest {
            return Err(invalid(
                "The calculated MD5 hash of the key did not match the hash that was provided.",
            ));
        }
        Ok(Some(digest.to_owned()))
    }
}

/// The customer's key of a request's input.
macro_rules! customer_key {
    ($input:expr) => {
        $crate::s3::model::attributes::CustomerKey {
            algorithm: $input.sse_customer_algorithm.as_deref(),
            key: $input.sse_customer_key.as_deref(),
            digest: $input.sse_customer_key_md5.as_deref(),
        }
    };
}

/// The customer's key for the source of a copy.
macro_rules! source_key {
    ($input:expr) => {
        $crate::s3::model::attributes::CustomerKey {
            algorithm: $input.copy_source_sse_customer_algorithm.as_deref(),
            key: $input.copy_source_sse_customer_key.as_deref(),
            digest: $input.copy_source_sse_customer_key_md5.as_deref(),
        }
    };
}

/// The fields that grant permissions, of a request's input.
macro_rules! acl_fields {
    ($input:expr) => {
        [
            (
                "x-amz-grant-full-control",
                $input.grant_full_control.as_deref(),
            ),
            ("x-amz-grant-read", $input.grant_read.as_deref()),
            ("x-amz-grant-read-acp", $input.grant_read_acp.as_deref()),
            ("x-amz-grant-write-acp", $input.grant_write_acp.as_deref()),
        ]
    };
}

/// What an object is stored with, taken out of the input of the request that makes it.
macro_rules! headers {
    ($input:expr, $bucket:expr, $writer:expr) => {{
        let (owner, acl) = $crate::s3::access::of_new(
            $writer,
            $bucket,
            $input.acl.as_ref().map(|acl| acl.as_str()),
            $crate::s3::model::attributes::acl_fields!($input),
        )?;
        let encryption = $crate::s3::model::attributes::Encryption::new(
            $input.server_side_encryption.take(),
            $input.ssekms_key_id.take(),
            $input.bucket_key_enabled,
            customer_key!($input),
        )?
        .or_default($bucket);
        $crate::s3::model::attributes::Headers {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $crate::s3::model::attributes::encoding(
                $input.content_encoding.take(),
            ),
            content_language: $input.content_language.take(),
            expires: $input.expires.take(),
            metadata: $crate::s3::model::attributes::check_metadata($input.metadata.take())?,
            website_redirect: $input.website_redirect_location.take(),
            storage_class: $crate::s3::model::attributes::check_class($input.storage_class.take())?,
            encryption,
            tags: $crate::s3::model::attributes::parse_tags($input.tagging.as_deref())?,
            owner,
            acl,
            lock: $crate::s3::model::lock::Lock::new(
                $input.object_lock_mode.as_ref().map(|mode| mode.as_str()),
                $input.object_lock_retain_until_date.take(),
                $input
                    .object_lock_legal_hold_status
                    .as_ref()
                    .map(|status| status.as_str()),
            )?,
        }
    }};
}

pub(in crate::s3) use {acl_fields, customer_key, headers, source_key};

/// How the object itself is encoded: `aws-chunked` is how the request was sent.
pub(in crate::s3) fn encoding(given: Option<String>) -> Option<String> {
    let given = given?;
    let is_own = |coding: &&str| {
        let coding = coding.trim();
        !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked")
    };
    let own: Vec<_> = given.split(',').filter(is_own).collect();
    let own = own.join(",").trim().to_owned();
    (!own.is_empty()).then_some(own)
}

pub(in crate::s3) fn check_metadata(metadata: Option<Metadata>) -> S3Result<Option<Metadata>> {
    let pairs = metadata.iter().flatten();
    let size: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
    if size > METADATA_MAX {
        return Err(s3_error!(
            MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size"
        ));
    }
    Ok(metadata)
}

pub(in crate::s3) fn check_class(class: Option<StorageClass>) -> S3Result<Option<StorageClass>> {
    if let Some(class) = &class
        && !STORAGE_CLASSES.contains(&class.as_str())
    {
        return Err(s3_error!(
            InvalidStorageClass,
            "The storage class you specified is not valid"
        ));
    }
    Ok(class.filter(|class| class.as_str() != StorageClass::STANDARD))
}

/// Reads the value of `x-amz-tagging`.
pub(in crate::s3) fn parse_tags(header: Option<&str>) -> S3Result<Vec<Tag>> {
    let invalid = || {
        s3_error!(
            InvalidArgument,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query \
             parameters without tag name duplicates."
        )
    };
    let mut tags = Vec::new();
    for (name, value) in encode::form_pairs(header.unwrap_or_default().as_bytes()) {
        tags.push(Tag {
            key: Some(String::from_utf8(name).map_err(|_| invalid())?),
            value: Some(String::from_utf8(value).map_err(|_| invalid())?),
        });
    }
    check_tags(tags, invalid)
}

/// Lets through tags that an object may have.
pub(in crate::s3) fn check_tags(tags: Vec<Tag>, twice: impl Fn() -> S3Error) -> S3Result<Vec<Tag>> {
    if tags.len() > TAGS_MAX {
        return Err(s3_error!(
            InvalidTag,
            "Object tags cannot be greater than 10"
        ));
    }
    for (at, tag) in tags.iter().enumerate() {
        let key = tag.key.as_deref().unwrap_or_default();
        let value = tag.value.as_deref().unwrap_or_default();
        if key.is_empty() || key.chars().count() > TAG_NAME_MAX {
            return Err(s3_error!(
                InvalidTag,
                "The TagKey you have provided is invalid"
            ));
        }
        if value.chars().count() > TAG_VALUE_MAX {
            return Err(s3_error!(
                InvalidTag,
                "The TagValue you have provided is invalid"
            ));
        }
        if tags[..at].iter().any(|other| other.key == tag.key) {
            return Err(twice());
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_decoded_and_bounded() {
        let tags = parse_tags(Some("a%20b=1%262&c=")).unwrap();
        let pair = |tag: &Tag| (tag.key.clone().unwrap(), tag.value.clone().unwrap());
        let pairs: Vec<_> = tags.iter().map(pair).collect();
        assert_eq!(
            pairs,
            [
                ("a b".to_owned(), "1&2".to_owned()),
                ("c".to_owned(), String::new())
            ]
        );
        let many: Vec<_> = (0..11).map(|i| format!("k{i}=")).collect();
        for bad in ["a=1&a=2", "=1", "%ff=1", &many.join("&"), &"k".repeat(129)] {
            assert!(parse_tags(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_coding_of_the_transfer_is_not_kept() {
        for (given, kept) in [
            (None, None),
            (Some("gzip"), Some("gzip")),
            (Some("aws-chunked"), None),
            (Some("aws-chunked,gzip, br"), Some("gzip, br")),
        ] {
            let found = encoding(given.map(str::to_owned));
            assert_eq!(found.as_deref(), kept);
        }
    }

    #[test]
    fn a_customers_key_has_to_fit() {
        let key = BASE64_STANDARD.encode([7; 32]);
        let digest = BASE64_STANDARD.encode(encode::md5(&[7; 32]));
        let whole = CustomerKey {
            algorithm: Some("AES256"),
            key: Some(&key),
            digest: Some(&digest),
        };
        let none = CustomerKey {
            algorithm: None,
            key: None,
            digest: None,
        };
        let locked = Encryption::new(None, None, None, whole).unwrap();
        assert!(locked.unlock(whole).is_ok() && locked.unlock(none).is_err());
        assert!(Encryption::default().unlock(whole).is_err());
        assert!(Encryption::default().unlock(none).is_ok());
        let short = BASE64_STANDARD.encode([7; 16]);
        for bad in [
            CustomerKey { key: None, ..whole },
            CustomerKey {
                digest: Some("x"),
                ..whole
            },
            CustomerKey {
                algorithm: Some("DES"),
                ..whole
            },
            CustomerKey {
                algorithm: None,
                ..whole
            },
            CustomerKey {
                key: Some(&short),
                ..whole
            },
        ] {
            assert!(bad.check().is_err());
        }
    }
}
