//! How many bytes of large files have been moved that are not whole yet, for who looks at a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes of all that is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnderWay(Arc<AtomicU64>);

/// A file that is under way. When it is dropped, its bytes count no more: the file then counts as moved, or as failed.
#[derive(Debug)]
pub(crate) struct Portion {
    all: UnderWay,
    bytes: AtomicU64,
}

impl UnderWay {
    /// How many there are.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Another file.
    pub(crate) fn begin(&self) -> Portion {
        Portion {
            all: self.clone(),
            bytes: AtomicU64::new(0),
        }
    }
}

impl Portion {
    /// So many bytes of it have been moved, which are no fewer than were told before.
    pub(crate) fn reach(&self, bytes: u64) {
        let before = self.bytes.fetch_max(bytes, Ordering::Relaxed);
        let more = bytes.saturating_sub(before);
        self.all.0.fetch_add(more, Ordering::Relaxed);
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        self.all.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_as_long_as_their_file_is_under_way() {
        let all = UnderWay::default();
        let (one, two) = (all.begin(), all.begin());
        for (portion, bytes, sum) in [(&one, 5, 5), (&two, 7, 12), (&one, 6, 13), (&one, 4, 13)] {
            portion.reach(bytes);
            assert_eq!(all.bytes(), sum);
        }
        drop(one);
        assert_eq!(all.bytes(), 7);
        drop(two);
        assert_eq!(all.bytes(), 0);
    }
}
