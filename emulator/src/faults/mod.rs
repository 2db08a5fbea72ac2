//! Faults on purpose: what a server does on a bad day, when a test says so, and how often it did.

mod act;
mod fault;
mod rule;
mod seen;
mod spec;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

pub(crate) use self::act::{Begin, Gone, begin, finish};
pub use self::fault::{Fault, Gate};
pub use self::rule::Rule;
pub use self::seen::{Seen, Service};
pub use self::spec::SpecError;

/// The most injections that [`Faults::injected`] tells one by one; all of them are counted.
const LOG_MAX: usize = 10_000;

/// The handle on an emulator's faults, from [`Emulator::faults`](crate::Emulator::faults); clones are the same.
///
/// A [`Rule`] says which requests meet which [`Fault`]. Rules are asked in the order in which they were added, and
/// the first that has a fault for a request decides. What is drawn by chance is drawn from a seed, so that the
/// same requests in the same order meet the same faults.
///
/// ```
/// use emulator::{Emulator, Fault, Rule};
/// use std::io::{Read, Write};
/// use std::net::TcpStream;
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::start_blocking()?;
/// let faults = emulator.faults();
/// // The second GET of anything in this bucket is refused; all others pass, and are told that it is not there.
/// let slow = Rule::script([Fault::none(), Fault::slow_down().retry_after("1")])
///     .method("GET")
///     .bucket("photos");
/// let slow = faults.add(slow);
///
/// let get = || -> std::io::Result<String> {
///     let mut stream = TcpStream::connect(emulator.addr())?;
///     stream.write_all(b"GET /photos/cat.jpg HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
///     let mut answer = String::new();
///     stream.read_to_string(&mut answer)?;
///     Ok(answer)
/// };
/// assert!(get()?.starts_with("HTTP/1.1 404"));
/// let refused = get()?;
/// assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("<Code>SlowDown</Code>"));
/// assert!(refused.contains("retry-after: 1"));
/// assert!(get()?.starts_with("HTTP/1.1 404"));
///
/// assert_eq!((slow.count(), faults.count()), (1, 1));
/// assert_eq!(faults.injected()[0].seen.operation, "GetObject");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Faults(Arc<SharedFaults>);

#[derive(Default)]
struct SharedFaults {
    state: Mutex<FaultState>,
    /// Whether there is a rule, so that requests need not ask for the lock.
    any: AtomicBool,
    /// Seconds that the emulator's clock is ahead.
    ahead: AtomicI64,
    count: AtomicU64,
}

#[derive(Default)]
struct FaultState {
    rules: Vec<Active>,
    seed: u64,
    added: u64,
    log: Vec<Injection>,
}

struct Active {
    rule: Rule,
    random: u64,
    hits: Arc<AtomicU64>,
}

/// One fault that a request has met.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Injection {
    /// The request.
    pub seen: Seen,
    /// What it met: the name of the constructor of the [`Fault`].
    pub fault: &'static str,
}

/// Counts what one rule has injected, from [`Faults::add`].
#[derive(Clone, Debug)]
pub struct Hits(Arc<AtomicU64>);

impl Hits {
    /// How many requests have met a fault of the rule.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, FaultState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a rule after those that are there.
    pub fn add(&self, rule: Rule) -> Hits {
        let hits = Arc::new(AtomicU64::new(0));
        let mut state = self.lock();
        state.added += 1;
        let random = state
            .seed
            .wrapping_add(state.added.wrapping_mul(0xd134_2543_de82_ef95));
        state.rules.push(Active {
            rule,
            random,
            hits: Arc::clone(&hits),
        });
        self.0.any.store(true, Ordering::SeqCst);
        Hits(hits)
    }

    /// Adds a rule from its text: `RATE:KIND[:ARGUMENT]`, where the rate is the share of requests that meet the
    /// fault, 0 to 1.
    ///
    /// The kinds: `slow-down[:RETRY-AFTER]`, `error` (500), `delay:MILLISECONDS`, `reset-before`, `reset-after`,
    /// `cut:BYTES`, `garbage`, `expired-token`, and for lists of instances `stale:CHANGES` and `lacking:ID[,ID]`.
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn add_spec(&self, text: &str) -> Result<Hits, SpecError> {
        spec::parse(text).map(|rule| self.add(rule))
    }

