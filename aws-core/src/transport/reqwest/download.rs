//! A large answer body, read as fast as it is consumed, with a bound on the server's pauses.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use hyper::body::Body as _;
use pipeline_pool::{Error, Kind, Sent};
use tokio::time::{Sleep, sleep};

use super::failure;

/// How long a server may pause; the time that the reader takes is not counted.
const MAX_SERVER_PAUSE: Duration = Duration::from_secs(30);

pub(super) struct Download {
    body: ::reqwest::Body,
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl Download {
    pub(super) fn new(body: ::reqwest::Body) -> Self {
        Self {
            body,
            timer: None,
            ended: false,
        }
    }
}

impl Stream for Download {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while !self.ended {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.timer = None;
                    // Trailers say nothing that is asked for here.
                    if let Ok(bytes) = frame.into_data()
                        && !bytes.is_empty()
                    {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(failure::answered(&error))));
                }
                Poll::Ready(None) => self.ended = true,
                Poll::Pending => {
                    let timer = self
                        .timer
                        .get_or_insert_with(|| Box::pin(sleep(MAX_SERVER_PAUSE)));
                    if timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.ended = true;
                    let error = Error::new(Kind::Timeout, "the server paused within the body");
                    return Poll::Ready(Some(Err(error.with_sent(Sent::All))));
                }
            }
        }
        Poll::Ready(None)
    }
}
