//! The pool against servers whose every byte a test decides.

#![allow(clippy::unwrap_used)]

mod choice;
mod peer;
mod requests;
