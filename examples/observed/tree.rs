//! Prints the spans of our crates as trees: each when its outermost span is over.

use std::fmt::Debug;
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterFn, Filtered, filter_fn};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// A layer that prints trees.
pub(crate) struct Tree;

/// A span, and what has ended below it.
struct Node {
    name: String,
    fields: Vec<(&'static str, String)>,
    below: Vec<String>,
}

impl Tree {
    /// The layer, which sees the spans of our crates alone.
    pub(crate) fn layer<S>() -> Filtered<Self, FilterFn, S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        Self.with_filter(filter_fn(is_ours))
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    let crates = ["aws_core", "pipeline_pool", "s3_client", "sdb_client"];
    let of = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_span() && crates.contains(&of)
}

impl Visit for Node {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "otel.name" => self.name = format!("{value:?}"),
            // The same for all.
            "otel.kind" | "rpc.system" | "network.protocol.version" | "url.scheme" => {}
            name => {
                // What is told again, as by a retry, takes the place of what was told before.
                self.fields.retain(|(known, _)| *known != name);
                self.fields.push((name, format!("{value:?}")));
            }
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Tree {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut node = Node {
            name: attributes.metadata().name().to_owned(),
            fields: Vec::new(),
            below: Vec::new(),
        };
        attributes.record(&mut node);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(node);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(node) = span.extensions_mut().get_mut::<Node>()
        {
            values.record(node);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        let Some(node) = span.extensions_mut().remove::<Node>() else {
            return;
        };
        let lines = node.lines();
        match span.parent() {
            Some(parent) => {
                if let Some(above) = parent.extensions_mut().get_mut::<Node>() {
                    above.below.extend(lines);
                }
            }
            // That nobody reads it is noticed by what is printed last.
            None => drop(writeln!(std::io::stdout(), "{}", lines.join("\n"))),
        }
    }
}

impl Node {
    /// The span and what is below it, further to the right.
    fn lines(self) -> Vec<String> {
        let fields = self.fields.iter();
        let fields: String = fields
            .map(|(name, value)| format!(" {name}={value}"))
            .collect();
        let first = format!("{}{fields}", self.name);
        let below = self.below.into_iter().map(|line| format!("    {line}"));
        std::iter::once(first).chain(below).collect()
    }
}
