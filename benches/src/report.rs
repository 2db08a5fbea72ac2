//! What a scenario gave, as tables for people and as JSON for programs.

use std::fmt;

use serde::Serialize;

use crate::goal::{Outcome, number};
use crate::load::Sample;
use crate::ratio::median;

/// The samples of one client, in the order they were taken.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Its name in the scenario.
    pub client: &'static str,
    /// One sample per repetition.
    pub samples: Vec<Sample>,
}

/// What a scenario gave.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its name.
    pub scenario: String,
    /// What it is about.
    pub about: &'static str,
    /// The machine's load average over a minute, before and after: over 2 or so on two cores,
    /// others were at work, and times and rates say little.
    pub load: [f64; 2],
    /// The clients.
    pub runs: Vec<Run>,
    /// The goals.
    pub goals: Vec<Outcome>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reps = self.runs.first().map_or(0, |run| run.samples.len());
        let [before, after] = self.load;
        writeln!(f, "\n{}: {}", self.scenario, self.about)?;
        writeln!(
            f,
            "medians of {reps}; load {before:.1} before, {after:.1} after\n"
        )?;
        let header = [
            "client",
            "req/s",
            "CPU us",
            "p50 ms",
            "p98",
            "p99",
            "p99.9",
            "> 50 ms %",
            "RSS MiB",
            "sockets",
            "opened",
            "deepest",
            "depth",
            "per write",
            "errors",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for run in &self.runs {
            let of = |figure: fn(&Sample) -> f64| {
                let values: Vec<f64> = run.samples.iter().map(figure).collect();
                number(median(&values))
            };
            rows.push(vec![
                run.client.to_owned(),
                of(|s| s.rate),
                of(|s| s.cpu_us),
                of(|s| s.p50_ms),
                of(|s| s.p98_ms),
                of(|s| s.p99_ms),
                of(|s| s.p999_ms),
                of(|s| s.over_50ms * 100.0),
                of(|s| s.rss_mib),
                of(|s| s.sockets as f64),
                of(|s| s.opened as f64),
                of(|s| s.deepest as f64),
                of(|s| s.depth as f64),
                of(|s| s.per_write),
                of(|s| s.errors as f64),
            ]);
        }
        table(f, &rows)?;
        writeln!(f)?;
        let header = [
            "goal",
            "wanted",
            "measured",
            "95 % bounds",
            "client",
            "peer",
            "reached",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for goal in &self.goals {
            rows.push(vec![
                goal.goal.clone(),
                goal.wanted.clone(),
                number(goal.measured),
                format!("{} .. {}", number(goal.low), number(goal.high)),
                number(goal.value),
                goal.peer.map(number).unwrap_or_default(),
                goal.reached.to_owned(),
            ]);
        }
        table(f, &rows)?;
        for run in &self.runs {
            if let Some(error) = run.samples.iter().find_map(|s| s.first_error.as_ref()) {
                writeln!(f, "{}, first error: {error}", run.client)?;
            }
        }
        Ok(())
    }
}

/// Columns as wide as their widest cell: the first to the left, the others to the right.
fn table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |i: usize| {
        rows.iter()
            .map(|row| row[i].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        for (i, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            if i == 0 {
                write!(f, "{cell:<width$}")?;
            } else {
                write!(f, "  {cell:>width$}")?;
            }
        }
        writeln!(f)?;
    }
    Ok(())
}
