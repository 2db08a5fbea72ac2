//! The client against real memcached servers, on ports and sockets of their own.

#![allow(clippy::unwrap_used)]

mod access;
mod commands;
mod failures;
mod follow;
mod interop;
mod keys;
mod leases;
mod list;
mod scripted;
mod server;
mod slow;
mod through;
