//! The memory that the parts of a stream are gathered in.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

use crate::request::body::Payload;

/// The bytes of a block.
pub(crate) const BLOCK: usize = 256 << 10;

/// Gathers bytes into blocks of one size.
///
/// Those that a part is done with are filled again: what is freed and taken anew, part by part, leaves holes that
/// allocators keep. And a part may be begun in as much memory as there is, which one piece for all of it would not
/// allow.
#[derive(Default)]
pub(crate) struct Blocks {
    full: Vec<Bytes>,
    /// The one that is being filled.
    last: Vec<u8>,
    idle: Arc<Idle>,
}

type Idle = Mutex<Vec<Vec<u8>>>;

impl Blocks {
    /// How many bytes have been gathered.
    pub(crate) fn len(&self) -> usize {
        self.full.len() * BLOCK + self.last.len()
    }

    /// Copies as many of these bytes as the block that is being filled has room for; how many those are.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> usize {
        if self.last.len() == BLOCK {
            let full = std::mem::take(&mut self.last);
            self.full.push(lend(full, &self.idle));
        }
        if self.last.capacity() == 0 {
            let idle = lock(&self.idle).pop();
            self.last = idle.unwrap_or_else(|| Vec::with_capacity(BLOCK));
        }
        let fits = bytes.get(..BLOCK - self.last.len()).unwrap_or(bytes);
        self.last.extend_from_slice(fits);
        fits.len()
    }

    /// What was gathered; its blocks come back when nobody holds them any more.
    pub(crate) fn take(&mut self) -> Payload {
        let len = self.len() as u64;
        let last = lend(std::mem::take(&mut self.last), &self.idle);
        if self.full.is_empty() {
            return Payload::Whole(last);
        }
        self.full.push(last);
        Payload::Rope(std::mem::take(&mut self.full).into(), len)
    }
}

fn lock(idle: &Idle) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lend(block: Vec<u8>, idle: &Arc<Idle>) -> Bytes {
    let home = Arc::downgrade(idle);
    Bytes::from_owner(LentBlock { block, home })
}

/// A block that is away from home.
struct LentBlock {
    block: Vec<u8>,
    home: Weak<Idle>,
}

impl AsRef<[u8]> for LentBlock {
    fn as_ref(&self) -> &[u8] {
        &self.block
    }
}

impl Drop for LentBlock {
    fn drop(&mut self) {
        if let Some(idle) = self.home.upgrade() {
            let mut block = std::mem::take(&mut self.block);
            block.clear();
            if block.capacity() > 0 {
                lock(&idle).push(block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(blocks: &mut Blocks, mut bytes: &[u8]) -> Payload {
        while !bytes.is_empty() {
            let n = blocks.fill(bytes);
            bytes = &bytes[n..];
        }
        blocks.take()
    }

    fn pieces(payload: &Payload) -> Vec<Bytes> {
        match payload {
            Payload::Whole(bytes) => vec![bytes.clone()],
            Payload::Rope(pieces, _) => pieces.to_vec(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn bytes_are_gathered_as_they_are() {
        let mut blocks = Blocks::default();
        let bytes: Vec<u8> = (0..3 * BLOCK + 5).map(|at| (at % 251) as u8).collect();
        for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 5] {
            let payload = gather(&mut blocks, &bytes[..len]);
            assert_eq!(payload.len(), len as u64);
            assert_eq!(pieces(&payload).concat(), bytes[..len]);
            assert_eq!(payload.whole().is_some(), len <= BLOCK);
            assert_eq!(blocks.len(), 0);
        }
    }

    #[test]
    fn a_block_takes_what_it_has_room_for() {
        let mut blocks = Blocks::default();
        assert_eq!(blocks.fill(&[1; 100_000]), 100_000);
        assert_eq!(blocks.fill(&[2; BLOCK]), BLOCK - 100_000);
        assert_eq!(blocks.len(), BLOCK);
        assert_eq!(blocks.fill(&[3]), 1);
        let lens: Vec<usize> = pieces(&blocks.take()).iter().map(Bytes::len).collect();
        assert_eq!(lens, [BLOCK, 1]);
    }

    #[test]
    fn a_block_is_filled_again_when_nobody_holds_it() {
        let mut blocks = Blocks::default();
        let first = gather(&mut blocks, &[7; BLOCK]);
        let place = pieces(&first)[0].as_ptr();
        let held = pieces(&first)[0].slice(10..20);
        drop(first);
        let second = gather(&mut blocks, &[8; 2 * BLOCK]);
        assert!(pieces(&second).iter().all(|piece| piece.as_ptr() != place));
        assert_eq!(held, [7; 10][..]);
        drop((held, second));
        let third = gather(&mut blocks, &[9; 3 * BLOCK]);
        assert!(pieces(&third).iter().any(|piece| piece.as_ptr() == place));
        assert!(lock(&blocks.idle).is_empty(), "there were only three");
        // Those that are away when the others are gone are freed.
        drop(blocks);
        drop(third);
    }
}
