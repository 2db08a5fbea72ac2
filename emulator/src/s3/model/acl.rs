//! Access control lists of buckets and objects: read from fields and documents, asked, and told.
//!
//! See [Access control list overview](https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html).

use s3s::dto::{
    AccessControlPolicy, Grant as GrantEntry, Grantee, Owner, Permission as PermissionName, Type,
};
use s3s::{S3Result, s3_error};

use crate::accounts::{Account, Accounts};
use crate::s3::config::route::error;
use crate::s3::config::schema::Node;
use crate::s3::model::error::{denied, malformed_acl};

const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// The most grants of a list.
const GRANTS_MAX: usize = 100;

/// What a grant lets its grantee do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::s3) enum Permission {
    Read,
    Write,
    ReadAcp,
    WriteAcp,
    FullControl,
}

/// The permissions with their names in documents and in header fields, in the order in which fields are read.
const PERMISSIONS: [(Permission, &str, &str); 5] = [
    (Permission::Read, PermissionName::READ, "x-amz-grant-read"),
    (
        Permission::Write,
        PermissionName::WRITE,
        "x-amz-grant-write",
    ),
    (
        Permission::ReadAcp,
        PermissionName::READ_ACP,
        "x-amz-grant-read-acp",
    ),
    (
        Permission::WriteAcp,
        PermissionName::WRITE_ACP,
        "x-amz-grant-write-acp",
    ),
    (
        Permission::FullControl,
        PermissionName::FULL_CONTROL,
        "x-amz-grant-full-control",
    ),
];

impl Permission {
    fn parse(text: &str) -> Option<Self> {
        let mut all = PERMISSIONS.iter();
        all.find(|(_, name, _)| *name == text).map(|(it, ..)| *it)
    }

    fn name(self) -> &'static str {
        let mut all = PERMISSIONS.iter();
        all.find(|(it, ..)| *it == self)
            .map_or("", |(_, name, _)| name)
    }
}

/// Whom a grant is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    /// An account, by its canonical identifier.
    Account(String),
    /// A group, by its URI.
    Group(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    who: Who,
    permission: Permission,
}

/// An access control list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::s3) struct Acl(Vec<Grant>);

/// Whose list it is, and who there is: what names in a request are resolved against.
#[derive(Clone, Copy, Debug)]
pub(in crate::s3) struct Parties<'a> {
    pub(in crate::s3) accounts: &'a Accounts,
    /// The owner of the bucket or object that the list is of.
    pub(in crate::s3) owner: &'a Account,
    /// The owner of the bucket that an object is in.
    pub(in crate::s3) bucket_owner: &'a Account,
}

impl Acl {
    /// The list that everything has unless it is given another.
    pub(in crate::s3) fn private(owner: &Account) -> Self {
        let mut acl = Self::default();
        acl.grant(by_id(owner), Permission::FullControl);
        acl
    }

    /// Returns whom each grant is for, the URI of a group or the identifier of an account, and the name of its permission.
    pub(in crate::s3) fn grants(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.0.iter().map(|grant| match &grant.who {
            Who::Account(name) | Who::Group(name) => (name.as_str(), grant.permission.name()),
        })
    }

    /// Makes the list of such grants; nothing if one has a permission that there is not.
    pub(in crate::s3) fn of_grants(grants: Vec<(String, String)>) -> Option<Self> {
        let mut acl = Self::default();
        for (name, permission) in grants {
            let who = match name.contains("://") {
                true => Who::Group(name),
                false => Who::Account(name),
            };
            acl.grant(who, Permission::parse(&permission)?);
        }
        Some(acl)
    }

    fn grant(&mut self, who: Who, permission: Permission) {
        self.0.push(Grant { who, permission });
    }

