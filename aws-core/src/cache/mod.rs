//! Operations through a cache: what is answered from it, and what a write makes old.
//!
//! An operation that can be answered from a cache says so by the trait [`Cacheable`]; what every operation changes it
//! says by [`Operation::changes`](crate::Operation::changes), cache or not. With the feature `cache`, a client that is
//! given a cache holds a `Through`, and runs its operations by that instead of by its [`Dispatch`](crate::Dispatch).
//!
//! **Whose entries they are.** An owner's name is a digest keyed by the secret of its credentials: who knows the access
//! key alone finds nothing, and new keys begin with no entries. The digest is all of them that reaches memcached.
//!
//! **Which server they are of** is what the endpoint says, host and port, whatever name a request is sent to. A store
//! that clients reach under several names has entries under each of them, and a write under one name is not seen under
//! another before the time to live is over: give all clients the same endpoint.
//!
//! **What is kept** is an answer that the operation could parse. What cannot be parsed when it comes from the cache is
//! deleted, and asked for anew. Header fields that a [middleware](crate::event::Middleware) adds are not looked at: an
//! answer that such a field changes, a range for example, would be kept as that of all, so a middleware must not add
//! one to clients with a cache. `CacheMode::Past` and fields of the request's own go past it.
//!
//! **The time of a request is its own.** What it shares with others is loaded in a task, with the client's time for an
//! operation, or the request's own where that is longer; the request waits for it no longer than its own time.

mod cacheable;
#[cfg(feature = "cache")]
mod load;
#[cfg(feature = "cache")]
mod policy;
#[cfg(feature = "cache")]
mod through;

pub use self::cacheable::{Cacheable, Lookup, Snapshot};
#[cfg(feature = "cache")]
pub use self::policy::Settings;
#[cfg(feature = "cache")]
pub use self::through::Through;
#[cfg(feature = "cache")]
pub use crate::overrides::CacheMode;
