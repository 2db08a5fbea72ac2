//! Ranges of bytes, as the header field [`Range`](https://www.rfc-editor.org/rfc/rfc9110#section-14.2) has them.

use std::ops::{Bound, RangeBounds};

/// The bytes of an object that are asked for, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// All bytes from this one on.
    From(u64),
    /// The bytes from the first to the last of these, both included.
    Within(u64, u64),
    /// So many bytes at the end.
    Last(u64),
    /// No byte at all.
    Empty,
}

impl ByteRange {
    /// The range of these bounds; nothing where they leave nothing out.
    pub(crate) fn of(range: impl RangeBounds<u64>) -> Option<Self> {
        let first = match range.start_bound() {
            Bound::Included(&n) => Some(n),
            Bound::Excluded(&n) => n.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let last = match range.end_bound() {
            Bound::Included(&n) => Some(n),
            Bound::Excluded(&n) => n.checked_sub(1),
            Bound::Unbounded => Some(u64::MAX),
        };
        match (first, last) {
            (Some(0), Some(u64::MAX)) => None,
            (Some(first), Some(u64::MAX)) => Some(Self::From(first)),
            (Some(first), Some(last)) if first <= last => Some(Self::Within(first, last)),
            _ => Some(Self::Empty),
        }
    }

    /// The range of so many bytes at the end.
    pub(crate) fn last(bytes: u64) -> Self {
        if bytes == 0 {
            Self::Empty
        } else {
            Self::Last(bytes)
        }
    }

    /// The value of the header; nothing for a range of no bytes, which has no form there.
    pub(crate) fn header(self) -> Option<String> {
        match self {
            Self::From(first) => Some(format!("bytes={first}-")),
            Self::Within(first, last) => Some(format!("bytes={first}-{last}")),
            Self::Last(n) => Some(format!("bytes=-{n}")),
            Self::Empty => None,
        }
    }

    /// Whether the whole of an object of this size is what it asks for. A server need not send a range then
    /// ([RFC 9110, 14.2](https://www.rfc-editor.org/rfc/rfc9110#section-14.2)); of an object without bytes there is
    /// none that could be sent, and S3 answers the last bytes of it with the whole.
    pub(crate) fn is_whole(self, size: u64) -> bool {
        match self {
            Self::From(first) => first == 0 && size > 0,
            Self::Within(first, last) => first == 0 && size > 0 && last >= size - 1,
            Self::Last(n) => n >= size,
            Self::Empty => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_a_range_where_it_is_all_that_was_asked_for() {
        for (range, size, whole) in [
            (ByteRange::Last(512), 0, true),
            (ByteRange::Last(512), 512, true),
            (ByteRange::Last(512), 513, false),
            (ByteRange::From(0), 5, true),
            (ByteRange::From(1), 5, false),
            (ByteRange::Within(0, 4), 5, true),
            (ByteRange::Within(0, 3), 5, false),
            (ByteRange::Within(1, 9), 5, false),
            // These begin behind the end, which is an error.
            (ByteRange::From(0), 0, false),
            (ByteRange::Within(0, 9), 0, false),
        ] {
            assert_eq!(range.is_whole(size), whole, "{range:?} of {size}");
        }
    }
}
