//! A client for memcached: many servers as one cache, sharded by [ketama](crate::Ring).
//!
//! - **It pipelines.** A few connections to each server carry the commands of all tasks, on the engine of
//!   [`pipeline_pool`]. A reply reaches the command that it belongs to, or nobody.
//! - **It speaks two protocols**, the meta and the classic one, the second for old servers and proxies. Which one it is
//!   is found out when a connection opens, or [set](MemcachedBuilder::dialect).
//! - **It takes any key** ([`Key`]), and values up to the limit of the server, or [split](MemcachedBuilder::split) beyond
//!   it.
//! - **Servers die and return.** A server that fails several times in a row is ejected. Its keys then miss, or move to
//!   the next server of the ring, by [choice](MemcachedBuilder::on_dead). One probe at a time finds out when it is back.
//! - **Nothing waits longer** than the [time of an operation](MemcachedBuilder::timeout).
//!
//! The binary protocol is not here, and with it SASL; neither are UDP and compression.
//!
//! # What a returning server has
//!
//! A server that was out of reach comes back with what it had, and some of that has changed. Each change that this client
//! could not make, or does not know to have been made, is noted: a delete of that key is *owed*. The server is used again
//! once everything that it is owed has been done, and an owed key is absent to this client in the meantime. If more is
//! owed than [fits](MemcachedBuilder::max_owed), the server is emptied before it is used, and once more a second later if
//! one of the changes may still run. So **what this client has set or deleted while a server was away is not undone by its
//! return**. If all writers are clients of this kind, that holds for all of them once each has reached the server.
//!
//! Where another server [stands in](OnDead::Next), each server that was passed over is told which other has, or may have,
//! an entry of the key. That entry is deleted too before the first server is used again, so an entry that was stored in
//! place of another does not outlive it.
//!
//! Some things are not promised. What other programs have changed, or a process of this program that has ended since, can
//! be read until its time to live is over. So can what went elsewhere while programs disagreed on which servers there are.
//! A write that was sent and not answered may run when a server that was stopped goes on. Its key is owed one delete when
//! the server is back and another a second later, so only a server that is slower than that with one command and quick
//! with another brings it back. All this needs entries to have a time to live.
//!
//! # Changing the list of servers
//!
//! The list comes from the builder, or from a [file](MemcachedBuilder::servers_file) that is read again when it changes. A
//! server that leaves the list and comes back to it is emptied first, by each client that saw it leave. Keys that move
//! between servers that stay leave their entries behind. If the list changes back within their time to live, those are
//! read again; [`Cache`](crate::Cache) does not believe them where its own process has written.
#![doc = concat!("\n# ", include_str!("idempotency.md"))]

/// Lets a request be awaited as it is. `awaitable!(Touch, bool)` writes `impl IntoFuture for Touch` with the output
/// `Result<bool>`, whose future is that of `Touch::send`.
macro_rules! awaitable {
    ($request:ty, $output:ty) => {
        impl std::future::IntoFuture for $request {
            type Output = $crate::memcached::Result<$output>;
            type IntoFuture =
                std::pin::Pin<Box<dyn std::future::Future<Output = Self::Output> + Send>>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.send())
            }
        }
    };
}

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod check {
    //! What is to hold for any bytes.

    /// See the tests of the protocols.
    pub fn answers(data: &[u8]) {
        super::wire::testing::answers(data);
    }
}

mod begin;
mod builder;
mod client;
mod error;
mod health;
mod key;
mod node;
mod ops;
mod split;
mod stats;
mod topology;
mod value;
mod wire;

pub use builder::{Dialect, MemcachedBuilder, OnDead};
pub use client::Memcached;
pub use error::{Error, Kind, Result};
pub use key::Key;
pub use ops::{
    Count, Delete, EachServer, Fill, Flush, FoundMany, Get, GetLease, GetMany, Inspect, Store,
    Touch,
};
pub(crate) use ops::{claim, fetch_value};
pub use stats::{ServerState, ServerStats};
pub use value::{Lease, Leased, Stored, Value};
pub(crate) use wire::Fetch;
