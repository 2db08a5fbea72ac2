//! The state of an XMPP server in S3 and SimpleDB.

#![forbid(unsafe_code)]
#![allow(
    dead_code,
    unused_imports,
    reason = "the stores that use it are to come"
)]

mod auth;
mod error;
mod jid;
mod last;
mod layout;
mod names;
mod offline;
mod privacy;
mod private;
mod record;
mod remove;
mod roster;
mod stores;
mod vcard;
mod version;

pub use self::auth::{Auth, ScramKeys, Secret, Selection};
pub use self::error::{Error, Kind, Result};
pub use self::jid::BareJid;
pub use self::last::{Last, LastActivity};
pub use self::layout::{DEFAULT_SHARDS, Layout, MAX_SHARDS};
pub use self::offline::{Offline, OfflineId, OfflineMessage};
pub use self::privacy::{
    Privacy, PrivacyAction, PrivacyItem, PrivacyList, PrivacyLists, PrivacyStanzas, PrivacySubject,
};
pub use self::private::Private;
pub use self::roster::{
    Ask, Roster, RosterChange, RosterEntry, RosterExpectation, RosterItem, RosterItemVersion,
    RosterWrite, Subscription,
};
pub use self::stores::{Reads, Stores, StoresBuilder};
pub use self::vcard::{FoundVcard, Vcard, VcardField, VcardQuery, Vcards};
