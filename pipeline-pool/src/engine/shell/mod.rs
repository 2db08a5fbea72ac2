//! The shell does what the core decides: it holds the locks, the tasks, the timers and the sockets.

pub(crate) mod counters;
mod deferred;
mod dial;
mod driver;
pub(crate) mod endpoint;
pub(crate) mod extra_permit;
mod gather;
mod member;
pub(crate) mod open;
pub(crate) mod permits;
mod read_buffer;
pub(crate) mod runtimes;
pub(crate) mod sending;
pub(crate) mod spare_buffers;
#[cfg(test)]
pub(crate) mod testing;
mod watchdog;
