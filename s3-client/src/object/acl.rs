//! Who may do what with an object: [`Bucket::get_object_acl`] and [`Bucket::put_object_acl`].

use aws_core::Result;

use crate::bucket::Bucket;
use crate::bucket::config::{
    Acl, CannedAcl, Config, Encoded, GetConfig, OfObject, PutConfig, Settable, Writable,
};
use crate::idempotency::{self, Row};

impl Bucket {
    /// Fetches the access control list of an object.
    ///
    /// [GetObjectAcl](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html)
    pub fn get_object_acl(&self, key: impl Into<String>) -> GetConfig<Acl, OfObject> {
        GetConfig::new(self.clone(), OfObject::new(key.into()))
    }

    /// Replaces the access control list of an object by a [`CannedAcl`] or by an [`Acl`] of up to 100 grants.
    ///
    /// [PutObjectAcl](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html)
    pub fn put_object_acl(
        &self,
        key: impl Into<String>,
        acl: impl Into<AclChange>,
    ) -> PutConfig<AclChange, OfObject> {
        PutConfig::new(self.clone(), OfObject::new(key.into()), acl.into())
    }
}

/// What the access control list of an object is replaced by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AclChange {
    /// A list that has a name.
    Canned(CannedAcl),
    /// The whole list is replaced by this one.
    Acl(Acl),
}

impl From<CannedAcl> for AclChange {
    fn from(acl: CannedAcl) -> Self {
        Self::Canned(acl)
    }
}

impl From<Acl> for AclChange {
    fn from(acl: Acl) -> Self {
        Self::Acl(acl)
    }
}

impl Config<OfObject> for Acl {
    const GET: Row = idempotency::GET_OBJECT_ACL;
}

impl Settable<OfObject> for AclChange {
    const PUT: Row = idempotency::PUT_OBJECT_ACL;
}

impl Writable for AclChange {
    const QUERY: &'static str = <Acl as Writable>::QUERY;

    fn content(&self) -> Result<Encoded> {
        match self {
            Self::Canned(acl) => acl.content(),
            Self::Acl(acl) => acl.content(),
        }
    }
}
