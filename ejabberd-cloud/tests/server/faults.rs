//! What fails or waits, for requests of one operation about things whose key or name has a text in it.

use std::sync::Mutex;

use emulator::{Fault, Gate, Rule, Seen};

use crate::cloud::Cloud;

/// The requests that are held.
#[derive(Default)]
pub(crate) struct Held(Mutex<Option<Gate>>);

impl Held {
    /// Holds the next such request.
    pub(crate) fn next(&self, cloud: &Cloud, operation: &str, text: &str) {
        let gate = Gate::new();
        let rule = about(Rule::new(Fault::hold(&gate)), operation, text);
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

/// Everything is refused, as by a service that is away.
pub(crate) fn outage(cloud: &Cloud) {
    let away = Fault::error(503, "ServiceUnavailable");
    cloud.faults().add(Rule::new(away));
}

/// Such requests are refused, and are not sent again.
pub(crate) fn refuse(cloud: &Cloud, operation: &str, text: &str) {
    let refused = Rule::new(Fault::error(403, "AccessDenied"));
    cloud.faults().add(about(refused, operation, text));
}

/// The next such request is done, and its answer is lost.
pub(crate) fn lose(cloud: &Cloud, operation: &str, text: &str) {
    let lost = Rule::new(Fault::reset_after());
    cloud.faults().add(about(lost, operation, text).times(1));
}

fn about(rule: Rule, operation: &str, text: &str) -> Rule {
    let (operation, text) = (operation.to_owned(), text.to_owned());
    rule.when(move |seen: &Seen| {
        let about = seen.key.as_deref().unwrap_or(&seen.query);
        seen.operation == operation && about.contains(&text)
    })
}
