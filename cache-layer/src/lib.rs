//! A cache on memcached.
//!
//! The crate has these parts:
//!
//! - [`Memcached`] is a client of several servers as one cache. It pipelines the commands of all tasks over few
//!   connections, ejects servers that fail, and does not serve what it has changed while one was away; see the
//!   [module](memcached).
//! - [`Ring`] says where a key lives on a set of servers, by consistent hashing. It has three [`Mode`]s that other
//!   programs use and that disagree with each other: libmemcached's `KETAMA_WEIGHTED` (the default), the original
//!   libketama, and libmemcached's `KETAMA_SPY`. A ring never changes; when the list of servers changes, another is
//!   built.
//! - [`Server`] is a host, a port and a weight, or a unix socket. It is read from `host:port`, from `host:port weight`,
//!   or, with [`parse_list`], from a libketama server file.
//! - [`Cache`] reads through to whatever a loader of the caller fetches, and has every write delete what it makes old. It
//!   says what that promises to this process and to others.
//!
//! The crate knows nothing of what is cached.
//!
//! The Cargo feature `tls` brings TLS to the servers, by rustls with ring; `local` keeps entries in the memory of the
//! process too; `lz4` compresses large bodies.
//!
//! The ring can be used by itself:
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

// On docs.rs each item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod counters;
mod ketama;
mod list;
pub mod memcached;
mod server;
mod through;

/// The longest of all times, 30 years. An instant that far away can still be told.
const MAX_DURATION: std::time::Duration = std::time::Duration::from_secs(30 * 365 * 24 * 60 * 60);

pub use ketama::{Mode, ModeError, Point, Points, Ring, RingError, Successors};
pub use list::{ListError, parse_list};
pub use memcached::Memcached;
pub use server::{DEFAULT_PORT, Server, ServerError};
pub use through::{
    Cache, CacheBuilder, CacheStats, ConfigError, Entry, Found, Loaded, Missed, Name, Prices,
    Saved, Source, Want, Writing,
};
