//! What a protocol of ordered replies has to tell the engine.
//!
//! *Problem:* HTTP/1.1 and memcached both answer the requests of a connection in the order in which
//! they were sent. Two engines for that would have the same faults twice. *Decision:* The engine is
//! generic over [`Protocol`], which encodes a request, decodes the answer with the request at hand (the
//! answer to a HEAD has no body, whatever its `Content-Length` says), and says whether a request may be
//! pipelined and repeated. A protocol also learns the name of its connection, so that a request can be
//! bound to it: it is sent there or fails unsent. The leases of memcached need that. *Cost:* A protocol
//! whose answers come in another order, such as HTTP/2, cannot be added here; it takes another
//! transport.

use std::future::Future;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::BytesMut;

use crate::connect::Io;
use crate::error::Error;
use crate::outbox::Outbox;

/// A protocol whose replies come in the order of the requests; one value serves one connection.
///
/// It is sans-IO: it turns requests into bytes and bytes into replies, and never touches a socket
/// or a clock. The engine owns the order: it hands to [`decode`](Self::decode) the request that
/// the next reply answers.
pub trait Protocol: Send + 'static {
    /// The message that goes out. It is kept until its reply has come, so that it can be replayed.
    type Request: Send + 'static;
    /// The message that comes back.
    type Reply: Send + 'static;

    /// How the engine may treat this request.
    fn treatment(request: &Self::Request) -> Treatment;

    /// A copy of the request that can be sent beside it, if there can be one. Only a request that
    /// changes nothing at the server has one: of two copies of a write the later one could undo
    /// what was written after the first was answered.
    fn duplicate(_request: &Self::Request) -> Option<Self::Request> {
        None
    }

    /// Appends the request to what is to be written.
    fn encode(&mut self, request: &mut Self::Request, out: &mut Outbox) -> Encoded;

    /// Appends more of a request whose [`encode`](Self::encode) answered [`Encoded::Partly`];
    /// ready with `true` once it is complete.
    ///
    /// # Errors
    /// When the rest cannot be had; the connection is then closed and the request fails with it.
    fn poll_encode(
        &mut self,
        _request: &mut Self::Request,
        _out: &mut Outbox,
        _cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Error>> {
        Poll::Ready(Ok(true))
    }

    /// Whether a request whose [`encode`](Self::encode) answered [`Encoded::Partly`] can be encoded
    /// once more from its beginning, as nothing was taken from its source so far. It then moves to
    /// another connection if nothing of it has been sent. Defaults to no: it fails.
    fn is_untouched(_request: &Self::Request) -> bool {
        false
    }

    /// Whether `input`, which came while the server owed no reply, is how it announces that it
    /// closes a connection that was idle. Anything else that comes unasked breaks the protocol.
    /// Defaults to no.
    fn is_farewell(_input: &[u8]) -> bool {
        false
    }

    /// Reads from `input` what answers `request`, consuming what it used. With `eof`, nothing
    /// will follow `input`.
    ///
    /// # Errors
    /// Anything doubtful: the connection is then closed, and the request fails with the error
    /// unless its reply has been handed out.
    fn decode(
        &mut self,
        request: &Self::Request,
        input: &mut BytesMut,
        eof: bool,
    ) -> Result<Decoded<Self::Reply>, Error>;

    /// Ready while there is room for what [`decode`](Self::decode) hands on; the engine reads
    /// nothing while this is pending.
    ///
    /// # Errors
    /// When the connection should be given up, as nobody reads a large reply.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    /// Whether the start of a reply has been consumed whose rest is still to come.
    fn is_amid(&self) -> bool;

    /// How many bytes of the [open](Decoded::Open) reply are still to come, as far as that is known and somebody reads it.
    /// While they are many, a connection reads more at a time. Defaults to 0.
    fn bulk(&self) -> u64 {
        0
    }

    /// Whether nobody reads the [open](Decoded::Open) reply any more, so that what is left of it is
    /// only thrown away.
    fn is_deserted(&self) -> bool {
        false
    }

    /// Hears why the connection ends while a reply is [open](Decoded::Open); the cause says how much
    /// of the request had been sent by then, which is some of it at least.
    fn abort(&mut self, _cause: &Error) {}
}

/// The name of one connection, unlike that of any other in this process.
///
/// A protocol is told it when its connection [begins](Begin::begin), and can put it into its
/// replies, so that a later request can be [bound](crate::PoolSending::on) to that connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(NonZeroU64);

impl ConnectionId {
    /// A name that no connection has, for the test of a protocol without a pool.
    pub fn unused() -> Self {
        Self::next()
    }

    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let serial = LAST.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroU64::MIN.saturating_add(serial))
    }
}

/// A connection on which a protocol begins.
pub type Beginning<'a, P> = Pin<Box<dyn Future<Output = Result<P, Error>> + Send + 'a>>;

/// Makes the [`Protocol`] value of each new connection, and may talk over the connection before:
/// to log in, or to ask what the server can do.
///
/// A function `Fn() -> P` is one that says nothing to the server.
pub trait Begin<P>: Send + Sync + 'static {
    /// Begins on a connection that was just opened, TLS included. It must take no more of the
    /// input than answers what it has asked. The time counts as part of opening the connection,
    /// and is bounded with it.
    ///
    /// # Errors
    /// When nothing can be done on this connection: the requests that wait for one fail with it,
    /// unsent, if there is no other. After [`Kind::Closed`](crate::Kind::Closed) another
    /// connection is opened at once, one time, so that a server can be spoken to in another way
    /// that hangs up at what it does not know.
    fn begin<'a>(&'a self, io: &'a mut dyn Io, connection: ConnectionId) -> Beginning<'a, P>;
}

impl<P, F> Begin<P> for F
where
    P: Send + 'static,
    F: Fn() -> P + Send + Sync + 'static,
{
    fn begin<'a>(&'a self, _: &'a mut dyn Io, _: ConnectionId) -> Beginning<'a, P> {
        Box::pin(std::future::ready(Ok(self())))
    }
}

/// How a request may be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// The server may run it twice with the same outcome: it is replayed when its connection dies.
    pub repeatable: bool,
    /// Nothing may be in flight on its connection beside it.
    pub alone: bool,
}

/// Whether a request is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// The whole request was encoded.
    Wholly,
    /// The rest of the request is encoded by [`Protocol::poll_encode`].
    Partly,
}

/// This is what [`Protocol::decode`] found in the bytes that have come.
#[derive(Debug)]
pub enum Decoded<R> {
    /// The reply is not whole: more bytes are needed.
    More,
    /// Something that answers no request (an interim response); there may be more in the input.
    Interim,
    /// A whole reply.
    Reply {
        /// This is the reply.
        reply: R,
        /// Whether the connection can take further requests.
        reusable: bool,
    },
    /// The start of a reply, to be handed out now; the protocol delivers the rest by itself.
    Open(R),
    /// The end of an open reply.
    End {
        /// Whether the connection can take further requests.
        reusable: bool,
    },
}
