//! The settings of a client, each with its meaning, its default and its range.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pipeline_pool::{Connect, PoolBuilder, Resolve};
use zeroize::Zeroizing;

use super::begin::Login;
use super::client::{Memcached, Shared};
use super::error::{Error, Kind, Result};
use super::health::EjectionRules;
use super::node::NodeSettings;
use super::topology::Servers;
use crate::{MAX_DURATION, Mode, Server};

/// Which of memcached's protocols is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// Each connection finds out which it is: the meta protocol where the server answers `mn`, the classic one where
    /// it does not know that, or hangs up at it as some proxies do. This is the default. It takes a round trip when a
    /// connection opens, in which the server also tells its limit of values.
    #[default]
    Auto,
    /// All servers speak the meta protocol, as memcached does from 1.6 on. Other servers are not used.
    Meta,
    /// All servers speak the classic text protocol. Nothing is asked when a connection opens.
    Classic,
}

/// What becomes of the keys of an ejected server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnDead {
    /// They miss, and changes of them fail. This is the default.
    #[default]
    Miss,
    /// They move to the next server of the ring that is there, as libmemcached's clients do by
    /// choice. What was changed there is deleted on both when the first is back; what cannot be
    /// noted, as too much is [owed](MemcachedBuilder::max_owed), is not stored.
    Next,
}

/// Builds a [`Memcached`]; made by [`Memcached::builder`].
///
/// Numbers out of range are moved to the nearest end of it. What makes no sense is said by
/// [`build`](Self::build).
#[derive(Clone, Debug)]
pub struct MemcachedBuilder {
    servers: Vec<Server>,
    file: Option<PathBuf>,
    reload_interval: Duration,
    mode: Mode,
    pool: PoolBuilder,
    timeout: Duration,
    rules: EjectionRules,
    on_dead: OnDead,
    dialect: Dialect,
    login: Option<Login>,
    tls: bool,
    max_value: Option<usize>,
    max_read: usize,
    max_owed: usize,
    split: bool,
    binary: bool,
    error: Option<Error>,
}

impl Default for MemcachedBuilder {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            file: None,
            reload_interval: Duration::from_secs(1),
            mode: Mode::default(),
            pool: PoolBuilder::default()
                .max_connections(2)
                .fixed_pipeline(1024)
                .max_replays(1)
                .connect_timeout(Duration::from_secs(1))
                .idle_timeout(Duration::from_secs(60)),
            timeout: Duration::from_millis(500),
            rules: EjectionRules {
                failures: 3,
                pause: (Duration::from_secs(1), Duration::from_secs(30)),
            },
            on_dead: OnDead::default(),
            dialect: Dialect::default(),
            login: None,
            tls: false,
            max_value: None,
            max_read: 128 * 1024 * 1024,
            max_owed: 65_536,
            split: false,
            binary: false,
            error: None,
        }
    }
}

impl MemcachedBuilder {
    /// Adds servers, each as `host:port`, `host:port weight`, or the path of a unix socket with or
    /// without a weight; see [`Server`]. The order matters only where two servers share a point
    /// of the ring.
    pub fn servers<S: AsRef<str>>(mut self, servers: impl IntoIterator<Item = S>) -> Self {
        for server in servers {
            let text = server.as_ref();
            match text.parse() {
                Ok(server) => self.servers.push(server),
                Err(error) => self.wrong(format!("server {text:?}: {error}")),
            }
        }
        self
    }

    /// Adds one server to the list.
    pub fn server(mut self, server: Server) -> Self {
        self.servers.push(server);
        self
    }

    /// Takes the servers from a libketama file, one `host:port<TAB>weight` a line, and reads it
    /// again when it has changed; see [`parse_list`](crate::parse_list). A file that cannot be
    /// read later, or makes no sense, changes nothing:
    /// [`list_error`](Memcached::list_error) says so.
    pub fn servers_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// How often the file is looked at, at most; only requests cause it to be. Defaults to 1 s.
    pub fn reload_interval(mut self, interval: Duration) -> Self {
        self.reload_interval = interval.min(MAX_DURATION);
        self
    }

    /// How keys are spread over servers. Defaults to [`Mode::KetamaWeighted`]. All clients of a set
    /// of servers must agree on it.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The most connections to one server. Defaults to 2, at least 1: each carries the commands
    /// of many tasks, and the more come together, the less each costs.
    pub fn connections(mut self, n: usize) -> Self {
        self.pool = self.pool.max_connections(n);
        self
    }

    /// The most commands in flight on one connection. Defaults to 1,024; 1 to 1,024.
    pub fn pipeline(mut self, depth: usize) -> Self {
        self.pool = self.pool.fixed_pipeline(depth);
        self
    }

