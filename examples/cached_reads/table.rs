//! What a run came to, for people and for machines.

use std::fmt;
use std::time::Duration;

use cache_layer::CacheStats;
use examples::prices;
use examples::table::{Table, grouped};
use serde_json::{Value, json};

use crate::meter::{Seen, Span, quantile};

/// What happens to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Killed,
    Restarted,
    /// The client uses it again.
    Rejoined,
}

impl Mark {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Restarted => "restarted",
            Self::Rejoined => "used again",
        }
    }
}

/// A short time, ending `at` seconds after the start.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub at: f64,
    pub per_second: f64,
    /// Nothing when nothing was read.
    pub p99_ms: Option<f64>,
    /// 0 to 1; nothing without a cache.
    pub hit_rate: Option<f64>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} reads/s", grouped(self.per_second as u64))?;
        if let Some(ms) = self.p99_ms {
            write!(f, ", p99 {ms:.1} ms")?;
        }
        if let Some(rate) = self.hit_rate {
            write!(f, ", {:.1} % hits", rate * 100.0)?;
        }
        Ok(())
    }
}

/// The figures of a whole run.
pub(crate) struct Report {
    pub keys: u32,
    pub tasks: u16,
    pub exponent: f64,
    pub latency: Duration,
    pub servers: usize,
    pub without: Span,
    pub with: Span,
    /// Parts of the time with the cache.
    pub parts: Vec<Span>,
    /// In seconds.
    pub marks: Vec<(Mark, f64)>,
    pub points_without: Vec<Point>,
    pub points_with: Vec<Point>,
    pub stats: CacheStats,
    pub seen: Seen,
    pub price_get: f64,
    pub price_box_hour: f64,
}

impl Report {
    /// Whether every read succeeded, and found what it should.
    pub(crate) fn is_right(&self) -> bool {
        self.seen.old + self.seen.wrong + self.seen.failed == 0
    }

    fn spans(&self) -> impl Iterator<Item = &Span> {
        [&self.without, &self.with].into_iter().chain(&self.parts)
    }

    fn saved_requests(&self) -> u64 {
        self.stats.saved.iter().map(|saved| saved.requests).sum()
    }

    fn saved_dollars(&self) -> f64 {
        let prices = prices::of_reads(self.price_get, self.price_box_hour);
        self.stats.money(&prices)
    }

    pub(crate) fn json(&self) -> Value {
        let span = |span: &Span| {
            json!({
                "name": span.name.trim(),
                "seconds": span.elapsed.as_secs_f64(),
                "reads": span.times.len(),
                "reads_per_second": span.per_second(),
                "p50_ms": quantile(&span.times, 0.5),
                "p99_ms": quantile(&span.times, 0.99),
                "hit_rate": span.hit_rate(),
            })
        };
        let point = |point: &Point| {
            json!({
                "at": point.at,
                "reads_per_second": point.per_second,
                "p99_ms": point.p99_ms,
                "hit_rate": point.hit_rate,
            })
        };
        let at = |mark| {
            let found = self.marks.iter().find(|(m, _)| *m == mark);
            found.map(|(_, at)| *at)
        };
        let stats = &self.stats;
        json!({
            "keys": self.keys,
            "tasks": self.tasks,
            "exponent": self.exponent,
            "latency_ms": self.latency.as_millis() as u64,
            "servers": self.servers,
            "spans": self.spans().map(span).collect::<Vec<_>>(),
            "killed_at": at(Mark::Killed),
            "restarted_at": at(Mark::Restarted),
            "used_again_at": at(Mark::Rejoined),
            "without_cache": self.points_without.iter().map(point).collect::<Vec<_>>(),
            "with_cache": self.points_with.iter().map(point).collect::<Vec<_>>(),
            "compared": self.seen.checked,
            "wrong": self.seen.wrong,
            "old": self.seen.old,
            "failed": self.seen.failed,
            "first_error": self.seen.first_error,
            "writes": self.seen.writes,
            "reads_after_write": self.seen.after_write,
            "cache": {
                "hits": stats.answered(),
                "joined": stats.joined,
                "misses": stats.misses,
                "fills": stats.fills,
                "refused_fills": stats.refused_fills,
                "past": stats.past,
                "errors": stats.errors,
                "corrupt": stats.corrupt,
                "invalidations": stats.invalidations,
                "unacknowledged": stats.unacknowledged,
            },
            "saved_requests": self.saved_requests(),
            "saved_dollars": self.saved_dollars(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} objects and as many items, read by {} tasks by popularity (Zipf, {}), {} ms away; {} memcached\n",
            grouped(self.keys.into()),
            self.tasks,
            self.exponent,
            self.latency.as_millis(),
            self.servers
        )?;
        let heads = [
            "", "seconds", "reads", "reads/s", "p50 ms", "p99 ms", "hits",
        ];
        let mut table = Table::new(heads).numbers();
        for span in self.spans() {
            let hits = span.hit_rate();
            table.row([
                span.name.to_owned(),
                format!("{:.1}", span.elapsed.as_secs_f64()),
                grouped(span.times.len()),
                grouped(span.per_second().round() as u64),
                format!("{:.2}", quantile(&span.times, 0.5)),
                format!("{:.2}", quantile(&span.times, 0.99)),
                hits.map_or("-".to_owned(), |rate| format!("{:.1} %", rate * 100.0)),
            ]);
        }
        writeln!(f, "{table}")?;
        let marks = self.marks.iter();
        let marks: Vec<String> = marks
            .map(|(mark, at)| format!("{} at {at:.1} s", mark.name()))
            .collect();
        line(f, "one memcached", format_args!("{}", marks.join(", ")))?;
        let stats = &self.stats;
        line(
            f,
            "cache",
            format_args!(
                "{} misses, {} fills, {} reads past it, {} without an answer, {} corrupt",
                grouped(stats.misses),
                grouped(stats.fills),
                grouped(stats.past),
                grouped(stats.errors),
                grouped(stats.corrupt)
            ),
        )?;
        line(
            f,
            "saved",
            format_args!(
                "{} requests, about {} at ${} per 1,000 GETs and ${} per machine hour",
                grouped(self.saved_requests()),
                prices::dollars(self.saved_dollars()),
                self.price_get,
                self.price_box_hour
            ),
        )?;
        let seen = &self.seen;
        line(
            f,
            "compared",
            format_args!(
                "{} reads, {} after {} writes by the same task: {} wrong, {} old, {} failed",
                grouped(seen.checked),
                grouped(seen.after_write),
                grouped(seen.writes),
                seen.wrong,
                seen.old,
                seen.failed
            ),
        )?;
        match &seen.first_error {
            Some(error) => line(f, "first failure", format_args!("{error}")),
            None => Ok(()),
        }
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "{name:<15}{value}")
}
