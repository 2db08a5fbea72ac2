//! How a store encrypts what it keeps.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aws_core::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use pipeline_pool::Origin;
use zeroize::Zeroizing;

use crate::unsigned::Field;

/// A key of 256 bits that the store encrypts an object with and then forgets: [SSE-C](https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html).
///
/// Every request about the object's bytes has to bring it. It travels in a header, so it is refused for `http`
/// endpoints unless [`over_plain_http`](Self::over_plain_http) says otherwise. It is wiped from memory with its
/// last clone and never shown.
#[derive(Clone)]
pub struct CustomerKey {
    key: Arc<Zeroizing<[u8; 32]>>,
    plain_http: bool,
}

/// This says whose key encrypts the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The object's that the request is about.
    Object,
    /// The object's that a copy reads.
    CopySource,
}

impl CustomerKey {
    /// A key of exactly 32 bytes.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) when it has another length, which is named.
    pub fn new(key: impl AsRef<[u8]>) -> Result<Self> {
        let key = key.as_ref();
        let mut bytes = Zeroizing::new([0; 32]);
        if key.len() != bytes.len() {
            return Err(Error::invalid(format!(
                "the customer's key has {} bytes, not 32",
                key.len()
            )));
        }
        bytes.copy_from_slice(key);
        Ok(Self {
            key: Arc::new(bytes),
            plain_http: false,
        })
    }

    /// Lets it go over connections without TLS, where everybody on the way can read it.
    #[must_use]
    pub fn over_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    pub(crate) fn put_fields(
        &self,
        of: Of,
        origin: &Origin,
        fields: &mut Vec<Field>,
    ) -> Result<()> {
        if !origin.is_tls() && !self.plain_http {
            return Err(Error::invalid(
                "a customer's key would travel over plain http: use an https endpoint, or say over_plain_http()",
            ));
        }
        let [algorithm, key, digest] = match of {
            Of::Object => [
                "x-amz-server-side-encryption-customer-algorithm",
                "x-amz-server-side-encryption-customer-key",
                "x-amz-server-side-encryption-customer-key-md5",
            ],
            Of::CopySource => [
                "x-amz-copy-source-server-side-encryption-customer-algorithm",
                "x-amz-copy-source-server-side-encryption-customer-key",
                "x-amz-copy-source-server-side-encryption-customer-key-md5",
            ],
        };
        let bytes: &[u8] = self.key.as_slice();
        fields.push((Cow::Borrowed(algorithm), "AES256".to_owned()));
        fields.push((Cow::Borrowed(key), STANDARD.encode(bytes)));
        fields.push((Cow::Borrowed(digest), STANDARD.encode(Md5::digest(bytes))));
        Ok(())
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerKey(***)")
    }
}

/// How a store encrypts an object: [server-side
/// encryption](https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html).
#[derive(Clone, Debug)]
pub struct ServerSideEncryption(Scheme);

#[derive(Clone, Debug)]
enum Scheme {
    Store,
    Kms(Kms),
    Customer(CustomerKey),
    /// One that was told what means something only for keys of the key management service.
    Misplaced(&'static str),
}

#[derive(Clone, Debug, Default)]
struct Kms {
    dual: bool,
    key: Option<String>,
    context: Option<String>,
    bucket_key: Option<bool>,
}

impl ServerSideEncryption {
    /// With keys that the store keeps for itself (SSE-S3, `AES256`).
    pub fn store() -> Self {
        Self(Scheme::Store)
    }

    /// With a key of the key management service (SSE-KMS): the one that the account has for S3.
    pub fn kms() -> Self {
        Self(Scheme::Kms(Kms::default()))
    }

    /// With this key of the key management service: an id, an ARN or an alias.
    pub fn kms_key(id: impl Into<String>) -> Self {
        Self(Scheme::Kms(Kms {
            key: Some(id.into()),
            ..Kms::default()
        }))
    }

    /// Twice, with keys of the key management service (DSSE-KMS). With any others sending fails with
    /// [`Kind::Invalid`](crate::Kind::Invalid).
    #[must_use]
    pub fn dual(self) -> Self {
        self.kms_only("dual", |kms| kms.dual = true)
    }

    /// The encryption context: a JSON object of strings. With other keys than those of the key management service
    /// sending fails with [`Kind::Invalid`](crate::Kind::Invalid). Defaults to none.
    #[must_use]
    pub fn context(self, json: impl AsRef<str>) -> Self {
        let encoded = STANDARD.encode(json.as_ref());
        self.kms_only("context", |kms| kms.context = Some(encoded))
    }

