//! The servers behave as their options say, and the clients send what they are to send: figures mean
//! nothing otherwise.

#![allow(clippy::unwrap_used)]

mod clients;
mod jobs;
mod server;
