//! Medians, and how sure a ratio is.

/// How often the repetitions are drawn anew.
const DRAWS: usize = 10_000;

/// The ratio of two clients measured in turns: repetition i of one against repetition i of the
/// other, since the machine drifts from one to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The median of the ratios.
    pub median: f64,
    /// The median is above this with 95 % certainty.
    pub low: f64,
    /// The median is below this with 95 % certainty.
    pub high: f64,
}

impl Ratio {
    /// The ratios `a[i] / b[i]`; NaN when there is none.
    ///
    /// The bounds are one-sided, each by the percentile bootstrap of the median: with seven
    /// repetitions they come to lie on the second lowest and the second highest. They say nothing
    /// of what all repetitions share, such as a busy machine.
    pub fn of(a: &[f64], b: &[f64]) -> Self {
        let ratios: Vec<f64> = a.iter().zip(b).map(|(a, b)| a / b).collect();
        if ratios.is_empty() || ratios.iter().any(|r| r.is_nan()) {
            return Self {
                median: f64::NAN,
                low: f64::NAN,
                high: f64::NAN,
            };
        }
        // A fixed seed, so that the same samples always give the same verdict.
        let mut rng = fastrand::Rng::with_seed(7);
        let mut draw = vec![0.0; ratios.len()];
        let mut medians: Vec<f64> = (0..DRAWS)
            .map(|_| {
                draw.fill_with(|| ratios[rng.usize(..ratios.len())]);
                median(&draw)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        Self {
            median: median(&ratios),
            low: medians[DRAWS / 20],
            high: medians[DRAWS - 1 - DRAWS / 20],
        }
    }
}

/// The middle value, or the mean of the two in the middle; NaN of none.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        // The machine slows down tenfold; the ratio does not move.
        let ratio = Ratio::of(&[200.0, 20.0, 2.0], &[100.0, 10.0, 1.0]);
        assert_eq!((ratio.median, ratio.low, ratio.high), (2.0, 2.0, 2.0));
    }

    #[test]
    fn of_seven_the_bounds_are_the_second_from_each_end() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let ratio = Ratio::of(&a, &[1.0; 7]);
        assert_eq!((ratio.low, ratio.median, ratio.high), (2.0, 4.0, 6.0));
    }

    #[test]
    fn one_outlier_does_not_decide() {
        let a = [2.0, 2.0, 2.0, 0.1, 2.0, 2.0, 2.0];
        assert_eq!(Ratio::of(&a, &[1.0; 7]).low, 2.0);
    }

    #[test]
    fn nothing_has_no_ratio() {
        assert!(Ratio::of(&[], &[]).median.is_nan());
        assert!(Ratio::of(&[1.0], &[f64::NAN]).low.is_nan());
    }

    /// The bounds hold as often as they say: about 95 of 100 drawings from a known median.
    #[test]
    fn the_lower_bound_covers() {
        let mut rng = fastrand::Rng::with_seed(1);
        let trials = 100;
        let covered = (0..trials)
            .filter(|_| {
                let a: Vec<f64> = (0..7).map(|_| rng.f64()).collect();
                Ratio::of(&a, &[1.0; 7]).low <= 0.5
            })
            .count();
        // 7 values: 93.75 % by the binomial distribution; four standard deviations around it.
        assert!((84..=99).contains(&covered), "{covered}");
    }
}