    /// The list that a request names or spells out in its fields, if it does.
    pub(in crate::s3) fn from_fields<'f>(
        field: impl Fn(&str) -> Option<&'f str>,
        parties: Parties<'_>,
    ) -> S3Result<Option<Self>> {
        let mut acl = Self::default();
        for (permission, _, name) in PERMISSIONS {
            for grantee in field(name).into_iter().flat_map(|all| all.split(',')) {
                acl.grant(parse_grantee(grantee.trim(), parties)?, permission);
            }
        }
        match field("x-amz-acl") {
            Some(_) if !acl.0.is_empty() => Err(s3_error!(
                InvalidRequest,
                "Specifying both Canned ACLs and Header Grants is not allowed"
            )),
            Some(name) => Self::canned(name, parties).map(Some),
            None => acl
                .checked()
                .map(|acl| Some(acl).filter(|acl| !acl.0.is_empty())),
        }
    }

    /// A list by its name.
    ///
    /// See [Canned ACL](https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl).
    fn canned(name: &str, parties: Parties<'_>) -> S3Result<Self> {
        let mut acl = Self::default();
        let mut add = |uri: &str, permission| acl.grant(Who::Group(uri.to_owned()), permission);
        match name {
            "private" | "aws-exec-read" => {}
            "public-read" => add(ALL_USERS, Permission::Read),
            "public-read-write" => {
                add(ALL_USERS, Permission::Read);
                add(ALL_USERS, Permission::Write);
            }
            "authenticated-read" => add(AUTHENTICATED, Permission::Read),
            "log-delivery-write" => {
                add(LOG_DELIVERY, Permission::Write);
                add(LOG_DELIVERY, Permission::ReadAcp);
            }
            "bucket-owner-read" | "bucket-owner-full-control" => {
                let permission = match name {
                    "bucket-owner-read" => Permission::Read,
                    _ => Permission::FullControl,
                };
                // Of a bucket, and of an object of its owner, there is nobody to add.
                if parties.bucket_owner != parties.owner {
                    acl.grant(by_id(parties.bucket_owner), permission);
                }
            }
            _ => return Err(s3_error!(InvalidArgument, "The canned ACL is not known")),
        }
        acl.grant(by_id(parties.owner), Permission::FullControl);
        Ok(acl)
    }

    /// The list of a document that has the form of one.
    pub(in crate::s3) fn from_document(document: &Node, parties: Parties<'_>) -> S3Result<Self> {
        check_owner(
            document.child("Owner").map(|owner| owner.text_of("ID")),
            parties,
        )?;
        let mut acl = Self::default();
        let list = document.child("AccessControlList");
        for grant in list.map_or(&[][..], |list| &list.children) {
            let grantee = grant.child("Grantee").ok_or_else(malformed_acl)?;
            let text = |name| Some(grantee.text_of(name)).filter(|text| !text.is_empty());
            let who = resolve([text("ID"), text("URI"), text("EmailAddress")], parties)?;
            let permission =
                Permission::parse(grant.text_of("Permission")).ok_or_else(malformed_acl)?;
            acl.grant(who, permission);
        }
        acl.checked()
    }

    /// The list of a document that the engine has read.
    pub(in crate::s3) fn from_policy(
        document: AccessControlPolicy,
        parties: Parties<'_>,
    ) -> S3Result<Self> {
        let owner = document.owner.ok_or_else(malformed_acl)?;
        check_owner(owner.id.as_deref(), parties)?;
        let mut acl = Self::default();
        for grant in document.grants.unwrap_or_default() {
            let grantee = grant.grantee.ok_or_else(malformed_acl)?;
            let names = [&grantee.id, &grantee.uri, &grantee.email_address];
            let who = resolve(names.map(Option::as_deref), parties)?;
            let permission = grant
                .permission
                .and_then(|name| Permission::parse(name.as_str()));
            acl.grant(who, permission.ok_or_else(malformed_acl)?);
        }
        acl.checked()
    }

    fn checked(self) -> S3Result<Self> {
        if self.0.len() > GRANTS_MAX {
            return Err(s3_error!(
                MalformedACLError,
                "An access control list has at most 100 grants"
            ));
        }
        Ok(self)
    }

    /// Whether it grants this to an account, or to who does not sign; `public` is whether what is granted to
    /// groups counts.
    pub(in crate::s3) fn permits(
        &self,
        account: Option<&Account>,
        wanted: Permission,
        public: bool,
    ) -> bool {
        self.0.iter().any(|grant| {
            let is_meant = match &grant.who {
                Who::Account(id) => account.is_some_and(|account| account.canonical_id() == id),
                Who::Group(_) if !public => false,
                Who::Group(uri) if uri == ALL_USERS => true,
                Who::Group(uri) => uri == AUTHENTICATED && account.is_some(),
            };
            is_meant && (grant.permission == wanted || grant.permission == Permission::FullControl)
        })
    }

    /// Whether it grants anything to everybody.
    pub(in crate::s3) fn is_public(&self) -> bool {
        let public =
            |who: &Who| matches!(who, Who::Group(uri) if uri == ALL_USERS || uri == AUTHENTICATED);
        self.0.iter().any(|grant| public(&grant.who))
    }

    /// Whether it gives nothing to anybody but this account.
    pub(in crate::s3) fn is_only_of(&self, account: &Account) -> bool {
        let own = by_id(account);
        self.0.iter().all(|grant| grant.who == own)
    }

    /// Whether it gives full control to this account.
    pub(in crate::s3) fn gives_all_to(&self, account: &Account) -> bool {
        self.0
            .iter()
            .any(|grant| grant.who == by_id(account) && grant.permission == Permission::FullControl)
    }

    /// Its document.
    pub(in crate::s3) fn document(&self, owner: &Account, accounts: &Accounts) -> Node {
        let grants = self.0.iter().map(|grant| {
            let grantee = match &grant.who {
                Who::Group(uri) => typed("Group", vec![Node::new("URI", uri)]),
                Who::Account(id) => {
                    let mut names = vec![Node::new("ID", id)];
                    let known = accounts.by_id(id);
                    names.extend(known.map(|it| Node::new("DisplayName", it.display_name())));
                    typed("CanonicalUser", names)
                }
            };
            let permission = Node::new("Permission", grant.permission.name());
            Node::of("Grant", vec![grantee, permission])
        });
        let owner = vec![
            Node::new("ID", owner.canonical_id()),
            Node::new("DisplayName", owner.display_name()),
        ];
        let parts = vec![
            Node::of("Owner", owner),
            Node::of("AccessControlList", grants.collect()),
        ];
        Node::of("AccessControlPolicy", parts)
    }

    /// Its grants, as the engine writes them.
    pub(in crate::s3) fn entries(&self, accounts: &Accounts) -> Vec<GrantEntry> {
        let entry = |grant: &Grant| {
            let (kind, id, uri) = match &grant.who {
                Who::Account(id) => (Type::CANONICAL_USER, Some(id.clone()), None),
                Who::Group(uri) => (Type::GROUP, None, Some(uri.clone())),
            };
            let known = id.as_deref().and_then(|id| accounts.by_id(id));
            GrantEntry {
                grantee: Some(Grantee {
                    display_name: known.map(|it| it.display_name().to_owned()),
                    email_address: None,
                    id,
                    type_: Type::from_static(kind),
                    uri,
                }),
                permission: Some(PermissionName::from_static(grant.permission.name())),
            }
        };
        self.0.iter().map(entry).collect()
    }
}

