//! Trees of files and buckets brought level by content, and releases that nodes follow.

#![forbid(unsafe_code)]

mod digest;
mod error;
mod etag;
mod filter;
mod index;
mod listing;
pub mod names;
mod plan;
mod record;
pub mod release;
mod run;
mod state;
mod step;
mod tree;
mod url;

pub use digest::{Digest, NoDigest};
pub use error::{Error, Kind, Result};
pub use filter::{Newer, Patterns, Rules, SizeRange};
pub use plan::compare::Trust;
pub use plan::guard::MaxDelete;
pub use plan::price::Price;
pub use run::{Action, Event, Options, Report, Side, Sync, keys_of, sync};
pub use step::Step;
pub use tree::{INDEX_NAME, Links, Skipped};
pub use url::Url;
