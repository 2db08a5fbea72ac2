//! Whether an object is held, whatever its retention says: [`Bucket::get_object_legal_hold`] and
//! [`Bucket::put_object_legal_hold`].

use crate::bucket::Bucket;
use crate::bucket::config::{Config, GetConfig, LegalHold, OfObject, PutConfig, Settable};
use crate::idempotency::{self, Row};

impl Bucket {
    /// Fetches whether an object is held.
    ///
    /// An object that was never held is [`is_not_found`](crate::Error::is_not_found), at some stores with the status
    /// 400 and the code `NoSuchObjectLockConfiguration`; the code is `InvalidRequest` where the bucket has no object
    /// lock.
    ///
    /// [GetObjectLegalHold](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLegalHold.html)
    pub fn get_object_legal_hold(&self, key: impl Into<String>) -> GetConfig<LegalHold, OfObject> {
        GetConfig::new(self.clone(), OfObject::new(key.into()))
    }

    /// Holds an object (`true`), whatever its retention says, or lets it go (`false`). The code is `InvalidRequest`
    /// where the bucket has no object lock.
    ///
    /// [PutObjectLegalHold](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html)
    pub fn put_object_legal_hold(
        &self,
        key: impl Into<String>,
        hold: impl Into<LegalHold>,
    ) -> PutConfig<LegalHold, OfObject> {
        PutConfig::new(self.clone(), OfObject::new(key.into()), hold.into())
    }
}

impl Config<OfObject> for LegalHold {
    const GET: Row = idempotency::GET_OBJECT_LEGAL_HOLD;
}

impl Settable<OfObject> for LegalHold {
    const PUT: Row = idempotency::PUT_OBJECT_LEGAL_HOLD;
}
