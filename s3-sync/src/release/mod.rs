//! Releases: a tree of files that is published once, and that nodes change to whole.
//!
//! [`App`] is an application below a prefix of a bucket. [`App::publish`] makes a release of a folder, [`App::follow`] has a
//! node run what the pointer names, [`App::rollback`] and [`App::promote`] move the pointer, [`App::status`] tells who runs
//! what, [`App::releases`] which releases there are, [`App::expand`] copies one to where a web server finds it, and [`App::gc`] removes
//! what no release has.
//!
//! ```text
//!   publish ──► blobs/ ──► releases/N ──► history/S ──► current ──► follow: N.tmp ──► N ──► current@ ──► commands
//!               contents    manifest      the move      its copy            a folder  whole   the link
//! ```
//!
//! Each arrow is one thing that is done whole or not at all, and all that it names is there before. So whoever is killed
//! anywhere leaves a store and nodes that are in order, and what was done need not be done again.

mod expand;
mod follow;
mod gc;
mod layout;
mod list;
mod manifest;
mod moves;
mod pointer;
mod publish;
mod reports;
mod sign;
mod status;
mod store;
mod sweeps;

pub use self::expand::{Expand, Expanded};
pub use self::follow::{Follow, Follower, Hooks, Moved, NodeReport, Notice, Release};
pub use self::gc::{Collected, Gc};
pub use self::layout::{Channel, check_node};
pub use self::list::{AboutRelease, ListedRelease};
pub use self::manifest::{Bounds, Changes, FileEntry, Manifest};
pub use self::moves::{Move, Moving};
pub use self::pointer::{Cause, Place, Pointer, Target};
pub use self::publish::{Publish, PublishEnd, Published};
pub use self::sign::{SignKey, TrustKey};
pub use self::status::{Status, Waited};
pub use self::store::App;
pub use self::sweeps::Waiting;
pub use crate::step::Step;
