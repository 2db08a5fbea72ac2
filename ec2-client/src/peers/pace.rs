//! How long to wait until the next list. Randomness, 0 to 1, is handed in.

use std::time::Duration;

/// The time for each peer and page, so that a cluster of any size makes at most 5 requests a second: a quarter of what
/// [EC2 gives back](https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html) in a second (20).
const SHARE: Duration = Duration::from_millis(200);
/// How far the time between two lists is from the interval, up and down.
const JITTER: f64 = 0.2;
/// The bound of the first pause after a failure.
const FIRST: Duration = Duration::from_secs(2);
/// The highest bound of pauses after failures.
const LONGEST: Duration = Duration::from_secs(300);
/// The longest interval: a day.
pub(super) const MAX_INTERVAL: Duration = Duration::from_secs(86_400);

/// The interval that so many peers and pages allow, if it is longer than the one that was asked for; at most the longest.
/// It leaves room for the jitter: the shortest time that is drawn is each peer's share.
pub(super) fn stretched(every: Duration, peers: usize, pages: u32) -> Option<Duration> {
    let peers = u32::try_from(peers).unwrap_or(u32::MAX);
    let share = SHARE.saturating_mul(peers).saturating_mul(pages);
    let longer = share
        .min(MAX_INTERVAL)
        .mul_f64(1.0 / (1.0 - JITTER))
        .min(MAX_INTERVAL);
    (longer > every).then_some(longer)
}

/// The interval, less or more a fifth.
pub(super) fn jittered(every: Duration, random: f64) -> Duration {
    every.mul_f64(1.0 - JITTER + 2.0 * JITTER * random.clamp(0.0, 1.0))
}

/// The pause after the so many-th failure in a row, from 1: from 0 to a bound that doubles, and no less than the highest
/// bound once that is reached.
pub(super) fn backoff(failures: u32, random: f64) -> Duration {
    let random = random.clamp(0.0, 1.0);
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    match doubled < LONGEST {
        true => doubled.mul_f64(random),
        false => LONGEST.mul_f64(1.0 + JITTER * random),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(30);

    #[test]
    fn a_large_cluster_asks_less_often() {
        assert_eq!(stretched(EVERY, 0, 1), None);
        assert_eq!(stretched(EVERY, 120, 1), None);
        for (peers, pages) in [(121, 1), (1000, 1), (2500, 3), (50_000, 5)] {
            let longer = stretched(EVERY, peers, pages).unwrap();
            let shortest = jittered(longer, 0.0);
            // All of them together, each asking for all pages as often as it may.
            let rate = peers as f64 * f64::from(pages) / shortest.as_secs_f64();
            assert!(
                (4.9..5.001).contains(&rate),
                "{peers} {pages}: {rate} a second"
            );
        }
        // An interval longer than a day is none for anybody.
        let most = |every| stretched(every, usize::MAX, u32::MAX);
        assert_eq!(most(EVERY), Some(MAX_INTERVAL));
        assert_eq!(most(MAX_INTERVAL), None);
    }

    #[test]
    fn the_interval_is_drawn_around_itself() {
        let drawn = [0.0, 0.5, 1.0, 9.0].map(|random| jittered(EVERY, random).as_secs());
        assert_eq!(drawn, [24, 30, 36, 36]);
    }

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let most: Vec<_> = (1..12).map(|n| backoff(n, 1.0).as_secs()).collect();
        assert_eq!(most, [2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
        let least: Vec<_> = (1..12).map(|n| backoff(n, 0.0).as_secs()).collect();
        assert_eq!(least, [0, 0, 0, 0, 0, 0, 0, 0, 300, 300, 300]);
        assert_eq!(backoff(u32::MAX, 0.5).as_secs(), 330);
    }
}
