//! The client over a store: the emulator, or a real server where the environment names one.

mod buckets;
mod config;
mod failures;
mod files;
mod listing;
mod multipart;
mod objects;
#[cfg(feature = "reqwest")]
mod reqwest;
mod store;
