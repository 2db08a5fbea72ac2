//! Access control lists, as documents; they are stored and never looked at.

use s3s::{S3Result, s3_error};

use super::list;
use super::schema::Node;

const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

const FIELDS: &[(&str, &str)] = &[
    ("x-amz-grant-full-control", "FULL_CONTROL"),
    ("x-amz-grant-read", "READ"),
    ("x-amz-grant-write", "WRITE"),
    ("x-amz-grant-read-acp", "READ_ACP"),
    ("x-amz-grant-write-acp", "WRITE_ACP"),
];

/// The list that everything begins with.
pub(super) fn private() -> Node {
    with(vec![owners()])
}

/// The list that header fields name or spell out, if they do.
pub(super) fn from_fields<'a>(field: impl Fn(&str) -> Option<&'a str>) -> S3Result<Option<Node>> {
    let mut grants = Vec::new();
    for (name, permission) in FIELDS {
        for grantee in field(name).into_iter().flat_map(|all| all.split(',')) {
            grants.push(grant(parse_grantee(grantee.trim())?, permission));
        }
    }
    match field("x-amz-acl") {
        Some(_) if !grants.is_empty() => Err(s3_error!(
            InvalidRequest,
            "Specifying both Canned ACLs and Header Grants is not allowed"
        )),
        Some(name) => canned(name).map(Some),
        None if grants.is_empty() => Ok(None),
        None => Ok(Some(with(grants))),
    }
}

fn canned(name: &str) -> S3Result<Node> {
    let mut grants = vec![owners()];
    let mut add = |uri, permissions: &[&str]| {
        grants.extend(
            permissions
                .iter()
                .map(|p| grant(typed("Group", "URI", uri), p)),
        );
    };
    match name {
        "private" | "bucket-owner-read" | "bucket-owner-full-control" | "aws-exec-read" => {}
        "public-read" => add(ALL_USERS, &["READ"]),
        "public-read-write" => add(ALL_USERS, &["READ", "WRITE"]),
        "authenticated-read" => add(AUTHENTICATED, &["READ"]),
        "log-delivery-write" => add(LOG_DELIVERY, &["WRITE", "READ_ACP"]),
        _ => return Err(s3_error!(InvalidArgument, "The canned ACL is not known")),
    }
    Ok(with(grants))
}

/// `id="…"`, `uri="…"` or `emailAddress="…"`.
fn parse_grantee(text: &str) -> S3Result<Node> {
    let parsed = text.split_once('=').and_then(|(kind, value)| {
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        match kind.trim() {
            "id" => Some(typed("CanonicalUser", "ID", value)),
            "uri" => Some(typed("Group", "URI", value)),
            "emailAddress" => Some(typed("AmazonCustomerByEmail", "EmailAddress", value)),
            _ => None,
        }
    });
    parsed.ok_or_else(|| s3_error!(InvalidArgument, "Argument format not recognized"))
}

fn with(grants: Vec<Node>) -> Node {
    let parts = vec![
        Node::of("Owner", owner_parts()),
        Node::of("AccessControlList", grants),
    ];
    Node::of("AccessControlPolicy", parts)
}

fn owners() -> Node {
    let mut grantee = typed("CanonicalUser", "ID", "");
    grantee.children = owner_parts();
    grant(grantee, "FULL_CONTROL")
}

fn owner_parts() -> Vec<Node> {
    let owner = list::owner();
    vec![
        Node::new("ID", owner.id.as_deref().unwrap_or_default()),
        Node::new(
            "DisplayName",
            owner.display_name.as_deref().unwrap_or_default(),
        ),
    ]
}

fn typed(kind: &str, name: &str, value: &str) -> Node {
    Node::of("Grantee", vec![Node::new(name, value)])
        .with_attribute("xmlns:xsi", INSTANCE)
        .with_attribute("xsi:type", kind)
}

fn grant(grantee: Node, permission: &str) -> Node {
    Node::of("Grant", vec![grantee, Node::new("Permission", permission)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(fields: &[(&str, &'static str)]) -> S3Result<Option<Node>> {
        from_fields(|name| fields.iter().find(|(n, _)| *n == name).map(|(_, v)| *v))
    }

    #[test]
    fn fields_become_lists() {
        assert_eq!(given(&[]).unwrap(), None);
        assert_eq!(given(&[("x-amz-acl", "private")]).unwrap(), Some(private()));
        let public = given(&[("x-amz-acl", "public-read-write")])
            .unwrap()
            .unwrap();
        assert_eq!(public.child("AccessControlList").unwrap().children.len(), 3);
        let spelled = given(&[("x-amz-grant-read", "id=\"1\", uri=\"u\"")]).unwrap();
        let document = spelled.unwrap().document();
        for part in ["<ID>1</ID>", "<URI>u</URI>", "xsi:type=\"Group\""] {
            assert!(document.contains(part), "{document}");
        }
        for bad in [
            &[("x-amz-acl", "mine")][..],
            &[("x-amz-grant-read", "id=1")],
            &[("x-amz-grant-read", "name=\"1\"")],
            &[("x-amz-acl", "private"), ("x-amz-grant-read", "id=\"1\"")],
        ] {
            assert!(given(bad).is_err(), "{bad:?}");
        }
    }
}
