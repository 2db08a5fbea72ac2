//! TCP, unix sockets, and TLS on top.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::Stream;
use crate::error::{Error, Kind};
use crate::origin::Origin;

/// How long a quiet connection goes without a sign of life before the system asks for one.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What a connection needs besides its origin.
#[derive(Clone)]
pub(crate) struct Settings {
    #[cfg(feature = "tls")]
    pub(crate) tls: super::tls::Tls,
}

/// Opens a connection to this origin.
pub(crate) async fn connect(origin: &Origin, settings: &Settings) -> Result<Stream, Error> {
    let failed = |error: io::Error| {
        Error::new(Kind::Connect, format!("no connection to {origin}")).with_source(error)
    };
    #[cfg(unix)]
    if let Some(path) = origin.unix_path() {
        let stream = tokio::net::UnixStream::connect(path).await.map_err(failed)?;
        return Ok(Stream::Unix(stream));
    }
    let tcp = dial(origin).await.map_err(failed)?;
    if !origin.is_tls() {
        return Ok(Stream::Tcp(tcp));
    }
    #[cfg(feature = "tls")]
    return settings.tls.connect(origin, tcp).await;
    #[cfg(not(feature = "tls"))]
    {
        let _ = settings;
        Err(Error::new(
            Kind::Connect,
            format!("no connection to {origin}: this build has no TLS (feature `tls`)"),
        ))
    }
}

async fn dial(origin: &Origin) -> io::Result<TcpStream> {
    let mut last = None;
    for address in tokio::net::lookup_host((origin.host(), origin.port())).await? {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
                SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
                return Ok(tcp);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
}
