//! Where on the sorted points to look for a hash.

use std::ops::Range;

/// For each leading bits of a hash, the first point that has them or more.
///
/// There are about as many entries as points, and points are spread evenly, so a range
/// holds about one point, where a binary search over all of them is a chain of loads that
/// wait for each other.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Starts {
    shift: u32,
    starts: Box<[u32]>,
}

impl Starts {
    /// Makes the table of `hashes`, which have to be sorted.
    pub(super) fn of(hashes: &[u32]) -> Self {
        let bits = hashes.len().max(2).next_power_of_two().ilog2();
        let shift = u32::BITS - bits;
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        for (index, hash) in (0u32..).zip(hashes) {
            let entries = (hash >> shift) as usize + 1;
            if entries > starts.len() {
                starts.resize(entries, index);
            }
        }
        starts.resize((1 << bits) + 1, hashes.len() as u32);
        Self {
            shift,
            starts: starts.into(),
        }
    }

    /// The points among which the first at or after `hash` is; if none of them is, it
    /// is the one that follows.
    pub(super) fn range(&self, hash: u32) -> Range<usize> {
        let entry = (hash >> self.shift) as usize;
        self.starts[entry] as usize..self.starts[entry + 1] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(hashes: &[u32]) {
        let starts = Starts::of(hashes);
        let near = hashes
            .iter()
            .flat_map(|h| [h.saturating_sub(1), *h, h.saturating_add(1)]);
        for hash in near
            .chain((0..=u32::MAX).step_by(1 << 22))
            .chain([u32::MAX])
        {
            let range = starts.range(hash);
            let found = range.start + hashes[range].partition_point(|h| *h < hash);
            assert_eq!(found, hashes.partition_point(|h| *h < hash), "{hash}");
        }
    }

    #[test]
    fn finds_what_a_plain_search_finds() {
        for few in [
            &[0][..],
            &[u32::MAX],
            &[7, 7, 7],
            &[0, u32::MAX],
            &[1 << 31],
            &[0, 1, 2, 3, 4, 5, 6, 7, 8],
            &[u32::MAX - 2, u32::MAX - 1, u32::MAX],
        ] {
            agrees(few);
        }
        let mut many: Vec<u32> = (1..5000u32).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
        many.sort_unstable();
        agrees(&many);
    }
}