fn by_id(account: &Account) -> Who {
    Who::Account(account.canonical_id().to_owned())
}

/// How listings and documents name an account.
pub(in crate::s3) fn owner_of(account: &Account) -> Owner {
    Owner {
        display_name: Some(account.display_name().to_owned()),
        id: Some(account.canonical_id().to_owned()),
    }
}

/// A list cannot change whose the thing is.
fn check_owner(named: Option<&str>, parties: Parties<'_>) -> S3Result<()> {
    match named {
        Some(id) if !id.is_empty() && id != parties.owner.canonical_id() => Err(denied()),
        _ => Ok(()),
    }
}

/// `id="…"`, `uri="…"` or `emailAddress="…"`; command lines leave the quotes out.
fn parse_grantee(text: &str, parties: Parties<'_>) -> S3Result<Who> {
    let unknown = || s3_error!(InvalidArgument, "Argument format not recognized");
    let (kind, value) = text.split_once('=').ok_or_else(unknown)?;
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').ok_or_else(unknown)?,
        None => value,
    };
    let names = match kind.trim() {
        "id" => [Some(value), None, None],
        "uri" => [None, Some(value), None],
        "emailAddress" => [None, None, Some(value)],
        _ => return Err(unknown()),
    };
    resolve(names, parties)
}

