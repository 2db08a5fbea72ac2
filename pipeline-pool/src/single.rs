//! A pool of one protocol's connections to one server.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::builder::PoolBuilder;
use crate::connect::{self, Settings, SharedConnect};
use crate::engine::config::Config;
use crate::engine::shell::endpoint::{self, Endpoint};
use crate::engine::shell::extra_permit::ExtraPermits;
use crate::engine::shell::open::{Dialing, Open};
use crate::engine::shell::permits::SharedPermits;
use crate::engine::shell::sending::SendingCall;
use crate::engine::shell::spare_buffers::SpareBuffers;
use crate::error::{Error, Kind};
use crate::origin::Origin;
use crate::protocol::{Begin, ConnectionId, Protocol};
use crate::stats::OriginStats;

/// A bounded pool of pipelined connections to one server, for any [`Protocol`] of ordered replies.
///
/// Cheap to clone; clones share everything. Connections open on demand, and a pool outlives the
/// runtime that opened them. Dropping the last clone lets idle connections go at once and the
/// others when they are done.
///
/// A server that answers a line with a line:
///
/// ```
/// use bytes::{Bytes, BytesMut};
/// use pipeline_pool::{
///     Treatment, Decoded, Encoded, Error, Origin, Outbox, PoolBuilder, Protocol,
/// };
/// # use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
///
/// struct Lines;
///
/// impl Protocol for Lines {
///     type Request = String;
///     type Reply = Bytes;
///
///     fn treatment(_: &String) -> Treatment {
///         Treatment { repeatable: true, alone: false }
///     }
///
///     fn encode(&mut self, line: &mut String, out: &mut Outbox) -> Encoded {
///         out.put(line.as_bytes());
///         out.put(b"\n");
///         Encoded::Wholly
///     }
///
///     fn decode(
///         &mut self,
///         _: &String,
///         input: &mut BytesMut,
///         _: bool,
///     ) -> Result<Decoded<Bytes>, Error> {
///         let Some(end) = input.iter().position(|b| *b == b'\n') else {
///             return Ok(Decoded::More);
///         };
///         let reply = input.split_to(end + 1).freeze();
///         Ok(Decoded::Reply { reply, reusable: true })
///     }
///
///     fn is_amid(&self) -> bool {
///         false
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let port = listener.local_addr()?.port();
/// # tokio::spawn(async move {
/// #     let (io, _) = listener.accept().await.unwrap();
/// #     let mut io = BufReader::new(io);
/// #     let mut line = String::new();
/// #     io.read_line(&mut line).await.unwrap();
/// #     io.write_all(line.to_uppercase().as_bytes()).await.unwrap();
/// # });
/// let server = Origin::other("lines", false, "127.0.0.1", port)?;
/// let pool = PoolBuilder::default().max_connections(2).build(&server, || Lines);
/// assert_eq!(pool.send("hello".to_owned()).await?, "HELLO\n");
/// # Ok(())
/// # }
/// ```
pub struct Pool<P: Protocol>(Arc<PoolInner<P>>);

struct PoolInner<P: Protocol> {
    server: Origin,
    endpoint: Arc<Endpoint<P>>,
}

impl<P: Protocol> Pool<P> {
    /// Bounds of one's own.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    pub(crate) fn with(
        config: Config,
        settings: Settings,
        server: &Origin,
        begin: Box<dyn Begin<P>>,
    ) -> Self {
        let permits = SharedPermits::new(config.max_total);
        let buffers = Arc::new(SpareBuffers::new(config.read_buffer));
        let opener = ProtocolOpener {
            connect: connect::Opener::new(server, &SharedConnect::new(settings)),
            begin,
        };
        Self(Arc::new(PoolInner {
            server: server.clone(),
            endpoint: Endpoint::new(config, Box::new(opener), permits, buffers),
        }))
    }

    /// Sends a request; the future resolves to its reply.
    ///
    /// Nothing happens before the first poll, which must be within a tokio runtime with time and
    /// IO enabled. Dropping the future gives the request up: if it is already written, its answer
    /// is read and thrown away, and no other request is hurt.
    ///
    /// # Errors
    /// The future fails as [`Error::kind`] says; [`Error::may_have_been_sent`] tells whether the
    /// server may have run the request.
    pub fn send(&self, request: P::Request) -> PoolSending<P> {
        PoolSending(SendingCall::new(
            self.0.endpoint.clone(),
            request,
            None,
            None,
        ))
    }

    /// The server that the connections go to.
    pub fn server(&self) -> &Origin {
        &self.0.server
    }

    /// What the pool has done so far, and what it is doing now.
    pub fn stats(&self) -> OriginStats {
        OriginStats::of(&self.0.server, &self.0.endpoint)
    }

    /// Takes no new request, and resolves once every connection is closed; those that are not
    /// done after `grace` are given up.
    pub async fn close(self, grace: Duration) {
        endpoint::close(std::slice::from_ref(&self.0.endpoint), grace).await;
    }
}

impl<P: Protocol> Clone for Pool<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Protocol> fmt::Debug for Pool<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("server", &self.0.server)
            .field("config", &self.0.endpoint.config)
            .finish_non_exhaustive()
    }
}

impl<P: Protocol> Drop for PoolInner<P> {
    fn drop(&mut self) {
        self.endpoint.retire(false);
    }
}

/// Opens connections and begins the protocol on them.
struct ProtocolOpener<P> {
    connect: connect::Opener,
    begin: Box<dyn Begin<P>>,
}

impl<P: Protocol> Open<P> for ProtocolOpener<P> {
    fn open<'a>(
        &'a self,
        permits: &'a dyn ExtraPermits,
        connection: ConnectionId,
    ) -> Dialing<'a, P> {
        Box::pin(async move {
            let mut again = true;
            loop {
                let mut opened = self.connect.open(permits).await?;
                let begun = self.begin.begin(&mut opened.stream, connection).await;
                // What the server answers is its word on the protocol, and no fault of its address;
                // one that hangs up or is silent may be out of order.
                let answered = begun
                    .as_ref()
                    .err()
                    .is_none_or(|e| e.kind() != Kind::Closed);
                if answered {
                    opened.works();
                }
                match begun {
                    Ok(protocol) => return Ok((opened, protocol)),
                    Err(error) if again && error.kind() == Kind::Closed => again = false,
                    Err(error) => return Err(error),
                }
            }
        })
    }

    fn name(&self) -> String {
        self.connect.origin().to_string()
    }
}

/// A request under way, made by [`Pool::send`].
#[must_use = "nothing is sent until this is awaited"]
pub struct PoolSending<P: Protocol>(SendingCall<P>);

impl<P: Protocol> PoolSending<P> {
    /// Has the request go to this connection, behind whatever that has to do, or fail: with
    /// [`Kind::Gone`], unsent, when the connection is no more or waits for a late answer. It is
    /// never replayed. Defaults to any connection. To be called before the first poll.
    pub fn on(mut self, connection: ConnectionId) -> Self {
        self.0.bind(connection);
        self
    }

    /// How long the request may take, waiting included. Defaults to the pool's
    /// [`timeout`](PoolBuilder::timeout). To be called before the first poll.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.0.limit(limit);
        self
    }
}

impl<P: Protocol> Future for PoolSending<P> {
    type Output = Result<P::Reply, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<P: Protocol> fmt::Debug for PoolSending<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolSending")
    }
}
