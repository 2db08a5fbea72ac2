//! What fails or waits, for requests of one operation about things whose key or name, or whose domain, has a text in it.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use emulator::{Fault, Gate, Rule, Seen};

use crate::cloud::Cloud;

/// The requests that are held.
#[derive(Default)]
pub(crate) struct Held(Mutex<Option<Gate>>);

impl Held {
    /// Holds the next such request.
    pub(crate) fn next(&self, cloud: &Cloud, operation: &str, text: &str) {
        let gate = Gate::new();
        let rule = Rule::new(Fault::hold(&gate)).when(about(operation, text));
        cloud.faults().add(rule.times(1));
        *self.0.lock().expect("no panic") = Some(gate);
    }

    /// Waits until it has come.
    pub(crate) fn wait(&self) {
        let gate = self.0.lock().expect("no panic").clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let arrived = async { gate.expect("something is held").arrived(1).await };
        runtime.expect("a runtime").block_on(arrived);
    }

    /// Lets it go on.
    pub(crate) fn release(&self) {
        let gate = self.0.lock().expect("no panic").take();
        gate.expect("something is held").open();
    }
}

/// How long a request that is to be refused may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many requests were refused.
#[derive(Clone, Default)]
pub(crate) struct Refused(Arc<(Mutex<u64>, Condvar)>);

impl Refused {
    /// Such requests are refused, and are not sent again.
    pub(crate) fn all(&self, cloud: &Cloud, operation: &str, text: &str) {
        *self.0.0.lock().expect("no panic") = 0;
        let (seen, is_about) = (self.clone(), about(operation, text));
        let refused = Rule::new(Fault::error(403, "AccessDenied"));
        cloud.faults().add(refused.when(move |request| {
            let is_refused = is_about(request);
            if is_refused {
                *seen.0.0.lock().expect("no panic") += 1;
                seen.0.1.notify_all();
            }
            is_refused
        }));
    }

    /// Waits until one has come since.
    pub(crate) fn wait(&self) {
        let count = self.0.0.lock().expect("no panic");
        let none = |count: &mut u64| *count == 0;
        let waited = self.0.1.wait_timeout_while(count, PATIENCE, none);
        let how = waited.expect("no panic").1;
        assert!(!how.timed_out(), "nothing came that is refused");
    }
}

/// Everything is refused, as by a service that is away.
pub(crate) fn outage(cloud: &Cloud) {
    let away = Fault::error(503, "ServiceUnavailable");
    cloud.faults().add(Rule::new(away));
}

/// The next such request is done, and its answer is lost.
pub(crate) fn lose(cloud: &Cloud, operation: &str, text: &str) {
    let lost = Rule::new(Fault::reset_after()).when(about(operation, text));
    cloud.faults().add(lost.times(1));
}

fn about(operation: &str, text: &str) -> impl Fn(&Seen) -> bool + use<> {
    let (operation, text) = (operation.to_owned(), text.to_owned());
    move |seen| {
        let thing = seen.key.as_deref().unwrap_or(&seen.query);
        let place = seen.resource.as_deref().unwrap_or_default();
        seen.operation == operation && (thing.contains(&text) || place.contains(&text))
    }
}
