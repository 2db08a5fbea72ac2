//! The program as its users start it, on an emulator.

mod common;
mod names;
mod release;
mod sync;
mod told;
mod use_of_it;
