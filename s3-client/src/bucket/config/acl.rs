//! Access control lists: what each grantee may do with a bucket or an object.

use std::borrow::Cow;

use aws_core::xml::{Element, XmlError};
use aws_core::{Error, Result};

use super::{Config, Encoded, Root, Settable, Writable, XmlPart, check_count};
use crate::idempotency::{self, Row};
use crate::unsigned::Field;

const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

document! {
    /// An [access control list](https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html) says who may
    /// do what with a bucket or an object.
    ///
    /// ```
    /// use s3_client::config::{CannedAcl, Grant, Grantee, Permission};
    ///
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// let everybody = Grant::new().grantee(Grantee::group(Grantee::ALL_USERS)).permission(Permission::Read);
    /// let acl = photos.get_object_acl("cat.jpg").await?.grant(everybody);
    /// photos.put_object_acl("cat.jpg", acl).await?;
    /// photos.put_object_acl("dog.jpg", CannedAcl::Private).await?;
    /// # Ok(()) }
    /// ```
    pub struct Acl {
        /// The account that owns the bucket or object. A list that is stored needs it.
        opt owner: Owner = "Owner",
        /// What each grantee is allowed; there are at most 100 grants.
        set grants + grant: Grant = "AccessControlList" / "Grant",
    }

    /// An account, as S3 names it.
    pub struct Owner {
        /// The canonical id of the account: 64 hexadecimal digits at Amazon, any text elsewhere.
        opt id: String = "ID",
        /// The name of the account, where the server tells it.
        opt display_name: String = "DisplayName",
    }

    /// A grant allows one grantee something.
    pub struct Grant {
        /// The account, address or group that is allowed something.
        opt grantee: Grantee = "Grantee",
        /// What the grantee is allowed.
        opt permission: Permission = "Permission",
    }
}

words! {
    /// This is what a grant allows.
    pub enum Permission {
        /// The grantee may do all that the other permissions allow.
        FullControl = "FULL_CONTROL",
        /// The grantee may list a bucket, or fetch an object.
        Read = "READ",
        /// The grantee may store and remove the objects of a bucket.
        Write = "WRITE",
        /// The grantee may read the access control list.
        ReadAcp = "READ_ACP",
        /// The grantee may replace the access control list.
        WriteAcp = "WRITE_ACP",
    }

    /// An access control list that has [a name](https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl).
    pub enum CannedAcl {
        /// Only the owner may do anything.
        Private = "private",
        /// Everybody may read, also without an account.
        PublicRead = "public-read",
        /// Everybody may read and write.
        PublicReadWrite = "public-read-write",
        /// Everybody who has an account may read.
        AuthenticatedRead = "authenticated-read",
        /// Amazon EC2 may read machine images.
        AwsExecRead = "aws-exec-read",
        /// The bucket's owner may read an object; for objects only.
        BucketOwnerRead = "bucket-owner-read",
        /// The bucket's owner may do everything with an object; for objects only.
        BucketOwnerFullControl = "bucket-owner-full-control",
        /// The service that delivers logs may write to a bucket; for buckets only.
        LogDeliveryWrite = "log-delivery-write",
    }
}

/// The account, address or group that is granted something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grantee {
    /// The account of this canonical id.
    Account(Owner),
    /// The account of this mail address.
    Email(String),
    /// All members of the group of this URI, for example [`ALL_USERS`](Self::ALL_USERS).
    Group(String),
    /// A grantee of a kind that is not known here, as it came.
    Other(Element),
}

impl Grantee {
    /// Everybody, without an account too.
    pub const ALL_USERS: &'static str = "http://acs.amazonaws.com/groups/global/AllUsers";
    /// Everybody who has an account.
    pub const AUTHENTICATED_USERS: &'static str =
        "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
    /// The service that writes logs of requests.
    pub const LOG_DELIVERY: &'static str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

    /// The account of this canonical id.
    pub fn account(id: impl Into<String>) -> Self {
        Self::Account(Owner::new().id(id))
    }

    /// The account of this mail address.
    pub fn email(address: impl Into<String>) -> Self {
        Self::Email(address.into())
    }

