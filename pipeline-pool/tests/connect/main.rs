//! Opening connections: names, addresses, other people's connectors, proxies and unix sockets.

#![cfg(feature = "http1")]

mod proxies;
mod servers;
mod ways;
