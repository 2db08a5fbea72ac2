//! Where what is stored: how many shards there are, and the names of domains and keys.
//!
//! *Problem:* How many domains a kind of thing is spread over has to be the same for all nodes at all times: one that
//! counts otherwise looks for people where they are not, and registers them a second time. *Decision:* The first node
//! writes the number into one object, only if there is none; all others read it and obey. *Cost:* One read at the start of
//! a node, and the number cannot be changed later without moving everything.

use std::fmt;

use crate::error::{Error, Result};
use crate::names::{escape, shard};

/// The most shards: SimpleDB gives an account
/// [250 domains](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/SDBLimits.html), and five kinds have shards.
pub const MAX_SHARDS: u32 = 48;

/// How many shards there are unless the first node says otherwise.
pub const DEFAULT_SHARDS: u32 = 4;

/// The version of the layout, which the layout object names.
const VERSION: u32 = 1;

/// The most bytes of a prefix, which stands before every key and every domain's name.
const MAX_PREFIX: usize = 64;

/// A kind of domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DomainKind {
    Users,
    Last,
    Roster,
    Vcard,
    Subs,
    Shared,
    Nicks,
}

impl DomainKind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Users,
        Self::Last,
        Self::Roster,
        Self::Vcard,
        Self::Subs,
        Self::Shared,
        Self::Nicks,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Last => "last",
            Self::Roster => "roster",
            Self::Vcard => "vcard",
            Self::Subs => "subs",
            Self::Shared => "shared",
            Self::Nicks => "nicks",
        }
    }

    /// Whether it is one domain for all: its items are looked at by host, not by person, or are few.
    fn is_single(self) -> bool {
        matches!(self, Self::Shared | Self::Nicks)
    }
}

/// What all nodes agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    prefix: String,
    shards: u32,
}

impl Layout {
    /// A layout with this prefix, 1 to 64 letters, digits, `_`, `.` and `-` with a letter or a digit first, and this many
    /// shards, 1 to 48.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid), with the value.
    pub fn new(prefix: impl Into<String>, shards: u32) -> Result<Self> {
        let prefix = prefix.into();
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let begins = prefix
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        if !begins || prefix.len() > MAX_PREFIX || !prefix.bytes().all(legal) {
            return Err(Error::invalid(format!(
                "the prefix {prefix:?} is not 1 to {MAX_PREFIX} letters, digits, underscores, dots and hyphens after a \
                 letter or a digit"
            )));
        }
        if !(1..=MAX_SHARDS).contains(&shards) {
            return Err(Error::invalid(format!(
                "{shards} shards are not within 1 to {MAX_SHARDS}"
            )));
        }
        Ok(Self { prefix, shards })
    }

    /// What stands before every key and every domain's name.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How many domains each sharded kind has.
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// The key of the object that fixes the layout: `PREFIX/v1/layout.json`.
    pub fn object(&self) -> String {
        format!("{}/v1/layout.json", self.prefix)
    }

    /// The names of all domains.
    pub fn domains(&self) -> Vec<String> {
        DomainKind::ALL
            .iter()
            .flat_map(|kind| self.domains_of(*kind))
            .collect()
    }

    /// The names of the domains of a kind.
    pub(crate) fn domains_of(&self, kind: DomainKind) -> Vec<String> {
        let (prefix, name) = (&self.prefix, kind.name());
        if kind.is_single() {
            return vec![format!("{prefix}-{name}")];
        }
        (0..self.shards)
            .map(|shard| format!("{prefix}-{name}.{shard:02}"))
            .collect()
    }

    /// The name of the domain that has an owner's things.
    pub(crate) fn domain(&self, kind: DomainKind, owner: &str) -> String {
        let (prefix, name) = (&self.prefix, kind.name());
        if kind.is_single() {
            return format!("{prefix}-{name}");
        }
        format!("{prefix}-{name}.{:02}", shard(owner, self.shards))
    }

    /// `PREFIX/STORE/PART/PART…`, with the parts escaped.
    pub(crate) fn key(&self, store: &str, parts: &[&str]) -> String {
        let mut key = format!("{}/{store}", self.prefix);
        for part in parts {
            key.push('/');
            key.push_str(&escape(part));
        }
        key
    }

    /// As [`key`](Self::key) with a `/` behind it: what begins all keys below it, and no others. Without that, what is
    /// bobby's would be found with what is bob's.
    pub(crate) fn folder(&self, store: &str, parts: &[&str]) -> String {
        let mut key = self.key(store, parts);
        key.push('/');
        key
    }

