//! What operations and pools do, as numbers for monitoring (feature `metrics`).
//!
//! They go to whatever recorder the program has installed for the crate [`metrics`](https://docs.rs/metrics): an exporter
//! for Prometheus, StatsD or OpenTelemetry. What operations do is counted as it happens. What a pool does is told when
//! [`record_pool`] is called: call it before each export, or every few seconds.
//!
//! Without the feature there is none of this code. With it, each operation costs some allocations for its labels, also
//! without a recorder.
//!
//! Classes of errors are `not_found`, `condition_failed`, `conflict`, `throttled`, `unavailable`, `skewed`, `transient`,
//! `expired_token`, `denied` and `other` for what the service answered; else `invalid`, `credentials`, `busy`, `connect`,
//! `timeout`, `closed`, `protocol`, `body`, `file` and `shutdown`. No label has the name of a bucket or a key.
//!
#![doc = include_str!("table.md")]

use std::time::Duration;

use ::metrics::{Label, counter, gauge, histogram};
use pipeline_pool::{CloseReason, HttpPool, OriginStats};

use crate::classify::Class;
use crate::error::{Error, Kind};

/// Tells the recorder what the metrics mean, for exporters that show it. Call it once, after the recorder is installed.
pub fn describe() {
    for [name, kind, _, meaning] in rows() {
        match kind {
            "counter" => ::metrics::describe_counter!(name, meaning),
            "gauge" => ::metrics::describe_gauge!(name, meaning),
            _ => ::metrics::describe_histogram!(name, meaning),
        }
    }
}

/// The cells of the table: name, kind, labels and meaning.
fn rows() -> impl Iterator<Item = [&'static str; 4]> {
    include_str!("table.md").lines().skip(2).filter_map(|line| {
        let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
        let name = cells.next()?.trim_matches('`');
        Some([name, cells.next()?, cells.next()?, cells.next()?])
    })
}

/// Tells the recorder what this pool has done so far and does now, for each server that it has connections or figures
/// of. Clients that share a pool need it once.
pub fn record_pool(pool: &HttpPool) {
    for figures in pool.stats().origins {
        record_origin(&figures);
    }
}

fn record_origin(figures: &OriginStats) {
    let labels = [Label::new("origin", figures.origin.to_string())];
    let gauges = [
        ("aws_pool_connections", figures.connections as f64),
        ("aws_pool_idle_connections", figures.idle as f64),
        ("aws_pool_waiting", figures.waiting as f64),
        ("aws_pool_depth", figures.depth as f64),
        ("aws_pool_latency_seconds", figures.latency.as_secs_f64()),
    ];
    for (name, value) in gauges {
        gauge!(name, labels.iter()).set(value);
    }
    let counters = [
        ("aws_pool_opened_total", figures.opened),
        ("aws_pool_open_failed_total", figures.open_failed),
        ("aws_pool_replies_total", figures.replies),
        ("aws_pool_waits_total", figures.waits),
        ("aws_pool_refused_total", figures.refused),
        ("aws_pool_replays_total", figures.replays),
        ("aws_pool_received_bytes_total", figures.bytes_in),
        ("aws_pool_sent_bytes_total", figures.bytes_out),
    ];
    for (name, value) in counters {
        counter!(name, labels.iter()).absolute(value);
    }
    for reason in CloseReason::ALL {
        let closed = figures.closed_by(reason);
        if closed > 0 {
            let [origin] = labels.clone();
            let labels = [
                origin,
                Label::new("reason", format!("{reason:?}").to_lowercase()),
            ];
            counter!("aws_pool_closed_total", labels.iter()).absolute(closed);
        }
    }
}

/// What an answer has cost, in the unit of its service.
pub fn record_cost(service: &'static str, operation: &'static str, cost: f64) {
    gauge!("aws_client_cost", "service" => service, "operation" => operation).increment(cost);
}

/// An operation has ended.
pub(crate) fn operation(
    service: &'static str,
    operation: &'static str,
    error: Option<&Error>,
    took: Duration,
) {
    let outcome = error.map_or("ok", class_of);
    counter!("aws_client_operations_total",
        "service" => service, "operation" => operation, "outcome" => outcome)
    .increment(1);
    histogram!("aws_client_operation_seconds", "service" => service, "operation" => operation)
        .record(took);
}

/// An operation was dropped. How long it would have taken is not known, and no part of the histogram.
pub(crate) fn dropped(service: &'static str, operation: &'static str) {
    counter!("aws_client_operations_total",
        "service" => service, "operation" => operation, "outcome" => "dropped")
    .increment(1);
}

/// Counts one for an operation.
pub(crate) fn count(name: &'static str, service: &'static str, operation: &'static str) {
    counter!(name, "service" => service, "operation" => operation).increment(1);
}

/// An attempt has failed.
pub(crate) fn failed(service: &'static str, operation: &'static str, error: &Error) {
    counter!("aws_client_errors_total",
        "service" => service, "operation" => operation, "class" => class_of(error))
    .increment(1);
}

/// A read of a client with a cache.
#[cfg(feature = "cache")]
pub(crate) fn cache_read(service: &'static str, operation: &'static str, result: &'static str) {
    counter!("aws_client_cache_reads_total",
        "service" => service, "operation" => operation, "result" => result)
    .increment(1);
}

/// What an error means, in a word.
fn class_of(error: &Error) -> &'static str {
    match error.kind() {
        Kind::Invalid => "invalid",
        Kind::Credentials => "credentials",
        Kind::Busy => "busy",
        Kind::Connect => "connect",
        Kind::Timeout => "timeout",
        Kind::Closed => "closed",
        Kind::Protocol => "protocol",
        Kind::Body => "body",
        Kind::File => "file",
        Kind::Shutdown => "shutdown",
        Kind::Service => match error.class() {
            Class::NotFound => "not_found",
            Class::ConditionFailed => "condition_failed",
            Class::Conflict => "conflict",
            Class::Throttled => "throttled",
            Class::Unavailable => "unavailable",
            Class::Skewed => "skewed",
            Class::Transient => "transient",
            Class::ExpiredToken => "expired_token",
            Class::Denied => "denied",
            Class::Other => "other",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::ErrorBody;

    #[test]
    fn errors_are_counted_by_the_words_of_the_documentation() {
        let answered = |class| Error::service(400, ErrorBody::default(), Some(class));
        let of = |error: &Error| class_of(error);
        for (class, word) in [
            (Class::NotFound, "not_found"),
            (Class::ConditionFailed, "condition_failed"),
            (Class::Conflict, "conflict"),
            (Class::Throttled, "throttled"),
            (Class::Unavailable, "unavailable"),
            (Class::Skewed, "skewed"),
            (Class::Transient, "transient"),
            (Class::ExpiredToken, "expired_token"),
            (Class::Denied, "denied"),
            (Class::Other, "other"),
        ] {
            assert_eq!(of(&answered(class)), word);
        }
        for (kind, word) in [
            (Kind::Invalid, "invalid"),
            (Kind::Credentials, "credentials"),
            (Kind::Busy, "busy"),
            (Kind::Connect, "connect"),
            (Kind::Timeout, "timeout"),
            (Kind::Closed, "closed"),
            (Kind::Protocol, "protocol"),
            (Kind::Body, "body"),
            (Kind::File, "file"),
            (Kind::Shutdown, "shutdown"),
        ] {
            assert_eq!(of(&Error::new(kind, "")), word);
        }
    }
}
