//! A streamed request body on its way out, held to the length that it said.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream as _;
use hyper::body::{Frame, SizeHint};
use pipeline_pool::{Body, Error, Kind, Sent};

/// Where a body says why it failed.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<Error>>>);

impl Fault {
    fn set(&self, error: &Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
    }

    pub(super) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Bytes for hyper, of the length announced or ending in an error.
pub(super) struct Upload {
    /// Never locked: a body is `Send` only, and hyper wants `Sync`.
    body: Mutex<Body>,
    /// Bytes that the stream has still to yield.
    due: Option<u64>,
    /// The last piece, kept until the stream has ended: hyper asks for nothing after it.
    last: Option<Bytes>,
    ended: bool,
    fault: Fault,
}

impl Upload {
    pub(super) fn new(body: Body, len: Option<u64>, fault: Fault) -> Self {
        Self {
            body: Mutex::new(body),
            due: len,
            last: None,
            ended: false,
            fault,
        }
    }

    fn fail(&mut self, error: Error) -> Error {
        self.ended = true;
        let error = error.with_sent(Sent::Part);
        self.fault.set(&error);
        error
    }

    fn misfit(&mut self, what: &'static str) -> Error {
        self.fail(Error::new(Kind::Body, what))
    }
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        while !self.ended {
            let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
            match ready!(Pin::new(body).poll_next(cx)) {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    let Some(due) = &mut self.due else {
                        return Poll::Ready(Some(Ok(Frame::data(piece))));
                    };
                    let len = piece.len() as u64;
                    if len > *due {
                        let error = self.misfit("the body is longer than its length says");
                        return Poll::Ready(Some(Err(error)));
                    }
                    *due -= len;
                    if *due > 0 {
                        return Poll::Ready(Some(Ok(Frame::data(piece))));
                    }
                    self.last = Some(piece);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(self.fail(error)))),
                None => {
                    self.ended = true;
                    if self.due.is_some_and(|due| due > 0) {
                        let error = self.misfit("the body is shorter than its length says");
                        return Poll::Ready(Some(Err(error)));
                    }
                    let last = self.last.take();
                    return Poll::Ready(last.map(|piece| Ok(Frame::data(piece))));
                }
            }
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.last.as_ref().map_or(0, |piece| piece.len() as u64);
        self.due
            .map_or_else(SizeHint::default, |due| SizeHint::with_exact(due + kept))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use hyper::body::Body as _;

    use super::*;

    struct Pieces(VecDeque<Result<Bytes, Error>>);

    impl futures_core::Stream for Pieces {
        type Item = Result<Bytes, Error>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    /// What comes out of these pieces, joined, and what is known of the failure.
    fn run(len: Option<u64>, pieces: &[&'static str]) -> (Result<String, Kind>, Option<Kind>) {
        let pieces = pieces.iter().map(|p| match *p {
            "!" => Err(Error::new(Kind::Body, "broken")),
            p => Ok(Bytes::from_static(p.as_bytes())),
        });
        let fault = Fault::default();
        let body = Body::from_stream(len, Pieces(pieces.collect()));
        let mut upload = Upload::new(body, len, fault.clone());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut all = String::new();
        let outcome = loop {
            assert_eq!(
                upload.size_hint().exact(),
                len.map(|n| n - all.len() as u64)
            );
            match Pin::new(&mut upload).poll_frame(&mut cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let piece = frame.into_data().unwrap();
                    all.push_str(std::str::from_utf8(&piece).unwrap());
                }
                Poll::Ready(Some(Err(error))) => {
                    assert_eq!(error.sent(), Sent::Part);
                    break Err(error.kind());
                }
                Poll::Ready(None) => break Ok(all),
                Poll::Pending => panic!("it has nothing to wait for"),
            }
        };
        (outcome, fault.take().map(|e| e.kind()))
    }

    #[test]
    fn a_body_is_as_long_as_it_says_or_fails() {
        let body = Kind::Body;
        assert_eq!(run(None, &["ab", "", "c"]), (Ok("abc".into()), None));
        assert_eq!(run(Some(3), &["ab", "c", ""]), (Ok("abc".into()), None));
        assert_eq!(run(Some(4), &["ab", "c"]), (Err(body), Some(body)));
        assert_eq!(run(Some(3), &["ab", "c", "d"]), (Err(body), Some(body)));
        assert_eq!(run(Some(3), &["ab", "cd"]), (Err(body), Some(body)));
        assert_eq!(run(Some(3), &["ab", "!"]), (Err(body), Some(body)));
    }
}
