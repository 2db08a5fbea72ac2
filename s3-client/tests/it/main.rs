//! The client over a store: the emulator, or a real server where the environment names one.

mod answers;
mod attributes;
mod buckets;
#[cfg(feature = "cache")]
mod cached;
mod config;
mod copies;
#[cfg(feature = "fs")]
mod digests;
mod failures;
mod fields;
mod files;
mod hosts;
mod integrity;
mod links;
mod listing;
mod locks;
mod many;
#[cfg(feature = "cache")]
mod memcached;
#[cfg(target_os = "linux")]
mod memory;
mod multipart;
mod objects;
mod owners;
mod parallel;
mod peer;
mod raw;
#[cfg(feature = "reqwest")]
mod reqwest;
mod robust;
mod signing;
mod store;
mod transfer;
mod versions;
