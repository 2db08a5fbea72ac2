//! The settings of a pool: what each means, its default and its range.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "http1")]
use crate::connect::Proxy;
use crate::connect::{Connect, Resolve, Settings};
use crate::engine::config::{Config, FOREVER, narrow};
#[cfg(feature = "tls")]
use crate::error::Error;
use crate::event::{Event, Hook};
#[cfg(feature = "http1")]
use crate::http1::decode::Limits;
use crate::origin::Origin;
#[cfg(feature = "http1")]
use crate::pool::HttpPool;
use crate::protocol::{Begin, Protocol};
use crate::single::Pool;

/// What the builders of all pools have.
macro_rules! settings {
    () => {
        /// The most connections to one origin, at every instant; at least 1. They are opened as they
        /// are wanted.
        ///
        /// Without this there are 64 at most, and up to 128 at an origin where so many replies are late
        /// that requests wait behind them, as long as callers are served faster by the others.
        ///
        /// At an origin that answers at least 20,000 requests per second, where at least 512 are in flight, an
        /// eighth of this number (of the 64) is tried, but at least 8 connections, and kept to as long as they serve
        /// more requests per second. The other requests wait in the pool meanwhile, and count toward
        /// [`max_waiters`](Self::max_waiters). That is never done where this number is below 16, where the fewer
        /// connections could hold fewer than 256 requests ([`max_pipeline`](Self::max_pipeline)), or with
        /// [`fixed_pipeline`](Self::fixed_pipeline).
        ///
        /// A server that works one connection's requests in order serves as many at once as there are
        /// connections; beyond some dozens the server's cost of each outweighs the gain.
        pub fn max_connections(mut self, n: usize) -> Self {
            self.config.max_connections = n.max(1);
            self.config.usual_connections = self.config.max_connections;
            self.config.narrow_connections = narrow(self.config.max_connections);
            self
        }

        /// The most requests in flight on one connection. Defaults to 32; 1 to 1,024; 1 turns
        /// pipelining off.
        ///
        /// Up to this bound the depth is learnt for each origin from how long callers wait for their
        /// replies, the wait for a connection included. Only small repeatable requests are pipelined.
        /// They are once all connections are in use; and before that where so many replies come that
        /// sharing reads and writes makes them faster, which is learnt as well.
        pub fn max_pipeline(mut self, depth: usize) -> Self {
            self.config.max_depth = depth.clamp(1, 1024);
            self
        }

        /// Has connections pipelined to exactly this depth when all are in use; nothing is learnt.
        /// 1 to 1,024. Where [`max_connections`](Self::max_connections) says nothing, there are 64 then.
        pub fn fixed_pipeline(mut self, depth: usize) -> Self {
            self.config.fixed_depth = true;
            self.max_pipeline(depth)
        }

        /// The most connections that are opened at the same time. Defaults to 8, at least 1: a burst
        /// at the start does not become a storm of handshakes. The next is begun as soon as one is
        /// open.
        pub fn max_opening(mut self, n: usize) -> Self {
            self.config.max_opening = n.max(1);
            self
        }

        /// The most requests that wait for a connection to one origin; further ones fail with
        /// [`Kind::Busy`]($crate::Kind::Busy). Defaults to 100,000, at least 1: a request also waits while
        /// its connection is opened.
        pub fn max_waiters(mut self, n: usize) -> Self {
            self.config.max_waiters = n.max(1);
            self
        }

        /// How long a request may wait for a connection before it fails with
        /// [`Kind::WaitTimeout`]($crate::Kind::WaitTimeout). Defaults to 10 s. A request whose
        /// connection dies, and that is sent again, waits anew; all of its waits are within its
        /// [`timeout`](Self::timeout).
        pub fn wait_timeout(mut self, limit: Duration) -> Self {
            self.config.wait_timeout = limit.min(FOREVER);
            self
        }

        /// How long a request may take from being sent until the head of its answer is here, waiting
        /// and replays included. Defaults to 60 s; a request can have its own.
        pub fn timeout(mut self, limit: Duration) -> Self {
            self.config.timeout = limit.min(FOREVER);
            self
        }

        /// How long opening a connection may take: name resolution, TCP and TLS. Defaults to 5 s.
        pub fn connect_timeout(mut self, limit: Duration) -> Self {
            self.config.connect_timeout = limit.min(FOREVER);
            self
        }

        /// How long a server may take nothing of what is being written. Defaults to 20 s.
        pub fn write_timeout(mut self, limit: Duration) -> Self {
            self.config.write_timeout = limit.min(FOREVER);
            self
        }

        /// How long a connection whose server owes an answer may stay silent before it is given up.
        /// Defaults to 30 s. An answer that nobody waits for any more may take so long in all.
        pub fn first_byte_timeout(mut self, limit: Duration) -> Self {
            self.config.first_byte_timeout = limit.min(FOREVER);
            self
        }

        /// How long a server may pause within the body of an answer. Defaults to 30 s; the time that
        /// the body's reader takes does not count.
        pub fn body_timeout(mut self, limit: Duration) -> Self {
            self.config.body_timeout = limit.min(FOREVER);
            self
        }

        /// How long a connection without work is kept. Defaults to 15 s: S3 closes after about 20 s,
        /// and a connection closed under a request is what users of other pools report most.
        pub fn idle_timeout(mut self, limit: Duration) -> Self {
            self.config.idle_timeout = limit.min(FOREVER);
            self
        }

        /// How long a connection is used at all, so that changes in DNS are followed. Defaults to
        /// 10 minutes.
        pub fn max_age(mut self, limit: Duration) -> Self {
            self.config.max_age = limit.min(FOREVER);
            self
        }

        /// How often a repeatable request is sent again when its connection dies before the answer.
        /// Defaults to 2.
        pub fn max_replays(mut self, n: u8) -> Self {
            self.config.max_replays = n;
            self
        }

        /// Sends a request that only reads a second time, on another connection, when its answer or one
        /// before it on its connection is late: after twice the time that three in four answers of its
        /// origin take, and at least 5 ms after it was written. If the second one is late as well, there
        /// is a third. The first answer counts. `share` bounds the extra requests, as a share of all
        /// answers: 0.01 is one in a hundred. Defaults to 0, never; 0 to 1.
        pub fn hedge(mut self, share: f64) -> Self {
            self.config.hedge = if share.is_finite() {
                share.clamp(0.0, 1.0)
            } else {
                0.0
            };
            self
        }

        /// Has `hook` called when a connection is opened, cannot be opened, or is closed, with the
        /// name of its origin. It runs on the task of the connection, so it should be quick.
        pub fn on_event(mut self, hook: impl Fn(&str, &Event) + Send + Sync + 'static) -> Self {
            self.config.hook = Some(Hook(Arc::new(hook)));
            self
        }

        /// The most bytes that one read takes in, and four times as many while a large body comes whose
        /// length is known. Defaults to 64 KiB, at least 4 KiB. All connections of the pool share buffers of this
        /// size, and the pool keeps up to 16 that are not in use (1 MiB by default). A connection has one only while
        /// it reads or holds a part of a reply. One that has received a large body keeps up to two buffers of
        /// up to four times this size until it has been idle for a second. A reply that is kept keeps its whole buffer in memory.
        pub fn read_buffer(mut self, bytes: usize) -> Self {
            self.config.read_buffer = bytes.max(4 * 1024);
            self
        }

        /// Asks this for the addresses of hosts. Defaults to the system's resolver.
        ///
        /// Connections are spread over the addresses, the least used first. When one does not answer
        /// within 250 ms, the next is tried beside it
        /// ([RFC 8305](https://www.rfc-editor.org/rfc/rfc8305)) if the caps leave room for the socket;
        /// one that failed is tried last for a while, from a quarter of a second to half a minute.
        pub fn resolver(mut self, resolver: impl Resolve) -> Self {
            self.connect.resolver = Arc::new(resolver);
            self
        }

        /// How long the addresses of a host are taken for new before connections ask again. Defaults
        /// to 5 s, at least 100 ms; connections that open together share one lookup. Addresses serve
        /// for a minute longer while their host cannot be looked up.
        pub fn dns_ttl(mut self, limit: Duration) -> Self {
            self.connect.dns_ttl = limit.min(FOREVER);
            self
        }

        /// Trusts these roots, in PEM, instead of those that Mozilla ships; calls add up.
        ///
        /// # Errors
        /// [`Kind::Invalid`]($crate::Kind::Invalid) when there is none, or one cannot be read.
        #[cfg(feature = "tls")]
        pub fn tls_roots(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
            self.connect.identity.trust(pem.as_ref())?;
            Ok(self)
        }

        /// Trusts the roots that the system trusts instead of those that Mozilla ships; with
        /// [`tls_roots`](Self::tls_roots), both count. They are read now, which takes some
        /// milliseconds.
        ///
        /// # Errors
        /// [`Kind::Invalid`]($crate::Kind::Invalid) when the system has none.
        #[cfg(feature = "platform-roots")]
        pub fn tls_platform_roots(mut self) -> Result<Self, Error> {
            self.connect.identity.trust_platform()?;
            Ok(self)
        }

        /// Shows this certificate chain to servers that ask for one, with its key; both in PEM.
        ///
        /// # Errors
        /// [`Kind::Invalid`]($crate::Kind::Invalid) when one cannot be read, or they do not fit.
        #[cfg(feature = "tls")]
        pub fn tls_client(
            mut self,
            chain: impl AsRef<[u8]>,
            key: impl AsRef<[u8]>,
        ) -> Result<Self, Error> {
            self.connect.identity.client(chain.as_ref(), key.as_ref())?;
            Ok(self)
        }
    };
}

