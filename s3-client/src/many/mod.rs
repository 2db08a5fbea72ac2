//! Many requests at once: some run while the others wait to be asked for, so that memory does not grow with them.
//!
//! *Problem:* A reader of results that pauses must not let the deadlines of requests under way pass. *Decision:* The
//! requests are tasks, and results that were not read count as running, so that memory does not grow with the number of
//! keys. What a store refuses in part becomes a further round, under the rules for attempts: the same pauses, stock,
//! deadline and rate. Keys that XML cannot carry are deleted one by one. *Cost:* A spawned task for each request.

mod batches;
mod bounded;
mod delete;
mod get;
mod purge;
mod put;

pub use batches::ObjectId;
pub use bounded::Results;
use bounded::{boxed, of_iter};
pub use delete::{DeleteMany, DeleteSummary, Deletions, Removed};
pub use get::{GetListed, GetMany};
pub use purge::{Purge, PurgePosition, PurgeStep, PurgeSteps, PurgeSummary};
pub use put::PutMany;

/// How many requests run at once unless it is said: as many as a pool has connections by default.
const CONCURRENCY: usize = 64;
