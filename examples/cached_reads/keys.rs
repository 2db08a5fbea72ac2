//! Which key is read next.

/// Numbers from 0 in which the k-th comes up in proportion to 1/k^exponent (Zipf's law).
pub(crate) struct Zipf {
    /// The chance of each number or a smaller one.
    up_to: Vec<f64>,
}

impl Zipf {
    /// Of this many numbers, at least one.
    pub(crate) fn new(count: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=count.max(1)).map(|k| f64::from(k).powf(-exponent));
        let mut up_to: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        up_to.iter_mut().for_each(|chance| *chance /= sum);
        Self { up_to }
    }

    pub(crate) fn draw(&self, random: &mut fastrand::Rng) -> usize {
        let at = random.f64();
        let number = self.up_to.partition_point(|chance| *chance <= at);
        // Sums of fractions may end a little below 1.
        number.min(self.up_to.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(count: u32, exponent: f64) -> Vec<f64> {
        let (zipf, mut random) = (Zipf::new(count, exponent), fastrand::Rng::with_seed(7));
        let mut counts = vec![0.0; count as usize];
        for _ in 0..200_000 {
            counts[zipf.draw(&mut random)] += 1.0;
        }
        counts
    }

    #[test]
    fn the_second_comes_up_half_as_often_as_the_first() {
        let counts = counts(100, 1.0);
        for k in [2, 4, 8] {
            let share = counts[k - 1] / counts[0] * k as f64;
            assert!((0.9..1.1).contains(&share), "{k}: {share}");
        }
    }

    #[test]
    fn the_exponent_decides() {
        let equal = counts(10, 0.0);
        assert!(
            equal.iter().all(|n| (19_000.0..21_000.0).contains(n)),
            "{equal:?}"
        );
        assert!(counts(10, 5.0)[0] > 190_000.0);
        assert_eq!(counts(1, 1.0), [200_000.0]);
    }
}
