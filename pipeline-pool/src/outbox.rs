//! Bytes on their way out, joined so that many small requests leave in one write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// A piece of at least this many bytes is written from where it is instead of being copied.
const MIN_UNCOPIED_PIECE: usize = 4 * 1024;
/// After a piece that is not copied, the buffer for small pieces is made with room for this many bytes at least.
const ROOM: usize = 4 * 1024;

/// What is to be written to one connection; small pieces are joined.
#[derive(Debug, Default)]
pub struct Outbox {
    pieces: VecDeque<Bytes>,
    /// Joined small pieces, after all of `pieces`.
    tail: BytesMut,
    waiting: usize,
    written: u64,
}

impl Outbox {
    /// Appends a copy of these bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.waiting += bytes.len();
        if !self.pieces.is_empty() && self.tail.capacity() - self.tail.len() < bytes.len() {
            // The buffer went with the pieces. One that fits these bytes only would be made anew for the head of each
            // request with a body, grown for its next line, and freed.
            self.tail.reserve(bytes.len().max(ROOM));
        }
        self.tail.extend_from_slice(bytes);
    }

    /// Appends these bytes, without a copy when they are many.
    pub fn put_bytes(&mut self, bytes: Bytes) {
        if bytes.len() < MIN_UNCOPIED_PIECE {
            return self.put(&bytes);
        }
        self.waiting += bytes.len();
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
        self.pieces.push_back(bytes);
    }

    /// How many bytes wait to be written.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Tells whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// How many bytes have been written so far on this connection.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The position right after the last byte appended.
    pub(crate) fn end(&self) -> u64 {
        self.written + self.waiting as u64
    }

    /// Whether all that waits is one run of bytes, which is it.
    pub(crate) fn single(&self) -> Option<&[u8]> {
        match (self.pieces.len(), self.tail.is_empty()) {
            (0, _) => Some(&self.tail),
            (1, true) => self.pieces.front().map(|piece| &piece[..]),
            _ => None,
        }
    }

    /// Fills `slices` with what waits, in order; says how many were filled.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let all = self.pieces.iter().map(|p| &p[..]).chain([&self.tail[..]]);
        let mut n = 0;
        for (slot, bytes) in slices.iter_mut().zip(all.filter(|b| !b.is_empty())) {
            *slot = IoSlice::new(bytes);
            n += 1;
        }
        n
    }

    /// Takes note that the first `n` bytes were written.
    pub(crate) fn wrote(&mut self, mut n: usize) {
        self.waiting -= n;
        self.written += n as u64;
        while let Some(piece) = self.pieces.front_mut() {
            if n < piece.len() {
                piece.advance(n);
                return;
            }
            n -= piece.len();
            self.pieces.pop_front();
        }
        if n == self.tail.len() {
            // Keeps the buffer, unless one burst has made it large.
            self.tail.clear();
            if self.tail.capacity() > 256 * 1024 {
                self.tail = BytesMut::new();
            }
        } else {
            self.tail.advance(n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads_between_large_pieces_share_a_buffer() {
        let (mut out, body) = (Outbox::default(), Bytes::from(vec![0; MIN_UNCOPIED_PIECE]));
        for _ in 0..5 {
            out.put(&[1; 300]);
            out.put(&[2; 20]);
            out.put_bytes(body.clone());
        }
        let heads: Vec<_> = out
            .pieces
            .iter()
            .step_by(2)
            .map(|head| head.as_ptr())
            .collect();
        // The first one had nothing before it.
        for (n, head) in heads.iter().skip(1).enumerate() {
            assert_eq!(*head, heads[1].wrapping_add(n * 320));
        }
        assert!(
            out.pieces
                .iter()
                .skip(1)
                .step_by(2)
                .all(|piece| piece.as_ptr() == body.as_ptr())
        );
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            pieces in prop::collection::vec((prop::bool::ANY, 0usize..9000), 0..8),
            steps in prop::collection::vec(1usize..7000, 1..40),
        ) {
            let mut out = Outbox::default();
            let mut expected = Vec::new();
            for (i, (copied, len)) in pieces.into_iter().enumerate() {
                let bytes = vec![i as u8; len];
                expected.extend_from_slice(&bytes);
                if copied { out.put(&bytes) } else { out.put_bytes(bytes.into()) }
            }
            prop_assert_eq!(out.end(), expected.len() as u64);
            let mut got = Vec::new();
            for step in steps.into_iter().chain(std::iter::repeat(1 << 20)) {
                if out.is_empty() { break }
                let mut slices = [IoSlice::new(&[]); 4];
                let n = out.slices(&mut slices);
                let seen: Vec<u8> = slices[..n].iter().flat_map(|s| s.to_vec()).collect();
                if let Some(single) = out.single() { prop_assert_eq!(single, &seen[..]); }
                let take = step.min(seen.len());
                got.extend_from_slice(&seen[..take]);
                out.wrote(take);
            }
            prop_assert_eq!(got, expected);
        }
    }
}
