//! What is read, and what becomes of what is stored.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pipeline_pool::ConnectionId;

use super::key::WireKey;
use super::node::Node;
use super::wire::Item;

/// The longest time to live, in seconds, that memcached takes for one. It takes a larger number for a date.
const MAX_RELATIVE_SECONDS: u64 = 30 * 24 * 60 * 60;

/// A value as it was read.
///
/// The bytes are a piece of what one read brought, and keep all of that in memory: copy them to
/// keep them for long.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Value {
    /// The bytes of the value.
    pub data: Bytes,
    /// The number that was stored with the bytes. Its meaning is up to the one who stored it.
    pub flags: u32,
    /// The number that [`Store::cas`](super::Store::cas) takes to store only if nobody else has since. It is there if
    /// it was asked for.
    pub cas: Option<u64>,
}

impl From<Item> for Value {
    fn from(item: Item) -> Self {
        Self {
            data: item.data,
            flags: item.flags,
            cas: item.cas,
        }
    }
}

/// The bytes are left out.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value")
            .field("bytes", &self.data.len())
            .field("flags", &self.flags)
            .field("cas", &self.cas)
            .finish()
    }
}

/// What became of a value that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stored {
    /// The value is stored.
    Stored,
    /// The value is not stored, since there was an entry (add), or none (replace, append, prepend).
    NotStored,
    /// The value is not stored, since the entry has been changed since it was read (cas, fill).
    Exists,
    /// The value is not stored, since the entry has gone since it was read (cas, fill).
    NotFound,
}

impl Stored {
    /// Whether the value is stored.
    pub fn is_stored(self) -> bool {
        self == Self::Stored
    }
}

/// The right to fill an entry, granted to one caller at a time by the server.
///
/// It is good for one [`fill`](super::Memcached::fill), on the connection that granted it: numbers
/// of a server that was restarted begin anew, so that an old one could be taken for a new. A
/// delete of the entry voids it.
#[derive(Clone)]
pub struct Lease {
    pub(crate) node: Arc<Node>,
    pub(crate) connection: ConnectionId,
    pub(crate) key: WireKey,
    pub(crate) cas: u64,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field(
                "key",
                &format_args!("\"{}\"", self.key.placed().escape_ascii()),
            )
            .field("server", &format_args!("{}", self.node.server))
            .finish_non_exhaustive()
    }
}

/// This is what [`get_lease`](super::Memcached::get_lease) found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Leased {
    /// The server has a value.
    Hit {
        /// The value that is stored.
        value: Value,
        /// Whether it was marked stale by [`Delete::stale`](super::Delete::stale).
        stale: bool,
        /// The right to fill it anew, if this caller is asked to, since it is stale or near the end of its time.
        refill: Option<Lease>,
    },
    /// There is no value, and this caller is asked to fill the entry.
    Miss(Lease),
    /// There is no value, and another caller is about to fill the entry.
    Wait,
    /// There is no value and nothing can be filled, since the server is away, or what it has is not to be believed
    /// yet.
    Away,
}

/// Gives a time to live as memcached takes it; `None` means for ever. Parts of a second count as a whole one, zero as
/// a time that is over. More than 30 days become a date, by the clock of this machine. Dates have 31 bits and end in
/// January 2038: what would last longer lasts until then, or for 30 days, whichever is later.
pub(crate) fn exptime(ttl: Option<Duration>) -> i32 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
    exptime_at(ttl, now.map_or(0, |now| now.as_secs()))
}

/// Does as [`exptime`], at this second since 1970.
fn exptime_at(ttl: Option<Duration>, now: u64) -> i32 {
    const LAST_DATE: u64 = i32::MAX as u64;
    let Some(ttl) = ttl else {
        return 0;
    };
    let seconds = ttl
        .as_secs()
        .saturating_add(u64::from(ttl.subsec_nanos() > 0));
    let told = match seconds {
        0 => return -1,
        1..=MAX_RELATIVE_SECONDS => seconds,
        _ if now.saturating_add(MAX_RELATIVE_SECONDS) >= LAST_DATE => MAX_RELATIVE_SECONDS,
        _ => seconds.saturating_add(now).min(LAST_DATE),
    };
    i32::try_from(told).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_live_in_memcacheds_terms() {
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(exptime(None), 0);
        assert_eq!(exptime(Some(Duration::ZERO)), -1);
        assert_eq!(exptime(Some(Duration::from_nanos(1))), 1);
        assert_eq!(exptime(Some(Duration::from_millis(1001))), 2);
        assert_eq!(exptime(Some(30 * day)), 2_592_000);
        let date = exptime(Some(31 * day));
        let now = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_secs();
        assert!((i64::from(date) - (now as i64 + 31 * 86_400)).abs() < 60);
        assert_eq!(exptime_at(Some(Duration::MAX), 1_800_000_000), i32::MAX);
    }

    #[test]
    fn when_dates_end_what_is_stored_lives_for_30_days() {
        let day = Duration::from_secs(24 * 60 * 60);
        // 1 March 2038.
        let now = 2_151_014_400;
        assert_eq!(exptime_at(Some(31 * day), now), 2_592_000);
        assert_eq!(exptime_at(Some(29 * day), now), 2_505_600);
        // Five days before the last date, which would come sooner.
        assert_eq!(
            exptime_at(Some(40 * day), i32::MAX as u64 - 432_000),
            2_592_000
        );
    }

    #[test]
    fn values_are_not_in_debug() {
        let value = Value {
            data: Bytes::from_static(b"hidden"),
            ..Value::default()
        };
        assert!(!format!("{value:?}").contains("hidden"));
    }
}