/// Whom a canonical identifier, the URI of a group or an email address names.
fn resolve([id, uri, email]: [Option<&str>; 3], parties: Parties<'_>) -> S3Result<Who> {
    match (id, uri, email) {
        (Some(id), None, None) => {
            // An emulator knows its own accounts; any other identifier may be one of Amazon's if it has the form.
            let has_form = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            if parties.accounts.by_id(id).is_none() && !has_form {
                return Err(s3_error!(InvalidArgument, "Invalid id"));
            }
            Ok(Who::Account(id.to_owned()))
        }
        (None, Some(uri), None) => {
            if ![ALL_USERS, AUTHENTICATED, LOG_DELIVERY].contains(&uri) {
                return Err(s3_error!(InvalidArgument, "Invalid group uri"));
            }
            Ok(Who::Group(uri.to_owned()))
        }
        (None, None, Some(email)) => match parties.accounts.by_email(email) {
            Some(account) => Ok(by_id(account)),
            None => Err(error(
                hyper::StatusCode::BAD_REQUEST,
                "UnresolvableGrantByEmailAddress",
                "The email address you provided does not match any account on record.",
            )),
        },
        _ => Err(malformed_acl()),
    }
}

fn typed(kind: &str, names: Vec<Node>) -> Node {
    Node::of("Grantee", names)
        .with_attribute("xmlns:xsi", INSTANCE)
        .with_attribute("xsi:type", kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(fields: &[(&str, &'static str)]) -> S3Result<Option<Acl>> {
        let mut accounts = Accounts::default();
        let other = accounts.add();
        let owner = accounts.first();
        let parties = Parties {
            accounts: &accounts,
            owner: &other,
            bucket_owner: &owner,
        };
        let field = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        Acl::from_fields(field, parties)
    }

    #[test]
    fn fields_become_lists() {
        let (owner, other) = (Account::nth(0), Account::nth(1));
        assert_eq!(given(&[]).unwrap(), None);
        let private = given(&[("x-amz-acl", "private")]).unwrap();
        assert_eq!(private, Some(Acl::private(&other)));
        for (name, permission, owners, everybody) in [
            ("public-read", Permission::Read, true, true),
            ("public-read", Permission::Write, false, false),
            ("public-read-write", Permission::Write, true, true),
            ("authenticated-read", Permission::Read, true, false),
            ("bucket-owner-read", Permission::Read, true, false),
            ("bucket-owner-read", Permission::ReadAcp, false, false),
            (
                "bucket-owner-full-control",
                Permission::WriteAcp,
                true,
                false,
            ),
        ] {
            let acl = given(&[("x-amz-acl", name)]).unwrap().unwrap();
            assert_eq!(
                acl.permits(Some(&owner), permission, true),
                owners,
                "{name}"
            );
            assert_eq!(acl.permits(None, permission, true), everybody, "{name}");
            assert!(!acl.permits(None, permission, false), "{name}");
            assert!(acl.permits(Some(&other), permission, true), "{name}");
        }
        let spelled = "id=\"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a\", emailAddress=account-2@example.com";
        let acl = given(&[("x-amz-grant-read-acp", spelled)])
            .unwrap()
            .unwrap();
        assert!(acl.permits(Some(&owner), Permission::ReadAcp, true));
        assert!(acl.permits(Some(&other), Permission::ReadAcp, true));
        for bad in [
            &[("x-amz-acl", "mine")][..],
            &[("x-amz-grant-read", "id=1")],
            &[("x-amz-grant-read", "uri=\"u\"")],
            &[("x-amz-grant-read", "emailAddress=nobody@example.com")],
            &[("x-amz-grant-read", "name=\"1\"")],
            &[
                ("x-amz-acl", "private"),
                ("x-amz-grant-read", "emailAddress=account-2@example.com"),
            ],
        ] {
            assert!(given(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn documents_come_back_as_they_were() {
        let accounts = Accounts::default();
        let owner = accounts.first();
        let parties = Parties {
            accounts: &accounts,
            owner: &owner,
            bucket_owner: &owner,
        };
        let acl = Acl::canned("public-read-write", parties).unwrap();
        let node = acl.document(&owner, &accounts);
        assert_eq!(Acl::from_document(&node, parties).unwrap(), acl);
        let others = Account::nth(1);
        let parties = Parties {
            owner: &others,
            ..parties
        };
        let refused = Acl::from_document(&node, parties).unwrap_err();
        assert_eq!(refused.code().as_str(), "AccessDenied");
    }
}
