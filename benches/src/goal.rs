//! What must be reached, and whether it was.

use serde::Serialize;

use crate::load::Sample;
use crate::ratio::{Ratio, median};

/// A figure of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Requests per second.
    Rate,
    /// CPU per request, in microseconds.
    Cpu,
    /// Median time of a request, in milliseconds.
    P50,
    /// 98th percentile, in milliseconds.
    P98,
    /// 99th percentile, in milliseconds.
    P99,
    /// 99.9th percentile, in milliseconds.
    P999,
    /// Share of requests over 50 ms.
    Over50,
    /// Requests sent a second time, for each reply.
    Extra,
    /// Peak memory, in MiB.
    Rss,
    /// Failed requests.
    Errors,
    /// Sockets at once.
    Sockets,
}

impl Metric {
    /// Its value in a sample.
    pub fn of(self, s: &Sample) -> f64 {
        match self {
            Self::Rate => s.rate,
            Self::Cpu => s.cpu_us,
            Self::P50 => s.p50_ms,
            Self::P98 => s.p98_ms,
            Self::P99 => s.p99_ms,
            Self::P999 => s.p999_ms,
            Self::Over50 => s.over_50ms,
            Self::Extra => s.extra,
            Self::Rss => s.rss_mib,
            Self::Errors => s.errors as f64,
            Self::Sockets => s.sockets as f64,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rate => "req/s",
            Self::Cpu => "CPU us/req",
            Self::P50 => "p50 ms",
            Self::P98 => "p98 ms",
            Self::P99 => "p99 ms",
            Self::P999 => "p99.9 ms",
            Self::Over50 => "share over 50 ms",
            Self::Extra => "requests sent twice, share",
            Self::Rss => "peak RSS MiB",
            Self::Errors => "errors",
            Self::Sockets => "sockets at once",
        }
    }
}

/// On which side of a number a figure must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Nothing is asked; the figure is shown.
    Shown,
}

/// A figure of one client, alone or over that of a peer, and where it must be.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// The figure.
    pub metric: Metric,
    /// The client, by its name in the scenario.
    pub client: &'static str,
    /// The client it is divided by.
    pub peer: Option<&'static str>,
    /// Where it must be.
    pub bound: Bound,
}

/// A goal with what was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What was compared.
    pub goal: String,
    /// Where it must be.
    pub wanted: String,
    /// The median of the ratios, or of the values.
    pub measured: f64,
    /// Its lower bound, one-sided 95 %.
    pub low: f64,
    /// Its upper bound, one-sided 95 %.
    pub high: f64,
    /// The median of the client's own values.
    pub value: f64,
    /// The median of the peer's.
    pub peer: Option<f64>,
    /// `yes`, `no`, `unsure` (the median is there, but its bound is over 5 % short, or there were
    /// fewer turns than [`ENOUGH`]) or `-`.
    pub reached: &'static str,
}

impl Outcome {
    /// Whether something was to be reached.
    pub fn is_wanted(&self) -> bool {
        self.reached != SHOWN
    }
}

/// So many turns make a goal sure: with fewer, the bounds are those of the lowest and the highest.
pub const ENOUGH: usize = 7;

const SHOWN: &str = "-";

impl Goal {
    /// Judges it on samples taken in turns.
    pub fn judge(&self, samples: &[Sample], peers: Option<&[Sample]>) -> Outcome {
        let of = |s: &[Sample]| -> Vec<f64> { s.iter().map(|s| self.metric.of(s)).collect() };
        let values = of(samples);
        let against = peers.map(of);
        let ones = vec![1.0; values.len()];
        let r = Ratio::of(&values, against.as_deref().unwrap_or(&ones));
        let enough = values.len() >= ENOUGH;
        let (wanted, reached) = match self.bound {
            Bound::Shown => (String::new(), SHOWN),
            Bound::AtLeast(x) => (
                format!(">= {}", number(x)),
                verdict(r.median >= x, enough && r.low >= 0.95 * x),
            ),
            Bound::AtMost(x) => (
                format!("<= {}", number(x)),
                verdict(r.median <= x, enough && r.high <= x / 0.95),
            ),
        };
        let over = self
            .peer
            .map(|peer| format!(" / {peer}"))
            .unwrap_or_default();
        Outcome {
            goal: format!("{}: {}{over}", self.metric.name(), self.client),
            wanted,
            measured: r.median,
            low: r.low,
            high: r.high,
            value: median(&values),
            peer: against.map(|a| median(&a)),
            reached,
        }
    }
}

fn verdict(median: bool, bound: bool) -> &'static str {
    match (median, bound) {
        (true, true) => "yes",
        (true, false) => "unsure",
        (false, _) => "no",
    }
}

/// A number with about three digits.
pub fn number(x: f64) -> String {
    match x.abs() {
        a if !a.is_finite() => "-".to_owned(),
        0.0 => "0".to_owned(),
        a if a >= 1e5 => format!("{:.0}k", x / 1e3),
        a if a >= 1e4 => format!("{:.1}k", x / 1e3),
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        a if a >= 0.1 => format!("{x:.2}"),
        _ => format!("{x:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(rates: &[f64]) -> Vec<Sample> {
        let sample = |&rate: &f64| Sample {
            rate,
            ..Sample::default()
        };
        rates.iter().map(sample).collect()
    }

    fn goal(bound: Bound) -> Goal {
        Goal {
            metric: Metric::Rate,
            client: "a",
            peer: Some("b"),
            bound,
        }
    }

    #[test]
    fn a_goal_needs_its_bound_too() {
        let b = rates(&[1.0; 7]);
        let judge = |bound, a: &[f64]| goal(bound).judge(&rates(a), Some(&b)).reached;
        assert_eq!(judge(Bound::AtLeast(2.0), &[2.0; 7]), "yes");
        assert_eq!(judge(Bound::AtLeast(2.0), &[1.9; 7]), "no");
        assert_eq!(
            judge(Bound::AtLeast(2.0), &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]),
            "unsure"
        );
        assert_eq!(judge(Bound::AtMost(2.0), &[2.0; 7]), "yes");
        assert_eq!(judge(Bound::AtMost(2.0), &[2.1; 7]), "no");
        assert_eq!(
            judge(Bound::AtMost(2.0), &[3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0]),
            "unsure"
        );
        assert_eq!(judge(Bound::Shown, &[2.0; 7]), "-");
    }

    #[test]
    fn without_a_peer_the_value_itself_counts() {
        let alone = Goal {
            peer: None,
            ..goal(Bound::AtMost(0.0))
        };
        assert_eq!(alone.judge(&rates(&[0.0; 7]), None).reached, "yes");
        assert_eq!(alone.judge(&rates(&[1.0; 7]), None).reached, "no");
    }

    #[test]
    fn few_turns_make_nothing_sure() {
        let b = rates(&[1.0; 6]);
        let judge = |a| goal(Bound::AtLeast(2.0)).judge(&rates(&[a; 6]), Some(&b));
        assert_eq!(judge(3.0).reached, "unsure");
        assert_eq!(judge(1.0).reached, "no");
    }

    #[test]
    fn what_could_not_be_measured_is_not_reached() {
        let nan = rates(&[f64::NAN; 7]);
        let outcome = goal(Bound::AtMost(2.0)).judge(&nan, Some(&nan));
        assert_eq!(outcome.reached, "no");
    }
}
