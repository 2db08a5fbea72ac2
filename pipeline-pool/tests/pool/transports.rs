//! Transports that fail in the middle of a write, or take nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pipeline_pool::{Connect, Connecting, HttpPool, Io, Kind, Method, Origin, Request, Sent};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

const ANSWER: &[u8] =
    b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig";

#[derive(Clone, Copy, PartialEq)]
enum Writes {
    /// One is taken, and then the peer has answered and closed.
    Once,
    /// One is taken, and then none.
    Stalling,
}

struct Transport {
    writes: Writes,
    wrote: bool,
    answer: &'static [u8],
    reader: Option<Waker>,
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.wrote || self.writes == Writes::Stalling {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buf.put_slice(std::mem::take(&mut self.answer));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.writes {
            Writes::Once if self.wrote => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Writes::Stalling if self.wrote => Poll::Pending,
            _ => {
                self.wrote = true;
                if let Some(reader) = self.reader.take() {
                    reader.wake();
                }
                Poll::Ready(Ok(bytes.len() / 2))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Connect for Writes {
    fn connect(&self, _: &Origin) -> Connecting {
        let io = Transport {
            writes: *self,
            wrote: false,
            answer: ANSWER,
            reader: None,
        };
        Box::pin(std::future::ready(Ok(Box::new(io) as Box<dyn Io>)))
    }
}

fn post(origin: &Origin) -> Request {
    let mut request = Request::new(Method::Post, origin, "/").unwrap();
    request.body(vec![b'x'; 100_000]);
    request
}

#[tokio::test]
async fn an_answer_before_the_write_failed_counts() {
    let origin = Origin::parse("http://h").unwrap();
    let pool = HttpPool::builder().connector(Writes::Once).build();
    let response = pool.send(&origin, post(&origin)).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(response.body().as_whole().unwrap(), "big");
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_takes_no_more_is_given_up() {
    let origin = Origin::parse("http://h").unwrap();
    let builder = HttpPool::builder().connector(Writes::Stalling);
    let pool = builder.write_timeout(Duration::from_secs(7)).build();
    let begun = Instant::now();
    let error = pool.send(&origin, post(&origin)).await.unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), 7);
    assert_eq!((error.kind(), error.sent()), (Kind::Timeout, Sent::Part));
}
