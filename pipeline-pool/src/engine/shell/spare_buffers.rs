//! Memory to read into, which the connections of a pool share.
//!
//! *Problem:* A connection that kept a buffer to read into, and another one while callers hold replies, had up to 128 KiB of its
//! own, and a pool has up to hundreds of connections. Most of them wait, and what one of them reads next goes into memory that no
//! cache holds any more. *Decision:* But for large replies (see `read_buffer`), a connection has a buffer only while the beginning of a reply is in it. Otherwise it takes
//! one when there is something to read, and gives it back when all that it read is split into replies. Those are slices of
//! the buffer, and what is read next, by whichever connection, goes behind them, or into their place once callers hold none
//! of them any more. *Cost:* Each read takes a lock twice, and a buffer can be used again only when the callers of
//! all connections whose replies are in it have dropped them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;

/// So many buffers are kept, for replies of many connections that their callers have not seen yet. If there were fewer, each
/// further read of such a moment would take new memory and free it again.
const MOST: usize = 16;

/// Buffers that no connection reads into at the moment.
#[derive(Debug)]
pub(crate) struct SpareBuffers {
    /// The size of a new one.
    size: usize,
    /// The one that was used last is the last.
    spare: Mutex<Vec<BytesMut>>,
}

impl SpareBuffers {
    /// Makes buffers of so many bytes.
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            spare: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<BytesMut>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty buffer with room for so many bytes at least. It is the one that was used last, if that has so much room or is
    /// free again: the processor's caches still hold it.
    pub(super) fn take(&self, room: usize) -> BytesMut {
        let mut spare = self.lock();
        for at in (0..spare.len()).rev() {
            let Some(buffer) = spare.get_mut(at) else {
                break;
            };
            if buffer.try_reclaim(room) {
                return spare.remove(at);
            }
        }
        drop(spare);
        BytesMut::with_capacity(room.max(self.size))
    }

    /// Takes back a buffer. What is still in it is of no use to anybody. It may be one without room, all of which has been
    /// handed out as replies.
    pub(super) fn put(&self, mut buffer: BytesMut) {
        buffer.clear();
        let mut spare = self.lock();
        // The one that was not used for longest.
        let surplus = (spare.len() >= MOST).then(|| spare.remove(0));
        spare.push(buffer);
        drop(spare);
        drop(surplus);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const SIZE: usize = 4096;

    /// Has a connection read so many bytes, and split them off as one reply.
    fn read(spare: &SpareBuffers, bytes: usize) -> Bytes {
        let mut buffer = spare.take(1024);
        assert!(buffer.is_empty() && buffer.capacity() >= 1024);
        buffer.resize(bytes, 1);
        let reply = buffer.split().freeze();
        spare.put(buffer);
        reply
    }

    #[test]
    fn replies_of_several_reads_stand_in_one_buffer() {
        let spare = SpareBuffers::new(SIZE);
        let (first, second) = (read(&spare, 2000), read(&spare, 2000));
        assert_eq!(second.as_ptr(), first.as_ptr().wrapping_add(2000));
        // There is less room than is asked for now, and another buffer is used while callers hold replies.
        let third = read(&spare, 1000);
        assert!(!(first.as_ptr()..first.as_ptr().wrapping_add(SIZE)).contains(&third.as_ptr()));
        assert_eq!(spare.lock().len(), 2);
        assert_eq!((&first[..], &second[..]), (&[1; 2000][..], &[1; 2000][..]));
    }

    #[test]
    fn a_buffer_is_read_into_again_once_nobody_holds_its_replies() {
        let spare = SpareBuffers::new(SIZE);
        let place = read(&spare, SIZE).as_ptr();
        for _ in 0..10 {
            assert_eq!(read(&spare, SIZE).as_ptr(), place);
        }
        assert_eq!(spare.lock().len(), 1);
    }

    #[test]
    fn the_buffer_that_was_used_last_is_used_next() {
        let spare = SpareBuffers::new(SIZE);
        let (old, last) = (spare.take(SIZE), spare.take(SIZE));
        let place = last.as_ptr();
        spare.put(old);
        spare.put(last);
        assert_eq!(spare.take(1).as_ptr(), place);
    }

    #[test]
    fn a_buffer_that_is_free_is_used_before_others_whose_replies_are_held() {
        let spare = SpareBuffers::new(SIZE);
        let [first, second, third] = [0; 3].map(|_| read(&spare, SIZE));
        let (place, last) = (first.as_ptr(), third.as_ptr());
        drop(first);
        let taken = spare.take(SIZE);
        assert_eq!(taken.as_ptr(), place);
        drop((second, third));
        assert_eq!(spare.take(SIZE).as_ptr(), last, "it was used last");
    }

    #[test]
    fn only_so_many_are_kept() {
        let spare = SpareBuffers::new(SIZE);
        let held: Vec<Bytes> = (0..2 * MOST).map(|_| read(&spare, SIZE)).collect();
        assert_eq!(spare.lock().len(), MOST);
        let places: Vec<_> = held[MOST..].iter().map(|reply| reply.as_ptr()).collect();
        drop(held);
        let kept: Vec<_> = (0..MOST).map(|_| spare.take(SIZE)).collect();
        assert!(kept.iter().all(|buffer| places.contains(&buffer.as_ptr())));
        assert!(spare.lock().is_empty());
    }

    #[test]
    fn what_is_left_in_a_buffer_is_not_seen_by_the_next() {
        let spare = SpareBuffers::new(SIZE);
        let mut buffer = spare.take(SIZE);
        buffer.extend_from_slice(b"half of a reply");
        spare.put(buffer);
        assert!(spare.take(SIZE).is_empty());
        let large = spare.take(3 * SIZE);
        assert!(large.capacity() >= 3 * SIZE, "more than is usual, if asked");
    }
}
