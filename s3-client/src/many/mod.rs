//! Many requests at once: some run while the others wait to be asked for, so that memory does not grow with them.

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