    /// The content of the layout object.
    pub(crate) fn to_json(&self) -> String {
        format!("{{\"version\": {VERSION}, \"shards\": {}}}\n", self.shards)
    }

    /// The number of shards in the content of the layout object.
    pub(crate) fn shards_of(json: &[u8]) -> Result<u32> {
        let foreign = || {
            Error::invalid(format!(
                "the layout object is not {{\"version\": {VERSION}, \"shards\": N}}: another version of this crate, or \
                 something else, wrote it"
            ))
        };
        let text = std::str::from_utf8(json).map_err(|_| foreign())?.trim();
        let inner = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let (mut version, mut shards) = (None, None);
        for pair in inner.ok_or_else(foreign)?.split(',') {
            let (name, number) = pair.split_once(':').ok_or_else(foreign)?;
            let field = match name.trim() {
                "\"version\"" => &mut version,
                "\"shards\"" => &mut shards,
                _ => return Err(foreign()),
            };
            let number: u32 = number.trim().parse().map_err(|_| foreign())?;
            if field.replace(number).is_some() {
                return Err(foreign());
            }
        }
        match (version, shards) {
            (Some(VERSION), Some(shards)) => Ok(shards),
            _ => Err(foreign()),
        }
    }
}

/// The prefix and the number of shards.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} shards", self.prefix, self.shards)
    }
}

/// The name of an item: the escaped parts with `|` between, which escaping keeps out of them.
pub(crate) fn item_name(parts: &[&str]) -> String {
    parts
        .iter()
        .map(|part| escape(part))
        .collect::<Vec<_>>()
        .join("|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn names_are_these() {
        let layout = Layout::new("chat", 4).unwrap();
        assert_eq!(layout.object(), "chat/v1/layout.json");
        assert_eq!(layout.domains().len(), 22);
        assert_eq!(layout.domains()[0], "chat-users.00");
        let domain = layout.domain(DomainKind::Users, "ann@example.com");
        assert!(layout.domains_of(DomainKind::Users).contains(&domain));
        assert_eq!(layout.domain(DomainKind::Nicks, "any"), "chat-nicks");
        assert_eq!(
            layout.key("private", &["a@b", "x:y"]),
            "chat/private/a@b/x%3Ay"
        );
        assert_eq!(
            layout.folder("offline", &["b", "bob@b"]),
            "chat/offline/b/bob@b/"
        );
        assert_eq!(item_name(&["a@b", "c@d/e|f"]), "a@b|c@d%2Fe%7Cf");
    }

    #[test]
    fn names_stay_within_the_limits_of_both_services() {
        let prefix = "p".repeat(64);
        let layout = Layout::new(prefix, MAX_SHARDS).unwrap();
        let long = "\u{e9}".repeat(1500);
        assert!(layout.folder("offline", &[&long, &long, &long]).len() <= 1024);
        assert!(item_name(&[&long, &long, &long]).len() <= 1024);
        assert!(
            layout
                .domains()
                .iter()
                .all(|name| (3..=255).contains(&name.len()))
        );
        assert!(layout.domains().len() <= 250);
    }

    #[test]
    fn settings_are_checked() {
        for prefix in ["", "a/b", "a b", ".a", "-a", "\u{e9}", &"p".repeat(65)] {
            assert_eq!(
                Layout::new(prefix, 4).unwrap_err().kind(),
                Kind::Invalid,
                "{prefix}"
            );
        }
        for shards in [0, 49] {
            let error = Layout::new("p", shards).unwrap_err();
            assert_eq!(
                error.message(),
                format!("{shards} shards are not within 1 to 48")
            );
        }
    }

    #[test]
    fn the_object_comes_back_and_nothing_else_is_taken() {
        let layout = Layout::new("p", 7).unwrap();
        assert_eq!(Layout::shards_of(layout.to_json().as_bytes()).unwrap(), 7);
        assert_eq!(
            Layout::shards_of(b"{ \"shards\":8 ,\"version\":1}").unwrap(),
            8
        );
        for text in [
            "",
            "{}",
            "{\"shards\": 4}",
            "{\"version\": 2, \"shards\": 4}",
            "{\"version\": 1, \"shards\": 4, \"more\": 1}",
            "{\"version\": 1, \"shards\": 4, \"shards\": 5}",
            "{\"version\": 1, \"shards\": -4}",
            "{\"version\": 1, \"shards\": \"4\"}",
            "[4]",
            "\u{fffd}",
        ] {
            assert_eq!(
                Layout::shards_of(text.as_bytes()).unwrap_err().kind(),
                Kind::Invalid,
                "{text}"
            );
        }
        assert!(Layout::shards_of(b"\xff").is_err());
    }
}
