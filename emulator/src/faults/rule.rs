//! Which requests meet which fault.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::fault::Fault;
use super::seen::{Seen, Service};

type When = Arc<dyn Fn(&Seen) -> bool + Send + Sync>;

/// A fault, or a script of them, and the requests that meet it: all of them, unless a setter says otherwise.
/// What several setters say must hold together.
#[derive(Clone)]
#[must_use]
pub struct Rule {
    plan: Plan,
    conditions: Vec<When>,
    skip: u64,
    times: Option<u64>,
    rate: f64,
}

#[derive(Clone)]
enum Plan {
    Always(Fault),
    Script(VecDeque<Fault>),
}

impl Rule {
    fn of(plan: Plan) -> Self {
        Self {
            plan,
            conditions: Vec::new(),
            skip: 0,
            times: None,
            rate: 1.0,
        }
    }

    /// Every request meets this fault.
    pub fn new(fault: Fault) -> Self {
        Self::of(Plan::Always(fault))
    }

    /// The first request meets the first fault, the second the second, and so on; after the last all pass.
    /// [`Fault::none`] lets one pass.
    pub fn script(steps: impl IntoIterator<Item = Fault>) -> Self {
        Self::of(Plan::Script(steps.into_iter().collect()))
    }

    /// Applies the rule only to requests for which this is true.
    pub fn when(mut self, condition: impl Fn(&Seen) -> bool + Send + Sync + 'static) -> Self {
        self.conditions.push(Arc::new(condition));
        self
    }

    /// Applies the rule only to requests to this service.
    pub fn service(self, service: Service) -> Self {
        self.when(move |seen| seen.service == service)
    }

    /// Applies the rule only to requests of this method: `GET`.
    pub fn method(self, method: impl Into<String>) -> Self {
        let method = method.into();
        self.when(move |seen| seen.method == method)
    }

    /// Applies the rule only to requests of this operation, by the service's name of it: `GetObject`, `PutAttributes`,
    /// `DescribeInstances`.
    pub fn operation(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.when(move |seen| seen.operation == name)
    }

    /// Applies the rule only to requests about this bucket.
    pub fn bucket(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.when(move |seen| seen.resource.as_deref() == Some(&name))
    }

    /// Applies the rule only to requests about this domain.
    pub fn domain(self, name: impl Into<String>) -> Self {
        self.bucket(name)
    }

    /// Applies the rule only to requests about this object or item.
    pub fn key(self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.when(move |seen| seen.key.as_deref() == Some(&key))
    }

    /// Lets the first so many requests pass.
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Applies the rule to so many requests at most.
    pub fn times(mut self, requests: u64) -> Self {
        self.times = Some(requests);
        self
    }

    /// The share of requests that meet it, 0 to 1, drawn from the [seed](super::Faults::seed). Defaults to 1.
    pub fn rate(mut self, share: f64) -> Self {
        self.rate = share;
        self
    }

    pub(super) fn pick(&mut self, seen: &Seen, random: &mut u64) -> Option<Fault> {
        if !self.conditions.iter().all(|condition| condition(seen)) || self.times == Some(0) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if self.rate < 1.0 && draw(random) >= self.rate {
            return None;
        }
        let fault = match &mut self.plan {
            Plan::Always(fault) => fault.clone(),
            Plan::Script(steps) => steps.pop_front()?,
        };
        if fault.is_none() {
            return None;
        }
        if let Some(times) = &mut self.times {
            *times -= 1;
        }
        Some(fault)
    }
}

/// The next number from 0 to 1 of [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
fn draw(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Rule");
        match &self.plan {
            Plan::Always(fault) => out.field("fault", fault),
            Plan::Script(steps) => out.field("script", steps),
        };
        out.field("conditions", &self.conditions.len())
            .field("skip", &self.skip)
            .field("times", &self.times)
            .field("rate", &self.rate)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(method: &str) -> Seen {
        let target = "/b/k".parse().unwrap();
        Seen::s3(method, &target, &hyper::HeaderMap::new(), None)
    }

    fn hits(mut rule: Rule, methods: &[&str]) -> Vec<bool> {
        let mut random = 0;
        let hit = |method: &&str| rule.pick(&seen(method), &mut random).is_some();
        methods.iter().map(hit).collect()
    }

    #[test]
    fn only_what_matches_counts() {
        let rule = || Rule::new(Fault::slow_down()).method("PUT");
        let methods = ["GET", "PUT", "PUT", "GET", "PUT", "PUT"];
        assert_eq!(
            hits(rule().skip(1).times(2), &methods),
            [false, false, true, false, true, false]
        );
        assert_eq!(hits(rule().bucket("other"), &methods), [false; 6]);
        assert_eq!(hits(rule().rate(0.0), &methods), [false; 6]);
        assert_eq!(
            hits(rule().when(|seen| seen.key.is_none()), &methods),
            [false; 6]
        );
    }

    #[test]
    fn a_script_goes_step_by_step() {
        let script = Rule::script([Fault::none(), Fault::reset_before(), Fault::slow_down()]);
        assert_eq!(
            hits(script.method("GET"), &["GET", "PUT", "GET", "GET", "GET"]),
            [false, false, true, true, false]
        );
    }
}
