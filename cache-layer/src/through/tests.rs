//! Reads and writes through a memcached that does as it is told.

mod process;
mod reads;
mod server;
mod shared;
mod writes;

use std::time::Duration;

use super::read::Want;

const TTL: Duration = Duration::from_secs(60);
/// How long a doubt lasts by the settings of these tests.
const DOUBT: Duration = Duration::from_secs(72);
const GET: Want = Want {
    operation: "Get",
    refresh: false,
    terms: 0,
};
