//! Room to read into: how much, and in which buffer.
//!
//! Replies are slices of what was read, and a connection takes the buffer for each read from those that the pool's connections
//! [share](super::spare_buffers). It keeps one as long as the beginning of a reply is in it.
//!
//! A large body is read in larger pieces, since each read costs a system call and a change of tasks besides its bytes. Those go
//! into two buffers of the connection's own, in turn, as its reader may still hold one piece when the next comes: a new one for
//! each read would be given back to the system by the allocator each time. They go when the connection has been idle for a
//! while. Between one large body and the next it is idle for an instant only: buffers that went each time cost 28 page faults
//! for each body of 128 KiB, which was half of its processor's time.
//!
//! A reply that is kept until it is whole may be larger than what is shared, and its decoder may make room for all of it. Such
//! a buffer is the connection's own as well. If it was shared, a small reply of another connection would keep all of it for as
//! long as a caller holds that, and it would outlive the connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::spare_buffers::SpareBuffers;

/// The room that a new connection wants for a read, in bytes; a buffer with half of it is taken. It wants more when reads fill
/// the room, and less when they do not: where much is wanted, the rest of a buffer that is in use by callers is no use.
const FIRST_READ: usize = 8 * 1024;
/// How many times as much as usual one read takes in of a large body: as much as may wait of a body for its reader. With 8 a
/// file of 1 GiB costs 0.92 of the processor's time, but one read then brings twice what is to wait at most; with 2 it costs
/// the same as with 4. Bodies in memory, of 256 KiB and of 1 MiB, show no difference that stands out of the noise.
const BULK: usize = 4;
/// How long a connection must have been idle before it gives back its buffers for large bodies.
const KEPT: Duration = Duration::from_secs(1);
/// The least room for a further read after one that took all that there was, in bytes.
const MIN_READ: usize = 1024;

/// What a connection knows of its reads.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    /// Bytes to make room for before a read.
    size: usize,
    /// The most, but for large bodies.
    max_size: usize,
    /// Since when the connection has been idle.
    idle_since: Option<Instant>,
    /// The last read took all that was there.
    drained: bool,
    /// The connection has buffers of its own, for large bodies and for replies that are larger than what is shared.
    is_large: bool,
    /// The second one of these, while a reader still holds what was read into the first.
    other: BytesMut,
    shared: Arc<SpareBuffers>,
}