    /// How long an operation takes at most, whatever happens to the server: waiting for a
    /// connection and opening it are within. Defaults to 500 ms.
    ///
    /// Operations on several servers take as long, since they go out in parallel. A
    /// change that has to pay an owed delete first, and a value that is split, take twice as long.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit.min(MAX_DURATION);
        self
    }

    /// How long opening a connection may take. Defaults to 1 s; an operation waits for it no
    /// longer than it may take itself.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.pool = self.pool.connect_timeout(limit);
        self
    }

    /// Ejects a server after this many failures in a row. Defaults to 3, at least 1. Operations
    /// that were under way together and fail together count once.
    pub fn eject_after(mut self, failures: u32) -> Self {
        self.rules.failures = failures.max(1);
        self
    }

    /// How long an ejected server is left alone until it is tried again: `first`, then twice as
    /// long each time up to `longest`. Half of each pause is random. Defaults to 1 s and 30 s.
    pub fn retry_interval(mut self, first: Duration, longest: Duration) -> Self {
        self.rules.pause = (first.min(MAX_DURATION), longest.min(MAX_DURATION));
        self
    }

    /// What becomes of the keys of an ejected server. Defaults to [`OnDead::Miss`].
    pub fn on_dead(mut self, choice: OnDead) -> Self {
        self.on_dead = choice;
        self
    }

    /// How many changes that a server has missed are noted for it. Defaults to 65,536, at least 1.
    /// Beyond that the server is emptied (`flush_all`), for all its users, when it is back; one that
    /// refuses that, as some proxies do, stays ejected. Each takes up to half a kilobyte.
    pub fn max_owed(mut self, keys: usize) -> Self {
        self.max_owed = keys.max(1);
        self
    }

    /// Sets the protocol that is spoken. Defaults to [`Dialect::Auto`].
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Logs in on each connection, as memcached's option `--auth-file` wants it. Without TLS the
    /// password can be read on the way.
    ///
    /// Neither may hold a blank or a line break, nor the name a colon.
    pub fn login(mut self, user: &str, password: &str) -> Self {
        let bad = |text: &str| text.is_empty() || text.contains([' ', '\r', '\n', '\0']);
        if bad(user) || bad(password) || user.contains(':') {
            self.wrong(
                "the login's name or password is empty or has an illegal character".to_owned(),
            );
        }
        self.login = Some(Login {
            user: user.to_owned(),
            password: Zeroizing::new(password.to_owned()),
        });
        self
    }

    /// Speaks TLS with the servers that listen on TCP. Defaults to false.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Trusts these roots, in PEM, instead of those that Mozilla ships; calls add up.
    #[cfg(feature = "tls")]
    pub fn tls_roots(mut self, pem: impl AsRef<[u8]>) -> Self {
        match self.pool.clone().tls_roots(pem) {
            Ok(pool) => self.pool = pool,
            Err(error) => self.wrong(error.to_string()),
        }
        self
    }

    /// Shows this certificate chain to servers that ask for one, with its key; both in PEM.
    #[cfg(feature = "tls")]
    pub fn tls_client(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        match self.pool.clone().tls_client(chain, key) {
            Ok(pool) => self.pool = pool,
            Err(error) => self.wrong(error.to_string()),
        }
        self
    }

    /// Asks this for the addresses of hosts. Defaults to the system's resolver.
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.pool = self.pool.resolver(resolver);
        self
    }

    /// Has this connector open all connections.
    pub fn connector(mut self, connector: impl Connect) -> Self {
        self.pool = self.pool.connector(connector);
        self
    }

    /// The longest value that is sent to a server, in bytes. Defaults to what the server says (its
    /// `item_size_max`, less the key and what an entry takes beside), and to memcached's 1 MiB
    /// while it has not said.
    pub fn max_value(mut self, bytes: usize) -> Self {
        self.max_value = Some(bytes);
        self
    }

    /// The longest value that is read, in bytes, one put together from pieces included; an answer
    /// beyond it closes the connection. Defaults to 128 MiB.
    pub fn max_read(mut self, bytes: usize) -> Self {
        self.max_read = bytes;
        self
    }

    /// Stores values over the server's limit in pieces, under keys of their own, on all servers.
    /// Defaults to false: such values are not stored.
    ///
    /// The entry itself then says where the pieces are, and has the highest bit of the flags set,
    /// which is no longer the caller's. If a piece is missing, the value is. Other clients see
    /// the entry and not the value; [`touch`](Memcached::touch) and appending do not reach the pieces.
    pub fn split(mut self, split: bool) -> Self {
        self.split = split;
        self
    }

    /// Stores keys with blanks or control characters as the bytes they are, by the meta
    /// protocol's `b` flag, if they have at most 187 bytes. Defaults to false; see
    /// [`Key`](super::Key) for what is done then. Needs [`Dialect::Meta`].
    pub fn binary_keys(mut self, binary: bool) -> Self {
        self.binary = binary;
        self
    }

    fn wrong(&mut self, text: String) {
        self.error
            .get_or_insert_with(|| Error::new(Kind::Config, text));
    }

    /// Builds the client. Nothing is opened yet, but a [file](Self::servers_file) is read.
    ///
    /// # Errors
    /// [`Kind::Config`] for the first setting that makes no sense, and for a list without servers
    /// or with one twice.
    pub fn build(mut self) -> Result<Memcached> {
        if self.binary && self.dialect != Dialect::Meta {
            self.wrong("binary keys need the meta protocol to be set".to_owned());
        }
        if self.file.is_some() && !self.servers.is_empty() {
            self.wrong("servers are given, and a file with servers too".to_owned());
        }
        if let Some(error) = self.error {
            return Err(error);
        }
        let pool = self
            .pool
            .timeout(self.timeout)
            .wait_timeout(self.timeout)
            .write_timeout(self.timeout)
            .first_byte_timeout(self.timeout);
        let terms = NodeSettings {
            pool,
            rules: self.rules,
            tls: self.tls,
            login: self.login,
            dialect: self.dialect,
            max_value: self.max_value,
            max_read: self.max_read,
            max_owed: self.max_owed,
        };
        let file = self.file.map(|path| (path, self.reload_interval));
        let servers = Servers::new(self.mode, terms, &self.servers, file)?;
        Ok(Memcached(Arc::new(Shared {
            servers: Arc::new(servers),
            on_dead: self.on_dead,
            binary: self.binary,
            split: self.split,
            classic: self.dialect == Dialect::Classic,
            max_read: self.max_read,
            timeout: self.timeout,
        })))
    }
}
