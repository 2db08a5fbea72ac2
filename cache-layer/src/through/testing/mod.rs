//! What the tests of the cache stand on: a memcached that does as it is told, processes that use it, and the model that
//! takes the rules through all orders of events.

pub(super) mod model;
pub(super) mod process;
pub(super) mod server;

use std::time::Duration;

use super::read::Want;

pub(super) const TTL: Duration = Duration::from_secs(60);
/// How long a doubt lasts by the settings of these tests.
pub(super) const DOUBT: Duration = Duration::from_secs(72);
pub(super) const GET: Want = Want {
    operation: "Get",
    refresh: false,
    terms: 0,
};
