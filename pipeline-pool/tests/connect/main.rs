//! Opening connections: names, addresses, other people's connectors, proxies and unix sockets.

#![allow(clippy::unwrap_used)]
#![cfg(feature = "http1")]

mod proxies;
mod servers;
mod ways;
