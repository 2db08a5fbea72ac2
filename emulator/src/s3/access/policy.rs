//! Bucket policies: what they say of a request.
//!
//! See [Policy evaluation](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html)
//! and [condition operators](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).

use std::net::IpAddr;

use serde_json::Value;

use crate::accounts::Account;

/// What a policy says of a request; what is denied stays so, whatever else allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Denied,
    Allowed,
    Silent,
}

/// A request, as far as policies look at it.
#[derive(Clone, Debug)]
pub(crate) struct PolicyRequest<'a> {
    pub(crate) account: Option<&'a Account>,
    pub(crate) action: &'a str,
    /// The resource is `arn:aws:s3:::bucket` or `arn:aws:s3:::bucket/key`.
    pub(crate) resource: String,
    /// The values of condition keys, by their names in lower case.
    pub(crate) context: Vec<(String, String)>,
}

impl PolicyRequest<'_> {
    fn values<'a>(&'a self, key: &str) -> Vec<&'a str> {
        let all = self.context.iter();
        all.filter(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

/// Decides what the policy says.
pub(crate) fn evaluate(policy: &Value, asked: &PolicyRequest<'_>) -> Verdict {
    let mut verdict = Verdict::Silent;
    for statement in list(&policy["Statement"]) {
        if !applies(statement, asked) {
            continue;
        }
        match statement["Effect"].as_str() {
            Some("Deny") => return Verdict::Denied,
            Some("Allow") => verdict = Verdict::Allowed,
            _ => {}
        }
    }
    verdict
}

/// The elements of a list, or the one that stands in its place.
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(all) => all,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

fn applies(statement: &Value, asked: &PolicyRequest<'_>) -> bool {
    let either = |name: &str, not: &str, holds: &dyn Fn(&Value) -> bool| {
        let given = statement.get(name).map(holds);
        let denied = statement.get(not).map(holds);
        given.unwrap_or(true) && !denied.unwrap_or(false)
    };
    let action = |value: &Value| {
        let mut all = list(value).iter().filter_map(Value::as_str);
        let asked = asked.action.to_ascii_lowercase();
        all.any(|pattern| like(&pattern.to_ascii_lowercase(), &asked))
    };
    let resource = |value: &Value| {
        let mut all = list(value).iter().filter_map(Value::as_str);
        all.any(|pattern| like(pattern, &asked.resource))
    };
    let principal = |value: &Value| is_principal(value, asked.account);
    either("Principal", "NotPrincipal", &principal)
        && either("Action", "NotAction", &action)
        && either("Resource", "NotResource", &resource)
        && conditions_hold(&statement["Condition"], asked)
}

fn is_principal(value: &Value, account: Option<&Account>) -> bool {
    if value == "*" {
        return true;
    }
    let named = |text: &str| {
        let Some(account) = account else {
            return false;
        };
        let number = account.number();
        text == number
            || text == format!("arn:aws:iam::{number}:root")
            || text.starts_with(&format!("arn:aws:iam::{number}:user/"))
    };
    let aws = list(&value["AWS"]).iter().filter_map(Value::as_str);
    let mut canonical = list(&value["CanonicalUser"])
        .iter()
        .filter_map(Value::as_str);
    aws.into_iter().any(|text| text == "*" || named(text))
        || canonical.any(|id| account.is_some_and(|account| account.canonical_id() == id))
}

/// Whether a text has the form of a pattern, in which `*` stands for anything and `?` for one character.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Where to go on when what follows the last `*` does not fit: it then takes one character more.
    let mut back = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                back = Some((at, seen));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    at = star + 1;
                    seen = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

fn conditions_hold(conditions: &Value, asked: &PolicyRequest<'_>) -> bool {
    let Some(operators) = conditions.as_object() else {
        return conditions.is_null();
    };
    operators.iter().all(|(operator, keys)| {
        let keys = keys.as_object();
        keys.is_some_and(|keys| {
            keys.iter()
                .all(|(key, wanted)| holds(operator, key, wanted, asked))
        })
    })
}

fn holds(operator: &str, key: &str, wanted: &Value, asked: &PolicyRequest<'_>) -> bool {
    let given = asked.values(key);
    let wanted: Vec<String> = list(wanted)
        .iter()
        .map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect();
    let (every, some, name) = match operator.split_once(':') {
        Some(("ForAllValues", name)) => (true, false, name),
        Some(("ForAnyValue", name)) => (false, true, name),
        _ => (false, false, operator),
    };
    if name == "Null" {
        return wanted
            .iter()
            .any(|text| (text == "true") == given.is_empty());
    }
    let (name, if_exists) = match name.strip_suffix("IfExists") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let (compare, negated): (fn(&str, &str) -> bool, bool) = match name {
        "StringEquals" => (|a, b| a == b, false),
        "StringNotEquals" => (|a, b| a == b, true),
        "StringEqualsIgnoreCase" => (|a, b| a.eq_ignore_ascii_case(b), false),
        "StringNotEqualsIgnoreCase" => (|a, b| a.eq_ignore_ascii_case(b), true),
        "StringLike" | "ArnLike" | "ArnEquals" => (like, false),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (like, true),
        "Bool" => (|a, b| a.eq_ignore_ascii_case(b), false),
        "NumericEquals" => (|a, b| number(a, b, |a, b| b == a), false),
        "NumericNotEquals" => (|a, b| number(a, b, |a, b| b == a), true),
        "NumericLessThan" => (|a, b| number(a, b, |a, b| b < a), false),
        "NumericLessThanEquals" => (|a, b| number(a, b, |a, b| b <= a), false),
        "NumericGreaterThan" => (|a, b| number(a, b, |a, b| b > a), false),
        "NumericGreaterThanEquals" => (|a, b| number(a, b, |a, b| b >= a), false),
        "IpAddress" => (in_network, false),
        "NotIpAddress" => (in_network, true),
        // What is not known cannot let anything pass.
        _ => return false,
    };
    if given.is_empty() {
        // "ForAnyValue" is false where there is no value, even of a negated operator.
        return if_exists || every || negated && !some;
    }
    let fits = |value: &&str| wanted.iter().any(|pattern| compare(pattern, value)) != negated;
    if every {
        given.iter().all(fits)
    } else {
        given.iter().any(fits)
    }
}

fn number(wanted: &str, given: &str, compare: fn(f64, f64) -> bool) -> bool {
    match (wanted.parse(), given.parse()) {
        (Ok(wanted), Ok(given)) => compare(wanted, given),
        _ => false,
    }
}

/// Whether an address is in a network such as `192.0.2.0/24`.
fn in_network(network: &str, address: &str) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    match (base.parse(), address.parse(), length) {
        (Ok(IpAddr::V4(base)), Ok(IpAddr::V4(address)), Some(length)) => {
            let shift = 32_u32.saturating_sub(length);
            let prefix = |bits: u32| bits.checked_shr(shift);
            prefix(base.to_bits()) == prefix(address.to_bits())
        }
        (Ok(IpAddr::V6(base)), Ok(IpAddr::V6(address)), Some(length)) => {
            let shift = 128_u32.saturating_sub(length);
            let prefix = |bits: u128| bits.checked_shr(shift);
            prefix(base.to_bits()) == prefix(address.to_bits())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("s3:Get*", "s3:GetObject", true),
            ("s3:Get*t", "s3:GetObjectAcl", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "aXbbYc", true),
            ("a*b*c", "aXbbY", false),
            ("", "x", false),
            ("**x", "x", true),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }

    fn verdict(statement: &str, account: Option<&Account>) -> Verdict {
        let policy: Value =
            serde_json::from_str(&format!("{{\"Statement\":{statement}}}")).unwrap();
        let asked = PolicyRequest {
            account,
            action: "s3:GetObject",
            resource: "arn:aws:s3:::b/k".into(),
            context: vec![
                ("s3:prefix".into(), "a/b".into()),
                ("aws:sourceip".into(), "192.0.2.7".into()),
                ("s3:max-keys".into(), "5".into()),
            ],
        };
        evaluate(&policy, &asked)
    }

    #[test]
    fn statements_apply_or_not() {
        let (first, second) = (Account::nth(0), Account::nth(1));
        let allow = |rest: &str| format!("{{\"Effect\":\"Allow\",{rest}}}");
        let to_all = r#""Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*""#;
        assert_eq!(verdict(&allow(to_all), None), Verdict::Allowed);
        let deny = r#"{"Effect":"Deny","Principal":{"AWS":"*"},"NotAction":"s3:Put*"}"#;
        let both = format!("[{},{deny}]", allow(to_all));
        assert_eq!(verdict(&both, Some(&first)), Verdict::Denied);
        let second_only = r#""Principal":{"AWS":["arn:aws:iam::123456789013:root"]}"#;
        assert_eq!(
            verdict(&allow(second_only), Some(&second)),
            Verdict::Allowed
        );
        assert_eq!(verdict(&allow(second_only), Some(&first)), Verdict::Silent);
        assert_eq!(verdict(&allow(second_only), None), Verdict::Silent);
        let elsewhere = r#""Principal":"*","Resource":"arn:aws:s3:::b""#;
        assert_eq!(verdict(&allow(elsewhere), None), Verdict::Silent);
    }

    #[test]
    fn conditions() {
        for (condition, applies) in [
            (r#"{"StringEquals":{"s3:prefix":["x","a/b"]}}"#, true),
            (r#"{"StringNotEquals":{"s3:prefix":["x","a/b"]}}"#, false),
            (r#"{"StringLike":{"S3:Prefix":"a/*"}}"#, true),
            (r#"{"StringEquals":{"s3:delimiter":"/"}}"#, false),
            (r#"{"StringEqualsIfExists":{"s3:delimiter":"/"}}"#, true),
            (r#"{"StringNotEquals":{"s3:delimiter":"/"}}"#, true),
            (r#"{"Null":{"s3:delimiter":"true"}}"#, true),
            (r#"{"Null":{"s3:prefix":true}}"#, false),
            (r#"{"NumericLessThanEquals":{"s3:max-keys":"5"}}"#, true),
            (r#"{"NumericLessThan":{"s3:max-keys":5}}"#, false),
            (r#"{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#, true),
            (r#"{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#, false),
            (r#"{"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}"#, false),
            (r#"{"ForAllValues:StringLike":{"s3:prefix":"a*"}}"#, true),
            (r#"{"ForAnyValue:StringNotEquals":{"s3:prefix":"x"}}"#, true),
            (
                r#"{"ForAnyValue:StringNotEquals":{"s3:delimiter":"/"}}"#,
                false,
            ),
            (r#"{"Unheard":{"s3:prefix":"a/b"}}"#, false),
            (r#""nonsense""#, false),
        ] {
            let statement =
                format!("{{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Condition\":{condition}}}");
            let expected = if applies {
                Verdict::Allowed
            } else {
                Verdict::Silent
            };
            assert_eq!(verdict(&statement, None), expected, "{condition}");
        }
    }
}
