//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use examples::prices;

/// Reads objects and items by popularity, without and then with a cache on three memcached, of which one is killed and
/// comes back.
///
/// It starts an emulator of S3 and SimpleDB that answers late, as a store that is not next door does, and three
/// memcached on free ports, and stores as many objects and items as there are keys. Then many tasks read them, the
/// popular ones more often (Zipf's law), and write some now and then: first without the cache, then with it. After a
/// third of the time with it, the memcached that answers most is killed by SIGKILL, and after two thirds it is started
/// again, empty.
///
/// Every body is compared byte for byte, and no read may be older than the last write that ended before it began.
/// Exits with 0 if all were right, else with 1. A table tells what the cache was good for, and --plot draws it.
#[derive(Parser, Debug)]
#[command(name = "cached_reads", version)]
pub(crate) struct Args {
    /// How many objects, and as many items.
    #[arg(long, value_name = "N", default_value_t = 2000, help_heading = "What",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub keys: u32,

    /// How many bytes each object has.
    #[arg(long, value_name = "BYTES", default_value_t = 1024, help_heading = "What",
          value_parser = clap::value_parser!(u32).range(16..=900_000))]
    pub size: u32,

    /// How unequal the popularity is: the k-th key is read in proportion to 1/k^EXPONENT. 0 makes all equal.
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0, help_heading = "What", value_parser = exponent)]
    pub exponent: f64,

    /// The share of reads and writes that are of items, not objects: 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, help_heading = "What", value_parser = share)]
    pub items: f64,

    /// The share of operations that write: 0 to 1. Each is followed by a read of the same key.
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, help_heading = "What", value_parser = share)]
    pub writes: f64,

    /// What contents and choices are drawn from.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 2009,
        help_heading = "What"
    )]
    pub seed: u64,

    /// How long it goes without the cache, and how long again with it.
    #[arg(long, value_name = "SECONDS", default_value_t = 12.0, help_heading = "How", value_parser = seconds)]
    pub seconds: f64,

    /// Tasks that read at the same time.
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "How",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub tasks: u16,

    /// How late the store answers, in whole milliseconds, such as 5ms; 0ms for at once.
    #[arg(long, value_name = "TIME", default_value = "5ms", help_heading = "How", value_parser = latency)]
    pub latency: Duration,

    /// The most connections to the store.
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "How",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub connections: u16,

    /// How many seconds an entry of the cache lives.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, help_heading = "How",
          value_parser = clap::value_parser!(u32).range(1..=30 * 86_400))]
    pub cache_ttl: u32,

    /// The program to start as memcached.
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "memcached",
        help_heading = "How"
    )]
    pub memcached: String,

    /// Dollars for 1,000 GETs, for an estimate of what was saved. The default is what Amazon publishes for S3 Standard
    /// in US East.
    #[arg(long, value_name = "DOLLARS", default_value_t = prices::GET, help_heading = "Output",
          value_parser = prices::parse)]
    pub price_get: f64,

    /// Dollars for a machine hour of SimpleDB, for the same estimate. The default is what Amazon publishes for US East.
    #[arg(long, value_name = "DOLLARS", default_value_t = prices::BOX_HOUR, help_heading = "Output",
          value_parser = prices::parse)]
    pub price_box_hour: f64,

    /// Draw hit rate and p99 over time into this file, as SVG.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub plot: Option<PathBuf>,

    /// Print one JSON object in place of the table.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    number(text, 1.0)
}

fn exponent(text: &str) -> Result<f64, String> {
    number(text, 10.0)
}

fn seconds(text: &str) -> Result<f64, String> {
    match number(text, 86_400.0) {
        Ok(seconds) if seconds < 1.0 => Err("it is less than 1".to_owned()),
        other => other,
    }
}

fn number(text: &str, most: f64) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=most).contains(&number) => Ok(number),
        _ => Err(format!("it is no number from 0 to {most}")),
    }
}

fn latency(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix("ms").unwrap_or(text);
    match number.parse() {
        Ok(ms @ ..=10_000) => Ok(Duration::from_millis(ms)),
        _ => Err("it is no time from 0ms to 10000ms".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bounds() {
        assert_eq!((share("0.5"), share("1")), (Ok(0.5), Ok(1.0)));
        assert!(
            ["", "-0.1", "1.1", "nan", "x"]
                .iter()
                .all(|text| share(text).is_err())
        );
        assert_eq!((exponent("0"), seconds("1.5")), (Ok(0.0), Ok(1.5)));
        assert!(exponent("11").is_err() && seconds("0.9").is_err());
        assert_eq!(latency("5ms"), Ok(Duration::from_millis(5)));
        assert_eq!(latency("0"), Ok(Duration::ZERO));
        assert!(
            ["", "ms", "5s", "-1ms", "20000ms"]
                .iter()
                .all(|text| latency(text).is_err())
        );
    }
}
