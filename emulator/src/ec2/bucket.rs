//! Throttling as EC2 has it: a bucket of tokens that fills again.
//!
//! See [request throttling](https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html).

use std::time::Instant;

/// A bucket of so many tokens, which gets so many a second back.
#[derive(Debug)]
pub(super) struct TokenBucket {
    size: f64,
    refill: f64,
    tokens: f64,
    filled: Option<Instant>,
}

impl TokenBucket {
    pub(super) fn new(size: u32, refill: u32) -> Self {
        Self {
            size: size.into(),
            refill: refill.into(),
            tokens: size.into(),
            filled: None,
        }
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if let Some(filled) = self.filled {
            let age = now.saturating_duration_since(filled).as_secs_f64();
            self.tokens = (self.tokens + age * self.refill).min(self.size);
        }
        self.filled = Some(now);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_empties_and_fills() {
        let (mut bucket, start) = (TokenBucket::new(3, 2), Instant::now());
        let mut taken = |ms: u64, most: usize| {
            let now = start + Duration::from_millis(ms);
            (0..most).filter(|_| bucket.take(now)).count()
        };
        assert_eq!(taken(0, 9), 3);
        assert_eq!(taken(400, 9), 0);
        assert_eq!(taken(1000, 9), 2);
        assert_eq!(taken(100_000, 9), 3);
    }
}
