//! Reading through the cache.

mod cache;
mod core;
mod entry;
mod flight;
mod lead;
#[cfg(feature = "local")]
mod local;
#[cfg(test)]
mod model;
mod name;
mod read;
mod servers;
mod shelf;
mod stats;
mod steps;
#[cfg(test)]
mod tests;
mod trust;
mod write;

pub use cache::{Cache, CacheBuilder, ConfigError, Writing};
pub use entry::Entry;
pub use name::Name;
pub use read::{Found, Loaded, Missed, Source, Want};
pub use stats::{CacheStats, Prices, Saved};