    /// The group of this URI, for example [`ALL_USERS`](Self::ALL_USERS).
    pub fn group(uri: impl Into<String>) -> Self {
        Self::Group(uri.into())
    }

    /// As the `x-amz-grant-` headers write it.
    pub(crate) fn header(&self) -> Result<String> {
        let (kind, value) = match self {
            Self::Account(owner) => ("id", owner.id.as_deref().unwrap_or_default()),
            Self::Email(address) => ("emailAddress", address.as_str()),
            Self::Group(uri) => ("uri", uri.as_str()),
            Self::Other(_) => {
                return Err(Error::invalid("a grantee of another kind has no header"));
            }
        };
        if value.is_empty()
            || !value
                .bytes()
                .all(|b| b.is_ascii_graphic() && b != b'"' || b == b' ')
        {
            return Err(Error::invalid(format!(
                "the grantee {value:?} cannot stand in a header"
            )));
        }
        Ok(format!("{kind}=\"{value}\""))
    }
}

impl XmlPart for Grantee {
    fn read(element: Element) -> Result<Self, XmlError> {
        let texts = |names: &[&str]| {
            let known =
                |child: &Element| names.contains(&child.name()) && child.children().is_empty();
            element.children().iter().all(known)
        };
        // Some servers leave the type out; what is in it tells as much.
        let text = |name| element.child(name).map(|child| child.text().to_owned());
        if let (Some(uri), true) = (text("URI"), texts(&["URI"])) {
            return Ok(Self::Group(uri));
        }
        if let (Some(address), true) = (text("EmailAddress"), texts(&["EmailAddress"])) {
            return Ok(Self::Email(address));
        }
        if element.child("ID").is_some() && texts(&["ID", "DisplayName"]) {
            return Ok(Self::Account(Owner::read(element)?));
        }
        Ok(Self::Other(element))
    }

    fn write(&self, name: &str) -> Element {
        let typed = |element: Element, kind: &str| {
            element
                .with_attribute("xmlns:xsi", SCHEMA_INSTANCE)
                .with_attribute("xsi:type", kind)
        };
        match self {
            Self::Account(owner) => typed(owner.write(name), "CanonicalUser"),
            Self::Email(address) => typed(
                Element::new(name).with(address.write("EmailAddress")),
                "AmazonCustomerByEmail",
            ),
            Self::Group(uri) => typed(Element::new(name).with(uri.write("URI")), "Group"),
            Self::Other(element) => element.clone(),
        }
    }

    #[cfg(test)]
    fn any() -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::prelude::*;
        let other = Element::new("Grantee")
            .with_attribute("xmlns:xsi", SCHEMA_INSTANCE)
            .with_attribute("xsi:type", "Robot")
            .with(Element::new("Serial").with_text("7"));
        prop_oneof![
            (String::any(), proptest::option::of(String::any())).prop_map(|(id, name)| {
                let owner = Owner {
                    id: Some(id),
                    display_name: name,
                    other: Vec::new(),
                };
                Self::Account(owner)
            }),
            String::any().prop_map(Self::Email),
            String::any().prop_map(Self::Group),
            Just(Self::Other(other)),
        ]
        .boxed()
    }
}

impl Root for Acl {
    const ROOT: &'static str = "AccessControlPolicy";
    const QUERY: &'static str = "acl";

    fn check(&self) -> Result<()> {
        check_count("grants", self.grants.len(), 100)
    }
}

impl Config for Acl {
    const GET: Row = idempotency::GET_BUCKET_ACL;
}

impl Settable for Acl {
    const PUT: Row = idempotency::PUT_BUCKET_ACL;
}

impl Writable for CannedAcl {
    const QUERY: &'static str = <Acl as Writable>::QUERY;

    fn content(&self) -> Result<Encoded> {
        let field = (Cow::Borrowed("x-amz-acl"), self.as_str().to_owned());
        Ok(Encoded::Field(field))
    }
}

impl Settable for CannedAcl {
    const PUT: Row = idempotency::PUT_BUCKET_ACL;
}

