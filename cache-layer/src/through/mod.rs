//! The read-through cache.

mod backend;
mod cache;
mod core;
mod entry;
mod flight;
mod lead;
#[cfg(feature = "local")]
mod local;
mod name;
mod read;
mod stats;
mod steps;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trust;
mod write;

pub use cache::{Cache, CacheBuilder, ConfigError, Writing};
pub use entry::Entry;
pub use name::Name;
pub use read::{Found, Loaded, Missed, Source, Want};
pub use stats::{CacheStats, Prices, Saved};
