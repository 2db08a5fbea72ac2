//! Which node is meant, and of which life.

use std::fmt;

use crate::error::{Error, Result};
use crate::jid::BareJid;

/// The most bytes of a node's name: as many as a JID has at most. XEP-0060 gives no limit.
pub const MAX_NODE_NAME: usize = 3071;

/// Hex digits of an incarnation.
const INCARNATION: usize = 16;

/// A node in one of its lives: the host that has it, its name, and its *incarnation*, a random name that each creation
/// draws anew. Items and states are stored under the incarnation, so what is left of a node that was removed is never
/// seen in one that is made later under the same name.
///
/// As text it is `INCARNATION/HOST/NAME`; neither of the first two can have a slash.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeIndex {
    incarnation: String,
    host: BareJid,
    name: String,
}

impl NodeIndex {
    /// The index of a node that is about to be made.
    ///
    /// # Errors
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) where the name has more than [`MAX_NODE_NAME`] bytes.
    pub(crate) fn draw(host: &BareJid, name: &str) -> Result<Self> {
        check_name(name)?;
        Ok(Self {
            incarnation: format!("{:0INCARNATION$x}", fastrand::u64(..)),
            host: host.clone(),
            name: name.to_owned(),
        })
    }

    /// The index that this text is.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) where it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let none = || Error::invalid("this is not the index of a node");
        let mut parts = text.splitn(3, '/');
        let mut part = || parts.next().ok_or_else(none);
        let (incarnation, host, name) = (part()?, part()?, part()?);
        let digit = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
        if incarnation.len() != INCARNATION || !incarnation.bytes().all(digit) {
            return Err(none());
        }
        check_name(name)?;
        Ok(Self {
            incarnation: incarnation.to_owned(),
            host: BareJid::parse(host)?,
            name: name.to_owned(),
        })
    }

    /// The random name of this life, 16 hex digits.
    pub fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// Who has it: a service, or a person for what is published by [PEP](https://xmpp.org/extensions/xep-0163.html).
    pub fn host(&self) -> &BareJid {
        &self.host
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// `INCARNATION/HOST/NAME`.
impl fmt::Display for NodeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.incarnation, self.host, self.name)
    }
}

impl fmt::Debug for NodeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeIndex({self})")
    }
}

/// Whether a node may have this name.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.len() > MAX_NODE_NAME {
        let what = "the name of a node";
        return Err(Error::too_large(what, name.len(), "bytes", MAX_NODE_NAME));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Kind;

    proptest! {
        #[test]
        fn an_index_comes_back(local in "[a-z.]{0,5}", domain in "[a-z.]{1,8}", name in "\\PC{0,12}") {
            let host = BareJid::new(local, domain).unwrap();
            let index = NodeIndex::draw(&host, &name).unwrap();
            let back = NodeIndex::parse(&index.to_string()).unwrap();
            prop_assert_eq!(&back, &index);
            prop_assert_eq!((back.host(), back.name()), (&host, &*name));
            prop_assert_ne!(NodeIndex::draw(&host, &name).unwrap(), index);
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "0123456789abcdef",
            "0123456789abcdef/h",
            "0123456789abcde/h/n",
            "0123456789ABCDEF/h/n",
            "0123456789abcdeg/h/n",
            "0123456789abcdef//n",
            "0123456789abcdef/@h/n",
        ] {
            assert_eq!(
                NodeIndex::parse(text).unwrap_err().kind(),
                Kind::Invalid,
                "{text}"
            );
        }
        let index = NodeIndex::parse("0123456789abcdef/a@h/x/y z").unwrap();
        assert_eq!(
            (index.incarnation(), index.name()),
            ("0123456789abcdef", "x/y z")
        );
    }

    #[test]
    fn a_name_has_its_limit() {
        let host = BareJid::parse("h").unwrap();
        assert!(NodeIndex::draw(&host, &"n".repeat(MAX_NODE_NAME)).is_ok());
        let error = NodeIndex::draw(&host, &"n".repeat(3072)).unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
        assert_eq!(
            error.message(),
            "the name of a node has 3072 bytes, over the limit of 3071"
        );
    }
}
