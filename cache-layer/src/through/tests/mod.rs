//! Reads and writes through a memcached that does as it is told.

mod reads;
mod shared;
mod writes;
