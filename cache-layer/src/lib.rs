//! Where a key lives on a set of memcached servers.
//!
//! This is the lowest part of a read-through cache: pure functions from a list of
//! servers and a key to the server that should hold it.
//!
//! **In scope now**
//!
//! - [`Server`]: a host, a port and a weight, read from `host:port`, from
//!   `host:port weight`, or, with [`parse_list`], from a libketama server file.
//! - [`Ring`]: consistent hashing in three [`Mode`]s that other programs use and
//!   that disagree with each other: libmemcached's `KETAMA_WEIGHTED` (the default),
//!   the original libketama, and libmemcached's `KETAMA_SPY`.
//! - [`Ring::successors`]: the servers to try after the first one, in ring order.
//!
//! **Not here**: connections, the memcached protocol, storing or reading entries,
//! expiry, health checks, name resolution, and any decision to fail over. A ring
//! never changes; when the server list changes, build another.
//!
//! ```
//! use cache_layer::{Mode, Ring, parse_list};
//!
//! let servers = parse_list(
//!     "# server        weight\n\
//!      10.0.1.1:11211\t600\n\
//!      10.0.1.2:11211\t300\n\
//!      [::1]:11212\t300\n",
//! )?;
//! let ring = Ring::new(Mode::default(), &servers)?;
//!
//! let first = ring.server(b"bucket/photo.jpg");
//! println!("ask {}", servers[first]);
//!
//! let order: Vec<usize> = ring.successors(b"bucket/photo.jpg").collect();
//! assert_eq!(order[0], first);
//! assert_eq!(order.len(), servers.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ketama;
mod list;
mod server;

pub use ketama::{Mode, ModeError, Point, Points, Ring, RingError, Successors};
pub use list::{ListError, parse_list};
pub use server::{DEFAULT_PORT, Server, ServerError};
