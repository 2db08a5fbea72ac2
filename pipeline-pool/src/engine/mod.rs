//! The engine: which connection a request goes to, and what becomes of it there.
//!
//! [`core`] decides and has neither a clock nor a socket; [`shell`] does what it says.

pub(crate) mod config;
pub(crate) mod core;
pub(crate) mod shell;
