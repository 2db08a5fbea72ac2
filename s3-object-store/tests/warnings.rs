//! What a subscriber of `tracing` is warned of: a process of its own, as other tests that log at the same time without a
//! subscriber would decide for all what is listened to.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use s3_object_store::S3StoreBuilder;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Writes down the texts of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Visit for Warnings {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::WARN {
            event.record(&mut self.clone());
        }
    }
}

/// `AWS_ALLOW_HTTP` is a variable of `object_store`'s, and known here.
#[test]
fn nobody_is_warned_of_the_variable_that_object_store_has() {
    for (variable, warnings) in [
        ("AWS_ALLOW_HTTP", &[][..]),
        (
            "AWS_ALLOW_HTPP",
            &["AWS_ALLOW_HTPP: is not known here, and passed over"],
        ),
    ] {
        let warned = Warnings::default();
        let subscriber = Registry::default().with(warned.clone());
        tracing::subscriber::with_default(subscriber, || {
            let said = [("AWS_ENDPOINT_URL", "https://h"), (variable, "true")];
            let new = S3StoreBuilder::new("s3://photos").unwrap();
            new.from_variables(said.into_iter().collect())
                .build()
                .unwrap();
        });
        assert_eq!(*warned.0.lock().unwrap(), warnings);
    }
}
