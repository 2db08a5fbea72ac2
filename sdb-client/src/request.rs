//! Requests, and what their setters take.
//!
//! Each is made by a method of [`Domain`](crate::Domain) or of [`SdbClient`](crate::SdbClient), and sent by `.await` or
//! by its `send`.
//!
//! | made by | request | answer |
//! |---|---|---|
//! | `get` | [`Get`] | [`Fetched`](crate::answer::Fetched) |
//! | `put`, `put_item` | [`Write`] of a [`PutItem`](crate::PutItem) | [`Usage`](crate::Usage) |
//! | `delete` | [`Write`] of a [`DeleteItem`](crate::DeleteItem) | [`Usage`](crate::Usage) |
//! | `create` | [`Write`] of [`CreateDomain`] | [`Usage`](crate::Usage) |
//! | `delete_domain` | [`Write`] of [`DeleteDomain`] | [`Usage`](crate::Usage) |
//! | `batch_put`, `batch_delete` | [`Batch`] | [`Batches`](crate::answer::Batches) |
//! | `batcher` | [`BatcherBuilder`] | a [`Batcher`](crate::Batcher) |
//! | `put` of a batcher | [`QueuedPut`] | [`Usage`](crate::Usage) |
//! | `update` | [`Update`] of a [`Change`] | [`Updated`](crate::answer::Updated) |
//! | `metadata` | [`DomainMetadata`] | [`Metadata`](crate::answer::Metadata) |
//! | `list_domains` | [`ListDomains`] | [`DomainPage`](crate::answer::DomainPage), or a stream |
//! | `select` | [`Select`] | [`SelectPage`](crate::answer::SelectPage), or a stream |
//! | `select(…).counts` | [`Counting`] | [`Counts`](crate::answer::Counts), a stream |
//!
//! What setters take: [`RetryConfig`] (`retry`), and `CacheMode` (`cache`, with the feature of this name). Requests of
//! exports are in the module `export`.

pub use aws_core::RetryConfig;
#[cfg(feature = "cache")]
pub use aws_core::cache::CacheMode;

pub use crate::batcher::{BatcherBuilder, QueuedPut};
pub use crate::ops::batch::Batch;
pub use crate::ops::domains::ListDomains;
pub use crate::ops::get::Get;
pub use crate::ops::metadata::DomainMetadata;
pub use crate::ops::select::{Counting, Select};
pub use crate::ops::write::{CreateDomain, DeleteDomain, Write};
pub use crate::update::{Change, Update};
