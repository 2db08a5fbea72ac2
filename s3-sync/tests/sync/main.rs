//! Runs between folders and an emulator.

mod bad_input;
mod common;
mod copies;
mod guards;
mod level;
mod random;
mod tags;
