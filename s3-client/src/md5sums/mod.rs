//! The MD5 digests of parts that are sent at the same time, hashed [in step](lanes) on a thread beside the sending.
//!
//! ```text
//!   part ──▶ waiting ──▶ a lane of four ──▶ its digest
//!                          ▲      │
//!                          └──────┘ piece by piece, as far as all lanes have some
//! ```
//!
//! Parts do not come all at once: a lane that is free takes the next part while the others are amid theirs. Where the network
//! is slower than the hashing a part is alone, and costs what it always costs.

mod lanes;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use lanes::{BLOCK, LANES, START, State};

/// So many blocks of each lane are hashed before new parts are looked for: 64 KiB.
const TURN: usize = 1024;

/// Hashes parts; clones share the threads.
#[derive(Clone, Default)]
pub(crate) struct Md5Sums(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<HashedPart>,
    /// Parts that are in lanes.
    hashed: usize,
    /// Threads that hash.
    workers: usize,
}

/// A part on its way to its digest.
struct HashedPart {
    pieces: VecDeque<Bytes>,
    state: State,
    /// Bytes of a block that is not whole.
    rest: Vec<u8>,
    len: u64,
    done: oneshot::Sender<[u8; 16]>,
}

impl Md5Sums {
    /// Has the digest of these pieces computed on a thread of the runtime, which must be there.
    pub(crate) fn of(&self, pieces: &[Bytes]) -> oneshot::Receiver<[u8; 16]> {
        let (done, digest) = oneshot::channel();
        let mut queue = self.lock();
        queue.waiting.push_back(HashedPart::new(pieces, done));
        if queue.waiting.len() + queue.hashed > queue.workers * LANES {
            queue.workers += 1;
            let sums = self.clone();
            tokio::task::spawn_blocking(move || sums.work());
        }
        digest
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hashes until nothing waits.
    fn work(&self) {
        let mut parts = Vec::with_capacity(LANES);
        while self.refill(&mut parts) {
            advance(&mut parts);
        }
    }

    /// Ends the parts that are hashed, and takes others in their place; whether there are any.
    fn refill(&self, parts: &mut Vec<HashedPart>) -> bool {
        // Of a part that was given up nobody wants the digest.
        let is_over = |part: &mut HashedPart| part.pieces.is_empty() || part.done.is_closed();
        let ended: Vec<HashedPart> = parts.extract_if(.., is_over).collect();
        if !ended.is_empty() {
            // Before the digests are told: whoever waits for one brings the next part at once, for which there is a lane
            // here. With a thread of its own it would be hashed apart from the others.
            self.lock().hashed -= ended.len();
            ended.into_iter().for_each(HashedPart::finish);
        }
        let mut queue = self.lock();
        while parts.len() < LANES
            && let Some(part) = queue.waiting.pop_front()
        {
            queue.hashed += 1;
            parts.push(part);
        }
        if parts.is_empty() {
            queue.workers -= 1;
        }
        !parts.is_empty()
    }
}

/// Hashes some of each part.
fn advance(parts: &mut [HashedPart]) {
    parts.iter_mut().for_each(HashedPart::align);
    let blocks = |part: &HashedPart| part.blocks().len();
    let n = parts.iter().map(blocks).filter(|n| *n > 0).min();
    let n = n.unwrap_or(0).min(TURN);
    let mut ready: Vec<&mut HashedPart> =
        parts.iter_mut().filter(|part| blocks(part) > 0).collect();
    if let [one] = &mut ready[..] {
        let mut state = one.state;
        lanes::update(&mut state, &one.blocks()[..n]);
        one.state = state;
    } else if !ready.is_empty() {
        // A lane that is free repeats the first.
        let of_lane = |lane: usize| if lane < ready.len() { lane } else { 0 };
        let mut states = std::array::from_fn(|lane| ready[of_lane(lane)].state);
        let texts = std::array::from_fn(|lane| &ready[of_lane(lane)].blocks()[..n]);
        lanes::update_all(&mut states, texts);
        for (part, state) in ready.iter_mut().zip(states) {
            part.state = state;
        }
    }
    for part in ready {
        part.skip(n * BLOCK);
    }
}

impl HashedPart {
    fn new(pieces: &[Bytes], done: oneshot::Sender<[u8; 16]>) -> Self {
        Self {
            pieces: pieces.iter().filter(|p| !p.is_empty()).cloned().collect(),
            state: START,
            rest: Vec::with_capacity(BLOCK),
            len: 0,
            done,
        }
    }

    /// The whole blocks that come next in one piece, behind which no rest stands.
    fn blocks(&self) -> &[[u8; BLOCK]] {
        match self.pieces.front() {
            Some(piece) if self.rest.is_empty() => piece.as_chunks().0,
            _ => &[],
        }
    }