/// Builds a [`Pool`] of any protocol to one server. Every setting has a default.
///
/// Numbers out of range are moved to the nearest end of it.
#[derive(Clone, Debug, Default)]
pub struct PoolBuilder {
    config: Config,
    connect: Settings,
}

impl PoolBuilder {
    settings!();

    /// Has this open all connections, unix sockets included, in place of the pool, which then
    /// resolves no names. TLS stays with the pool.
    pub fn connector(mut self, connector: impl Connect) -> Self {
        self.connect.connector = Some(Arc::new(connector));
        self
    }

    /// The pool of connections to `server`, on each of which `begin` begins the protocol. Nothing
    /// is opened yet.
    pub fn build<P: Protocol>(mut self, server: &Origin, begin: impl Begin<P>) -> Pool<P> {
        self.config.max_total = self.config.max_connections;
        Pool::with(self.config, self.connect, server, Box::new(begin))
    }
}

/// Builds an [`HttpPool`]. Every setting has a default that suits small objects.
///
/// Numbers out of range are moved to the nearest end of it.
#[cfg(feature = "http1")]
#[derive(Clone, Debug)]
pub struct HttpPoolBuilder {
    config: Config,
    limits: Limits,
    connect: Settings,
}

#[cfg(feature = "http1")]
impl Default for HttpPoolBuilder {
    fn default() -> Self {
        Self {
            config: Config::default(),
            limits: Limits {
                head: 64 * 1024,
                whole: 64 * 1024,
                window: 256 * 1024,
                drain: 64 * 1024,
            },
            connect: Settings::default(),
        }
    }
}

