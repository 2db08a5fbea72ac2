//! What operations tell a tracing subscriber: a process of its own, as other tests that log at the same time without a
//! subscriber would decide for all what is listened to.
#![allow(
    clippy::unwrap_used,
    reason = "this is test code outside of a test function"
)]

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use emulator::{Emulator, Fault, Gate, Rule};
use s3_client::request::RetryConfig;
use s3_client::settings::KeyVisibility;
use s3_client::{Credentials, S3Client, Signature};
use tracing::field::{Empty, Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Instrument as _, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Writes down the fields of all spans and events.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<String>>);

impl Notes {
    fn take(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Visit for Notes {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{} = {value:?}", field.name()).unwrap();
    }
}

impl<S: Subscriber> Layer<S> for Notes {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        writeln!(self.0.lock().unwrap(), "span {}", span.metadata().name()).unwrap();
        span.record(&mut self.clone());
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut self.clone());
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

#[tokio::test]
async fn spans_show_keys_by_choice_and_secrets_never() {
    let notes = Notes::default();
    let _guard = tracing::subscriber::set_default(Registry::default().with(notes.clone()));
    let emulator = Emulator::start_blocking().unwrap();
    for (keys, shown) in [
        (KeyVisibility::Hidden, false),
        (KeyVisibility::Errors, false),
        (KeyVisibility::ErrorsAndSpans, true),
    ] {
        let own = Credentials::new(emulator.access_key(), emulator.secret_key());
        let builder = S3Client::builder()
            .endpoint(emulator.url())
            .credentials(own);
        let photos = builder.show_keys(keys).build().unwrap().bucket("photos");
        drop(photos.create().await);
        let slow = emulator
            .faults()
            .add(Rule::script([Fault::slow_down()]).operation("PutObject"));
        photos.put("ann@example.org", "topsecret").await.unwrap();
        assert_eq!(slow.count(), 1);
        photos.get("bob@example.org").await.unwrap_err();
        let text = notes.take();
        for expected in [
            "span operation\notel.name = S3.PutObject",
            "span attempt",
            "span http.client.request",
            "aws.s3.bucket = \"photos\"",
            "signature = \"V2\"",
            "attempts = 2",
            "error.type = \"SlowDown\"",
            "error.type = \"NoSuchKey\"",
            "http.request.body.size = 9",
            "aws.request_id = ",
            "outcome = \"ok\"",
            "outcome = \"error\"",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
        for key in ["ann@example.org", "bob@example.org"] {
            assert_eq!(text.contains(key), shown, "{keys:?}:\n{text}");
        }
        for secret in [emulator.secret_key(), "topsecret", "Authorization", "AWS "] {
            assert!(!text.contains(secret), "{secret} is in:\n{text}");
        }
    }
    dropped_operations_say_so(&notes, &emulator).await;
    callers_spans_are_left_alone(&notes, &emulator).await;
}

/// Where the spans of operations are turned off, and a caller's with such fields is around, nothing is noted in that: also
/// in the same test.
async fn callers_spans_are_left_alone(notes: &Notes, emulator: &Emulator) {
    let own = Credentials::new(emulator.access_key(), emulator.secret_key());
    let builder = S3Client::builder().endpoint(emulator.url());
    let photos = builder.credentials(own).build().unwrap().bucket("photos");
    for turned_off in [false, true] {
        let listened = filter_fn(move |metadata| {
            let ours = metadata.target().starts_with("s3_client");
            !(turned_off && ours) && metadata.is_span()
        });
        let heard = Registry::default().with(notes.clone().with_filter(listened));
        let _guard = tracing::subscriber::set_default(heard);
        for caller in [
            tracing::debug_span!("upload", attempts = Empty, outcome = Empty),
            tracing::debug_span!("operation", attempts = Empty, outcome = Empty),
        ] {
            notes.take();
            let put = photos.put("cat.jpg", "meow").send();
            put.instrument(caller).await.unwrap();
            let text = notes.take();
            let noted = ["attempts = ", "outcome = "].map(|field| text.matches(field).count());
            let expected = if turned_off { [0, 0] } else { [1, 1] };
            assert_eq!(noted, expected, "{text}");
        }
    }
}

/// In the same test, since what is listened to is decided for the process.
async fn dropped_operations_say_so(notes: &Notes, emulator: &Emulator) {
    let own = Credentials::new(emulator.access_key(), emulator.secret_key());
    let builder = S3Client::builder()
        .endpoint(emulator.url())
        .credentials(own);
    let photos = builder.build().unwrap().bucket("photos");
    let gate = Gate::new();
    let hold = Rule::new(Fault::hold(&gate)).operation("GetObject");
    emulator.faults().add(hold.times(1));
    notes.take();
    let get = photos.get("ann@example.org");
    tokio::select! {
        _ = get.send() => panic!("it is held back"),
        () = gate.arrived(1) => {}
    }
    gate.open();
    let text = notes.take();
    let outcomes = text.matches("outcome = ").count();
    assert!(
        text.contains("outcome = \"dropped\"") && outcomes == 1,
        "{text}"
    );
    // What has no code is named by its status, and what has neither by its kind.
    photos.head("none").await.unwrap_err();
    let text = notes.take();
    assert!(text.contains("error.type = 404"), "{text}");
    assert!(text.contains("http.response.status_code = 404"), "{text}");
    let own = Credentials::new("AKID", "secret");
    let nobody = S3Client::builder()
        .endpoint("http://127.0.0.1:1")
        .credentials(own);
    let nobody = nobody
        .signature(Signature::v4("us-east-1"))
        .retry(RetryConfig::none());
    let nobody = nobody.build().unwrap().bucket("photos");
    nobody.get("k").await.unwrap_err();
    let text = notes.take();
    for expected in [
        "error.type = Connect",
        "signature = \"V4\"",
        "otel.status_code = \"ERROR\"",
    ] {
        assert!(text.contains(expected), "{expected} is not in:\n{text}");
    }
}
