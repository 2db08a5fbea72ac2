//! The cache, and what it was good for.

use std::time::Duration;

use cache_layer::memcached::ServerState;
use cache_layer::{Cache, CacheStats, Memcached, Prices};
use examples::prices;
use examples::table::grouped;
use serde_json::{Value, json};

use crate::args::Args;
use crate::{Failure, say};

/// The cache that the arguments ask for, with entries of this run's own.
pub(crate) fn open(args: &Args, run: &str) -> Result<Option<Cache>, Failure> {
    if args.cache.is_empty() {
        return Ok(None);
    }
    let wrong = |error: &dyn std::fmt::Display| Failure(format!("--cache: {error}"));
    let memcached = Memcached::builder().servers(&args.cache).build();
    let memcached = memcached.map_err(|error| wrong(&error))?;
    let cache = Cache::builder(memcached, Duration::from_secs(args.cache_ttl.into()));
    let cache = cache.namespace(run).build();
    cache.map(Some).map_err(|error| wrong(&error))
}

/// Says which servers do not answer. The run goes on without them.
pub(crate) async fn look(cache: &Cache) {
    let answers = cache.memcached().version().await.unwrap_or_default();
    for (_, answer) in answers {
        if let Err(error) = answer {
            say(format_args!("goes on without {error}"));
        }
    }
}

/// The figures of the cache at the end.
pub(crate) struct Cached {
    pub stats: CacheStats,
    prices: Prices,
    price_get: f64,
    price_box_hour: f64,
}

impl Cached {
    pub(crate) fn of(cache: &Cache, args: &Args) -> Self {
        Self {
            stats: cache.stats(),
            prices: prices::of_reads(args.price_get, args.price_box_hour),
            price_get: args.price_get,
            price_box_hour: args.price_box_hour,
        }
    }

    /// Says which servers had trouble.
    pub(crate) fn complain(&self) {
        for server in &self.stats.servers {
            if server.errors > 0 || server.state != ServerState::Up {
                say(format_args!(
                    "the cache at {}: {} of {} commands failed, {} were not sent to it; reads went on without it",
                    server.server, server.errors, server.commands, server.skipped
                ));
            }
        }
    }

    pub(crate) fn outcome(&self) -> String {
        format!(
            "{} hits ({:.1} %), {} misses, {} fills",
            grouped(self.stats.answered()),
            self.stats.hit_rate() * 100.0,
            grouped(self.stats.misses),
            grouped(self.stats.fills)
        )
    }

    pub(crate) fn trouble(&self) -> String {
        let stats = &self.stats;
        format!(
            "{} errors, {} corrupt, {} reads past it, {} of {} deletions not acknowledged",
            grouped(stats.errors),
            grouped(stats.corrupt),
            grouped(stats.past),
            grouped(stats.unacknowledged),
            grouped(stats.invalidations)
        )
    }

    pub(crate) fn saved(&self) -> String {
        format!(
            "{} requests, about {} at ${} per 1,000 GETs and ${} per machine hour",
            grouped(self.requests()),
            prices::dollars(self.stats.money(&self.prices)),
            self.price_get,
            self.price_box_hour
        )
    }

    fn requests(&self) -> u64 {
        self.stats.saved.iter().map(|saved| saved.requests).sum()
    }

    pub(crate) fn json(&self) -> Value {
        let stats = &self.stats;
        let saved = stats.saved.iter().map(|saved| {
            json!({
                "operation": saved.operation,
                "requests": saved.requests,
                "cost": saved.cost,
            })
        });
        json!({
            "hits": stats.answered(),
            "hit_rate": stats.hit_rate(),
            "misses": stats.misses,
            "fills": stats.fills,
            "errors": stats.errors,
            "corrupt": stats.corrupt,
            "past": stats.past,
            "invalidations": stats.invalidations,
            "unacknowledged": stats.unacknowledged,
            "saved": saved.collect::<Vec<_>>(),
            "saved_requests": self.requests(),
            "saved_dollars": stats.money(&self.prices),
        })
    }
}