#[cfg(feature = "http1")]
impl HttpPoolBuilder {
    settings!();

    /// The most connections to all origins together, at every instant. Defaults to 256, at least 1.
    ///
    /// It protects the process's file descriptors. When it is reached, an idle connection of
    /// another origin gives way to a request that waits.
    pub fn max_total_connections(mut self, n: usize) -> Self {
        self.config.max_total = n.max(1);
        self
    }

    /// The most bytes that the head of an answer may have. Defaults to 64 KiB, at least 1 KiB.
    pub fn max_head(mut self, bytes: usize) -> Self {
        self.limits.head = bytes.max(1024);
        self
    }

    /// Bodies up to this size arrive whole with their answer, larger ones as a stream. Defaults
    /// to 64 KiB.
    pub fn max_whole_body(mut self, bytes: usize) -> Self {
        self.limits.whole = bytes;
        self
    }

    /// The bytes of a streamed body that may wait for their reader; beyond them the connection is
    /// not read (one read's bytes may come on top). Defaults to 256 KiB.
    pub fn body_window(mut self, bytes: usize) -> Self {
        self.limits.window = bytes.max(1);
        self
    }

    /// Has this open all connections, unix sockets included, in place of the pool, which then
    /// resolves no names and uses no [proxy](Self::proxy). TLS stays with the pool.
    pub fn connector(mut self, connector: impl Connect) -> Self {
        self.connect.connector = Some(Arc::new(connector));
        self
    }

    /// Opens connections through a proxy. Defaults to none: the environment is looked at only by
    /// [`Proxy::from_env`].
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.connect.proxy = proxy;
        self
    }

    /// The pool. Nothing is opened yet.
    pub fn build(self) -> HttpPool {
        #[cfg_attr(
            not(feature = "tls"),
            expect(unused_mut, reason = "it is set for TLS only")
        )]
        let mut connect = self.connect;
        #[cfg(feature = "tls")]
        {
            connect.identity.alpn = Some(b"http/1.1");
        }
        HttpPool::with(self.config, self.limits, connect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_numbers_of_connections_follow_from_the_most() {
        let of = |n| {
            let config = PoolBuilder::default().max_connections(n).config;
            (
                config.max_connections,
                config.usual_connections,
                config.narrow_connections,
            )
        };
        assert_eq!(of(0), (1, 1, 8));
        assert_eq!(of(128), (128, 128, 16));
        let config = PoolBuilder::default().config;
        assert_eq!(
            (config.usual_connections, config.narrow_connections),
            (64, 8)
        );
    }
}
