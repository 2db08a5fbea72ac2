//! Cuts what is to be sent into the bodies of its parts.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use aws_core::{Error, Kind, Result};
use bytes::{Buf as _, Bytes};

use super::blocks::Blocks;
#[cfg(feature = "fs")]
use crate::file::FilePart;
use crate::request::body::{Payload, Pieces};

/// What is left of what is to be sent.
pub(crate) struct Feed {
    from: From,
    /// How much has been given.
    given: u64,
    /// How much there is, if that is known.
    len: Option<u64>,
    /// Whether parts of a file keep the digest of what was read.
    #[cfg(feature = "fs")]
    hash: bool,
}

enum From {
    Bytes(Bytes),
    Rope(VecDeque<Bytes>),
    #[cfg(feature = "fs")]
    File(std::sync::Arc<FilePart>),
    Stream {
        stream: Pieces,
        /// What came beyond the end of a part.
        over: Bytes,
        /// The part that is being gathered.
        part: Blocks,
        ended: bool,
    },
}

impl Feed {
    /// Of what can be read as often as is needed; nothing of a stream.
    pub(crate) fn new(payload: Payload, hash: bool) -> Result<Self> {
        #[cfg(not(feature = "fs"))]
        let _only_of_files = hash;
        let len = Some(payload.len());
        let from = match payload {
            Payload::None => From::Bytes(Bytes::new()),
            Payload::Whole(bytes) => From::Bytes(bytes),
            Payload::Rope(pieces, _) => From::Rope(pieces.iter().cloned().collect()),
            #[cfg(feature = "fs")]
            Payload::File(part) => From::File(part),
            other => return Ok(Self::of_stream(other.open()?, len)),
        };
        Ok(Self {
            from,
            given: 0,
            len,
            #[cfg(feature = "fs")]
            hash,
        })
    }

    /// Of a stream, the parts of which are kept in memory while they are sent.
    pub(crate) fn of_stream(stream: Pieces, len: Option<u64>) -> Self {
        Self {
            from: From::Stream {
                stream,
                over: Bytes::new(),
                part: Blocks::default(),
                ended: false,
            },
            given: 0,
            len,
            #[cfg(feature = "fs")]
            hash: false,
        }
    }

    pub(crate) fn len(&self) -> Option<u64> {
        self.len
    }

    /// The next `size` bytes, fewer at the end, and none behind it.
    pub(crate) async fn next(&mut self, size: u64) -> Result<Payload> {
        poll_fn(|cx| self.poll_next(size, size, cx)).await
    }

