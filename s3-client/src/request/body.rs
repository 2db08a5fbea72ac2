//! What a request carries: bytes at hand, or something to be read while it is sent.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use aws_core::{Error, Kind, Result};
use bytes::Bytes;
use futures_core::Stream;
use pipeline_pool::BodyError;

use crate::checksum::Checksum;
#[cfg(feature = "fs")]
use crate::file::FilePart;
use crate::transfer::{Meter, Report};

pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// The body of a request; clones share a stream that can be read only once.
#[derive(Clone, Default)]
pub(crate) enum Payload {
    #[default]
    None,
    Whole(Bytes),
    /// Bytes that are not in one piece, and how many they are.
    Rope(Arc<[Bytes]>, u64),
    /// A stream of the caller's.
    Once(Arc<OneShot>),
    #[cfg(feature = "fs")]
    File(Arc<FilePart>),
    /// A body with its checksum behind it.
    Summed(Arc<(Payload, Checksum)>),
    /// A body of whose progress somebody is told.
    Metered(Arc<(Payload, Meter)>),
}

impl Payload {
    /// Bytes in several pieces, put together if they are few.
    pub(crate) fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces: Vec<Bytes> = pieces.into_iter().filter(|p| !p.is_empty()).collect();
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        match pieces.len() {
            0 => Self::None,
            1 => Self::Whole(pieces.into_iter().next().unwrap_or_default()),
            // A streamed body has its connection alone.
            _ if len <= JOINED => Self::Whole(pieces.concat().into()),
            _ => Self::Rope(pieces.into(), len),
        }
    }

    /// The bytes to be sent.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Rope(_, len) => *len,
            Self::Once(once) => once.len,
            #[cfg(feature = "fs")]
            Self::File(part) => part.len(),
            Self::Summed(summed) => summed.0.len(),
            Self::Metered(metered) => metered.0.len(),
        }
    }

    /// The same body, of whose progress this is told.
    pub(crate) fn metered(self, report: Report) -> Self {
        let meter = Meter::new(report, Some(self.len()));
        Self::Metered(Arc::new((self, meter)))
    }

    /// The bytes, where they are at hand in one piece.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        match self {
            Self::None => Some(Bytes::new()),
            Self::Whole(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The bytes, where they are at hand in one piece or several.
    pub(crate) fn at_hand(&self) -> Option<Arc<[Bytes]>> {
        match self {
            Self::Rope(pieces, _) => Some(pieces.clone()),
            Self::Metered(metered) => metered.0.at_hand(),
            other => other.whole().map(|bytes| [bytes].into()),
        }
    }

    /// Whether it is a file, which takes time to read.
    pub(crate) fn is_file(&self) -> bool {
        match self {
            #[cfg(feature = "fs")]
            Self::File(_) => true,
            Self::Summed(summed) => summed.0.is_file(),
            Self::Metered(metered) => metered.0.is_file(),
            _ => false,
        }
    }

    /// Whether it can be read only once.
    pub(crate) fn is_once(&self) -> bool {
        match self {
            Self::Once(_) => true,
            Self::Summed(summed) => summed.0.is_once(),
            Self::Metered(metered) => metered.0.is_once(),
            _ => false,
        }
    }

    /// Whether it can be read now.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Once(once) => once.lock().is_some(),
            Self::Summed(summed) => summed.0.is_there(),
            Self::Metered(metered) => metered.0.is_there(),
            _ => true,
        }
    }

    /// Its bytes as a stream.
    pub(crate) fn open(&self) -> Result<Pieces> {
        match self {
            Self::None => Ok(Box::pin(Ready::default())),
            Self::Whole(bytes) => Ok(Box::pin(Ready::of([bytes.clone()].into()))),
            Self::Rope(pieces, _) => Ok(Box::pin(Ready::of(pieces.clone()))),
            Self::Once(once) => Ok(Box::pin(once.lend()?)),
            #[cfg(feature = "fs")]
            Self::File(part) => Ok(part.open()),
            Self::Summed(summed) => summed.0.open(),
            Self::Metered(metered) => Ok(Box::pin(Counted {
                pieces: metered.0.open()?,
                metered: metered.clone(),
                passed: 0,
            })),
        }
    }

    /// The checksum that goes behind it.
    pub(crate) fn trailer(&self) -> Option<Checksum> {
        match self {
            Self::Summed(summed) => Some(summed.1),
            Self::Metered(metered) => metered.0.trailer(),
            _ => None,
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// A body under way, of whose progress somebody is told.
struct Counted {
    pieces: Pieces,
    metered: Arc<(Payload, Meter)>,
    /// The bytes that this attempt has sent.
    passed: u64,
}

impl Stream for Counted {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.pieces.as_mut().poll_next(cx));
        if let Some(Ok(piece)) = &item {
            self.passed += piece.len() as u64;
            self.metered.1.reach(self.passed);
        }
        Poll::Ready(item)
    }
}

/// Up to this many bytes in pieces are put together.
const JOINED: u64 = 64 << 10;

/// A stream that is lent to one attempt after another until one has read from it.
pub(crate) struct OneShot {
    len: u64,
    slot: Mutex<Option<Pieces>>,
}

