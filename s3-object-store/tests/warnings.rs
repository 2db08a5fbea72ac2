//! What a subscriber of `tracing` is warned of: a process of its own, as other tests that log at the same time without a
//! subscriber would decide for all what is listened to.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use s3_client::{HttpPool, S3Builder};
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

/// The warnings when a store is built with these variables.
fn warned_of(
    variables: &[(&str, &str)],
    client: impl FnOnce(S3Builder) -> S3Builder,
) -> Vec<String> {
    let warned = Warnings::default();
    let subscriber = Registry::default().with(warned.clone());
    tracing::subscriber::with_default(subscriber, || {
        let new = S3StoreBuilder::new("s3://photos").unwrap();
        let new = new.from_variables(variables.iter().copied().collect());
        new.client(client).build().unwrap();
    });
    warned.0.lock().unwrap().clone()
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
        let said = [("AWS_ENDPOINT_URL", "https://h"), (variable, "true")];
        assert_eq!(warned_of(&said, |client| client), warnings);
    }
}

/// A pool that is shared passes the proxy of its endpoint over, and no other.
#[test]
fn a_pool_warns_of_the_proxy_that_its_endpoint_would_have() {
    let proxy = ("https_proxy", "http://me:hidden@proxy.example:3128");
    let place = ("AWS_ENDPOINT_URL", "https://h");
    for (variables, warns) in [
        (&[place, proxy][..], true),
        (&[place, proxy, ("NO_PROXY", "*")], false),
        (&[("AWS_REGION", "eu-west-1"), proxy], true),
        (&[place, ("http_proxy", "http://proxy.example:3128")], false),
    ] {
        let pool = HttpPool::builder().build();
        let warnings = warned_of(variables, |client| client.pool(pool));
        let told = warnings.iter().filter(|told| told.contains("proxies"));
        assert_eq!(
            told.count(),
            usize::from(warns),
            "{variables:?}: {warnings:?}"
        );
        assert!(!format!("{warnings:?}").contains("hidden"));
    }
    assert_eq!(warned_of(&[place, proxy], |client| client), [""; 0]);
}