    /// As [`next`](Self::next); nothing is lost between two polls. Of a stream no more than `most` of the part is
    /// read into memory now: with that much, and less than all, it is pending until it is asked with more.
    pub(crate) fn poll_next(
        &mut self,
        size: u64,
        most: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Payload>> {
        let part = match &mut self.from {
            From::Bytes(bytes) => {
                let n = size.min(bytes.len() as u64) as usize;
                Payload::Whole(bytes.split_to(n))
            }
            From::Rope(pieces) => cut(pieces, size),
            #[cfg(feature = "fs")]
            From::File(file) => {
                let n = size.min(file.len() - self.given);
                Payload::File(std::sync::Arc::new(file.part(self.given, n, self.hash)))
            }
            From::Stream { .. } => ready!(self.poll_gather(size, most, cx))?,
        };
        self.given += part.len();
        Poll::Ready(Ok(part))
    }

    fn poll_gather(&mut self, size: u64, most: u64, cx: &mut Context<'_>) -> Poll<Result<Payload>> {
        let From::Stream {
            stream,
            over,
            part,
            ended,
        } = &mut self.from
        else {
            return Poll::Ready(Ok(Payload::None));
        };
        let in_memory = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        let (size, most) = (in_memory(size), in_memory(most.min(size)));
        while part.len() < size {
            if !over.is_empty() {
                let room = most.saturating_sub(part.len());
                if room == 0 {
                    return Poll::Pending;
                }
                let n = part.fill(&over[..room.min(over.len())]);
                over.advance(n);
                continue;
            }
            if *ended {
                break;
            }
            match ready!(stream.as_mut().poll_next(cx)) {
                Some(Ok(piece)) => *over = piece,
                Some(Err(cause)) => {
                    let text = format!("the request's body failed: {cause}");
                    return Poll::Ready(Err(Error::new(Kind::Body, text)));
                }
                None => *ended = true,
            }
        }
        let given = self.given + part.len() as u64;
        let done = *ended;
        if self
            .len
            .is_some_and(|len| given > len || (done && given < len))
        {
            return Poll::Ready(Err(Error::new(
                Kind::Body,
                format!(
                    "the request's body is not as long as it was stated: {given} bytes came of {}",
                    self.len.unwrap_or_default()
                ),
            )));
        }
        Poll::Ready(Ok(part.take()))
    }
}

/// Takes so many bytes off the pieces, or what there is.
fn cut(pieces: &mut VecDeque<Bytes>, size: u64) -> Payload {
    let mut part = Vec::new();
    let mut left = size;
    while left > 0
        && let Some(mut piece) = pieces.pop_front()
    {
        let n = left.min(piece.len() as u64);
        part.push(piece.split_to(n as usize));
        left -= n;
        if !piece.is_empty() {
            pieces.push_front(piece);
        }
    }
    Payload::pieces(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::source::Source;

    struct Items(std::vec::IntoIter<Result<Bytes, std::io::Error>>);

    impl futures_core::Stream for Items {
        type Item = Result<Bytes, std::io::Error>;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Self::Item>> {
            Poll::Ready(self.0.next())
        }
    }

    fn items(sizes: &[usize]) -> Items {
        let piece = |n: &usize| Ok(Bytes::from(vec![b'x'; *n]));
        Items(sizes.iter().map(piece).collect::<Vec<_>>().into_iter())
    }

    async fn parts(feed: &mut Feed, size: u64) -> Result<Vec<u64>> {
        let mut parts = Vec::new();
        loop {
            let part = feed.next(size).await?;
            if part.len() == 0 {
                return Ok(parts);
            }
            parts.push(part.len());
        }
    }

    #[tokio::test]
    async fn everything_comes_in_parts_of_the_size() {
        for (sizes, cut) in [
            (vec![], vec![]),
            (vec![0, 10, 0], vec![10]),
            (vec![3, 3, 3, 3], vec![10, 2]),
            (vec![25], vec![10, 10, 5]),
            (vec![10, 10], vec![10, 10]),
            (vec![200_000], vec![10; 20_000]),
        ] {
            let total: usize = sizes.iter().sum();
            let stream = Source::stream(total as u64, items(&sizes));
            let mut feed = Feed::new(stream.payload().await.unwrap(), true).unwrap();
            assert_eq!(parts(&mut feed, 10).await.unwrap(), cut, "{sizes:?}");
            let mut feed = Feed::new(Payload::Whole(vec![b'x'; total].into()), true).unwrap();
            assert_eq!(parts(&mut feed, 10).await.unwrap(), cut, "{sizes:?}");
            let pieces: Vec<_> = sizes.iter().map(|n| vec![b'x'; *n].into()).collect();
            let rope = Payload::Rope(pieces.into(), total as u64);
            let mut feed = Feed::new(rope, true).unwrap();
            assert_eq!(parts(&mut feed, 10).await.unwrap(), cut, "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn pieces_are_cut_in_their_order_and_not_copied() {
        let bytes: Vec<u8> = (0..400_000).map(|at| (at % 251) as u8).collect();
        let bytes = Bytes::from(bytes);
        let pieces: Vec<_> = (0..4)
            .map(|at| bytes.slice(at * 100_000..(at + 1) * 100_000))
            .collect();
        let source = Source::pieces(pieces).payload().await.unwrap();
        let mut feed = Feed::new(source, true).unwrap();
        let mut at = 0;
        while at < bytes.len() {
            let part = feed.next(150_000).await.unwrap();
            assert_eq!(part.len(), 150_000.min(bytes.len() - at) as u64);
            let pieces = match part {
                Payload::Rope(pieces, _) => pieces.to_vec(),
                one => vec![one.whole().unwrap()],
            };
            for piece in pieces {
                assert_eq!(piece.as_ptr(), bytes[at..].as_ptr(), "at {at}");
                at += piece.len();
            }
        }
        assert_eq!(feed.next(150_000).await.unwrap().len(), 0);
    }

    #[tokio::test]
    async fn a_stream_has_to_keep_to_its_length() {
        for len in [11, 13] {
            let stream = Source::stream(len, items(&[3, 3, 3, 3]));
            let mut feed = Feed::new(stream.payload().await.unwrap(), true).unwrap();
            let error = parts(&mut feed, 10).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Body, "{error}");
        }
    }
}