impl ReadBuffer {
    /// Reads of so many bytes at most, into buffers that are shared.
    pub(super) fn new(max_size: usize, shared: Arc<SpareBuffers>) -> Self {
        Self {
            size: FIRST_READ.min(max_size),
            max_size,
            idle_since: None,
            drained: false,
            is_large: false,
            other: BytesMut::new(),
            shared,
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
        // The decoder has made room for the rest of a reply.
        self.is_large |= input.capacity() > self.max_size;
        let room = input.capacity() - input.len();
        if room >= least {
            return room;
        }
        self.is_large |= wanted > self.max_size;
        let size = match self.is_large {
            true => wanted.saturating_sub(input.len()).max(least),
            false => least,
        };
        self.make_room(input, size);
        input.capacity() - input.len()
    }

    /// Makes room for so many bytes more. Where callers still hold some of what is in this buffer, another one is used.
    fn make_room(&mut self, input: &mut BytesMut, size: usize) {
        if input.try_reclaim(size) {
            return;
        }
        // Doubled at least, so that what comes in small pieces is copied a few times at most.
        let whole = input.len() + size.max(input.len());
        self.is_large |= whole > self.max_size;
        let mut next = match self.is_large {
            true => reclaimed(std::mem::take(&mut self.other), whole),
            false => self.shared.take(whole),
        };
        // The beginning of a reply.
        next.extend_from_slice(input);
        let before = std::mem::replace(input, next);
        if self.is_large {
            self.other = before;
        } else if before.capacity() > 0 {
            // Without capacity it is none: one whose replies are whole was given back.
            self.shared.put(before);
        }
    }

    /// To be called when room was [prepared](Self::prepare) and what was read is split into replies, as far as they are whole.
    /// Gives back the buffer unless there is the beginning of another one.
    pub(super) fn settle(&self, input: &mut BytesMut) {
        if input.is_empty() && !self.is_large {
            self.shared.put(std::mem::take(input));
        }
    }

    /// A read has brought so many bytes, with room for so many.
    pub(super) fn note_read(&mut self, n: usize, room: usize, again: bool, bulk: u64) {
        let full = n == room;
        if full && !(again && self.drained) {
            self.size = self.size.max((self.size * 2).min(self.limit(bulk)));
        } else if n < self.size / 4 && !self.is_large {
            self.size = (self.size / 2).max(FIRST_READ.min(self.max_size));
        }
        self.drained = !full;
    }

    /// There was nothing to read.
    pub(super) fn note_empty(&mut self) {
        self.drained = true;
    }

    /// Takes note of whether the connection is idle now. One that has been for a while keeps no buffer. Returns when it is to
    /// be looked again, if at all.
    pub(super) fn rest(
        &mut self,
        is_idle: bool,
        now: Instant,
        input: &mut BytesMut,
    ) -> Option<Instant> {
        if !is_idle || !self.is_large {
            self.idle_since = None;
            return None;
        }
        let due = *self.idle_since.get_or_insert(now) + KEPT;
        if due > now {
            return Some(due);
        }
        self.is_large = false;
        self.other = BytesMut::new();
        if input.is_empty() {
            *input = BytesMut::new();
        }
        None
    }
}

/// A buffer without content, with room for so many bytes: this one if nobody holds what is in it.
fn reclaimed(mut buffer: BytesMut, room: usize) -> BytesMut {
    buffer.clear();
    match buffer.try_reclaim(room) {
        true => buffer,
        false => BytesMut::with_capacity(room),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// A connection's reads of so many bytes at most, and the buffers that it shares.
    fn reads(max_size: usize) -> (ReadBuffer, Arc<SpareBuffers>) {
        let shared = Arc::new(SpareBuffers::new(max_size));
        (ReadBuffer::new(max_size, shared.clone()), shared)
    }

    /// Memory in places that have become free just now, which nothing else is in then.
    fn occupied() -> Vec<Vec<u8>> {
        let sizes = [1, 1, 4, 4].into_iter();
        sizes
            .map(|size| Vec::with_capacity(size * FIRST_READ))
            .collect()
    }

    /// Reads so many bytes, and splits off all but so many of them as replies.
    fn read(buffer: &mut ReadBuffer, input: &mut BytesMut, bytes: usize, rest: usize) -> Bytes {
        let room = buffer.prepare(input, false, 0);
        assert!(bytes <= room, "{bytes} of {room}");
        input.resize(input.len() + bytes, 1);
        buffer.note_read(bytes, room, false, 0);
        let replies = input.split_to(input.len() - rest).freeze();
        buffer.settle(input);
        replies
    }

    #[test]
    fn connections_that_wait_have_no_buffer() {
        let (mut one, shared) = reads(FIRST_READ);
        let mut other = ReadBuffer::new(FIRST_READ, shared);
        let (mut input, mut others) = (BytesMut::new(), BytesMut::new());
        let first = read(&mut one, &mut input, 1000, 0);
        let second = read(&mut other, &mut others, 1000, 0);
        assert_eq!((input.capacity(), others.capacity()), (0, 0));
        assert_eq!(second.as_ptr(), first.as_ptr().wrapping_add(1000));
    }

    #[test]
    fn the_beginning_of_a_reply_stays_with_its_connection() {
        let (mut one, shared) = reads(FIRST_READ);
        let mut other = ReadBuffer::new(FIRST_READ, shared);
        let (mut input, mut others) = (BytesMut::new(), BytesMut::new());
        let first = read(&mut one, &mut input, 1000, 10);
        assert_eq!(input, [1; 10][..]);
        let second = read(&mut other, &mut others, 1000, 0);
        let buffer = first.as_ptr()..first.as_ptr().wrapping_add(FIRST_READ);
        assert!(!buffer.contains(&second.as_ptr()), "it is in use");
        // There is room for more in it.
        let rest = read(&mut one, &mut input, 90, 0);
        assert_eq!((rest.len(), input.capacity()), (100, 0));
        assert!(buffer.contains(&rest.as_ptr()));
    }

    #[test]
    fn another_buffer_is_used_while_replies_are_held() {
        let (mut reads, shared) = reads(FIRST_READ);
        let mut input = BytesMut::new();
        let held = read(&mut reads, &mut input, FIRST_READ - 100, 10);
        let place = held.as_ptr();
        let room = reads.prepare(&mut input, false, 0);
        assert!(room >= FIRST_READ / 2, "{room}");
        assert_eq!(input, [1; 10][..], "the beginning of a reply is there");
        assert_ne!(input.as_ptr(), place.wrapping_add(FIRST_READ - 110));
        assert_eq!(held, [1; FIRST_READ - 110][..]);
        drop(held);
        let _others = occupied();
        assert_eq!(shared.take(FIRST_READ).as_ptr(), place, "it is free again");
    }

    #[test]
    fn the_same_buffer_is_used_while_no_replies_are_held() {
        let (mut reads, _) = reads(FIRST_READ);
        let mut input = BytesMut::new();
        let place = read(&mut reads, &mut input, FIRST_READ - 100, 10).as_ptr();
        let room = reads.prepare(&mut input, false, 0);
        assert!(room >= FIRST_READ / 2, "{room}");
        assert_eq!((input.as_ptr(), &input[..]), (place, &[1; 10][..]));
    }

    #[test]
    fn there_is_room_behind_the_beginning_of_a_reply() {
        let (mut shares, shared) = reads(FIRST_READ);
        shared.put(BytesMut::with_capacity(FIRST_READ / 2));
        let (mut owns, _) = reads(FIRST_READ);
        owns.is_large = true;
        for (reads, begun) in [(&mut shares, 2000), (&mut owns, FIRST_READ)] {
            let mut input = BytesMut::from(&vec![1; 100 + begun][..]);
            let _held = input.split_to(100).freeze();
            let room = reads.prepare(&mut input, false, 0);
            assert!(room >= FIRST_READ / 2, "{room}");
            assert_eq!(input, vec![1; begun]);
        }
    }

    #[test]
    fn connections_that_had_no_buffer_give_none_back() {
        let (mut one, shared) = reads(FIRST_READ);
        let mut other = ReadBuffer::new(FIRST_READ, shared.clone());
        let held = read(&mut one, &mut BytesMut::new(), FIRST_READ, 0);
        let mut input = BytesMut::new();
        for _ in 0..40 {
            read(&mut other, &mut input, 1000, 0);
        }
        let place = held.as_ptr();
        drop(held);
        let _others = occupied();
        let kept = [shared.take(FIRST_READ), shared.take(FIRST_READ)];
        assert!(kept.iter().any(|buffer| buffer.as_ptr() == place));
    }

    #[test]
    fn little_room_is_enough_only_for_what_has_come_since_a_read() {
        let (mut reads, _) = reads(4 * FIRST_READ);
        // (whether there was a read just before, and whether it took all that was there)
        for (again, drained) in [(true, true), (true, false), (false, true), (false, false)] {
            reads.drained = false;
            if drained {
                reads.note_empty();
            }
            assert_eq!(reads.is_drained(), drained);
            let mut little = BytesMut::with_capacity(2 * MIN_READ);
            let room = reads.prepare(&mut little, again, 0);
            let enough = room < FIRST_READ / 2;
            assert_eq!(enough, again && drained, "{again}, {drained}");
        }
        // Filling it is no reason for more.
        reads.note_empty();
        reads.note_read(MIN_READ, MIN_READ, true, 0);
        assert!(!reads.is_drained());
        let room = reads.prepare(&mut BytesMut::new(), false, 0);
        assert_eq!(reads.size, FIRST_READ, "{room}");
    }

    #[test]
    fn room_grows_when_reads_fill_it_up_to_a_bound_and_shrinks_when_they_do_not() {
        let (mut reads, _) = reads(3 * FIRST_READ);
        let mut input = BytesMut::new();
        for size in [1, 2, 3, 3] {
            assert_eq!(reads.size, size * FIRST_READ);
            let room = reads.prepare(&mut input, false, 0);
            assert!(room >= size * FIRST_READ / 2, "{room}");
            reads.note_read(room, room, false, 0);
            assert!(!reads.is_drained());
        }
        // What is left after a read that was not full is no reason for more room, and one that took a quarter none for less.
        reads.note_read(3 * FIRST_READ / 4, 3 * FIRST_READ, false, 0);
        assert_eq!((reads.is_drained(), reads.size), (true, 3 * FIRST_READ));
        let mut little = BytesMut::with_capacity(2 * MIN_READ);
        assert_eq!(reads.prepare(&mut little, true, 0), 2 * MIN_READ);
        for size in [3 * FIRST_READ / 2, FIRST_READ, FIRST_READ] {
            reads.note_read(1, 2, false, 0);
            assert_eq!(reads.size, size);
        }
    }

    #[test]
    fn a_large_body_is_read_in_larger_pieces_whose_room_goes_with_it() {
        let (mut reads, shared) = reads(FIRST_READ);
        let mut input = BytesMut::new();
        for size in [1, 2, 4, 4] {
            let room = reads.prepare(&mut input, false, u64::MAX);
            assert!(
                room >= size * FIRST_READ && room < (size + 1) * FIRST_READ,
                "{room}"
            );
            reads.note_read(room, room, false, u64::MAX);
            input = BytesMut::new();
        }
        // No more than what comes, and as usual for others.
        let rest = 3 * FIRST_READ;
        let room = reads.prepare(&mut input, false, rest as u64);
        assert!(room >= rest && room < rest + FIRST_READ, "{room}");
        reads.settle(&mut input);
        assert!(input.capacity() > 0, "it is the connection's own");
        let (begun, long) = (Instant::now(), KEPT);
        assert_eq!(reads.rest(true, begun, &mut input), Some(begun + long));
        assert_eq!(reads.rest(true, begun + long, &mut input), None);
        assert_eq!((input.capacity(), reads.other.capacity()), (0, 0));
        let room = reads.prepare(&mut input, false, 0);
        assert!(room < 2 * FIRST_READ, "{room}");
        reads.settle(&mut input);
        assert_eq!(input.capacity(), 0, "it is shared");
        assert!(shared.take(1).capacity() < 2 * FIRST_READ);
    }

    #[test]
    fn buffers_are_kept_between_one_large_body_and_the_next() {
        let (mut reads, _) = reads(FIRST_READ);
        let (mut input, mut now) = (BytesMut::new(), Instant::now());
        reads.size = 4 * FIRST_READ;
        let mut places = Vec::new();
        for _ in 0..6 {
            let room = reads.prepare(&mut input, false, u64::MAX);
            places.push(input.as_ptr());
            input.resize(room, 1);
            let held = input.split().freeze();
            let rest = reads.prepare(&mut input, true, u64::MAX);
            places.push(input.as_ptr());
            input.resize(rest, 1);
            drop((held, input.split()));
            // Idle ever again, but never for long.
            assert!(reads.rest(true, now, &mut input).is_some());
            now += KEPT / 2;
            assert_eq!(reads.rest(false, now, &mut input), None);
        }
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 2);
        // Where it stays idle, nothing is left to give back.
        let due = reads.rest(true, now, &mut input);
        assert_eq!(due, Some(now + KEPT));
        assert_eq!(reads.rest(true, now + KEPT, &mut input), None);
        assert_eq!(reads.rest(true, now + 2 * KEPT, &mut input), None);
        assert!(!reads.other.try_reclaim(1), "it keeps one");
    }

    #[test]
    fn a_large_body_goes_into_two_buffers_whatever_is_left_of_each_read() {
        let (mut reads, _) = reads(FIRST_READ);
        reads.size = 4 * FIRST_READ;
        let (mut input, mut held) = (BytesMut::new(), Bytes::new());
        let (mut places, mut others) = (Vec::new(), Vec::new());
        for _ in 0..6 {
            let room = reads.prepare(&mut input, true, u64::MAX);
            places.push(input.as_ptr());
            input.resize(input.len() + room, 1);
            let piece = input.split_to(input.len() - 100).freeze();
            // The reader has got to the next piece.
            drop(std::mem::replace(&mut held, piece));
            others.push(occupied());
        }
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 2);
    }

