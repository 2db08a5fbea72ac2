//! Room to read into: how much, and in which of two buffers.
//!
//! Replies are slices of what was read, and callers may still hold some when the next read comes. So
//! a connection reads into two buffers in turn: a new one for each read would be given back to the
//! system by the allocator each time.

use bytes::BytesMut;

/// The bytes that the first read has room for; the room grows when reads fill it.
const FIRST_READ: usize = 8 * 1024;
/// A read has room for so many bytes at least.
const MIN_READ: usize = 1024;

/// What a connection knows of its reads.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    /// Bytes to make room for before a read.
    size: usize,
    max_size: usize,
    /// The last read took all that was there.
    drained: bool,
    /// Another buffer to read into, while callers still hold what was read into the first.
    other: BytesMut,
}

impl ReadBuffer {
    /// Reads of so many bytes at most.
    pub(super) fn new(max_size: usize) -> Self {
        Self {
            size: FIRST_READ.min(max_size),
            max_size,
            drained: false,
            other: BytesMut::new(),
        }
    }

    /// Whether the last read took all that was there.
    pub(super) fn is_drained(&self) -> bool {
        self.drained
    }

    /// Makes room for a read, and says how much. `again` says that there was a read just before.
    pub(super) fn prepare(&mut self, input: &mut BytesMut, again: bool) -> usize {
        let least = match again && self.drained {
            true => MIN_READ,
            false => self.size / 2,
        };
        let room = input.capacity() - input.len();
        if room >= least {
            return room;
        }
        // By the next time the replies of this one may be used up, and their buffer free again.
        let size = self.size.saturating_sub(input.len()).max(least);
        make_room(input, &mut self.other, size);
        input.capacity() - input.len()
    }

    /// A read has brought so many bytes, with room for so many.
    pub(super) fn note_read(&mut self, n: usize, room: usize, again: bool) {
        let full = n == room;
        if full && !(again && self.drained) {
            self.size = (self.size * 2).min(self.max_size);
        }
        self.drained = !full;
    }

    /// There was nothing to read.
    pub(super) fn note_empty(&mut self) {
        self.drained = true;
    }

    /// Keeps one buffer only, while the connection is idle.
    pub(super) fn release(&mut self) {
        self.other = BytesMut::new();
    }
}

/// Makes room for so many bytes more. Where callers still hold some of what is in this buffer, the
/// other one is used meanwhile: it may be free by now, and neither has to be made anew.
fn make_room(input: &mut BytesMut, other: &mut BytesMut, size: usize) {
    if input.try_reclaim(size) {
        return;
    }
    let whole = input.len() + size;
    other.clear();
    if !other.try_reclaim(whole) {
        *other = BytesMut::with_capacity(whole);
    }
    // The beginning of a reply.
    other.extend_from_slice(input);
    std::mem::swap(input, other);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_buffers_take_turns_while_replies_are_held() {
        let (mut input, mut other) = (BytesMut::with_capacity(4096), BytesMut::new());
        let first = input.as_ptr();
        input.extend_from_slice(&[1; 4000]);
        let held = input.split_to(3990).freeze();
        make_room(&mut input, &mut other, 4096);
        let second = input.as_ptr();
        assert_ne!(first, second);
        assert_eq!(
            (&input[..], input.capacity() >= 4106),
            (&[1; 10][..], true),
            "the beginning of a reply is there"
        );
        drop(held);
        input.extend_from_slice(&[2; 4000]);
        let held = input.split_to(4010).freeze();
        make_room(&mut input, &mut other, 4000);
        assert_eq!(input.as_ptr(), first, "the first is free again");
        assert_eq!((input.len(), held.len()), (0, 4010));
        drop(held);
        // Nobody holds anything: it stays where it is.
        input.extend_from_slice(&[3; 4000]);
        let held = input.split().freeze();
        drop(held);
        make_room(&mut input, &mut other, 4000);
        assert_eq!(input.as_ptr(), first);
    }

    #[test]
    fn room_grows_when_reads_fill_it_up_to_a_bound() {
        let mut buffer = ReadBuffer::new(3 * FIRST_READ);
        for size in [1, 2, 3, 3] {
            let mut input = BytesMut::new();
            let room = buffer.prepare(&mut input, false);
            assert!(
                room >= size * FIRST_READ && room < (size + 1) * FIRST_READ,
                "{room}"
            );
            buffer.note_read(room, room, false);
            assert!(!buffer.is_drained());
        }
        // What is left after a read that was not full is no reason for more room.
        buffer.note_read(1, 2, false);
        assert!(buffer.is_drained());
        let mut input = BytesMut::with_capacity(2 * MIN_READ);
        assert_eq!(buffer.prepare(&mut input, true), 2 * MIN_READ);
    }
}
