//! Filters: which instances a request is about.
//!
//! See [DescribeInstances](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html). Values of
//! one filter are alternatives, several filters hold together. In a value `*` stands for any text and `?` for one
//! character, unless a backslash is before it.

use super::error::{Ec2Error, Ec2Result};
use super::row::InstanceRow;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    field: FilterField,
    patterns: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum FilterField {
    Tag(String),
    Plain(&'static str),
}

/// The filters that are known besides `tag:KEY`.
const FIELDS: [&str; 23] = [
    "architecture",
    "availability-zone",
    "dns-name",
    "image-id",
    "instance-id",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "instance.group-id",
    "instance.group-name",
    "ip-address",
    "ipv6-address",
    "key-name",
    "network-interface.ipv6-addresses.ipv6-address",
    "owner-id",
    "placement-group-name",
    "private-dns-name",
    "private-ip-address",
    "reservation-id",
    "subnet-id",
    "tag-key",
    "tag-value",
    "vpc-id",
];

impl Filter {
    pub(super) fn new(name: &str, values: &[&str]) -> Ec2Result<Self> {
        let field =
            match name.strip_prefix("tag:") {
                Some(key) => FilterField::Tag(key.to_owned()),
                None => {
                    let known = FIELDS.iter().find(|field| **field == name);
                    FilterField::Plain(known.ok_or_else(|| {
                        Ec2Error::value(format!("The filter '{name}' is invalid"))
                    })?)
                }
            };
        let patterns = values.iter().map(|value| (*value).to_owned()).collect();
        Ok(Self { field, patterns })
    }

    pub(super) fn accepts(&self, row: &InstanceRow) -> bool {
        let any = |text: &str| self.patterns.iter().any(|pattern| matches(pattern, text));
        let some = |text: Option<&str>| text.is_some_and(any);
        match &self.field {
            FilterField::Tag(key) => some(row.tags.get(key).map(String::as_str)),
            FilterField::Plain(name) => match *name {
                "architecture" => any(&row.architecture),
                "availability-zone" => any(&row.zone),
                "dns-name" => some(row.public_dns()),
                "image-id" => any(&row.image),
                "instance-id" => any(&row.id),
                "instance-state-code" => any(&row.state.code().to_string()),
                "instance-state-name" => any(row.state.name()),
                "instance-type" => any(&row.kind),
                "instance.group-id" => row.groups.iter().any(|group| any(&group.id)),
                "instance.group-name" => row.groups.iter().any(|group| any(&group.name)),
                "ip-address" => some(row.public_ip()),
                "ipv6-address" | "network-interface.ipv6-addresses.ipv6-address" => {
                    row.ipv6().iter().any(|address| any(address))
                }
                "key-name" => some(row.key_name.as_deref()),
                "owner-id" => any(&row.owner),
                "placement-group-name" => any(&row.placement_group),
                "private-dns-name" => some(row.private_dns()),
                "private-ip-address" => some(row.private_ip()),
                "reservation-id" => any(&row.reservation),
                "subnet-id" => any(&row.subnet),
                "tag-key" => row.tags.keys().any(|key| any(key)),
                "tag-value" => row.tags.values().any(|value| any(value)),
                "vpc-id" => any(&row.vpc),
                _ => false,
            },
        }
    }
}

/// Whether a text is what a pattern stands for.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<PatternPiece> = pieces(pattern);
    let text: Vec<char> = text.chars().collect();
    // Where to go on when it does not match: behind the last `*`, one character later.
    let (mut p, mut t, mut again) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(PatternPiece::Any) => {
                again = Some((p, t));
                p += 1;
            }
            Some(PatternPiece::One) => (p, t) = (p + 1, t + 1),
            Some(PatternPiece::Char(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((star, from)) = again else {
                    return false;
                };
                again = Some((star, from + 1));
                (p, t) = (star + 1, from + 1);
            }
        }
    }
    pattern[p..]
        .iter()
        .all(|piece| matches!(piece, PatternPiece::Any))
}

enum PatternPiece {
    Any,
    One,
    Char(char),
}

fn pieces(pattern: &str) -> Vec<PatternPiece> {
    let mut chars = pattern.chars();
    let mut out = Vec::new();
    while let Some(c) = chars.next() {
        out.push(match c {
            '*' => PatternPiece::Any,
            '?' => PatternPiece::One,
            '\\' => PatternPiece::Char(chars.next().unwrap_or('\\')),
            c => PatternPiece::Char(c),
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abcc", true),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
            ("a?c", "a\u{e9}c", true),
            ("a?c", "ac", false),
            (r"\*x\?", "*x?", true),
            (r"\*x", "yx", false),
            (r"a\\b", r"a\b", true),
            ("Web", "web", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn fields_are_known_or_refused() {
        assert!(FIELDS.is_sorted());
        for name in FIELDS.iter().chain(&["tag:", "tag:a b"]) {
            assert!(Filter::new(name, &["x"]).is_ok(), "{name}");
        }
        for name in ["", "tag", "Vpc-Id", "group-nam", "vpc"] {
            let error = Filter::new(name, &["x"]).unwrap_err();
            assert!(error.message.contains(name), "{error:?}");
        }
    }
}
