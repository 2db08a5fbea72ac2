//! What Amazon asks of a configuration beyond its form.

use std::collections::BTreeSet;

use hyper::StatusCode;
use s3s::{S3Result, s3_error};
use serde_json::Value;

use crate::s3::config::route::error;
use crate::s3::config::schema::Node;
use crate::s3::model::error::malformed_xml;

/// Checks a document that has the form of its root; gives names to lifecycle rules that have none.
pub(in crate::s3) fn check(node: &mut Node) -> S3Result<()> {
    match node.name.as_str() {
        "CORSConfiguration" => cors(node),
        "LifecycleConfiguration" => lifecycle(node),
        "Tagging" => tagging(node),
        "WebsiteConfiguration" => website(node),
        _ => Ok(()),
    }
}

fn cors(node: &Node) -> S3Result<()> {
    if node.children.len() > 100 {
        return Err(s3_error!(
            InvalidRequest,
            "The number of CORS rules should not exceed allowed limit of 100 rules."
        ));
    }
    for rule in &node.children {
        for method in rule.all("AllowedMethod") {
            if !["GET", "PUT", "POST", "DELETE", "HEAD"].contains(&method.text.as_str()) {
                return Err(s3_error!(
                    InvalidRequest,
                    "Found unsupported HTTP method in CORS config."
                ));
            }
        }
        for origin in rule.all("AllowedOrigin").chain(rule.all("AllowedHeader")) {
            if origin.text.matches('*').count() > 1 {
                return Err(s3_error!(
                    InvalidRequest,
                    "AllowedOrigin and AllowedHeader can not have more than one wildcard."
                ));
            }
        }
    }
    Ok(())
}

fn lifecycle(node: &mut Node) -> S3Result<()> {
    const ACTIONS: &[&str] = &[
        "Transition",
        "Expiration",
        "NoncurrentVersionTransition",
        "NoncurrentVersionExpiration",
        "AbortIncompleteMultipartUpload",
    ];
    if node.children.len() > 1000 {
        return Err(malformed_xml());
    }
    let mut ids = BTreeSet::new();
    for rule in &node.children {
        if rule.child("Filter").is_some() == rule.child("Prefix").is_some() {
            return Err(malformed_xml());
        }
        if let Some(filter) = rule.child("Filter") {
            let and = filter.child("And").map_or(2, |and| and.children.len());
            let only_one = match filter.children.len() {
                0 | 1 => true,
                2 => filter
                    .children
                    .iter()
                    .all(|c| c.name.starts_with("ObjectSize")),
                _ => false,
            };
            if !only_one || and < 2 {
                return Err(malformed_xml());
            }
        }
        if !ACTIONS.iter().any(|action| rule.child(action).is_some()) {
            return Err(s3_error!(
                InvalidRequest,
                "At least one action needs to be specified in a rule"
            ));
        }
        let tagged = |of: &Node| of.child("Tag").is_some();
        let filter = rule.child("Filter");
        let tagged = filter.is_some_and(|f| tagged(f) || f.child("And").is_some_and(tagged));
        let markers = rule
            .child("Expiration")
            .is_some_and(|expiration| expiration.child("ExpiredObjectDeleteMarker").is_some());
        if tagged && (markers || rule.child("AbortIncompleteMultipartUpload").is_some()) {
            return Err(s3_error!(
                InvalidRequest,
                "ExpiredObjectDeleteMarker and AbortIncompleteMultipartUpload cannot be specified with tags"
            ));
        }
        for action in ["Expiration", "Transition"] {
            for action in rule.all(action) {
                when(action)?;
            }
        }
        let id = rule.text_of("ID");
        if id.chars().count() > 255 {
            return Err(s3_error!(
                InvalidArgument,
                "ID length should not exceed allowed limit of 255"
            ));
        }
        if !id.is_empty() && !ids.insert(id.to_owned()) {
            return Err(s3_error!(
                InvalidArgument,
                "Rule ID must be unique. Found same ID for more than one rule"
            ));
        }
    }
    for (at, rule) in node.children.iter_mut().enumerate() {
        if rule.text_of("ID").is_empty() {
            rule.children.retain(|child| child.name != "ID");
            rule.children
                .insert(0, Node::new("ID", &format!("rule-{at}")));
        }
    }
    Ok(())
}

/// A date, an age, or, of an expiration, what becomes of markers.
fn when(action: &Node) -> S3Result<()> {
    let given = ["Date", "Days", "ExpiredObjectDeleteMarker"];
    if given
        .iter()
        .filter(|name| action.child(name).is_some())
        .count()
        != 1
    {
        return Err(malformed_xml());
    }
    if action.name == "Expiration" && action.text_of("Days").trim() == "0" {
        return Err(s3_error!(
            InvalidArgument,
            "'Days' for Expiration action must be a positive integer"
        ));
    }
    let date = action.text_of("Date").trim();
    if !date.is_empty() && !date.contains("T00:00:00") {
        return Err(s3_error!(InvalidArgument, "'Date' must be at midnight GMT"));
    }
    Ok(())
}

