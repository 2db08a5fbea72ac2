//! States: what each JID is to a node, and in what it has subscribed.
//!
//! *Problem:* All states of a node are asked for at each publication, and all of a person at each login; one that changes
//! must not undo what somebody else changed at the same moment. *Decision:* One item of SimpleDB for each state, in the
//! shard of the node's incarnation, so that those of a node are one selection; an index item `e|K` for each person, which
//! names his states. A state has a version, and every write is on condition of it. A *generation* for each node, which
//! every commit renews after it has written, tells other processes whether a list that they keep is still good. *Cost:* A
//! first subscription writes three items, the state twice: the index, the state, the generation.
//!
//! ```text
//!   write of a new state     e|K names it, and its place is held ──► state ──► generation
//!   removal                  state, if it is still the one read ──► generation, and e|K forgets it
//!   a process that stops     behind any arrow: e|K may name a state that is not there, which readers pass over; a list
//!                            kept elsewhere is old for a minute at most
//! ```

mod load;
mod person;
mod snapshot;
mod stored;
mod write;

use std::fmt;

use crate::error::{Error, Result};
use crate::jid;
use crate::version::Version;

pub use self::load::Loaded;
pub use self::person::MAX_STATES_OF_A_PERSON;
pub(crate) use self::snapshot::MAX_KEPT;

/// The most subscriptions of one state.
pub const MAX_SUBSCRIPTIONS: usize = 200;

/// The most bytes of the identifier of a subscription.
pub const MAX_SUBSCRIPTION_ID: usize = 900;

/// What stands in place of an entry in a state that says nothing and was never announced: it holds the place of one that
/// was read as absent.
pub(crate) const NO_ENTRY: &str = "-";

/// What somebody is to a node ([XEP-0060, 4.1](https://xmpp.org/extensions/xep-0060.html#affiliations)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Affiliation {
    /// Nothing is said of him.
    #[default]
    None,
    /// He may do everything.
    Owner,
    /// He may publish, and see what is published.
    Publisher,
    /// He may publish, and see nothing.
    PublishOnly,
    /// He may see what is published.
    Member,
    /// He may do nothing.
    Outcast,
}

/// Whether a subscription is in force ([XEP-0060, 4.2](https://xmpp.org/extensions/xep-0060.html#substates)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubscriptionState {
    /// It is.
    Subscribed,
    /// An owner has to agree.
    Pending,
    /// Its options have to be set.
    Unconfigured,
}

/// A subscription to a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StateSubscription {
    /// Whether it is in force.
    pub state: SubscriptionState,
    /// Its identifier, at most [`MAX_SUBSCRIPTION_ID`] bytes.
    pub id: String,
}

/// Which state it was that was read, for a [`Commit`](crate::pubsub::Commit); also that there was none. It can be kept as
/// text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen(pub(crate) Option<SeenState>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenState {
    pub(crate) version: Version,
    /// How the index of the person names it.
    pub(crate) entry: String,
}

/// What a JID is to a node.
///
/// One that says nothing, with [`Affiliation::None`] and no subscription, is to be taken for none, but for its
/// [`seen`](Self::seen): it may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Whose it is: a bare JID for an affiliation, a bare or full one for subscriptions.
    pub jid: String,
    /// What he is to the node.
    pub affiliation: Affiliation,
    /// What he has subscribed, in the order in which it was given, at most [`MAX_SUBSCRIPTIONS`].
    pub subscriptions: Vec<StateSubscription>,
    /// Which one it was that was read.
    pub seen: Seen,
}

impl Affiliation {
    const ALL: [Self; 6] = [
        Self::None,
        Self::Owner,
        Self::Publisher,
        Self::PublishOnly,
        Self::Member,
        Self::Outcast,
    ];

    /// Its name in XEP-0060: `publish-only`, for example.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Owner => "owner",
            Self::Publisher => "publisher",
            Self::PublishOnly => "publish-only",
            Self::Member => "member",
            Self::Outcast => "outcast",
        }
    }

    /// The one of this name.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) where there is none.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == name);
        found.ok_or_else(|| Error::invalid(format!("{name:?} is no affiliation")))
    }
}

impl SubscriptionState {
    const ALL: [Self; 3] = [Self::Subscribed, Self::Pending, Self::Unconfigured];

    /// Its name in XEP-0060.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscribed => "subscribed",
            Self::Pending => "pending",
            Self::Unconfigured => "unconfigured",
        }
    }

    /// The one of this name.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) where there is none.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == name);
        found.ok_or_else(|| Error::invalid(format!("{name:?} is no state of a subscription")))
    }
}

impl Seen {
    /// That there was no state.
    pub const ABSENT: Self = Self(None);

