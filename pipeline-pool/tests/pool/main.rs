//! The pool against servers whose every byte a test decides.

mod choice;
mod peer;
mod requests;
