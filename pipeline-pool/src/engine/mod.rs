//! The engine: which connection a request goes to, and what becomes of it there.
//!
//! What decides is sans-IO and has no clock: [`Pipeline`](pipeline::Pipeline) (one connection's
//! order), [`Line`](line::Line) (who waits), [`State`](state::State) (which connection) and
//! [`Growth`](growth::Growth) (when one more is opened). The [`Driver`](driver::Driver) is the only place that touches a socket.

pub(crate) mod call;
pub(crate) mod config;
pub(crate) mod deferred;
pub(crate) mod driver;
pub(crate) mod endpoint;
pub(crate) mod entry;
pub(crate) mod growth;
pub(crate) mod keeper;
pub(crate) mod learn;
pub(crate) mod line;
pub(crate) mod opening;
pub(crate) mod permits;
pub(crate) mod pipeline;
pub(crate) mod ranks;
pub(crate) mod room;
pub(crate) mod sending;
pub(crate) mod slot;
pub(crate) mod spare;
pub(crate) mod state;
#[cfg(test)]
pub(crate) mod testing;
