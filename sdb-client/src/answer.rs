//! Answers: what requests come to, and the streams that lists and selections give.
//!
//! [`Item`](crate::Item) and [`Usage`](crate::Usage), which many answers have, are at the root. The table of
//! [`request`](crate::request) says which request has which answer.
//!
//! | about | types |
//! |---|---|
//! | an item that was read | [`Fetched`] |
//! | an item that was updated | [`Updated`] |
//! | batches | [`Batches`], [`BatchOutcome`], and [`BatcherStats`] of a [`Batcher`](crate::Batcher) |
//! | a domain | [`Metadata`] |
//! | lists of domains | pages [`DomainPage`], streams [`Domains`], [`DomainPages`] |
//! | selections | pages [`SelectPage`], streams [`Items`], [`SelectPages`] |
//! | counts | [`Count`], stream [`Counts`] |
//! | what many requests cost together | [`TotalUsage`] |
//! | what kind of failure an error of the service is | [`Class`] |

pub use aws_core::Class;

pub use crate::batch::{BatchOutcome, Batches};
pub use crate::batcher::BatcherStats;
pub use crate::ops::domains::{DomainPage, DomainPages, Domains};
pub use crate::ops::get::Fetched;
pub use crate::ops::metadata::Metadata;
pub use crate::ops::select::{Count, Counts, Items, SelectPage, SelectPages};
pub use crate::update::Updated;
pub use crate::usage::TotalUsage;
