//! A connection's bytes, whatever carries them.

use std::any::Any;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
#[cfg(feature = "tls")]
use tokio::io::BufReader;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
#[cfg(feature = "tls")]
use tokio_rustls::client::TlsStream;

use super::Io;
#[cfg(feature = "tls")]
use super::tls;

/// An open connection.
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Other(Box<dyn Io>),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<BufReader<TcpStream>>>),
    #[cfg(feature = "tls")]
    TlsOther(Box<TlsStream<Box<dyn Io>>>),
}

/// What is behind the box, if it is this.
fn unbox<T: Io>(io: Box<dyn Io>) -> Result<T, Box<dyn Io>> {
    let inner: &dyn Any = &*io;
    if !inner.is::<T>() {
        return Err(io);
    }
    match (io as Box<dyn Any>).downcast::<T>() {
        Ok(known) => Ok(*known),
        // Cannot be: it was asked just now.
        Err(_) => Err(Box::new(tokio::io::empty())),
    }
}

impl From<Box<dyn Io>> for Stream {
    /// Takes the box off what is known, so that it is as quick as the pool's own.
    fn from(io: Box<dyn Io>) -> Self {
        let io = match unbox(io) {
            Ok(tcp) => return Self::Tcp(tcp),
            Err(io) => io,
        };
        #[cfg(unix)]
        let io = match unbox(io) {
            Ok(unix) => return Self::Unix(unix),
            Err(io) => io,
        };
        Self::Other(io)
    }
}

impl Stream {
    #[cfg(target_os = "linux")]
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Some(tls.get_ref().0.get_ref()),
            _ => None,
        }
    }

    /// Whether a quiet connection is no longer good, though the runtime has not told of it yet:
    /// the peer has closed, or has sent what nobody asked for. It takes a system call, and is for
    /// requests that cannot be sent again.
    pub(crate) fn is_dead(&mut self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = match self {
            Self::Tcp(tcp) => SockRef::from(&*tcp).peek(&mut byte),
            #[cfg(unix)]
            Self::Unix(unix) => SockRef::from(&*unix).peek(&mut byte),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => {
                let (tcp, session) = tls.get_mut();
                return tls::has_ended(session, tls::Unread(tcp));
            }
            // There is no looking without taking.
            Self::Other(_) => return false,
            #[cfg(feature = "tls")]
            Self::TlsOther(_) => return false,
        };
        peeked.map_or_else(|error| error.kind() != io::ErrorKind::WouldBlock, |_| true)
    }

    /// Waits until there may be something to read, where that can be told without a buffer.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            // A failure shows when it is read.
            Self::Tcp(tcp) => tcp.poll_read_ready(cx).map(|_| ()),
            #[cfg(unix)]
            Self::Unix(unix) => unix.poll_read_ready(cx).map(|_| ()),
            _ => Poll::Ready(()),
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
        match $self {
            Stream::Tcp($io) => $do,
            #[cfg(unix)]
            Stream::Unix($io) => $do,
            Stream::Other($io) => $do,
            #[cfg(feature = "tls")]
            Stream::Tls($io) => $do,
            #[cfg(feature = "tls")]
            Stream::TlsOther($io) => $do,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        each!(self, io => io.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn known_transports_lose_their_box() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let boxed: Box<dyn Io> = Box::new(tcp);
        assert!(matches!(Stream::from(boxed), Stream::Tcp(_)));
        #[cfg(unix)]
        {
            let boxed: Box<dyn Io> = Box::new(UnixStream::pair().unwrap().0);
            assert!(matches!(Stream::from(boxed), Stream::Unix(_)));
        }
        let boxed: Box<dyn Io> = Box::new(tokio::io::duplex(1).0);
        let mut other = Stream::from(boxed);
        assert!(matches!(other, Stream::Other(_)));
        assert!(!other.is_dead());
    }
}
