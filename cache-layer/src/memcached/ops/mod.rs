//! What can be asked, one file for each kind.

mod count;
mod delete;
mod each;
mod get;
mod inspect;
mod lease;
mod many;
mod store;
mod touch;

pub use count::Count;
pub use delete::Delete;
pub use each::{EachServer, Flush};
pub use get::Get;
pub(crate) use get::fetch_value;
pub use inspect::Inspect;
pub(crate) use lease::claim;
pub use lease::{Fill, GetLease};
pub use many::{FoundMany, GetMany};
pub use store::Store;
pub use touch::Touch;

use super::error::Error;
use super::node::Node;
use super::wire::{Outcome, line};

/// The error of a change that would leave an entry on a stand-in that nobody would delete.
const NO_ROOM_TEXT: &str = "servers are ejected, and too much was changed meanwhile";

/// The error of an answer that the protocol allows and this operation does not.
fn strange(node: &Node, outcome: &Outcome) -> Error {
    let text = line::bad(format!("an answer that does not belong here: {outcome:?}"));
    Error::of_pool(text).at(&node.server).seen()
}