    /// What chance is drawn from, for the rules added from now on. Defaults to 0.
    pub fn seed(&self, seed: u64) {
        let mut state = self.lock();
        state.seed = seed;
        state.added = 0;
    }

    /// Removes all rules; what was counted stays.
    pub fn clear(&self) {
        self.lock().rules.clear();
        self.0.any.store(false, Ordering::SeqCst);
    }

    /// Sets the emulator's clock ahead of the machine's by so many seconds, or behind it: what dates of requests are
    /// compared with, and what its answers' `Date` says. Defaults to 0.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.0.ahead.store(seconds, Ordering::SeqCst);
    }

    /// How many requests have met a fault.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::SeqCst)
    }

    /// What was injected, in order; the first 10,000 of it.
    pub fn injected(&self) -> Vec<Injection> {
        self.lock().log.clone()
    }

    pub(crate) fn is_idle(&self) -> bool {
        !self.0.any.load(Ordering::SeqCst)
    }

    pub(crate) fn clock_ahead(&self) -> i64 {
        self.0.ahead.load(Ordering::SeqCst)
    }

    /// The time by the emulator's clock.
    pub(crate) fn now(&self) -> SystemTime {
        let ahead = self.clock_ahead();
        let off = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let moved = if ahead < 0 {
            now.checked_sub(off)
        } else {
            now.checked_add(off)
        };
        moved.unwrap_or(now)
    }

    /// Chooses what this request meets.
    pub(crate) fn pick(&self, seen: &Seen) -> Option<Fault> {
        let mut state = self.lock();
        let FaultState { rules, log, .. } = &mut *state;
        for active in rules {
            let Some(fault) = active.rule.pick(seen, &mut active.random) else {
                continue;
            };
            active.hits.fetch_add(1, Ordering::SeqCst);
            self.0.count.fetch_add(1, Ordering::SeqCst);
            if log.len() < LOG_MAX {
                log.push(Injection {
                    seen: seen.clone(),
                    fault: fault.name(),
                });
            }
            return Some(fault);
        }
        None
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("rules", &self.lock().rules.len())
            .field("count", &self.count())
            .field("clock_ahead", &self.clock_ahead())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(key: &str) -> Seen {
        let target = format!("/photos/{key}").parse().unwrap();
        Seen::s3("GET", &target, &hyper::HeaderMap::new(), None)
    }

    #[test]
    fn the_first_rule_with_a_fault_decides() {
        let faults = Faults::default();
        let first = faults.add(
            Rule::new(Fault::error(500, "InternalError"))
                .key("a")
                .times(1),
        );
        let second = faults.add(Rule::new(Fault::slow_down()));
        let names: Vec<_> = ["a", "b", "a"]
            .map(|key| faults.pick(&get(key)).unwrap().name())
            .to_vec();
        assert_eq!(names, ["error", "slow_down", "slow_down"]);
        assert_eq!((first.count(), second.count(), faults.count()), (1, 2, 3));
        faults.clear();
        assert!(faults.is_idle() && faults.pick(&get("a")).is_none());
        assert_eq!(faults.injected().len(), 3);
    }

    #[test]
    fn chance_follows_the_seed() {
        let drawn = |seed| {
            let faults = Faults::default();
            faults.seed(seed);
            faults.add(Rule::new(Fault::slow_down()).rate(0.25));
            (0..1000)
                .map(|_| faults.pick(&get("k")).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        let hits = drawn(7).into_iter().filter(|hit| *hit).count();
        assert!((200..300).contains(&hits), "{hits}");
    }

    #[test]
    fn the_clock_goes_both_ways() {
        let faults = Faults::default();
        for ahead in [3600, -3600] {
            faults.set_clock_ahead(ahead);
            let seconds = match faults.now().duration_since(SystemTime::now()) {
                Ok(after) => after.as_secs_f64(),
                Err(before) => -before.duration().as_secs_f64(),
            };
            assert!((seconds - ahead as f64).abs() < 60.0, "{seconds}");
        }
    }
}
