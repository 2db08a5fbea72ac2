//! The client over a store: the emulator, or a real server where the environment names one.

mod access;
mod acl;
mod answers;
mod attributes;
mod auto_answers;
mod auto_signature;
mod buckets;
#[cfg(feature = "cache")]
mod cached;
#[cfg(feature = "tls")]
mod certificates;
mod completion;
mod config;
mod copies;
mod delete;
mod delete_many;
#[cfg(feature = "fs")]
mod digests;
mod download;
mod dropped;
mod encryption;
mod environment;
mod errors;
mod failures;
mod fields;
mod files;
mod get;
mod hosts;
mod integrity;
mod links;
mod listing;
mod locks;
mod many;
mod meddler;
#[cfg(feature = "cache")]
mod memcached;
#[cfg(target_os = "linux")]
mod memory;
mod multipart;
mod object_attributes;
mod objects;
mod owners;
mod parallel;
mod peer;
mod proxies;
mod purge;
mod raw;
#[cfg(feature = "reqwest")]
mod reqwest;
mod restore;
mod resume;
mod robust;
mod signing;
mod store;
mod tagging;
mod transfer;
#[cfg(feature = "cache")]
mod uncached;
mod upload;
mod versions;