    /// Whether one key of the bucket's spares requests to the key management service. With other keys than those of
    /// that service sending fails with [`Kind::Invalid`](crate::Kind::Invalid). Defaults to what the bucket says.
    #[must_use]
    pub fn bucket_key(self, yes: bool) -> Self {
        self.kms_only("bucket_key", |kms| kms.bucket_key = Some(yes))
    }

    fn kms_only(mut self, setting: &'static str, set: impl FnOnce(&mut Kms)) -> Self {
        match &mut self.0 {
            Scheme::Kms(kms) => set(kms),
            Scheme::Misplaced(_) => {}
            Scheme::Store | Scheme::Customer(_) => self.0 = Scheme::Misplaced(setting),
        }
        self
    }

    /// The customer's key, if it is one.
    pub(crate) fn customer_key(&self) -> Option<&CustomerKey> {
        match &self.0 {
            Scheme::Customer(key) => Some(key),
            _ => None,
        }
    }

    pub(crate) fn put_fields(&self, origin: &Origin, fields: &mut Vec<Field>) -> Result<()> {
        let mut put = |name, value| fields.push((Cow::Borrowed(name), value));
        match &self.0 {
            Scheme::Store => put("x-amz-server-side-encryption", "AES256".to_owned()),
            Scheme::Kms(kms) => {
                let name = if kms.dual { "aws:kms:dsse" } else { "aws:kms" };
                put("x-amz-server-side-encryption", name.to_owned());
                if let Some(key) = &kms.key {
                    put("x-amz-server-side-encryption-aws-kms-key-id", key.clone());
                }
                if let Some(context) = &kms.context {
                    put("x-amz-server-side-encryption-context", context.clone());
                }
                if let Some(yes) = kms.bucket_key {
                    let name = "x-amz-server-side-encryption-bucket-key-enabled";
                    put(name, yes.to_string());
                }
            }
            Scheme::Customer(key) => return key.put_fields(Of::Object, origin, fields),
            Scheme::Misplaced(setting) => {
                return Err(Error::invalid(format!(
                    "{setting} means something only for keys of the key management service"
                )));
            }
        }
        Ok(())
    }
}

impl From<CustomerKey> for ServerSideEncryption {
    fn from(key: CustomerKey) -> Self {
        Self(Scheme::Customer(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(encryption: &ServerSideEncryption, url: &str) -> Result<Vec<Field>> {
        let mut fields = Vec::new();
        let origin = Origin::parse(url).unwrap();
        encryption.put_fields(&origin, &mut fields)?;
        Ok(fields)
    }

    #[test]
    fn a_customers_key_stays_secret() {
        let key = CustomerKey::new([b'k'; 32]).unwrap();
        let shown = format!("{key:?} {:?}", ServerSideEncryption::from(key.clone()));
        assert_eq!(
            shown,
            "CustomerKey(***) ServerSideEncryption(Customer(CustomerKey(***)))"
        );
        let error = fields(&key.clone().into(), "http://h").unwrap_err();
        assert!(error.to_string().contains("plain http"), "{error}");
        assert_eq!(fields(&key.clone().into(), "https://h").unwrap().len(), 3);
        let open = key.over_plain_http();
        let sent = fields(&open.into(), "http://h").unwrap();
        assert_eq!(sent[1].1, "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=");
        for len in [0, 16, 31, 33] {
            let error = CustomerKey::new(vec![7; len]).unwrap_err().to_string();
            assert!(error.contains(&format!("{len} bytes, not 32")), "{error}");
        }
    }

    #[test]
    fn settings_of_the_key_management_service_are_for_its_keys_only() {
        let key = || ServerSideEncryption::from(CustomerKey::new([7; 32]).unwrap());
        for (encryption, setting) in [
            (ServerSideEncryption::store().dual(), "dual"),
            (ServerSideEncryption::store().context("{}"), "context"),
            (key().bucket_key(true).dual(), "bucket_key"),
        ] {
            let error = fields(&encryption, "https://h").unwrap_err().to_string();
            assert!(error.contains(setting), "{error}");
        }
    }

    #[test]
    fn schemes_of_the_store() {
        let one = |name: &'static str, value: &str| (Cow::Borrowed(name), value.to_owned());
        assert_eq!(
            fields(&ServerSideEncryption::store(), "http://h").unwrap(),
            [one("x-amz-server-side-encryption", "AES256")]
        );
        let kms = ServerSideEncryption::kms_key("k1")
            .dual()
            .context("{}")
            .bucket_key(true);
        assert_eq!(
            fields(&kms, "http://h").unwrap(),
            [
                one("x-amz-server-side-encryption", "aws:kms:dsse"),
                one("x-amz-server-side-encryption-aws-kms-key-id", "k1"),
                one("x-amz-server-side-encryption-context", "e30="),
                one("x-amz-server-side-encryption-bucket-key-enabled", "true"),
            ]
        );
    }
}
