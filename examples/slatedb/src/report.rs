//! What came out: a table for people, or JSON.

use std::error::Error;
use std::io::{self, Write};

use examples::table::{Table, grouped};
use serde_json::json;

use crate::args::{Args, Step, Which};
use crate::sample::{Sample, median};

/// The samples of all steps, of each client in the order of its turns.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<(Which, Step, Sample)>);

/// What a line of the table tells.
struct Figure {
    name: &'static str,
    step: Step,
    of: fn(&Sample) -> f64,
    digits: usize,
}

const fn figure(name: &'static str, step: Step, of: fn(&Sample) -> f64, digits: usize) -> Figure {
    Figure {
        name,
        step,
        of,
        digits,
    }
}

fn requests(sample: &Sample) -> f64 {
    sample.requests.map_or(f64::NAN, |requests| requests as f64)
}

fn sockets(sample: &Sample) -> f64 {
    sample.sockets as f64
}

const FIGURES: [Figure; 15] = [
    figure("durable puts/s", Step::Put, Sample::rate, 0),
    figure("p99 of a put, ms", Step::Put, |s| s.p99 * 1e3, 1),
    figure("CPU of a put, us", Step::Put, Sample::cpu_each, 1),
    figure("sockets for puts", Step::Put, sockets, 0),
    figure("requests for puts", Step::Put, requests, 0),
    figure("p50 of a cold get, ms", Step::Get, |s| s.p50 * 1e3, 1),
    figure("p99 of a cold get, ms", Step::Get, |s| s.p99 * 1e3, 1),
    figure("CPU of a get, us", Step::Get, Sample::cpu_each, 1),
    figure("sockets for gets", Step::Get, sockets, 0),
    figure("requests for gets", Step::Get, requests, 0),
    figure("writing the log, s", Step::Log, |s| s.seconds, 2),
    figure("replay of the log, s", Step::Replay, |s| s.seconds, 2),
    figure("CPU of the replay, s", Step::Replay, |s| s.cpu, 2),
    figure("sockets for the replay", Step::Replay, sockets, 0),
    figure("requests for the replay", Step::Replay, requests, 0),
];

impl Report {
    pub(crate) fn add(&mut self, which: Which, step: Step, sample: Sample) {
        self.0.push((which, step, sample));
    }

    fn samples(&self, which: Which, step: Step) -> impl Iterator<Item = &Sample> {
        let ours = self
            .0
            .iter()
            .filter(move |(w, s, _)| *w == which && *s == step);
        ours.map(|(_, _, sample)| sample)
    }

    /// The median of each client, in the order of [`Which::ALL`], and of the first's ratio to the second in one turn.
    fn medians(&self, figure: &Figure) -> [f64; 3] {
        let [ours, theirs] =
            Which::ALL.map(|which| self.samples(which, figure.step).map(figure.of));
        let [ours, theirs]: [Vec<f64>; 2] = [ours.collect(), theirs.collect()];
        let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs);
        let ratio = median(ratios);
        [median(ours), median(theirs), ratio]
    }
}

/// Prints the table, or one object of JSON.
pub(crate) fn print(report: &Report, args: &Args) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    let load = &args.load;
    if args.json {
        let samples = report.0.iter().map(|(which, step, sample)| {
            json!({ "client": which.name(), "step": step.name(), "sample": sample })
        });
        let medians = FIGURES.iter().filter(|_| !args.check_only).map(|figure| {
            let [ours, theirs, ratio] = report.medians(figure);
            json!({ "figure": figure.name, "s3-object-store": ours, "object_store": theirs, "ratio": ratio })
        });
        let report = json!({
            "endpoint": args.endpoint,
            "delay_ms": args.endpoint.is_none().then_some(args.delay),
            "turns": args.turns,
            "rows": load.rows,
            "size": load.size,
            "writers": load.writers,
            "flush_ms": load.flush,
            "gets": load.gets,
            "readers": load.readers,
            "replay": load.replay,
            "samples": samples.collect::<Vec<_>>(),
            "medians": medians.collect::<Vec<_>>(),
        });
        return Ok(writeln!(out, "{report}")?);
    }
    for which in Which::ALL {
        for garbage in report
            .samples(which, Step::Check)
            .filter_map(|sample| sample.garbage)
        {
            let (name, garbage) = (which.name(), garbage.sentence());
            writeln!(
                out,
                "{name}: written, scanned, fenced, opened again; {garbage}"
            )?;
        }
    }
    if args.check_only {
        return Ok(());
    }
    let place = match &args.endpoint {
        Some(url) => url.clone(),
        None => format!("the emulator with {} ms before each answer", args.delay),
    };
    writeln!(
        out,
        "\n{} rows of {} bytes by {} tasks, {} gets by {} tasks, a log of {} objects, on {place};\n\
         medians of {} turns; CPU is that of SlateDB and its client, without the store",
        grouped(load.rows),
        grouped(load.size),
        load.writers,
        grouped(load.gets),
        load.readers,
        grouped(load.replay),
        args.turns,
    )?;
    let [ours, theirs] = Which::ALL.map(Which::name);
    let mut table = Table::new(["", ours, theirs, "ratio"]).numbers();
    for figure in &FIGURES {
        let medians = report.medians(figure);
        if medians.iter().any(|median| median.is_nan()) {
            continue;
        }
        let [ours, theirs, ratio] = medians;
        table.row([
            figure.name.to_owned(),
            number(ours, figure.digits),
            number(theirs, figure.digits),
            format!("{ratio:.2}"),
        ]);
    }
    Ok(write!(out, "{table}")?)
}

fn number(value: f64, digits: usize) -> String {
    match digits {
        0 => grouped(value.round() as u64),
        _ => format!("{value:.digits$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_turn_by_turn() {
        let mut report = Report::default();
        for (ours, theirs) in [(1.0, 2.0), (3.0, 3.0), (2.0, 1.0)] {
            for (which, seconds) in [(Which::Ours, ours), (Which::Theirs, theirs)] {
                let sample = Sample {
                    rows: 6,
                    seconds,
                    ..Sample::default()
                };
                report.add(which, Step::Put, sample);
            }
        }
        // Rates of 6, 2, 3 and 3, 2, 6.
        assert_eq!(report.medians(&FIGURES[0]), [3.0, 3.0, 1.0]);
        let unknown = report.medians(&FIGURES[4]);
        assert!(unknown.iter().all(|median| median.is_nan()));
        assert_eq!(
            (number(1234.4, 0), number(1.25, 2)),
            ("1,234".to_owned(), "1.25".to_owned())
        );
    }
}
