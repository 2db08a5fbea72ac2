//! Cuts the bytes of an Erlang port into calls. It has no socket and no clock: bytes in, calls out.

use bytes::{Buf, Bytes, BytesMut};

/// How many bytes say how long a frame is, as the port's option `{packet, 4}` has it.
const LENGTH: usize = 4;
/// How many bytes of a frame name the call.
const ID: usize = 8;
/// How much room for bytes to come there is at least.
const ROOM: usize = 64 << 10;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A call of this id, with the bytes of its term.
    Call(u64, Bytes),
    /// A call of this id that was longer than a frame may be. Its bytes have been thrown away.
    TooLong(u64),
}

/// A frame without an id: what is at the other end does not speak this protocol.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoId(pub(super) usize);

/// The bytes that came and are not yet calls.
#[derive(Debug)]
pub(super) struct Frames {
    buffer: BytesMut,
    /// How many bytes of a frame that is too long are still to be thrown away.
    skip: usize,
    max: usize,
}

impl Frames {
    /// For frames of at most `max` bytes, the id included.
    pub(super) fn new(max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            skip: 0,
            max,
        }
    }

    /// Where the bytes that come are to be appended.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        // A frame that has begun gets room for all of it at once, which is not more than a frame may have.
        let rest = self.length().map_or(0, |length| {
            (LENGTH + length.min(self.max)).saturating_sub(self.buffer.len())
        });
        self.buffer.reserve(rest.max(ROOM));
        &mut self.buffer
    }

    /// Whether a call has begun that is not whole.
    pub(super) fn within_a_call(&self) -> bool {
        self.skip > 0 || !self.buffer.is_empty()
    }

    fn length(&self) -> Option<usize> {
        let length = self.buffer.first_chunk::<LENGTH>()?;
        Some(u32::from_be_bytes(*length) as usize)
    }

    /// The next call, or `None` if more bytes have to come first.
    pub(super) fn next(&mut self) -> Result<Option<Incoming>, NoId> {
        let skipped = self.skip.min(self.buffer.len());
        self.buffer.advance(skipped);
        self.skip -= skipped;
        let Some(length) = self.length() else {
            return Ok(None);
        };
        if length < ID {
            return Err(NoId(length));
        }
        if self.buffer.len() < LENGTH + ID
            || (length <= self.max && self.buffer.len() < LENGTH + length)
        {
            return Ok(None);
        }
        self.buffer.advance(LENGTH);
        let id = self.buffer.get_u64();
        let rest = length - ID;
        if length > self.max {
            self.skip = rest.saturating_sub(self.buffer.len());
            self.buffer.advance(rest.min(self.buffer.len()));
            return Ok(Some(Incoming::TooLong(id)));
        }
        Ok(Some(Incoming::Call(
            id,
            self.buffer.split_to(rest).freeze(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: u64, body: &[u8]) -> Vec<u8> {
        let mut frame = ((ID + body.len()) as u32).to_be_bytes().to_vec();
        frame.extend(id.to_be_bytes());
        frame.extend(body);
        frame
    }

    /// What comes of these bytes if they come in pieces of `step`.
    fn cut(bytes: &[u8], step: usize, max: usize) -> (Vec<Incoming>, Frames) {
        let mut frames = Frames::new(max);
        let mut calls = Vec::new();
        for piece in bytes.chunks(step) {
            frames.buffer().extend_from_slice(piece);
            while let Some(call) = frames.next().expect("frames with an id") {
                calls.push(call);
            }
        }
        (calls, frames)
    }

    #[test]
    fn calls_are_the_same_wherever_the_bytes_are_cut() {
        let bytes = [
            frame(1, b"one"),
            frame(2, b""),
            frame(3, &[7; 40]),
            frame(4, b"four"),
        ]
        .concat();
        let expected = [
            Incoming::Call(1, Bytes::from_static(b"one")),
            Incoming::Call(2, Bytes::new()),
            // 48 bytes are more than the 20 that are allowed here.
            Incoming::TooLong(3),
            Incoming::Call(4, Bytes::from_static(b"four")),
        ];
        for step in 1..=bytes.len() {
            let (calls, frames) = cut(&bytes, step, 20);
            assert_eq!(calls, expected, "in pieces of {step}");
            assert!(!frames.within_a_call());
        }
    }

    #[test]
    fn a_frame_may_have_just_as_many_bytes_as_allowed() {
        let bytes = frame(9, &[1; 12]);
        assert_eq!(
            cut(&bytes, 64, 20).0,
            [Incoming::Call(9, Bytes::from_static(&[1; 12]))]
        );
        assert_eq!(cut(&bytes, 64, 19).0, [Incoming::TooLong(9)]);
    }

    #[test]
    fn an_end_within_a_call_is_seen() {
        let bytes = frame(1, b"one");
        for end in 1..bytes.len() {
            assert!(
                cut(&bytes[..end], 64, 64).1.within_a_call(),
                "after {end} bytes"
            );
        }
        // One that is thrown away, too.
        assert!(cut(&frame(1, &[0; 40])[..30], 64, 20).1.within_a_call());
    }

    #[test]
    fn a_frame_without_an_id_is_an_error() {
        let mut frames = Frames::new(64);
        frames.buffer().extend_from_slice(&[0, 0, 0, 7, 1, 2, 3]);
        assert_eq!(frames.next(), Err(NoId(7)));
    }

    #[test]
    fn a_length_alone_takes_no_memory() {
        let mut frames = Frames::new(1 << 20);
        frames.buffer().extend_from_slice(&[255; LENGTH]);
        assert_eq!(frames.next(), Ok(None));
        assert!(
            frames.buffer().capacity() <= 2 << 20,
            "{}",
            frames.buffer().capacity()
        );
    }
}
