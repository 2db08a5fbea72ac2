//! A connection's bytes, whatever carries them.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// An open connection.
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Stream {
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            #[cfg(unix)]
            Self::Unix(_) => None,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Some(tls.get_ref().0),
        }
    }

    /// Whether a quiet connection is no longer good, though the runtime has not told of it yet:
    /// the peer has closed, or has sent what nobody asked for. It takes a system call, and is for
    /// requests that cannot be sent again.
    pub(crate) fn is_dead(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let (peeked, plain) = match self {
            Self::Tcp(tcp) => (SockRef::from(tcp).peek(&mut byte), true),
            #[cfg(unix)]
            Self::Unix(unix) => (SockRef::from(unix).peek(&mut byte), true),
            // Under TLS the bytes may be a session ticket.
            #[cfg(feature = "tls")]
            Self::Tls(tls) => (SockRef::from(tls.get_ref().0).peek(&mut byte), false),
        };
        match peeked {
            Ok(0) => true,
            Ok(_) => plain,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Has what was received acknowledged at once, where the system can.
    pub(crate) fn quick_ack(&self) {
        #[cfg(target_os = "linux")]
        if let Some(tcp) = self.tcp() {
            // It is a wish; without it the answer only comes later.
            let _ = tcp.set_quickack(true);
        }
    }
}

macro_rules! each {
    ($self:expr, $io:ident => $do:expr) => {
        match $self.get_mut() {
            Stream::Tcp($io) => $do,
            #[cfg(unix)]
            Stream::Unix($io) => $do,
            #[cfg(feature = "tls")]
            Stream::Tls($io) => $do,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
