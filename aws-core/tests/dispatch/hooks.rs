//! What hooks see of attempts, and add to them.

#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_core::Idempotency::{Once, Repeatable};
use aws_core::event::{AttemptEvent, AttemptStart, Fields, Middleware};
use aws_core::{Credentials, Dispatch, Kind, RetryConfig};
use pipeline_pool::{Kind as Pool, Method, Sent};

use crate::common::{Do, Script, Step, Toy};

/// Writes down what it sees, and numbers attempts in a field.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Vec<String>>>);

impl Middleware for Watch {
    fn before(&self, start: &AttemptStart<'_>, fields: &mut Fields<'_>) {
        fields.set("X-Attempt", start.number.to_string());
        let line = format!("before {} {}", start.operation, start.number);
        self.0.lock().unwrap().push(line);
    }

    fn after(&self, event: &AttemptEvent<'_>) {
        let line = format!(
            "{} {} {:?} {:?} {:?} {:?} {:?}",
            event.start.number,
            event.start.key.unwrap_or("-"),
            event.method,
            event.status,
            event.error.map(|error| error.kind()),
            event.request_id,
            (event.sent, event.received),
        );
        self.0.lock().unwrap().push(line);
        assert!(!format!("{event:?}").contains("topsecret"));
    }
}

fn watched(script: &Script, watch: impl Middleware + 'static) -> Dispatch {
    let mut builder = Dispatch::builder();
    builder.transport(script.clone());
    builder.credentials(Credentials::new("id", "topsecret"));
    builder.retry(RetryConfig::new().random(|| 1.0));
    builder.middleware(watch);
    builder.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_seen_and_can_be_added_to() {
    let script = Script::new([
        Step::Lost(Pool::Closed, Sent::All),
        Step::Answer(500, &[("x-amz-request-id", "r2")], "oops"),
        Step::Answer(200, &[("x-amzn-requestid", "r3")], "done"),
    ]);
    let watch = Watch::default();
    let mut op = Do::new(Repeatable);
    op.overrides.header("x-attempt", "of the request");
    let done = watched(&script, watch.clone()).call(&Toy, &op).await;
    assert_eq!(done.unwrap(), "done");
    let post = Some(Method::Post);
    let lines = watch.0.lock().unwrap();
    assert_eq!(
        *lines,
        [
            "before Do 1".to_owned(),
            format!("1 the key {post:?} None Some(Closed) None (Some(0), None)"),
            "before Do 2".to_owned(),
            format!("2 the key {post:?} Some(500) Some(Service) Some(\"r2\") (Some(0), Some(4))"),
            "before Do 3".to_owned(),
            format!("3 the key {post:?} Some(200) None Some(\"r3\") (Some(0), Some(4))"),
        ]
    );
    let seen = script.seen.lock().unwrap();
    let numbers = seen.headers.iter().map(|headers| {
        let found = headers.iter().filter(|(name, _)| name == "x-attempt");
        found.map(|(_, value)| value.as_str()).collect::<String>()
    });
    assert_eq!(numbers.collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_has_times() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let heard = times.clone();
    let mut builder = Dispatch::builder();
    builder.transport(Script::new([Step::Never]));
    builder.credentials(Credentials::new("id", "topsecret"));
    builder.retry(RetryConfig::none().attempt_timeout(Duration::from_secs(3)));
    builder.on_attempt(move |event| heard.lock().unwrap().push(event.duration));
    assert!(format!("{builder:?}").contains("1 hooks"));
    let outcome = builder.build().unwrap().call(&Toy, &Do::new(Once)).await;
    assert!(outcome.unwrap_err().is_timeout());
    assert_eq!(*times.lock().unwrap(), [Duration::from_secs(3)]);
}

#[tokio::test]
async fn a_hook_cannot_write_what_the_client_writes() {
    struct Wrong(&'static str);
    impl Middleware for Wrong {
        fn before(&self, _: &AttemptStart<'_>, fields: &mut Fields<'_>) {
            fields.set(self.0, "x");
        }
    }
    for name in ["Authorization", "host", "not legal"] {
        let script = Script::new([]);
        let dispatch = watched(&script, Wrong(name));
        let error = dispatch.call(&Toy, &Do::new(Once)).await.unwrap_err();
        assert_eq!((error.kind(), script.count()), (Kind::Invalid, 0));
        let text = error.to_string().to_lowercase();
        assert!(text.contains(&name.to_lowercase()), "{text}");
    }
}
