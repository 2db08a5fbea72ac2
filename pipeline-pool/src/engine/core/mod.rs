//! The core decides, and touches nothing: no socket, no clock, no task.
//!
//! It is told what happens by `handle_*` with the instant at which it happens, and says by `poll_*`
//! what is to be done. So all that it decides is tested in virtual time, in `core/testing/world`.
//!
//! | what is decided | where |
//! |---|---|
//! | which connection a request goes to, when one more is opened | [`scheduler`], of [`connections`], [`queue`], [`growth`] |
//! | what goes out on a connection, whose a reply is, what a failure means for each request | [`pipeline`] |
//! | which endpoint gets the next socket under the cap they share | [`permits`] |
//! | how deep connections are pipelined | [`depth`] |
//! | whether a late request is sent a second time | [`hedging`] |
//! | how long nothing is opened after failures | [`backoff`] |
//! | what the caller of a request hears, and how often | [`call`], [`ticket`] |

pub(crate) mod action;
pub(crate) mod backoff;
pub(crate) mod call;
pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod depth;
pub(crate) mod growth;
pub(crate) mod hedging;
pub(crate) mod permits;
pub(crate) mod pipeline;
pub(crate) mod queue;
pub(crate) mod ranks;
pub(crate) mod refusal;
pub(crate) mod scheduler;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod ticket;
