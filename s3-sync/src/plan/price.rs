//! What a plan costs at Amazon.

/// Requests and bytes of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Price {
    /// Requests that put, copy or list.
    pub puts: u64,
    /// Requests that fetch.
    pub gets: u64,
    /// Requests that delete, which cost nothing.
    pub deletes: u64,
    /// Bytes that go to the store, which cost nothing.
    pub bytes_up: u64,
    /// Bytes that come from the store.
    pub bytes_down: u64,
}

impl Price {
    /// What [`dollars`](Self::dollars) counts with.
    pub const BASIS: &str = "S3 Standard in us-east-1, November 2026: $0.005 for 1,000 puts, copies and lists, $0.0004 for 1,000 \
         gets, $0.09 for a GB that leaves AWS";

    /// The price in dollars of S3 Standard in us-east-1, where what is fetched leaves AWS:
    /// [Amazon S3 pricing](https://aws.amazon.com/s3/pricing/).
    pub fn dollars(&self) -> f64 {
        let requests = self.puts as f64 * 5e-6 + self.gets as f64 * 4e-7;
        let all = requests + self.bytes_down as f64 / 1e9 * 0.09;
        // No digits that only the arithmetic of binary numbers makes.
        (all * 1e9).round() / 1e9
    }
}

/// The size of the parts of an upload, and how many it has at most.
const PART: u64 = 8 << 20;
const MOST_PARTS: u64 = 10_000;

/// How many requests an upload of this size takes: beyond one part, it is begun and completed besides.
pub(crate) fn puts(size: u64) -> u64 {
    match size.div_ceil(PART) {
        0 | 1 => 1,
        parts => parts.min(MOST_PARTS) + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_upload_takes_a_request_for_each_part_and_two() {
        for (size, requests) in [
            (0, 1),
            (PART, 1),
            (PART + 1, 4),
            (5 * PART, 7),
            (1 << 42, 10_002),
        ] {
            assert_eq!(puts(size), requests, "{size}");
        }
    }

    #[test]
    fn requests_and_bytes_that_leave_are_paid() {
        let up = Price {
            puts: 10_000,
            deletes: 10,
            bytes_up: 1 << 40,
            ..Price::default()
        };
        assert!((up.dollars() - 0.05).abs() < 1e-9);
        let down = Price {
            gets: 10_000,
            bytes_down: 1_000_000_000,
            ..Price::default()
        };
        assert!((down.dollars() - 0.094).abs() < 1e-9);
    }
}