fn tagging(node: &Node) -> S3Result<()> {
    let tags = node.child("TagSet").map_or(&[][..], |set| &set.children);
    let invalid = |message| error(StatusCode::BAD_REQUEST, "InvalidTag", message);
    if tags.len() > 50 {
        return Err(error(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "Bucket tag count cannot be greater than 50",
        ));
    }
    let mut keys = BTreeSet::new();
    for tag in tags {
        let (key, value) = (tag.text_of("Key"), tag.text_of("Value"));
        if !(1..=128).contains(&key.chars().count()) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
        if !keys.insert(key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(())
}

fn website(node: &Node) -> S3Result<()> {
    let all = node.child("RedirectAllRequestsTo").is_some();
    if all && node.children.len() > 1 {
        return Err(s3_error!(
            InvalidRequest,
            "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules."
        ));
    }
    let suffix = node
        .child("IndexDocument")
        .map(|index| index.text_of("Suffix"));
    if suffix.is_some_and(|suffix| suffix.is_empty() || suffix.contains('/'))
        || !all && suffix.is_none()
    {
        return Err(s3_error!(
            InvalidArgument,
            "The IndexDocument Suffix is not well formed"
        ));
    }
    Ok(())
}

/// A policy is a JSON object with statements, each with an effect.
pub(in crate::s3) fn check_policy(text: &[u8]) -> S3Result<()> {
    let malformed = |message| error(StatusCode::BAD_REQUEST, "MalformedPolicy", message);
    if text.len() > 20 << 10 {
        return Err(malformed(
            "Policy exceeds the maximum allowed document size.",
        ));
    }
    let policy: Value = serde_json::from_slice(text)
        .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    let statements = statements(&policy);
    if statements.is_empty() {
        return Err(malformed("Missing required field Statement"));
    }
    for statement in statements {
        if !matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")) {
            return Err(malformed("Missing required field Effect"));
        }
        if statement["Effect"] == "Allow" && statement.get("NotPrincipal").is_some() {
            return Err(malformed("Allow with NotPrincipal is not allowed."));
        }
        if statement.get("Principal").is_none() && statement.get("NotPrincipal").is_none() {
            return Err(malformed("Missing required field Principal"));
        }
    }
    Ok(())
}

/// Whether a policy lets everybody do something, without a condition.
pub(in crate::s3) fn policy_is_public(text: &[u8]) -> bool {
    let policy: Value = serde_json::from_slice(text).unwrap_or_default();
    statements(&policy).iter().any(|statement| {
        let everybody = |who: &Value| {
            let named = |named: &Value| named == "*";
            let among = who["AWS"].as_array();
            named(who) || named(&who["AWS"]) || among.is_some_and(|all| all.iter().any(named))
        };
        statement["Effect"] == "Allow"
            && everybody(&statement["Principal"])
            && statement.get("Condition").is_none()
    })
}

fn statements(policy: &Value) -> Vec<&Value> {
    match &policy["Statement"] {
        Value::Array(all) => all.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> S3Result<Node> {
        let mut node = Node::parse(text.as_bytes()).unwrap();
        check(&mut node).map(|()| node)
    }

    fn rule(inner: &str) -> String {
        format!(
            "<LifecycleConfiguration><Rule><Status>Enabled</Status>{inner}</Rule></LifecycleConfiguration>"
        )
    }

    #[test]
    fn lifecycles() {
        let good = checked(&rule("<Prefix/><Expiration><Days>1</Days></Expiration>")).unwrap();
        assert_eq!(good.children[0].text_of("ID"), "rule-0");
        for bad in [
            "<Prefix/>",
            "<Expiration><Days>1</Days></Expiration>",
            "<Prefix/><Filter/><Expiration><Days>1</Days></Expiration>",
            "<Prefix/><Expiration><Days>0</Days></Expiration>",
            "<Prefix/><Expiration/>",
            "<Prefix/><Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>",
            "<Filter><Prefix>a</Prefix><Tag/></Filter><Expiration><Days>1</Days></Expiration>",
            "<Filter><And><Prefix>a</Prefix></And></Filter><Expiration><Days>1</Days></Expiration>",
        ] {
            assert!(checked(&rule(bad)).is_err(), "{bad}");
        }
        let twice = rule("<ID>a</ID><Prefix/><Expiration><Days>1</Days></Expiration>");
        let twice = twice.replace(
            "</Rule>",
            "</Rule><Rule><ID>a</ID><Prefix/><Transition><Days>1</Days></Transition></Rule>",
        );
        assert!(checked(&twice).is_err());
    }

    #[test]
    fn others() {
        let cors = |method, origin| {
            format!(
                "<CORSConfiguration><CORSRule><AllowedMethod>{method}</AllowedMethod><AllowedOrigin>{origin}</AllowedOrigin></CORSRule></CORSConfiguration>"
            )
        };
        assert!(checked(&cors("GET", "*")).is_ok());
        assert!(checked(&cors("LINK", "*")).is_err() && checked(&cors("GET", "*.*")).is_err());
        let tag = "<Tag><Key>a</Key><Value/></Tag>";
        assert!(checked(&format!("<Tagging><TagSet>{tag}</TagSet></Tagging>")).is_ok());
        assert!(checked(&format!("<Tagging><TagSet>{tag}{tag}</TagSet></Tagging>")).is_err());
        let index = "<IndexDocument><Suffix>i</Suffix></IndexDocument>";
        let site = |inner: &str| {
            checked(&format!(
                "<WebsiteConfiguration>{inner}</WebsiteConfiguration>"
            ))
        };
        assert!(site(index).is_ok() && site("").is_err());
        assert!(site(&format!("<RedirectAllRequestsTo/>{index}")).is_err());
        assert!(site("<IndexDocument><Suffix>a/b</Suffix></IndexDocument>").is_err());
    }

    #[test]
    fn policies() {
        let public =
            br#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:*"}]}"#;
        let private = br#"{"Statement":{"Effect":"Deny","Principal":"*"}}"#;
        assert!(check_policy(public).is_ok() && policy_is_public(public));
        assert!(check_policy(private).is_ok() && !policy_is_public(private));
        let among = br#"{"Statement":{"Effect":"Allow","Principal":{"AWS":["1","*"]}}}"#;
        assert!(policy_is_public(among));
        for bad in [
            "",
            "x",
            "{}",
            "[]",
            r#"{"Statement":[{"Effect":"May","Principal":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"123456789013"}}]}"#,
        ] {
            assert!(check_policy(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
