//! Opening connections: over TCP to whichever address of a host answers, to a unix socket, through
//! a proxy, or by somebody else's doing; and TLS on top.

mod addresses;
#[cfg(feature = "http1")]
mod bypass;
mod io;
#[cfg(feature = "http1")]
mod proxy;
mod race;
mod resolve;
mod stream;
mod tcp;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(feature = "http1")]
mod tunnel;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use io::{Connect, Connecting, Io};
#[cfg(feature = "http1")]
pub use proxy::Proxy;
pub use resolve::{Resolve, Resolving};

pub(crate) use addresses::Lease;
pub(crate) use stream::Stream;

use crate::engine::shell::extra_permit::ExtraPermits;
use crate::error::{Error, Kind};
use crate::origin::Origin;
#[cfg(feature = "http1")]
use proxy::Via;
use resolve::System;
use tcp::Host;

/// Whether the process or the system has run out of file descriptors.
pub(crate) fn is_exhausted(error: &std::io::Error) -> bool {
    // EMFILE and ENFILE have these numbers on every unix; elsewhere nothing does.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// How connections are opened, as the builder was told.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) dns_ttl: Duration,
    pub(crate) connector: Option<Arc<dyn Connect>>,
    #[cfg(feature = "http1")]
    pub(crate) proxy: Proxy,
    #[cfg(feature = "tls")]
    pub(crate) identity: tls::Identity,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resolver: Arc::new(System),
            dns_ttl: Duration::from_secs(5),
            connector: None,
            #[cfg(feature = "http1")]
            proxy: Proxy::default(),
            #[cfg(feature = "tls")]
            identity: tls::Identity::default(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Settings");
        f.field("dns_ttl", &self.dns_ttl);
        f.field("connector", &self.connector.is_some());
        #[cfg(feature = "http1")]
        f.field("proxy", &self.proxy);
        #[cfg(feature = "tls")]
        f.field("identity", &self.identity);
        f.finish_non_exhaustive()
    }
}

/// What the connections of one pool share.
pub(crate) struct SharedConnect {
    settings: Settings,
    #[cfg(feature = "http1")]
    proxies: Proxies,
    #[cfg(feature = "tls")]
    tls: tls::Tls,
}

/// The proxies for `http` and for `https` origins, the same one if they are.
#[cfg(feature = "http1")]
struct Proxies {
    http: Option<Arc<Host>>,
    https: Option<Arc<Host>>,
}

impl SharedConnect {
    pub(crate) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            #[cfg(feature = "http1")]
            proxies: Proxies::new(&settings),
            #[cfg(feature = "tls")]
            tls: tls::Tls::new(settings.identity.clone()),
            settings,
        })
    }
}

#[cfg(feature = "http1")]
impl Proxies {
    fn new(settings: &Settings) -> Self {
        let host = |via: &Via| Arc::new(settings.host(&via.host, via.port));
        let (plain, secret) = (&settings.proxy.http, &settings.proxy.https);
        let http = plain.as_ref().map(host);
        let https = match plain == secret {
            true => http.clone(),
            false => secret.as_ref().map(host),
        };
        Self { http, https }
    }
}

impl Settings {
    fn host(&self, host: &str, port: u16) -> Host {
        Host::new(host, port, self.resolver.clone(), self.dns_ttl)
    }
}

/// An open connection, and what is known of it.
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    /// About one round trip to the server, where opening the connection has told.
    pub(crate) rtt: Option<Duration>,
    /// To be dropped with the connection.
    pub(crate) lease: Option<Lease>,
}

impl Opened {
    /// The connection can be used, and so can its address.
    pub(crate) fn works(&self) {
        if let Some(lease) = &self.lease {
            lease.succeeded();
        }
    }
}

/// Opens the connections of one origin.
pub(crate) struct Opener {
    origin: Origin,
    way: Way,
    #[cfg(feature = "tls")]
    shared: Arc<SharedConnect>,
}

enum Way {
    Custom(Arc<dyn Connect>),
    #[cfg(unix)]
    Unix(std::path::PathBuf),
    Direct(Box<Host>),
    #[cfg(feature = "http1")]
    Tunnel(Arc<Host>, Via),
}