    #[test]
    fn room_for_large_bodies_stays_over_small_reads_and_small_replies() {
        let (mut reads, _) = reads(FIRST_READ);
        reads.size = 4 * FIRST_READ;
        let large = |reads: &mut ReadBuffer| {
            let room = reads.prepare(&mut BytesMut::new(), false, u64::MAX);
            assert!(room >= 4 * FIRST_READ, "{room}");
            room
        };
        let room = large(&mut reads);
        reads.note_read(1, room, false, u64::MAX);
        large(&mut reads);
        reads.note_read(FIRST_READ, FIRST_READ, false, 0);
        large(&mut reads);
    }

    #[test]
    fn idle_connections_are_looked_at_again_only_where_they_have_something_to_give_back() {
        let (mut reads, _) = reads(FIRST_READ);
        let (mut input, now) = (BytesMut::new(), Instant::now());
        assert_eq!(reads.rest(true, now, &mut input), None);
        reads.size = 4 * FIRST_READ;
        reads.prepare(&mut input, false, u64::MAX);
        input.extend_from_slice(b"HTTP/1.1 408");
        assert_eq!(reads.rest(true, now, &mut input), Some(now + KEPT));
        assert_eq!(reads.rest(true, now + KEPT, &mut input), None);
        assert_eq!(input, b"HTTP/1.1 408"[..], "what has come is not lost");
    }

