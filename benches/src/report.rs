//! What scenarios gave, as tables for people and as JSON for programs.

use std::fmt;

use serde::Serialize;

use crate::goal::{ENOUGH, Outcome, number};
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

impl Report {
    /// How often each client had its turn.
    pub fn turns(&self) -> usize {
        self.runs.first().map_or(0, |run| run.samples.len())
    }

    /// The table of the clients, without the goals.
    pub fn figures(&self) -> Figures<'_> {
        Figures(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.figures().fmt(f)?;
        writeln!(f)?;
        let mut rows = vec![OUTCOME.map(str::to_owned).to_vec()];
        rows.extend(self.goals.iter().map(outcome));
        table(f, &rows, 1)
    }
}

/// The clients of a [`Report`] as a table.
#[derive(Clone, Copy, Debug)]
pub struct Figures<'a>(&'a Report);

impl fmt::Display for Figures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let [before, after] = report.load;
        writeln!(f, "\n{}: {}", report.scenario, report.about)?;
        writeln!(
            f,
            "medians of {}; load {before:.1} before, {after:.1} after\n",
            report.turns()
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
            "sent twice %",
            "errors",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for run in &report.runs {
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
                of(|s| s.extra * 100.0),
                of(|s| s.errors as f64),
            ]);
        }
        table(f, &rows, 1)?;
        for run in &report.runs {
            if let Some(error) = run.samples.iter().find_map(|s| s.first_error.as_ref()) {
                writeln!(f, "{}, first error: {error}", run.client)?;
            }
        }
        Ok(())
    }
}

/// The goals of all scenarios in one table; figures that are only shown are left out.
#[derive(Clone, Copy, Debug)]
pub struct Goals<'a>(pub &'a [Report]);

/// A goal of a scenario, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Row<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// How often each client had its turn.
    pub turns: usize,
    /// The load average before and after.
    pub load: [f64; 2],
    /// The goal and what was measured.
    #[serde(flatten)]
    pub outcome: &'a Outcome,
}

impl<'a> Goals<'a> {
    /// Its rows.
    pub fn rows(self) -> impl Iterator<Item = Row<'a>> {
        self.0.iter().flat_map(|report| {
            let goals = report.goals.iter().filter(|goal| goal.is_wanted());
            goals.map(move |outcome| Row {
                scenario: &report.scenario,
                turns: report.turns(),
                load: report.load,
                outcome,
            })
        })
    }
}

impl fmt::Display for Goals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut header = vec!["scenario".to_owned()];
        header.extend(OUTCOME.map(str::to_owned));
        header.push("load".to_owned());
        let mut rows = vec![header];
        for row in self.rows() {
            let mut cells = vec![row.scenario.to_owned()];
            cells.extend(outcome(row.outcome));
            let [before, after] = row.load;
            cells.push(format!("{before:.1} {after:.1}"));
            rows.push(cells);
        }
        writeln!(f)?;
        table(f, &rows, 2)?;
        let count = |reached| self.rows().filter(|r| r.outcome.reached == reached).count();
        write!(f, "\n{} of {} reached", count("yes"), self.rows().count())?;
        write!(f, ", {} not, {} unsure", count("no"), count("unsure"))?;
        let fewest = self.rows().map(|r| r.turns).min().unwrap_or(ENOUGH);
        if fewest < ENOUGH {
            write!(f, "; to be sure takes {ENOUGH} turns, not {fewest}")?;
        }
        writeln!(f)
    }
}

const OUTCOME: [&str; 7] = [
    "goal",
    "wanted",
    "measured",
    "95 % bounds",
    "client",
    "peer",
    "reached",
];

/// The cells of a goal, under [`OUTCOME`].
fn outcome(goal: &Outcome) -> Vec<String> {
    vec![
        goal.goal.clone(),
        goal.wanted.clone(),
        number(goal.measured),
        format!("{} .. {}", number(goal.low), number(goal.high)),
        number(goal.value),
        goal.peer.map(number).unwrap_or_default(),
        goal.reached.to_owned(),
    ]
}

/// Columns as wide as their widest cell: the first `left` to the left, the others to the right.
fn table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>], left: usize) -> fmt::Result {
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
            let gap = if i == 0 { "" } else { "  " };
            if i < left {
                write!(f, "{gap}{cell:<width$}")?;
            } else {
                write!(f, "{gap}{cell:>width$}")?;
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goal::{Bound, Goal, Metric};

    fn report(scenario: &str, bound: Bound) -> Report {
        let samples = vec![Sample {
            rate: 2.0,
            ..Sample::default()
        }];
        let goal = Goal {
            metric: Metric::Rate,
            client: "a",
            peer: None,
            bound,
        };
        Report {
            scenario: scenario.to_owned(),
            about: "",
            load: [0.5, 1.5],
            goals: vec![goal.judge(&samples, None)],
            runs: vec![Run {
                client: "a",
                samples,
            }],
        }
    }

    #[test]
    fn the_table_of_goals_has_those_of_all_scenarios_and_what_is_shown_only_not() {
        let reports = [
            report("one", Bound::AtLeast(3.0)),
            report("two", Bound::Shown),
            report("three", Bound::AtLeast(1.0)),
        ];
        let goals = Goals(&reports);
        let names: Vec<_> = goals.rows().map(|row| row.scenario).collect();
        assert_eq!(names, ["one", "three"]);
        let text = goals.to_string();
        assert!(text.contains("0 of 2 reached, 1 not, 1 unsure"), "{text}");
        assert!(text.contains("takes 7 turns, not 1"), "{text}");
        assert!(text.contains("0.5 1.5"), "{text}");
        let json = serde_json::to_value(goals.rows().next().unwrap()).unwrap();
        assert_eq!(json["scenario"], "one");
        assert_eq!(json["measured"], 2.0);
        assert_eq!(json["reached"], "no");
    }
}
