//! Room to read into: how much, and in which of two buffers.
//!
//! Replies are slices of what was read, and callers may still hold some when the next read comes. So
//! a connection reads into two buffers in turn: a new one for each read would be given back to the
//! system by the allocator each time.
//!
//! A large body is read in larger pieces, since each read costs a system call and a change of tasks besides its bytes. The
//! buffers for it, and the second one, go when the connection has been idle for a while. Between one large body and the next
//! it is idle for an instant only: buffers that went each time were given back to the system and cost 28 page faults for
//! each body of 128 KiB, which was half of its processor's time.

use std::time::{Duration, Instant};

use bytes::BytesMut;

/// The bytes that the first read has room for; the room grows when reads fill it.
const FIRST_READ: usize = 8 * 1024;
/// How many times as much as usual one read takes in of a large body: as much as may wait of a body for its reader. With 8 a
/// file of 1 GiB costs 0.92 of the processor's time, but one read then brings twice what is to wait at most; with 2 it costs
/// the same as with 4. Bodies in memory, of 256 KiB and of 1 MiB, show no difference that stands out of the noise.
const BULK: usize = 4;
/// How long a connection must have been idle before it gives back all but one buffer of the usual size.
const KEPT: Duration = Duration::from_secs(1);
/// A read has room for so many bytes at least.
const MIN_READ: usize = 1024;

/// What a connection knows of its reads.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    /// Bytes to make room for before a read, as far as what comes allows.
    size: usize,
    /// The most, but for large bodies.
    max_size: usize,
    /// Room was made for more than that.
    is_large: bool,
    /// There is a buffer, though all of it may be with callers.
    begun: bool,
    /// There may be more to give back than one buffer.
    spare: bool,
    /// Since when the connection has been idle.
    idle_since: Option<Instant>,
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
            is_large: false,
            begun: false,
            spare: false,
            idle_since: None,
            drained: false,
            other: BytesMut::new(),
        }
    }

    /// Whether the last read took all that was there.
    pub(super) fn is_drained(&self) -> bool {
        self.drained
    }

    /// The most that one read takes in while so many bytes of a body are still to come.
    fn limit(&self, bulk: u64) -> usize {
        let bulk = usize::try_from(bulk).unwrap_or(usize::MAX);
        bulk.clamp(self.max_size, self.max_size.saturating_mul(BULK))
    }

    /// Makes room for a read, and says how much. `again` says that there was a read just before, `bulk` how many bytes of
    /// a body are still to come.
    pub(super) fn prepare(&mut self, input: &mut BytesMut, again: bool, bulk: u64) -> usize {
        let wanted = self.size.min(self.limit(bulk));
        let least = match again && self.drained {
            true => MIN_READ,
            false => wanted / 2,
        };
        let room = input.capacity() - input.len();
        self.begun |= room > 0;
        if room >= least {
            return room;
        }
        // By the next time the replies of this one may be used up, and their buffer free again.
        self.is_large |= wanted > self.max_size;
        let size = wanted.saturating_sub(input.len()).max(least);
        // The first buffer of a connection is made like a second one.
        let turned = make_room(input, &mut self.other, size);
        self.spare |= self.is_large || (turned && self.begun);
        self.begun = true;
        input.capacity() - input.len()
    }

    /// A read has brought so many bytes, with room for so many.
    pub(super) fn note_read(&mut self, n: usize, room: usize, again: bool, bulk: u64) {
        let full = n == room;
        if full && !(again && self.drained) {
            self.size = self.size.max((self.size * 2).min(self.limit(bulk)));
        }
        self.drained = !full;
    }

    /// There was nothing to read.
    pub(super) fn note_empty(&mut self) {
        self.drained = true;
    }

    /// Takes note of whether the connection is idle now. One that has been for a while keeps one buffer only, of the usual
    /// size. Returns when it is to be looked again, if at all.
    pub(super) fn rest(
        &mut self,
        is_idle: bool,
        now: Instant,
        input: &mut BytesMut,
    ) -> Option<Instant> {
        if !is_idle {
            self.idle_since = None;
            return None;
        }
        if !self.spare {
            return None;
        }
        let due = *self.idle_since.get_or_insert(now) + KEPT;
        if due > now {
            return Some(due);
        }
        self.spare = false;
        self.other = BytesMut::new();
        if std::mem::take(&mut self.is_large) && input.is_empty() {
            *input = BytesMut::new();
            self.begun = false;
        }
        None
    }
}