impl OneShot {
    /// Holds this stream of `len` bytes.
    pub(super) fn new<S, E>(len: u64, stream: S) -> Arc<Self>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BodyError> + 'static,
    {
        let stream: Pieces = Box::pin(ErrorBoxed(Box::pin(stream)));
        let slot = Mutex::new(Some(stream));
        Arc::new(Self { len, slot })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pieces>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lend(self: &Arc<Self>) -> Result<LentStream> {
        let stream = self.lock().take();
        let stream = stream.ok_or_else(|| {
            Error::new(
                Kind::Body,
                "the body is a stream that has been read: it cannot be sent again",
            )
        })?;
        Ok(LentStream {
            owner: self.clone(),
            stream: Some(stream),
            read: false,
        })
    }
}

/// A stream under way, which goes back to its owner if nothing was read from it.
pub(crate) struct LentStream {
    owner: Arc<OneShot>,
    stream: Option<Pieces>,
    read: bool,
}

impl Stream for LentStream {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(None);
        };
        let item = ready!(stream.as_mut().poll_next(cx));
        self.read = true;
        Poll::Ready(item)
    }
}

impl Drop for LentStream {
    fn drop(&mut self) {
        if !self.read {
            *self.owner.lock() = self.stream.take();
        }
    }
}

/// Pieces that are at hand.
#[derive(Default)]
struct Ready {
    pieces: Arc<[Bytes]>,
    at: usize,
}

impl Ready {
    fn of(pieces: Arc<[Bytes]>) -> Self {
        Self { pieces, at: 0 }
    }
}

impl Stream for Ready {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = self.pieces.get(self.at).cloned();
        self.at += 1;
        Poll::Ready(piece.map(Ok))
    }
}

/// A stream made of steps, each of which gives a piece and the state of the next.
pub(crate) struct Steps<S, F, R> {
    state: Option<S>,
    step: F,
    running: Option<Pin<Box<R>>>,
}

impl<S, F, R> Steps<S, F, R> {
    pub(crate) fn new(state: S, step: F) -> Self {
        Self {
            state: Some(state),
            step,
            running: None,
        }
    }
}

impl<S, F, R> Stream for Steps<S, F, R>
where
    S: Unpin,
    F: FnMut(S) -> R + Unpin,
    R: Future<Output = Result<Option<(Bytes, S)>, BodyError>>,
{
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(state) = this.state.take() {
            this.running = Some(Box::pin((this.step)(state)));
        }
        let Some(running) = &mut this.running else {
            return Poll::Ready(None);
        };
        let done = ready!(running.as_mut().poll(cx));
        this.running = None;
        match done.transpose() {
            Some(Ok((piece, state))) => {
                this.state = Some(state);
                Poll::Ready(Some(Ok(piece)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => Poll::Ready(None),
        }
    }
}

/// A stream with its error boxed.
struct ErrorBoxed<S>(Pin<Box<S>>);

impl<S, E> Stream for ErrorBoxed<S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<BodyError>,
{
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map_err(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::source::Source;
    use std::convert::Infallible;
    use std::task::Waker;

    fn next(stream: &mut Pieces) -> Option<Result<Bytes, BodyError>> {
        match stream
            .as_mut()
            .poll_next(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(item) => item,
            Poll::Pending => panic!("it is not ready"),
        }
    }

    async fn of(source: Source) -> Payload {
        source.payload().await.unwrap()
    }

    fn all(payload: &Payload) -> Vec<u8> {
        let mut stream = payload.open().unwrap();
        let mut all = Vec::new();
        while let Some(piece) = next(&mut stream) {
            all.extend_from_slice(&piece.unwrap());
        }
        all
    }

    #[tokio::test]
    async fn bytes_can_be_read_again() {
        let ab = || {
            [
                Bytes::from_static(b"a"),
                Bytes::new(),
                Bytes::from_static(b"b"),
            ]
        };
        for (source, bytes) in [
            (Source::from("ab"), "ab"),
            (Source::pieces(ab()), "ab"),
            (Source::pieces([Bytes::from_static(b"a")]), "a"),
            (Source::pieces([]), ""),
        ] {
            let payload = of(source).await;
            assert_eq!(payload.len(), bytes.len() as u64);
            assert!(!payload.is_once());
            for _ in 0..2 {
                assert_eq!(all(&payload), bytes.as_bytes());
                assert!(payload.is_there());
            }
        }
    }

    #[tokio::test]
    async fn a_stream_can_be_read_once_and_lent_until_then() {
        let pieces: Arc<[Bytes]> = Arc::new([Bytes::from_static(b"ab")]);
        let payload = of(Source::stream(2, Ready::of(pieces))).await;
        assert!(payload.is_once() && payload.is_there());
        let lent = payload.open().unwrap();
        assert!(!payload.is_there() && payload.open().is_err());
        drop(lent);
        assert_eq!(all(&payload), b"ab");
        assert!(!payload.is_there());
        let error = payload.open().err().unwrap();
        assert_eq!(error.kind(), Kind::Body);
    }

    #[tokio::test]
    async fn nothing_of_a_body_is_shown() {
        struct Empty;
        impl Stream for Empty {
            type Item = Result<Bytes, Infallible>;
            fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
                Poll::Ready(None)
            }
        }
        let shown = format!(
            "{:?} {:?}",
            Source::from("hush"),
            Source::stream(4, ErrorBoxed(Box::pin(Empty)))
        );
        assert!(
            !shown.contains("hush") && shown.contains("len: 4"),
            "{shown}"
        );
    }
}