    /// Hashes the block that lies in two pieces, so that whole blocks come next if there are any.
    fn align(&mut self) {
        while !self.pieces.is_empty() && self.blocks().is_empty() {
            let front = self.pieces.front().map_or(0, Bytes::len);
            let n = front.min(BLOCK - self.rest.len());
            let Some(piece) = self.pieces.front() else {
                return;
            };
            self.rest.extend_from_slice(&piece[..n]);
            self.skip(n);
            if let Ok(block) = <[u8; BLOCK]>::try_from(&self.rest[..]) {
                lanes::update(&mut self.state, &[block]);
                self.rest.clear();
            }
        }
    }

    /// Goes on behind so many bytes of the first piece.
    fn skip(&mut self, n: usize) {
        self.len += n as u64;
        if let Some(piece) = self.pieces.front_mut() {
            bytes::Buf::advance(piece, n);
            if piece.is_empty() {
                self.pieces.pop_front();
            }
        }
    }

    fn finish(mut self) {
        let (blocks, n) = lanes::ending(&self.rest, self.len);
        lanes::update(&mut self.state, &blocks[..n]);
        // Nobody may want it any more.
        let _unwanted = self.done.send(lanes::digest(self.state));
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::{Context, Wake, Waker};

    use super::*;
    use md5::{Digest, Md5};

    fn text(len: usize, seed: usize) -> Bytes {
        (0..len)
            .map(|at| (at * 7 + at / 251 + seed) as u8)
            .collect()
    }

    /// The digests of parts, all of which wait when hashing begins.
    fn sums(parts: &[Vec<Bytes>]) -> Vec<[u8; 16]> {
        let sums = Md5Sums::default();
        let mut digests = Vec::new();
        for pieces in parts {
            let (done, digest) = oneshot::channel();
            sums.lock().waiting.push_back(HashedPart::new(pieces, done));
            digests.push(digest);
        }
        sums.lock().workers = 1;
        sums.work();
        let queue = sums.lock();
        assert_eq!((queue.workers, queue.hashed), (0, 0));
        drop(queue);
        digests
            .into_iter()
            .map(|mut d| d.try_recv().unwrap())
            .collect()
    }

    #[test]
    fn digests_are_those_of_the_other_crate_whatever_the_lengths_and_the_pieces() {
        let lengths = [
            0,
            1,
            55,
            56,
            63,
            64,
            65,
            119,
            128,
            1000,
            64 * TURN + 1,
            200_000,
        ];
        for cut in [1, 3, 63, 64, 65, 4096, usize::MAX] {
            for count in 1..=LANES + 2 {
                let texts: Vec<Bytes> = (0..count)
                    .map(|at| text(lengths[(at * 5 + count + cut % 7) % lengths.len()], at))
                    .collect();
                let pieces = |text: &Bytes| text.chunks(cut).map(Bytes::copy_from_slice).collect();
                let parts: Vec<Vec<Bytes>> = texts.iter().map(pieces).collect();
                let wanted: Vec<[u8; 16]> = texts.iter().map(|t| Md5::digest(t).into()).collect();
                assert_eq!(sums(&parts), wanted, "{count} texts in pieces of {cut}");
            }
        }
    }

    #[tokio::test]
    async fn parts_that_come_later_join() {
        let sums = Md5Sums::default();
        let texts: Vec<Bytes> = (0..10).map(|at| text(300_000 + 77 * at, at)).collect();
        let digests: Vec<_> = texts
            .iter()
            .map(|t| sums.of(std::slice::from_ref(t)))
            .collect();
        for (text, digest) in texts.iter().zip(digests) {
            let wanted: [u8; 16] = Md5::digest(text).into();
            assert_eq!(digest.await.unwrap(), wanted);
        }
    }

    #[test]
    fn a_part_that_was_given_up_is_left() {
        let sums = Md5Sums::default();
        let (done, digest) = oneshot::channel();
        drop(digest);
        let mut parts = vec![HashedPart::new(&[text(1000, 0)], done)];
        sums.lock().hashed = 1;
        sums.lock().workers = 1;
        assert!(!sums.refill(&mut parts));
    }

    /// What was in lanes when the digest was told.
    struct Told(Md5Sums, AtomicUsize);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.1.store(self.0.lock().hashed, Relaxed);
        }
    }

    #[test]
    fn a_lane_is_free_before_the_digest_is_told() {
        let sums = Md5Sums::default();
        let (done, digest) = oneshot::channel();
        let (busy, _digest) = oneshot::channel();
        let mut parts = vec![
            HashedPart::new(&[], done),
            HashedPart::new(&[text(1000, 0)], busy),
        ];
        sums.lock().hashed = 2;
        sums.lock().workers = 1;
        let told = Arc::new(Told(sums.clone(), AtomicUsize::new(usize::MAX)));
        let mut digest = pin!(digest);
        let waker = Waker::from(told.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(digest.as_mut().poll(&mut cx).is_pending());
        assert!(sums.refill(&mut parts));
        assert_eq!(told.1.load(Relaxed), 1);
        assert!(digest.poll(&mut cx).is_ready());
    }
}
