//! The limiter under load, in virtual time.

mod load;
mod world;
