//! What a request tells a tracing subscriber.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use pipeline_pool::HttpPool;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::peer::{Peer, get};

/// Writes down the fields of all spans.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<String>>);

impl Visit for Notes {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{} = {value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Notes {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        writeln!(self.0.lock().unwrap(), "span {}", span.metadata().name()).unwrap();
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_request_is_a_span_and_shows_no_secret() {
    let notes = Notes::default();
    let _guard = tracing::subscriber::set_default(notes.clone());
    let mut peer = Peer::start().await;
    let pool = HttpPool::new();
    let mut request = get(&peer.origin, "/key?Signature=topsecret");
    request.header("authorization", "AWS id:topsecret").unwrap();
    let sending = tokio::spawn(pool.send(&peer.origin, request));
    let mut conn = peer.accept().await;
    conn.target().await;
    conn.answer("").await;
    sending.await.unwrap().unwrap();
    let text = notes.0.lock().unwrap().clone();
    for expected in [
        "span http.client.request",
        "http.request.method = \"GET\"",
        "server.address = \"127.0.0.1\"",
        "http.response.status_code = 200",
    ] {
        assert!(text.contains(expected), "{expected} is not in:\n{text}");
    }
    assert!(
        text.contains(&format!("server.port = {}", peer.origin.port())),
        "{text}"
    );
    assert!(!text.contains("topsecret"), "{text}");
}
