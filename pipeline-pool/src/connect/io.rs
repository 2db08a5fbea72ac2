//! Connections that somebody else opens.

use std::any::Any;
use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::origin::Origin;

/// A connection's bytes in both directions. Whatever has the parts is one.
///
/// A `tokio` `TcpStream` or `UnixStream` is recognised, and used as if the pool had opened it.
pub trait Io: AsyncRead + AsyncWrite + Any + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Any + Send + Unpin> Io for T {}

/// A connection being opened.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// Opens connections in place of the pool: through a tunnel, over another transport, or to a fake
/// in a test.
///
/// ```
/// use pipeline_pool::{Connect, Connecting, HttpPool, Io, Origin};
///
/// struct Local;
///
/// impl Connect for Local {
///     fn connect(&self, origin: &Origin) -> Connecting {
///         let port = origin.port();
///         Box::pin(async move {
///             let tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
///             tcp.set_nodelay(true)?;
///             Ok(Box::new(tcp) as Box<dyn Io>)
///         })
///     }
/// }
///
/// let pool = HttpPool::builder().connector(Local).build();
/// # drop(pool);
/// ```
pub trait Connect: Send + Sync + 'static {
    /// Opens one connection to this origin, one socket at most: the pool's caps count it as one.
    /// When the origin is `https`, the pool speaks TLS on what it is given.
    ///
    /// The pool bounds the time by
    /// [`connect_timeout`](crate::PoolBuilder::connect_timeout) and then drops the future.
    ///
    /// # Errors
    /// When there is no connection; it is reported as [`Kind::Connect`](crate::Kind::Connect).
    /// An error of the system should be passed on as it is: the pool waits out a lack of file
    /// descriptors.
    fn connect(&self, origin: &Origin) -> Connecting;
}
