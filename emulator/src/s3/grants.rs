//! Access control lists of objects; they are kept and told. Nobody who signs is kept out by them, and what all
//! users may read is read without a signature.

use s3s::dto::{AccessControlPolicy, Grant, Grantee, ObjectCannedACL, Permission, Type};
use s3s::{S3Result, s3_error};

use super::attributes::Headers;
use super::list::owner;

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
/// The most grants of a list.
const GRANTS_MAX: usize = 100;

/// What the `x-amz-grant-…` fields grant, in the order in which [`given`] takes them.
const PERMISSIONS: [&str; 4] = [
    Permission::FULL_CONTROL,
    Permission::READ,
    Permission::READ_ACP,
    Permission::WRITE_ACP,
];

/// The list that every object has unless it is given another.
pub(super) fn private() -> Vec<Grant> {
    let owner = owner();
    let grantee = Grantee {
        display_name: owner.display_name,
        email_address: None,
        id: owner.id,
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    vec![grant(grantee, Permission::FULL_CONTROL)]
}

/// The list that a request gives by name or spells out in fields, if it does.
pub(super) fn given(
    canned: Option<ObjectCannedACL>,
    fields: [Option<&str>; 4],
) -> S3Result<Option<Vec<Grant>>> {
    let mut grants = Vec::new();
    for (field, permission) in fields.into_iter().zip(PERMISSIONS) {
        for grantee in field.into_iter().flat_map(|all| all.split(',')) {
            grants.push(grant(parse(grantee.trim())?, permission));
        }
    }
    match canned {
        Some(_) if !grants.is_empty() => Err(s3_error!(
            InvalidRequest,
            "Specifying both Canned ACLs and Header Grants is not allowed"
        )),
        Some(name) => named(name.as_str()).map(Some),
        None => check(grants).map(|grants| Some(grants).filter(|grants| !grants.is_empty())),
    }
}

/// Whether the list lets all users read the object.
pub(super) fn let_everybody_read(headers: &Headers) -> bool {
    let reads = |grant: &Grant| {
        let grantee = grant
            .grantee
            .as_ref()
            .and_then(|grantee| grantee.uri.as_deref());
        let permission = grant.permission.as_ref().map(Permission::as_str);
        grantee == Some(ALL_USERS)
            && matches!(
                permission,
                Some(Permission::READ | Permission::FULL_CONTROL)
            )
    };
    headers.grants.iter().flatten().any(reads)
}

/// The list of a document.
pub(super) fn of_document(document: AccessControlPolicy) -> S3Result<Vec<Grant>> {
    let grants = document.grants.unwrap_or_default();
    let whole = |grant: &Grant| grant.grantee.is_some() && grant.permission.is_some();
    if document.owner.is_none() || !grants.iter().all(whole) {
        return Err(s3_error!(
            MalformedACLError,
            "The XML you provided was not well-formed or did not validate against our published \
             schema"
        ));
    }
    check(grants)
}

fn check(grants: Vec<Grant>) -> S3Result<Vec<Grant>> {
    if grants.len() > GRANTS_MAX {
        return Err(s3_error!(
            MalformedACLError,
            "An access control list has at most 100 grants"
        ));
    }
    Ok(grants)
}

fn named(name: &str) -> S3Result<Vec<Grant>> {
    let mut grants = private();
    let mut add = |uri, permission| grants.push(grant(group(uri), permission));
    match name {
        "private" | "bucket-owner-read" | "bucket-owner-full-control" | "aws-exec-read" => {}
        "public-read" => add(ALL_USERS, Permission::READ),
        "public-read-write" => {
            add(ALL_USERS, Permission::READ);
            add(ALL_USERS, Permission::WRITE);
        }
        "authenticated-read" => add(AUTHENTICATED_USERS, Permission::READ),
        _ => return Err(s3_error!(InvalidArgument, "The canned ACL is not known")),
    }
    Ok(grants)
}

fn grant(grantee: Grantee, permission: &'static str) -> Grant {
    Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(permission)),
    }
}

fn group(uri: &str) -> Grantee {
    Grantee {
        display_name: None,
        email_address: None,
        id: None,
        type_: Type::from_static(Type::GROUP),
        uri: Some(uri.to_owned()),
    }
}

/// `id="…"`, `uri="…"` or `emailAddress="…"`.
fn parse(text: &str) -> S3Result<Grantee> {
    let parsed = text.split_once('=').and_then(|(kind, value)| {
        let value = value.strip_prefix('"')?.strip_suffix('"')?.to_owned();
        let mut grantee = group("");
        grantee.uri = None;
        match kind.trim() {
            "id" => {
                grantee.type_ = Type::from_static(Type::CANONICAL_USER);
                grantee.id = Some(value);
            }
            "uri" => grantee.uri = Some(value),
            "emailAddress" => {
                grantee.type_ = Type::from_static(Type::AMAZON_CUSTOMER_BY_EMAIL);
                grantee.email_address = Some(value);
            }
            _ => return None,
        }
        Some(grantee)
    });
    parsed.ok_or_else(|| s3_error!(InvalidArgument, "Argument format not recognized"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_fields_become_lists() {
        let canned = |name: &'static str| Some(ObjectCannedACL::from_static(name));
        let count = |given: Option<Vec<Grant>>| given.map(|grants| grants.len());
        assert_eq!(count(given(None, [None; 4]).unwrap()), None);
        for (name, grants) in [("private", 1), ("public-read", 2), ("public-read-write", 3)] {
            assert_eq!(count(given(canned(name), [None; 4]).unwrap()), Some(grants));
        }
        let field = Some("id=\"1\", uri=\"u\"");
        let both = given(None, [None, field, None, field]).unwrap();
        assert_eq!(count(both), Some(4));
        assert!(given(canned("mine"), [None; 4]).is_err());
        assert!(given(canned("private"), [field, None, None, None]).is_err());
        for bad in ["id=1", "name=\"1\"", ""] {
            assert!(given(None, [Some(bad), None, None, None]).is_err(), "{bad}");
        }
    }
}