impl Opener {
    pub(crate) fn new(origin: &Origin, shared: &Arc<SharedConnect>) -> Self {
        Self {
            way: Way::new(origin, shared),
            origin: origin.clone(),
            #[cfg(feature = "tls")]
            shared: shared.clone(),
        }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Opens a connection, with sockets beside it as far as there are extra permits. Its address is
    /// on trial until the lease is told that the connection can be used.
    pub(crate) async fn open(&self, permits: &dyn ExtraPermits) -> Result<Opened, Error> {
        let carried = self.carrier(permits).await?;
        let Opened { stream, rtt, lease } = carried;
        let opened = match self.origin.is_tls() {
            true => self.secure(stream).await,
            false => Ok(stream),
        };
        let stream = opened?;
        Ok(Opened { stream, rtt, lease })
    }

    async fn carrier(&self, permits: &dyn ExtraPermits) -> Result<Opened, Error> {
        let origin = &self.origin;
        let failed = |error: std::io::Error| {
            Error::new(Kind::Connect, format!("no connection to {origin}")).with_source(error)
        };
        let plain = |stream| Opened {
            stream,
            rtt: None,
            lease: None,
        };
        match &self.way {
            Way::Custom(connector) => {
                let io = connector.connect(origin).await.map_err(failed)?;
                Ok(plain(io.into()))
            }
            #[cfg(unix)]
            Way::Unix(path) => {
                let unix = tokio::net::UnixStream::connect(path)
                    .await
                    .map_err(failed)?;
                Ok(plain(Stream::Unix(unix)))
            }
            Way::Direct(host) => {
                let dialed = host.dial(permits).await.map_err(failed)?;
                dialed.lease.begin_trial();
                Ok(Opened {
                    stream: Stream::Tcp(dialed.tcp),
                    rtt: Some(dialed.rtt),
                    lease: Some(dialed.lease),
                })
            }
            #[cfg(feature = "http1")]
            Way::Tunnel(host, via) => {
                let dialed = host.dial(permits).await.map_err(|error| {
                    let text = format!("no connection to the proxy {}", via.name());
                    Error::new(Kind::Connect, text).with_source(error)
                })?;
                let mut tcp = dialed.tcp;
                dialed.lease.begin_trial();
                let tunnelled = tunnel::tunnel(&mut tcp, via, origin).await;
                // What it answers is its word on the origin, not a fault of its address.
                dialed.lease.succeeded();
                tunnelled?;
                dialed.lease.begin_trial();
                // The round trip to the proxy says nothing of the one to the origin.
                Ok(Opened {
                    stream: Stream::Tcp(tcp),
                    rtt: None,
                    lease: Some(dialed.lease),
                })
            }
        }
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, stream: Stream) -> Result<Stream, Error> {
        let tls = &self.shared.tls;
        let io: Box<dyn Io> = match stream {
            Stream::Tcp(tcp) => {
                let secured = tls.connect(&self.origin, tls::buffered(tcp)).await?;
                return Ok(Stream::Tls(Box::new(secured)));
            }
            Stream::Other(io) => io,
            other => Box::new(other),
        };
        let secured = tls.connect(&self.origin, io).await?;
        Ok(Stream::TlsOther(Box::new(secured)))
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, _: Stream) -> Result<Stream, Error> {
        let origin = &self.origin;
        let text = format!("no connection to {origin}: this build has no TLS (feature `tls`)");
        Err(Error::new(Kind::Connect, text))
    }
}

impl Way {
    fn new(origin: &Origin, shared: &SharedConnect) -> Self {
        if let Some(connector) = &shared.settings.connector {
            return Self::Custom(connector.clone());
        }
        #[cfg(unix)]
        if let Some(path) = origin.unix_path() {
            return Self::Unix(path.to_path_buf());
        }
        #[cfg(feature = "http1")]
        if let Some(via) = shared.settings.proxy.via(origin) {
            let host = match origin.is_tls() {
                true => &shared.proxies.https,
                false => &shared.proxies.http,
            };
            if let Some(host) = host {
                return Self::Tunnel(host.clone(), via.clone());
            }
        }
        Self::Direct(Box::new(shared.settings.host(origin.host(), origin.port())))
    }
}
