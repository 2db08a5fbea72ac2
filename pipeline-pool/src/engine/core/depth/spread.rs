//! How long replies take at a server, and from when on one of them is late.
//!
//! *Problem:* what is late differs from server to server: a fixed multiple of the mean is soon where
//! times vary much, and far too long where they do not, and one late reply moves the mean. *Decision:*
//! the third quartile of the times is followed, which up to a quarter of late replies does not move,
//! and a request is late after twice that time. Where times are spread like those of a queue, some
//! 6 % are late by this, and where they hardly vary only what is really late. *Cost:* behind late
//! replies wait others; where over a quarter of all are late, nothing is.
//!
//! The quartile is an estimate that each report moves, by the mean time of its replies: up by 3/4 of
//! [`Tuning::quartile_step`] for each of them if they took longer, and down by 1/4 if not, so that it
//! rests where a quarter takes longer. What a report is held against is the estimate of the moment:
//! held against what it was when their requests were sent, the replies of many connections at once
//! would move it too far, up and down by turns.

use std::time::{Duration, Instant};

use super::sample::Sample;
use super::tuning::Tuning;

/// What is known of the times from sending a request to its reply.
#[derive(Debug, Default)]
pub(super) struct Spread {
    /// The usual time in seconds; 0 while it is not known.
    usual: f64,
    /// The third quartile in seconds; 0 while it is not known.
    quartile: f64,
    /// The longest time of late, and the longest of the time before that.
    longest: [Duration; 2],
    /// Since when the first of these has been looked for.
    longest_since: Option<Instant>,
}

impl Spread {
    pub(super) fn usual(&self) -> f64 {
        self.usual
    }

    fn quartile(&self) -> Duration {
        Duration::from_secs_f64(self.quartile)
    }

    /// The longest that a reply took of late.
    pub(super) fn longest(&self) -> Duration {
        self.longest[0].max(self.longest[1])
    }

    /// After this time without its reply a request is late; nothing while too little is known.
    pub(super) fn late_after(&self, tuning: &Tuning) -> Option<Duration> {
        let late = || self.quartile() * tuning.late_factor;
        (self.quartile > 0.0).then(|| late().max(tuning.late_min))
    }

    pub(super) fn observe(&mut self, sample: &Sample, now: Instant, tuning: &Tuning) {
        let mean = sample.latency.as_secs_f64() / sample.replies as f64;
        self.observe_longest(sample, now, tuning);
        if self.usual == 0.0 {
            self.usual = mean.max(1e-6);
            self.quartile = self.usual;
            return;
        }
        // Late replies count for a few times what is usual only: one of them must not become the new
        // usual, while a server that slows down as a whole does so within some replies.
        let weight = (sample.replies as f64 / tuning.usual_replies).min(tuning.usual_weight);
        self.usual += (mean.min(tuning.usual_cap * self.usual) - self.usual) * weight;
        let replies = (sample.replies as f64).min(tuning.quartile_replies);
        let way = if mean > self.quartile { 0.75 } else { -0.25 };
        self.quartile *= 1.0 + tuning.quartile_step * replies * way;
        self.quartile = self.quartile.max(1e-6);
    }

    fn observe_longest(&mut self, sample: &Sample, now: Instant, tuning: &Tuning) {
        let since = *self.longest_since.get_or_insert(now);
        if now.saturating_duration_since(since) > tuning.longest_kept {
            self.longest_since = Some(now);
            self.longest = [Duration::ZERO, self.longest[0]];
        }
        self.longest[0] = self.longest[0].max(sample.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::core::depth::Marks;

    /// A spread that has seen these times, in ms, so many times in turn.
    fn seen(times: &[u64], turns: usize) -> Spread {
        let (mut spread, mut now) = (Spread::default(), Instant::now());
        for i in 0..turns * times.len() {
            let latency = Duration::from_millis(times[i % times.len()]);
            now += latency;
            let mut sample = Sample::default();
            sample.answered(None, now - latency, &Marks::default(), now);
            spread.observe(&sample, now, &Tuning::DEFAULT);
        }
        spread
    }

    fn late_after(times: &[u64], turns: usize) -> f64 {
        let late = seen(times, turns).late_after(&Tuning::DEFAULT);
        late.unwrap().as_secs_f64() * 1e3
    }

    #[test]
    fn late_is_twice_what_three_in_four_take() {
        assert_eq!(Spread::default().late_after(&Tuning::DEFAULT), None);
        for (times, wanted) in [
            (vec![20], 40.0),
            // The quartile of times from 1 to 100 ms is 75.
            ((1..=100).map(|i| i * 37 % 101).collect(), 150.0),
            // A fifth behind late heads is no reason to wait for them.
            (vec![20, 20, 200, 20, 20], 40.0),
            // On a quick server some milliseconds may be those of this machine.
            (vec![1], 5.0),
        ] {
            let late = late_after(&times, 400);
            assert!((late / wanted - 1.0).abs() < 0.25, "{late} for {wanted}");
        }
    }

    #[test]
    fn replies_of_many_at_once_move_it_as_those_of_one() {
        let ms = Duration::from_millis;
        let (mut spread, mut now) = (Spread::default(), Instant::now());
        for round in 0..50 {
            now += ms(20);
            for i in 0..64 {
                let replies = if round % 2 == 0 { 1 } else { 32 };
                let latency = if i % 16 == 0 { ms(120) } else { ms(20) };
                let sample = Sample {
                    replies,
                    latency: latency * replies as u32,
                    ..Sample::default()
                };
                spread.observe(&sample, now, &Tuning::DEFAULT);
                let late = spread.late_after(&Tuning::DEFAULT).unwrap_or_default();
                let known = round > 4;
                assert!(!known || late > ms(32) && late < ms(52), "{late:?}");
            }
        }
    }

    #[test]
    fn one_late_answer_does_not_become_the_usual() {
        let mut times = vec![10; 50];
        times.push(30_000);
        let spread = seen(&times, 1);
        assert!(spread.usual() < 0.011, "{spread:?}");
        assert!(spread.quartile < 0.012, "{spread:?}");
        // A server that slows down as a whole is another matter.
        times.extend([30_000; 1000]);
        let spread = seen(&times, 1);
        assert!(
            spread.usual() > 25.0 && spread.quartile > 25.0,
            "{spread:?}"
        );
    }

    #[test]
    fn the_longest_is_forgotten_after_a_while() {
        let mut times = vec![300];
        times.extend([10; 50]);
        assert_eq!(seen(&times, 1).longest(), Duration::from_millis(300));
        times.extend([10; 500]);
        assert_eq!(seen(&times, 1).longest(), Duration::from_millis(10));
    }
}
