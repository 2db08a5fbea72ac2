//! Clients that take turns.

use crate::BoxError;
use crate::goal::{Goal, Outcome};
use crate::load::Sample;
use crate::machine;
use crate::progress::Progress;
use crate::report::{Report, Run};

/// Has each of the clients take its turn `rounds` times, another one first each time: who follows
/// whom may matter. `turn` runs the client of this index.
///
/// # Errors
/// Those of `turn`.
pub fn take(
    scenario: &str,
    about: &'static str,
    clients: &[&'static str],
    goals: &[Goal],
    rounds: usize,
    progress: &Progress,
    mut turn: impl FnMut(usize) -> Result<Sample, BoxError>,
) -> Result<Report, BoxError> {
    let empty = |&client: &&'static str| Run {
        client,
        samples: Vec::new(),
    };
    let mut runs: Vec<Run> = clients.iter().map(empty).collect();
    let before = machine::load()?;
    for round in 0..rounds {
        progress.round(scenario, round + 1, rounds);
        for i in 0..runs.len() {
            let i = (i + round) % runs.len();
            progress.turn(scenario, runs[i].client);
            let sample = turn(i);
            progress.done();
            runs[i].samples.push(sample?);
        }
    }
    Ok(Report {
        scenario: scenario.to_owned(),
        about,
        load: [before, machine::load()?],
        goals: judge(goals, &runs),
        runs,
    })
}

/// The outcomes of the goals whose clients are there.
fn judge(goals: &[Goal], runs: &[Run]) -> Vec<Outcome> {
    let of = |name: &str| {
        let run = runs.iter().find(|r| r.client == name);
        run.map(|r| r.samples.as_slice())
    };
    let one = |goal: &Goal| match goal.peer {
        Some(peer) => Some(goal.judge(of(goal.client)?, Some(of(peer)?))),
        None => Some(goal.judge(of(goal.client)?, None)),
    };
    goals.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goal::{Bound, Metric};

    #[test]
    fn each_client_begins_in_its_turn_and_goals_of_absent_ones_are_left_out() {
        let goal = |peer| Goal {
            metric: Metric::Rate,
            client: "a",
            peer,
            bound: Bound::AtLeast(1.0),
        };
        let goals = [goal(None), goal(Some("b")), goal(Some("absent"))];
        let mut order = Vec::new();
        let progress = Progress::new(6);
        let report = take("s", "about", &["a", "b"], &goals, 3, &progress, |i| {
            order.push(i);
            Ok(Sample {
                rate: (i + 1) as f64,
                ..Sample::default()
            })
        })
        .unwrap();
        assert_eq!(order, [0, 1, 1, 0, 0, 1]);
        assert_eq!(report.runs[1].samples.len(), 3);
        let measured: Vec<f64> = report.goals.iter().map(|o| o.measured).collect();
        assert_eq!(measured, [1.0, 0.5]);
    }

    #[test]
    fn a_turn_that_fails_ends_it() {
        let progress = Progress::new(1);
        let end = take("s", "", &["a"], &[], 1, &progress, |_| Err("gone".into()));
        assert_eq!(end.unwrap_err().to_string(), "gone");
    }
}