    /// The one that this text is.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) where it is none.
    pub fn parse(text: &str) -> Result<Self> {
        if text == "-" {
            return Ok(Self::ABSENT);
        }
        let none = || Error::invalid("this is not what was seen of a state");
        let (version, entry) = text.split_once(' ').ok_or_else(none)?;
        let version = Version::read(version);
        if version.to_string() != text[..text.len() - entry.len() - 1] {
            return Err(none());
        }
        let entry = entry.to_owned();
        Ok(Self(Some(SeenState { version, entry })))
    }

    /// How the index of the person names it, if it does.
    pub(crate) fn entry(&self) -> Option<&str> {
        self.0
            .as_ref()
            .map(|seen| &*seen.entry)
            .filter(|entry| *entry != NO_ENTRY)
    }

    pub(crate) fn version(&self) -> Option<&Version> {
        self.0.as_ref().map(|seen| &seen.version)
    }

    /// Whether there was none.
    pub fn is_absent(&self) -> bool {
        self.0.is_none()
    }
}

/// The text that [`Seen::parse`] takes.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(seen) => write!(f, "{} {}", seen.version, seen.entry),
            None => f.write_str("-"),
        }
    }
}

impl State {
    /// What is to be said of a JID for which there is no state.
    pub fn absent(jid: impl Into<String>) -> Self {
        Self {
            jid: jid.into(),
            affiliation: Affiliation::None,
            subscriptions: Vec::new(),
            seen: Seen::ABSENT,
        }
    }

    /// Whether it says nothing, so that nothing need be stored.
    pub fn says_nothing(&self) -> bool {
        self.affiliation == Affiliation::None && self.subscriptions.is_empty()
    }

    /// Whether it is within the limits.
    pub(crate) fn check(&self) -> Result<()> {
        jid::check("the JID of a state", &self.jid)?;
        let count = self.subscriptions.len();
        if count > MAX_SUBSCRIPTIONS {
            return Err(Error::too_large(
                "a state",
                count,
                "subscriptions",
                MAX_SUBSCRIPTIONS,
            ));
        }
        let longest = self
            .subscriptions
            .iter()
            .map(|one| one.id.len())
            .max()
            .unwrap_or_default();
        if longest > MAX_SUBSCRIPTION_ID {
            let what = "the identifier of a subscription";
            return Err(Error::too_large(
                what,
                longest,
                "bytes",
                MAX_SUBSCRIPTION_ID,
            ));
        }
        Ok(())
    }
}

/// The bare part of a JID, and its resource.
pub(crate) fn split(jid: &str) -> (&str, Option<&str>) {
    jid.split_once('/')
        .map_or((jid, None), |(bare, resource)| (bare, Some(resource)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn names_come_back() {
        for one in Affiliation::ALL {
            assert_eq!(Affiliation::parse(one.as_str()).unwrap(), one);
        }
        for one in SubscriptionState::ALL {
            assert_eq!(SubscriptionState::parse(one.as_str()).unwrap(), one);
        }
        assert_eq!(
            Affiliation::parse("Owner").unwrap_err().kind(),
            Kind::Invalid
        );
        assert_eq!(
            SubscriptionState::parse("none").unwrap_err().kind(),
            Kind::Invalid
        );
    }

    #[test]
    fn what_was_seen_can_be_kept_as_text() {
        let version = Version::after(Some(&Version::after(None)));
        for entry in ["", "0123456789abcdef|1|a b"] {
            let entry = entry.to_owned();
            let seen = Seen(Some(SeenState {
                version: version.clone(),
                entry,
            }));
            assert_eq!(Seen::parse(&seen.to_string()).unwrap(), seen);
        }
        assert_eq!(
            Seen::parse(&Seen::ABSENT.to_string()).unwrap(),
            Seen::ABSENT
        );
        assert!(Seen::ABSENT.is_absent());
        for text in ["", "x", "x y", "0123456789ABCDEF y"] {
            assert_eq!(
                Seen::parse(text).unwrap_err().kind(),
                Kind::Invalid,
                "{text}"
            );
        }
    }

    #[test]
    fn limits_are_named_with_the_value() {
        let one = |id: &str| StateSubscription {
            state: SubscriptionState::Pending,
            id: id.to_owned(),
        };
        let with = |subscriptions| State {
            subscriptions,
            ..State::absent("a@h")
        };
        with(vec![one(&"i".repeat(900)); 200]).check().unwrap();
        for (state, value) in [
            (with(vec![one("i"); 201]), "201"),
            (with(vec![one("i"), one(&"i".repeat(901))]), "901"),
            (State::absent("j".repeat(3072)), "3072"),
        ] {
            let error = state.check().unwrap_err();
            assert_eq!(error.kind(), Kind::TooLarge);
            assert!(error.message().contains(value), "{error}");
        }
        assert_eq!(State::absent("").check().unwrap_err().kind(), Kind::Invalid);
    }
}
