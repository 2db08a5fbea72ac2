//! The SimpleDB half over raw connections, with requests signed by these tests.

// Helpers here are tests too.
#![allow(clippy::unwrap_used)]

mod bench;
mod clients;
mod disk;
mod modes;
#[path = "../support/program.rs"]
mod program;
mod protocol;
#[path = "../support/clients.rs"]
mod python;
mod refusals;
mod selects;
#[path = "../support/wire.rs"]
mod wire;
