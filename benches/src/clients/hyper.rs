//! hyper's HTTP/1.1 connection, kept alive, one request at a time on each.
//!
//! Tasks take the connection that was used last, or open one if none is idle. With a cap below the
//! number of tasks they wait for one: first come, first served. With many origins, all of which are the one server, each
//! has connections of its own, and they are asked in turn.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::{Client, Session, Writer, stored};
use crate::{BoxError, tls};

type Sender = SendRequest<Full<Bytes>>;

/// Connections of hyper, at most so many.
#[derive(Clone)]
pub struct Hyper(Arc<Shared>);

struct Shared {
    addr: SocketAddr,
    tls: Option<TlsConnector>,
    host: String,
    target: Uri,
    permits: Semaphore,
    /// Those of each origin.
    idle: Box<[Mutex<Vec<Sender>>]>,
    next: AtomicUsize,
}

impl Hyper {
    /// At most `connections` in use at once, spread over so many origins at that address.
    ///
    /// # Errors
    /// When the target is not a path.
    pub fn new(
        addr: SocketAddr,
        target: &str,
        connections: usize,
        origins: usize,
    ) -> Result<Self, BoxError> {
        Ok(Self(Arc::new(Shared {
            addr,
            tls: None,
            host: addr.to_string(),
            target: target.parse()?,
            permits: Semaphore::new(connections),
            idle: (0..origins.max(1)).map(|_| Mutex::default()).collect(),
            next: AtomicUsize::new(0),
        })))
    }

    /// The same over TLS.
    ///
    /// # Errors
    /// When what is to be trusted is no certificate in PEM.
    pub fn trusting(self, certificate: Option<&[u8]>) -> Result<Self, BoxError> {
        let Some(certificate) = certificate else {
            return Ok(self);
        };
        Ok(Self(Arc::new(Shared {
            addr: self.0.addr,
            tls: Some(tls::connector(certificate)?),
            host: self.0.host.clone(),
            target: self.0.target.clone(),
            permits: Semaphore::new(self.0.permits.available_permits()),
            idle: self.0.idle.iter().map(|_| Mutex::default()).collect(),
            next: AtomicUsize::new(0),
        })))
    }

    async fn open(&self) -> Result<Sender, BoxError> {
        let stream = TcpStream::connect(self.0.addr).await?;
        stream.set_nodelay(true)?;
        if let Some(tls) = &self.0.tls {
            let stream = tls.connect(self.0.addr.ip().into(), stream).await?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            return Ok(sender);
        }
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl Client for Hyper {
    type Session = Self;

    fn session(&self) -> Self {
        self.clone()
    }
}

impl Session for Hyper {
    async fn get(&mut self) -> Result<usize, BoxError> {
        match self.call(Method::GET, Bytes::new()).await? {
            (200, len) => Ok(len),
            (status, _) => Err(format!("status {status}").into()),
        }
    }
}

impl Writer for Hyper {
    async fn put(&mut self, body: Bytes) -> Result<(), BoxError> {
        stored(self.call(Method::PUT, body).await?.0)
    }
}

impl Hyper {
    /// The status and the length of the answer's body.
    async fn call(&self, method: Method, body: Bytes) -> Result<(u16, usize), BoxError> {
        let _permit = self.0.permits.acquire().await?;
        let origin = self.0.next.fetch_add(1, Relaxed) % self.0.idle.len();
        let origin = &self.0.idle[origin];
        let idle = origin.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sender = match idle {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.open().await?,
        };
        sender.ready().await?;
        let request = Request::builder()
            .method(method)
            .uri(self.0.target.clone())
            .header(hyper::header::HOST, self.0.host.as_str())
            .body(Full::new(body))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let len = response.into_body().collect().await?.to_bytes().len();
        origin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sender);
        Ok((status, len))
    }
}

impl fmt::Debug for Hyper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hyper")
            .field("addr", &self.0.addr)
            .finish_non_exhaustive()
    }
}