/// Makes room for so many bytes more. Where callers still hold some of what is in this buffer, the
/// other one is used meanwhile: it may be free by now, and neither has to be made anew. Returns whether that was so.
fn make_room(input: &mut BytesMut, other: &mut BytesMut, size: usize) -> bool {
    if input.try_reclaim(size) {
        return false;
    }
    let whole = input.len() + size;
    other.clear();
    if !other.try_reclaim(whole) {
        *other = BytesMut::with_capacity(whole);
    }
    // The beginning of a reply.
    other.extend_from_slice(input);
    std::mem::swap(input, other);
    true
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
            let room = buffer.prepare(&mut input, false, 0);
            assert!(
                room >= size * FIRST_READ && room < (size + 1) * FIRST_READ,
                "{room}"
            );
            buffer.note_read(room, room, false, 0);
            assert!(!buffer.is_drained());
        }
        // What is left after a read that was not full is no reason for more room.
        buffer.note_read(1, 2, false, 0);
        assert!(buffer.is_drained());
        let mut input = BytesMut::with_capacity(2 * MIN_READ);
        assert_eq!(buffer.prepare(&mut input, true, 0), 2 * MIN_READ);
    }

    #[test]
    fn a_large_body_is_read_in_larger_pieces_whose_room_goes_with_it() {
        let mut buffer = ReadBuffer::new(FIRST_READ);
        let mut input = BytesMut::new();
        for size in [1, 2, 4, 4] {
            let room = buffer.prepare(&mut input, false, u64::MAX);
            assert!(
                room >= size * FIRST_READ && room < (size + 1) * FIRST_READ,
                "{room}"
            );
            buffer.note_read(room, room, false, u64::MAX);
            input = BytesMut::new();
        }
        // No more than what comes, and as usual for others.
        let rest = 3 * FIRST_READ;
        let room = buffer.prepare(&mut input, false, rest as u64);
        assert!(room >= rest && room < rest + FIRST_READ, "{room}");
        let (begun, long) = (Instant::now(), KEPT);
        assert_eq!(buffer.rest(true, begun, &mut input), Some(begun + long));
        assert_eq!(buffer.rest(true, begun + long, &mut input), None);
        assert_eq!(input.capacity(), 0);
        let room = buffer.prepare(&mut input, false, 0);
        assert!(room < 2 * FIRST_READ, "{room}");
        buffer.rest(true, begun + 2 * long, &mut input);
        assert!(input.capacity() > 0, "it is of the usual size");
    }

    #[test]
    fn buffers_are_kept_between_one_body_and_the_next() {
        let mut buffer = ReadBuffer::new(FIRST_READ);
        let (mut input, mut now) = (BytesMut::with_capacity(FIRST_READ), Instant::now());
        let mut places = Vec::new();
        for _ in 0..6 {
            let room = buffer.prepare(&mut input, false, 0);
            places.push(input.as_ptr());
            input.resize(room, 1);
            let held = input.split().freeze();
            let rest = buffer.prepare(&mut input, true, 0);
            places.push(input.as_ptr());
            input.resize(rest, 1);
            drop((held, input.split()));
            // Idle ever again, but never for long.
            assert!(buffer.rest(true, now, &mut input).is_some());
            now += KEPT / 2;
            assert_eq!(buffer.rest(false, now, &mut input), None);
        }
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 2);
        // Where it stays idle, nothing is left to give back.
        let due = buffer.rest(true, now, &mut input);
        assert_eq!(due, Some(now + KEPT));
        assert_eq!(buffer.rest(true, now + KEPT, &mut input), None);
        assert_eq!(buffer.other.capacity(), 0);
        assert_eq!(buffer.rest(true, now + 2 * KEPT, &mut input), None);
    }
}
