//! Who owns what is stored.

use std::fmt;

use crate::error::{Error, Result};

/// The most bytes of a localpart, a domainpart and a resourcepart
/// ([RFC 7622, 3.1](https://www.rfc-editor.org/rfc/rfc7622#section-3.1)).
pub(crate) const MAX_PART: usize = 1023;

/// The most bytes of a JID: three parts, an `@` and a `/`.
pub(crate) const MAX_JID: usize = 3 * MAX_PART + 2;

/// A bare JID ([RFC 7622](https://www.rfc-editor.org/rfc/rfc7622)): a person (`ann@example.com`), a room, or a service
/// (`pubsub.example.com`, without a localpart). Everything that is stored belongs to one.
///
/// The parts have to be [prepared](https://www.rfc-editor.org/rfc/rfc7622#section-3.2) already, as the parts of a JID in
/// an XMPP server are: here `Ann` and `ann` are two people.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BareJid {
    /// All of it, so that it can be lent as one text.
    text: String,
    /// Where the domainpart begins.
    domain: usize,
}

impl BareJid {
    /// The JID of these two parts; an empty localpart is none.
    ///
    /// # Errors
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) where a part has more than 1,023 bytes;
    /// [`Kind::Invalid`](crate::Kind::Invalid) where the domainpart is empty, or a part has an `@` or a `/`.
    pub fn new(local: impl AsRef<str>, domain: impl AsRef<str>) -> Result<Self> {
        let (local, domain) = (local.as_ref(), domain.as_ref());
        for (what, part) in [("the localpart", local), ("the domainpart", domain)] {
            if part.len() > MAX_PART {
                return Err(Error::too_large(what, part.len(), "bytes", MAX_PART));
            }
            if part.contains(['@', '/']) {
                return Err(Error::invalid(format!("{what} of a JID has an @ or a /")));
            }
        }
        if domain.is_empty() {
            return Err(Error::invalid("the domainpart of a JID is empty"));
        }
        if local.is_empty() {
            return Ok(Self {
                text: domain.to_owned(),
                domain: 0,
            });
        }
        Ok(Self {
            text: format!("{local}@{domain}"),
            domain: local.len() + 1,
        })
    }

    /// The JID that this text is.
    ///
    /// # Errors
    /// As [`new`](Self::new); also where there is a resourcepart.
    pub fn parse(text: impl AsRef<str>) -> Result<Self> {
        match text.as_ref().split_once('@') {
            Some(("", _)) => Err(Error::invalid("the localpart of a JID is empty")),
            Some((local, domain)) => Self::new(local, domain),
            None => Self::new("", text),
        }
    }

    /// The localpart; empty where there is none.
    pub fn local(&self) -> &str {
        &self.text[..self.domain.saturating_sub(1)]
    }

    /// The domainpart, which is the host for a person.
    pub fn domain(&self) -> &str {
        &self.text[self.domain..]
    }

    /// All of it, as `ann@example.com`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for BareJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for BareJid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BareJid({})", self.text)
    }
}

/// Whether a text may be a JID, bare or full: its length is within the limit, and it is not empty.
pub(crate) fn check(what: &str, jid: &str) -> Result<()> {
    match jid.len() {
        0 => Err(Error::invalid(format!("{what} is empty"))),
        1..=MAX_JID => Ok(()),
        bytes => Err(Error::too_large(what, bytes, "bytes", MAX_JID)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn parts_come_back() {
        for (local, domain, text) in [
            ("ann", "example.com", "ann@example.com"),
            ("", "pubsub.example.com", "pubsub.example.com"),
            ("ä b", "ü", "ä b@ü"),
        ] {
            let jid = BareJid::new(local, domain).unwrap();
            assert_eq!(
                (jid.local(), jid.domain(), jid.as_str()),
                (local, domain, text)
            );
            assert_eq!(BareJid::parse(text).unwrap(), jid);
            assert_eq!(jid.to_string(), text);
        }
    }

    #[test]
    fn limits_are_named() {
        let kind = |local: &str, domain: &str| BareJid::new(local, domain).unwrap_err().kind();
        assert!(BareJid::new("a".repeat(1023), "b".repeat(1023)).is_ok());
        assert_eq!(kind(&"a".repeat(1024), "b"), Kind::TooLarge);
        assert_eq!(kind("a", &"b".repeat(1024)), Kind::TooLarge);
        assert_eq!(kind("a", ""), Kind::Invalid);
        assert_eq!(kind("a/b", "c"), Kind::Invalid);
        assert_eq!(kind("a", "c@d"), Kind::Invalid);
        for text in ["@a", "a@b/c", "", "a@b@c"] {
            assert_eq!(
                BareJid::parse(text).unwrap_err().kind(),
                Kind::Invalid,
                "{text}"
            );
        }
        assert!(check("the contact", &"a".repeat(3071)).is_ok());
        let error = check("the contact", &"a".repeat(3072)).unwrap_err();
        assert_eq!(
            error.message(),
            "the contact has 3072 bytes, over the limit of 3071"
        );
        assert_eq!(check("the contact", "").unwrap_err().kind(), Kind::Invalid);
    }
}
