//! Releases on the emulator.
#![allow(clippy::unwrap_used)]

mod anywhere;
mod expand;
mod follow;
mod gc;
mod hooks;
mod lies;
mod moves;
#[cfg(feature = "cli")]
mod program;
mod publish;
mod publishers;
mod requests;
mod simpledb;
mod take_over;
mod trust;
mod world;
