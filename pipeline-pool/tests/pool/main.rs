//! The pool against servers whose every byte a test decides.

#![allow(clippy::unwrap_used)]
#![cfg(feature = "http1")]

mod bodies;
mod burst;
mod choice;
mod cut;
mod endings;
mod expect;
mod generic;
mod limits;
mod origins;
mod peer;
mod requests;
mod runtimes;
mod storm;
mod transports;
