use aws_core::xml::{Element, XmlError};
use aws_core::{Error, Result};

use super::{Part, Root, check_count};

const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

document! {
    /// Who may do what with a bucket or an object
    /// ([access control lists](https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html)).
    pub struct Acl {
        /// Whose it is. Needed when it is stored.
        opt owner: Owner = "Owner",
        /// At most 100.
        set grants + grant: Grant = "AccessControlList" / "Grant",
    }

    /// An account, as S3 names it.
    pub struct Owner {
        /// Its canonical id: 64 hexadecimal digits at Amazon, any text elsewhere.
        opt id: String = "ID",
        /// Its name, where the server tells it.
        opt display_name: String = "DisplayName",
    }

    /// What one is allowed.
    pub struct Grant {
        /// Who.
        opt grantee: Grantee = "Grantee",
        /// What.
        opt permission: Permission = "Permission",
    }
}

words! {
    /// What a grant allows.
    pub enum Permission {
        /// All of the others.
        FullControl = "FULL_CONTROL",
        /// To list a bucket, or fetch an object.
        Read = "READ",
        /// To store and remove the objects of a bucket.
        Write = "WRITE",
        /// To read the access control list.
        ReadAcp = "READ_ACP",
        /// To replace the access control list.
        WriteAcp = "WRITE_ACP",
    }

    /// An access control list that has [a name](https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl).
    pub enum CannedAcl {
        /// The owner alone.
        Private = "private",
        /// Everybody may read.
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

/// Who is granted something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grantee {
    /// An account.
    Account(Owner),
    /// The account of this mail address.
    Email(String),
    /// All of a group: one of the URIs here, or another.
    Group(String),
    /// Another kind of grantee, as it came.
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

impl Part for Grantee {
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

    fn check(&self) -> Result<()> {
        check_count("grants", self.grants.len(), 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{reads, round_trips};

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
}
