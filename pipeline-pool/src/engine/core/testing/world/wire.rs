//! The protocol that is spoken in the world, and what both ends of a connection see of it.
//!
//! A request is a header of [`HEADER`] bytes, and pieces of [`PIECE`] bytes where it comes in pieces.
//! A reply is a frame of [`FRAME`] bytes: its kind, and the number of the request that it answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{BufMut, BytesMut};

use crate::error::{Error, Kind};
use crate::outbox::Outbox;
use crate::protocol::{Decoded, Encoded, Protocol, Treatment};

pub(super) const HEADER: usize = 8;
pub(super) const PIECE: usize = 16;
pub(super) const FRAME: usize = 3;
/// The number of an answer that nobody asked for.
pub(super) const NOBODY: u16 = u16::MAX;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Whole,
    /// The server closes after it.
    Last,
    Open,
    End,
    Interim,
}

impl Frame {
    const ALL: [(u8, Self); 5] = [
        (b'.', Self::Whole),
        (b'x', Self::Last),
        (b'o', Self::Open),
        (b'e', Self::End),
        (b'i', Self::Interim),
    ];

    pub(super) fn write(self, id: u16, out: &mut BytesMut) {
        let (byte, _) = Self::ALL.into_iter().find(|(_, f)| *f == self).unwrap();
        out.put_u8(byte);
        out.put_u16(id);
    }
}

/// Where the pieces of a request come from.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) ready: usize,
    pub(super) left: usize,
    pub(super) taken: bool,
    pub(super) failed: bool,
    pub(super) waker: Option<Waker>,
}

/// A request of the world.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) id: u16,
    pub(super) treatment: Treatment,
    pub(super) source: Option<Arc<Mutex<Source>>>,
}

/// What a caller hears.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) id: u16,
    /// The connection that it came on.
    pub(super) on: usize,
}

/// A request that was encoded on a connection.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) id: u16,
    /// Bytes that were encoded, and that were written.
    pub(super) len: usize,
    pub(super) written: usize,
    /// All of it is encoded.
    pub(super) complete: bool,
    /// The server has answered it.
    pub(super) answered: bool,
    /// When the wait for its reply began.
    pub(super) sent_at: Option<Instant>,
}

impl Outgoing {
    /// Whether the server has all of it.
    pub(super) fn has_arrived(&self) -> bool {
        self.complete && self.written == self.len
    }
}

/// What is seen of one connection from outside the core.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Requests whose replies the client has not taken yet, in the order of the wire.
    pub(super) flight: VecDeque<Outgoing>,
    /// Those before this place have been looked at since they were encoded.
    pub(super) looked_at: usize,
    pub(super) replies: u64,
    /// A large answer is under way.
    pub(super) open: bool,
    pub(super) paused: bool,
    pub(super) deserted: bool,
    pub(super) reader: Option<Waker>,
    pub(super) aborted: bool,
}

impl Side {
    /// Whether the server is waited for from the last byte on that was written.
    pub(super) fn begins_to_wait(&self) -> bool {
        self.flight.len() == 1 && !self.open
    }
}

/// One connection's protocol.
pub(super) struct Wire {
    pub(super) uid: usize,
    pub(super) side: Arc<Mutex<Side>>,
}

impl Wire {
    fn side(&self) -> MutexGuard<'_, Side> {
        self.side.lock().unwrap()
    }
}

impl Protocol for Wire {
    type Request = Errand;
    type Reply = Answered;

    fn treatment(errand: &Errand) -> Treatment {
        errand.treatment
    }

    fn duplicate(errand: &Errand) -> Option<Errand> {
        let copy = || Errand {
            id: errand.id,
            treatment: errand.treatment,
            source: None,
        };
        errand.source.is_none().then(copy)
    }

    fn encode(&mut self, errand: &mut Errand, out: &mut Outbox) -> Encoded {
        out.put(&[b'r'; HEADER]);
        self.side().flight.push_back(Outgoing {
            id: errand.id,
            len: HEADER,
            written: 0,
            complete: errand.source.is_none(),
            answered: false,
            sent_at: None,
        });
        match errand.source {
            Some(_) => Encoded::Partly,
            None => Encoded::Wholly,
        }
    }

    fn poll_encode(
        &mut self,
        errand: &mut Errand,
        out: &mut Outbox,
        cx: &mut Context<'_>,
    ) -> Poll<Result<bool, Error>> {
        let mut side = self.side();
        let Some(outgoing) = side.flight.back_mut() else {
            panic!("more is encoded of what was not begun");
        };
        assert_eq!(outgoing.id, errand.id);
        let mut source = errand.source.as_ref().unwrap().lock().unwrap();
        if source.failed {
            return Poll::Ready(Err(Error::new(Kind::Body, "the source failed")));
        }
        if source.ready == 0 && source.left > 0 {
            source.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if source.left > 0 {
            source.taken = true;
            source.ready -= 1;
            source.left -= 1;
            out.put(&[b'p'; PIECE]);
            outgoing.len += PIECE;
        }
        outgoing.complete = source.left == 0;
        Poll::Ready(Ok(outgoing.complete))
    }

    fn is_untouched(errand: &Errand) -> bool {
        let source = errand.source.as_ref();
        source.is_some_and(|source| !source.lock().unwrap().taken)
    }

    fn decode(
        &mut self,
        _: &Errand,
        input: &mut BytesMut,
        _: bool,
    ) -> Result<Decoded<Answered>, Error> {
        let Some(first) = input.first() else {
            return Ok(Decoded::More);
        };
        let Some((_, frame)) = Frame::ALL.into_iter().find(|(byte, _)| byte == first) else {
            return Err(Error::new(Kind::Protocol, "no frame"));
        };
        if input.len() < FRAME {
            return Ok(Decoded::More);
        }
        let bytes = input.split_to(FRAME);
        let id = u16::from_be_bytes([bytes[1], bytes[2]]);
        let on = self.uid;
        let mut side = self.side();
        if frame == Frame::Interim {
            return Ok(Decoded::Interim);
        }
        if side.open != (frame == Frame::End) {
            return Err(Error::new(Kind::Protocol, "a frame out of order"));
        }
        side.open = frame == Frame::Open;
        if side.open {
            return Ok(Decoded::Open(Answered { id, on }));
        }
        side.flight.pop_front();
        side.looked_at = side.looked_at.saturating_sub(1);
        side.replies += 1;
        side.paused = false;
        side.deserted = false;
        let reusable = frame != Frame::Last;
        Ok(match frame {
            Frame::End => Decoded::End { reusable },
            _ => Decoded::Reply {
                reply: Answered { id, on },
                reusable,
            },
        })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut side = self.side();
        if side.open && side.paused {
            side.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn is_amid(&self) -> bool {
        self.side().open
    }

    fn is_deserted(&self) -> bool {
        self.side().deserted
    }

    fn abort(&mut self, cause: &Error) {
        assert!(cause.may_have_been_sent(), "its reply has begun");
        self.side().aborted = true;
    }
}