/// One header field for each permission, with all who have it.
pub(crate) fn grant_fields(grants: &[(Permission, Grantee)]) -> Result<Vec<Field>> {
    let mut fields: Vec<Field> = Vec::new();
    for (permission, grantee) in grants {
        let name = match permission {
            Permission::FullControl => "x-amz-grant-full-control",
            Permission::Read => "x-amz-grant-read",
            Permission::Write => "x-amz-grant-write",
            Permission::ReadAcp => "x-amz-grant-read-acp",
            Permission::WriteAcp => "x-amz-grant-write-acp",
            Permission::Other(word) => {
                return Err(Error::invalid(format!(
                    "the permission {word:?} has no header"
                )));
            }
        };
        let grantee = grantee.header()?;
        match fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, all)) => {
                all.push_str(", ");
                all.push_str(&grantee);
            }
            None => fields.push((Cow::Borrowed(name), grantee)),
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::documents::{reads, round_trips};

    #[test]
    fn amazons_example_is_read() {
        let acl: Acl = reads(
            r#"<AccessControlPolicy><Owner><ID>75aa57</ID><DisplayName>mtd</DisplayName></Owner><AccessControlList>
            <Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>75aa57</ID>
            <DisplayName>mtd</DisplayName></Grantee><Permission>FULL_CONTROL</Permission></Grant>
            <Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">
            <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>
            <Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Robot"><Serial>1</Serial>
            </Grantee><Permission>DANCE</Permission></Grant></AccessControlList></AccessControlPolicy>"#,
        );
        assert_eq!(acl.owner.as_ref().unwrap().id.as_deref(), Some("75aa57"));
        let Some(Grantee::Account(owner)) = &acl.grants[0].grantee else {
            panic!("{acl:?}")
        };
        assert_eq!(owner.display_name.as_deref(), Some("mtd"));
        assert_eq!(
            acl.grants[1].grantee,
            Some(Grantee::group(Grantee::ALL_USERS))
        );
        assert_eq!(
            acl.grants[2].permission,
            Some(Permission::Other("DANCE".into()))
        );
        let xml = acl.encode().unwrap();
        assert!(xml.contains(r#"xsi:type="CanonicalUser"><ID>"#), "{xml}");
        assert!(
            xml.contains(r#"xsi:type="Robot"><Serial>1</Serial>"#),
            "{xml}"
        );
        round_trips::<Acl>();
    }

    #[test]
    fn limits() {
        let mut acl = Acl::new();
        acl.grants = vec![Grant::new(); 101];
        assert!(acl.encode().unwrap_err().to_string().contains("101 grants"));
    }

    #[test]
    fn grantees_in_headers() {
        for (grantee, text) in [
            (Grantee::account("7 5"), "id=\"7 5\""),
            (Grantee::email("a@b.c"), "emailAddress=\"a@b.c\""),
            (
                Grantee::group(Grantee::ALL_USERS),
                "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"",
            ),
        ] {
            assert_eq!(grantee.header().unwrap(), text);
        }
        for bad in ["", "a\", uri=\"x", "a\r\nb", "caf\u{e9}"] {
            assert!(Grantee::account(bad).header().is_err(), "{bad}");
        }
        assert!(Grantee::Other(Element::new("Grantee")).header().is_err());
    }

    #[test]
    fn grants_are_joined_by_permission() {
        let all = Grantee::group(Grantee::ALL_USERS);
        let fields = grant_fields(&[
            (Permission::Read, all),
            (Permission::Write, Grantee::account("7")),
            (Permission::Read, Grantee::email("a@b.c")),
        ])
        .unwrap();
        assert_eq!(
            fields[0].1,
            "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\", emailAddress=\"a@b.c\""
        );
        assert_eq!(
            (&*fields[1].0, &*fields[1].1),
            ("x-amz-grant-write", "id=\"7\"")
        );
        let other = (Permission::from("DANCE"), Grantee::account("7"));
        assert!(grant_fields(&[other]).is_err());
        assert!(grant_fields(&[(Permission::Read, Grantee::account("\n"))]).is_err());
    }
}
