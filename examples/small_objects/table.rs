//! What a run came to, for people and for machines.

use std::fmt;
use std::time::Duration;

use examples::table::grouped;
use serde_json::{Value, json};

use crate::cache::Cached;
use crate::phase::Seen;

/// The figures of a whole run.
pub(crate) struct Report {
    pub files: usize,
    pub skipped: usize,
    /// Files that changed on disk between put and get.
    pub changed: usize,
    /// Files that did not come back as they went.
    pub different: usize,
    /// One row for each kind of request, in order.
    pub rows: Vec<(&'static str, Seen)>,
    /// Time of all phases together.
    pub elapsed: Duration,
    pub concurrency: u16,
    pub opened: u64,
    pub most_connections: usize,
    /// The most requests that were in flight on one connection.
    pub deepest: usize,
    /// The depth that the pool had come to at the end.
    pub learnt: usize,
    pub retries: u64,
    pub replays: u64,
    /// Bytes through the sockets.
    pub received: u64,
    pub sent: u64,
    /// CPU time of this process without `work`.
    pub cpu: Duration,
    /// CPU time of reading, hashing and comparing.
    pub work: Duration,
    /// What the cache did; nothing without one.
    pub cached: Option<Cached>,
    /// Machine hours; nothing without SimpleDB.
    pub box_usage: Option<f64>,
}

impl Report {
    fn total(&self) -> Seen {
        self.rows.iter().fold(Seen::new(), |mut total, (_, seen)| {
            total.add(seen);
            total
        })
    }

    pub(crate) fn json(&self) -> Value {
        let total = self.total();
        let rows = self.rows.iter().map(|(name, seen)| {
            let mut row = row_json(seen, seen.elapsed());
            row["name"] = (*name).into();
            row
        });
        json!({
            "files": self.files,
            "skipped": self.skipped,
            "changed": self.changed,
            "different": self.different,
            "concurrency": self.concurrency,
            "rows": rows.collect::<Vec<_>>(),
            "total": row_json(&total, self.elapsed),
            "connections_opened": self.opened,
            "connections_most": self.most_connections,
            "pipeline_deepest": self.deepest,
            "pipeline_learnt": self.learnt,
            "retries": self.retries,
            "replays": self.replays,
            "socket_bytes_received": self.received,
            "socket_bytes_sent": self.sent,
            "cpu_us_per_request": per_request(self.cpu, &total),
            "work_cpu_us_per_request": per_request(self.work, &total),
            "cache": self.cached.as_ref().map(Cached::json),
            "box_usage_hours": self.box_usage,
        })
    }
}

fn row_json(seen: &Seen, elapsed: Duration) -> Value {
    json!({
        "requests": seen.requests(),
        "seconds": elapsed.as_secs_f64(),
        "requests_per_second": rate(seen, elapsed),
        "p50_ms": quantile(seen, 0.5),
        "p99_ms": quantile(seen, 0.99),
        "p999_ms": quantile(seen, 0.999),
        "bytes": seen.bytes,
    })
}

fn rate(seen: &Seen, elapsed: Duration) -> f64 {
    seen.requests() as f64 / elapsed.as_secs_f64().max(1e-6)
}

/// In milliseconds.
fn quantile(seen: &Seen, quantile: f64) -> f64 {
    seen.latency.value_at_quantile(quantile) as f64 / 1e3
}

/// In microseconds.
fn per_request(time: Duration, total: &Seen) -> f64 {
    time.as_secs_f64() * 1e6 / total.requests().max(1) as f64
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        writeln!(
            f,
            "{:<18}{:>9}{:>9}{:>10}{:>10}{:>10}{:>10}{:>15}",
            "", "requests", "seconds", "req/s", "p50 ms", "p99 ms", "p999 ms", "bytes"
        )?;
        for (name, seen) in &self.rows {
            row(f, name, seen, seen.elapsed())?;
        }
        row(f, "total", &total, self.elapsed)?;
        writeln!(f)?;
        line(
            f,
            "files",
            format_args!(
                "{} stored, {} compared, {} different",
                grouped(self.files as u64),
                self.compared(),
                self.different
            ),
        )?;
        if self.skipped + self.changed > 0 {
            line(
                f,
                "",
                format_args!(
                    "{} skipped, {} changed on disk meanwhile",
                    self.skipped, self.changed
                ),
            )?;
        }
        line(
            f,
            "connections",
            format_args!("{} opened, {} at once", self.opened, self.most_connections),
        )?;
        line(
            f,
            "deepest pipeline",
            format_args!(
                "{} in flight, {} learnt, for {} tasks",
                self.deepest, self.learnt, self.concurrency
            ),
        )?;
        line(
            f,
            "repeated",
            format_args!("{} retries, {} replays", self.retries, self.replays),
        )?;
        line(
            f,
            "sockets",
            format_args!(
                "{} bytes sent, {} received",
                grouped(self.sent),
                grouped(self.received)
            ),
        )?;
        line(
            f,
            "CPU per request",
            format_args!(
                "{:.1} us, and {:.1} us of reading, hashing and comparing",
                per_request(self.cpu, &total),
                per_request(self.work, &total)
            ),
        )?;
        if let Some(hours) = self.box_usage {
            line(f, "BoxUsage", format_args!("{hours:.10} machine hours"))?;
        }
        if let Some(cached) = &self.cached {
            line(f, "cache", format_args!("{}", cached.outcome()))?;
            line(f, "", format_args!("{}", cached.trouble()))?;
            line(f, "saved", format_args!("{}", cached.saved()))?;
        }
        Ok(())
    }
}

impl Report {
    fn compared(&self) -> String {
        grouped((self.files - self.changed) as u64)
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, seen: &Seen, elapsed: Duration) -> fmt::Result {
    writeln!(
        f,
        "{:<18}{:>9}{:>9.2}{:>10}{:>10}{:>10}{:>10}{:>15}",
        name,
        grouped(seen.requests()),
        elapsed.as_secs_f64(),
        grouped(rate(seen, elapsed).round() as u64),
        short(quantile(seen, 0.5)),
        short(quantile(seen, 0.99)),
        short(quantile(seen, 0.999)),
        grouped(seen.bytes),
    )
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "{name:<18}{value}")
}

/// Three digits that matter.
fn short(number: f64) -> String {
    let decimals = match number {
        n if n < 10.0 => 2,
        n if n < 100.0 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}
