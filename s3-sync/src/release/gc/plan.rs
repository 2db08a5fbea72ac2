//! Which releases go.

use std::collections::BTreeSet;
use std::time::Duration;

/// What stays.
#[derive(Clone, Debug)]
pub(super) struct Keep {
    /// So many of the last releases.
    pub(super) last: usize,
    /// Releases that are younger than this.
    pub(super) younger: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            last: 10,
            younger: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// A release as it was listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct OldRelease {
    pub(super) number: u64,
    pub(super) age: Duration,
}

/// The releases that go: neither among the last, nor young, nor named by a pointer, nor run by a node.
pub(super) fn doomed(listed: &[OldRelease], pointed: &BTreeSet<u64>, keep: &Keep) -> Vec<u64> {
    let mut all: Vec<OldRelease> = listed.to_vec();
    all.sort_unstable_by_key(|release| release.number);
    let old = all.len().saturating_sub(keep.last);
    let goes =
        |release: &&OldRelease| release.age >= keep.younger && !pointed.contains(&release.number);
    all.iter()
        .take(old)
        .filter(goes)
        .map(|release| release.number)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn the_last_the_young_and_those_in_use_stay() {
        // Release n was made 20 - n days ago.
        let listed: Vec<OldRelease> = (1..=20)
            .rev()
            .map(|n| OldRelease {
                number: n,
                age: DAY * (20 - n as u32),
            })
            .collect();
        let keep = |last, days| Keep {
            last,
            younger: DAY * days,
        };
        let doomed =
            |keep, pointed: &[u64]| doomed(&listed, &pointed.iter().copied().collect(), &keep);
        assert_eq!(doomed(keep(10, 7), &[]), (1..=10).collect::<Vec<_>>());
        assert_eq!(doomed(keep(10, 15), &[]), (1..=5).collect::<Vec<_>>());
        assert_eq!(doomed(keep(10, 15), &[3, 20]), [1, 2, 4, 5]);
        assert!(doomed(keep(30, 0), &[]).is_empty());
        assert_eq!(doomed(keep(1, 0), &[7]).len(), 18);
    }
}
