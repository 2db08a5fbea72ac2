//! What a run came to: a table for people, or one JSON object.

use std::fmt;
use std::time::Duration;

use examples::prices::dollars;
use examples::table::{Table, grouped};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::Args;
use crate::story::{Account, Row};

/// A run that has come to its end.
pub(crate) struct Report<'a> {
    pub(crate) args: &'a Args,
    pub(crate) rows: Vec<Row>,
    pub(crate) account: Account,
    pub(crate) has_cache: bool,
}

impl Report<'_> {
    /// Whether no message was lost, and none went to somebody else.
    pub(crate) fn is_right(&self) -> bool {
        self.account.lost == 0 && self.account.astray == 0
    }

    pub(crate) fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let usage = &row.usage;
            json!({
                "action": row.action,
                "times": row.times.len(),
                "s3": usage.s3,
                "simpledb": usage.simpledb,
                "p50_ms": percentile(row, 50.0),
                "p99_ms": percentile(row, 99.0),
                "cache_hits": usage.hits,
                "cache_misses": usage.misses,
                "box_hours": usage.box_hours,
                "dollars": usage.dollars,
                "by_nodes": usage.by_nodes,
            })
        });
        let account = &self.account;
        json!({
            "people": self.args.people,
            "nodes": self.args.nodes,
            "memcached": self.has_cache,
            "delay_ms": self.args.delay,
            "actions": rows.collect::<Vec<_>>(),
            "messages": {
                "sent": account.sent,
                "received": account.received,
                "received_twice": account.twice,
                "in_store": account.stored,
                "sent_again_unacknowledged": account.unacknowledged,
                "sent_again_after_kill": account.with_node,
                "astray": account.astray,
                "lost": account.lost,
            },
        })
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} people on nodes: {}; memcached: {}; {} ms for each request to the stores",
            grouped(self.args.people as u64),
            self.args.nodes,
            if self.has_cache { "yes" } else { "no" },
            self.args.delay,
        )?;
        let heads = [
            "action",
            "times",
            "requests",
            "S3",
            "SimpleDB",
            "p50 ms",
            "p99 ms",
            "hits",
            "BoxUsage",
            "per million",
        ];
        let mut table = Table::new(heads).numbers();
        for row in &self.rows {
            let (usage, times) = (&row.usage, row.times.len().max(1) as f64);
            let asked = usage.hits + usage.misses;
            table.row([
                row.action.to_owned(),
                grouped(row.times.len() as u64),
                format!("{:.2}", usage.requests() as f64 / times),
                format!("{:.2}", usage.s3 as f64 / times),
                format!("{:.2}", usage.simpledb as f64 / times),
                format!("{:.1}", percentile(row, 50.0)),
                format!("{:.1}", percentile(row, 99.0)),
                match asked {
                    0 => "-".to_owned(),
                    _ => format!("{:.0} %", 100.0 * usage.hits as f64 / asked as f64),
                },
                format!("{:.7}", usage.box_hours / times),
                dollars(1e6 * usage.dollars / times),
            ]);
        }
        write!(f, "{table}")?;
        let sum = |part: fn(&Row) -> f64| self.rows.iter().map(part).sum::<f64>();
        writeln!(
            f,
            "in all: {} requests of actions and {} of the nodes themselves, {:.6} machine hours, {}",
            grouped(sum(|row| row.usage.requests() as f64) as u64),
            grouped(sum(|row| row.usage.by_nodes as f64) as u64),
            sum(|row| row.usage.box_hours),
            dollars(sum(|row| row.usage.dollars)),
        )?;
        let account = &self.account;
        writeln!(
            f,
            "messages: {} sent, {} received, {} in the store for people who are away, {} lost",
            grouped(account.sent as u64),
            grouped(account.received as u64),
            grouped(account.stored as u64),
            grouped(account.lost as u64),
        )?;
        writeln!(
            f,
            "sent again: {} that no server had acknowledged, {} that were in the memory of the killed node or on their way to it; \
             received twice: {}",
            grouped(account.unacknowledged as u64),
            grouped(account.with_node as u64),
            grouped(account.twice as u64),
        )
    }
}

/// The time that this part of the actions did not exceed, in milliseconds.
fn percentile(row: &Row, percent: f64) -> f64 {
    // Up to an hour in microseconds, with three digits: these bounds are legal.
    let Ok(mut histogram) = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3) else {
        return f64::NAN;
    };
    for time in &row.times {
        histogram.saturating_record(micros(*time));
    }
    histogram.value_at_percentile(percent) as f64 / 1000.0
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
