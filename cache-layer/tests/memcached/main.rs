//! The client against real memcached servers, on ports and sockets of their own.

#![allow(clippy::unwrap_used)]

mod commands;
mod keys;
mod leases;
mod server;
