//! The client over a store: the emulator, or a real server where the environment names one.

mod buckets;
mod config;
mod failures;
mod files;
mod links;
mod listing;
mod multipart;
mod objects;
mod raw;
#[cfg(feature = "reqwest")]
mod reqwest;
mod robust;
mod signing;
mod store;