    #[test]
    fn what_was_made_larger_for_one_reply_is_not_shared() {
        const LARGE: usize = 32 * FIRST_READ;
        let (mut reads, shared) = reads(FIRST_READ);
        let mut input = BytesMut::new();
        // A body whose length is known has the decoder make room for all of it.
        let room = reads.prepare(&mut input, false, 0);
        input.resize(1000, 1);
        reads.note_read(1000, room, false, 0);
        input.reserve(LARGE - 1000);
        reads.settle(&mut input);
        while input.len() < LARGE {
            let room = reads.prepare(&mut input, false, 0);
            let bytes = room.min(LARGE - input.len());
            input.resize(input.len() + bytes, 1);
            reads.note_read(bytes, room, false, 0);
        }
        drop(input.split());
        reads.settle(&mut input);
        let most = shared.take(FIRST_READ).capacity();
        assert!(most < 2 * FIRST_READ, "{most}");
        // It is the connection's own, and goes when that is idle.
        let now = Instant::now();
        assert_eq!(reads.rest(true, now, &mut input), Some(now + KEPT));
        assert_eq!(reads.rest(true, now + KEPT, &mut input), None);
        assert_eq!((input.capacity(), reads.other.capacity()), (0, 0));
    }

    #[test]
    fn a_reply_that_comes_in_small_pieces_is_copied_a_few_times_at_most() {
        const LARGE: usize = 1024 * 1024;
        let (mut reads, _) = reads(8 * FIRST_READ);
        let (mut input, mut copied) = (BytesMut::new(), 0);
        while input.len() < LARGE {
            let place = input.as_ptr();
            let room = reads.prepare(&mut input, false, 0);
            if input.as_ptr() != place {
                copied += input.len();
            }
            let bytes = room.min(1000);
            input.resize(input.len() + bytes, 1);
            reads.note_read(bytes, room, false, 0);
            reads.settle(&mut input);
        }
        assert!(copied <= 2 * LARGE, "{copied}");
    }
}
