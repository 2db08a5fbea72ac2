//! One connection of the world: the client's pipeline, the two directions of the wire, the server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use bytes::BytesMut;

use super::Flag;
use super::events::Manner;
use super::wire::{Frame, Side, Wire};
use crate::engine::core::connection::ConnId;
use crate::engine::core::pipeline::Pipeline;
use crate::protocol::ConnectionId;

/// How the server's end has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Closed,
    Reset,
}

/// A connection that is being opened, or is open.
pub(super) struct Link {
    pub(super) uid: usize,
    pub(super) site: usize,
    pub(super) id: ConnId,
    pub(super) name: ConnectionId,
    pub(super) began: Instant,
    /// There once it is open.
    pub(super) open: Option<OpenLink>,
}

/// What there is of a connection once it is open.
pub(super) struct OpenLink {
    pub(super) pipeline: Pipeline<Wire>,
    pub(super) side: Arc<Mutex<Side>>,
    pub(super) manner: Manner,
    /// When the driver's timer rings.
    pub(super) timer: Instant,
    /// Wakes the driver.
    pub(super) flag: Arc<Flag>,
    /// Bytes that the socket takes before it is full.
    pub(super) window: usize,
    /// What the server has sent and has not arrived yet.
    pub(super) sent: BytesMut,
    /// What has arrived and was not read.
    pub(super) arrived: BytesMut,
    pub(super) cut: Option<Cut>,
    /// The cut has been told the driver.
    pub(super) cut_seen: bool,
    /// The server has said all that it will.
    pub(super) mute: bool,
    /// The server answers these at these instants.
    pub(super) answers: VecDeque<(Instant, u16)>,
    /// When bytes last came, or the client began to wait for an answer.
    pub(super) progress: Instant,
    /// When bytes were last written, or the client began to wait for room to write.
    pub(super) wrote: Instant,
    /// The server has sent the head of a large answer, and not its end.
    pub(super) large: bool,
}

impl OpenLink {
    pub(super) fn side(&self) -> MutexGuard<'_, Side> {
        self.side.lock().unwrap()
    }

    /// The server sends a frame about the first request that it has not answered. `partly` says
    /// whether that may be one that has not arrived whole. Says which one it was.
    pub(super) fn answer(&mut self, frame: Frame, partly: bool) -> Option<u16> {
        if self.mute || self.cut.is_some() || self.large != (frame == Frame::End) {
            return None;
        }
        let mut side = self.side.lock().unwrap();
        let next = side.flight.iter_mut().find(|f| !f.answered)?;
        let seen = next.has_arrived() || partly && next.written > 0;
        if !seen {
            return None;
        }
        next.answered = matches!(frame, Frame::Whole | Frame::Last | Frame::End);
        self.large = frame == Frame::Open;
        self.mute = frame == Frame::Last;
        frame.write(next.id, &mut self.sent);
        Some(next.id)
    }

    /// The server notes the requests that have arrived, to be answered at this instant.
    pub(super) fn note_arrivals(&mut self, at: Instant) {
        let known = self.answers.len();
        let side = self.side.lock().unwrap();
        let arrived = side
            .flight
            .iter()
            .filter(|f| !f.answered && f.has_arrived());
        let new: Vec<_> = arrived.skip(known).map(|f| (at, f.id)).collect();
        drop(side);
        self.answers.extend(new);
    }

    /// What was sent arrives, up to so many bytes.
    pub(super) fn deliver(&mut self, n: usize) {
        let n = n.min(self.sent.len());
        let bytes = self.sent.split_to(n);
        self.arrived.extend_from_slice(&bytes);
        if n > 0 {
            self.flag.raise();
        }
    }

    /// Whether the driver has something to do that it was not woken for: tokio would wake it.
    pub(super) fn is_readable(&self) -> bool {
        let stopped = {
            let side = self.side();
            side.open && side.paused
        };
        let cut = match self.cut {
            Some(Cut::Closed) => self.sent.is_empty() && !self.cut_seen,
            Some(Cut::Reset) => true,
            None => false,
        };
        !stopped && (cut || !self.arrived.is_empty())
    }
}
