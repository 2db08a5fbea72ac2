//! What a request tells a tracing subscriber: a process of its own, as other tests that log at the
//! same time without a subscriber would decide for all what is listened to.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "http1")]

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use pipeline_pool::{HttpPool, Method, Origin, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

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
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let pool = HttpPool::new();
    let mut request = Request::new(Method::Get, &origin, "/key?Signature=topsecret").unwrap();
    request.header("authorization", "AWS id:topsecret").unwrap();
    let sending = tokio::spawn(pool.send(&origin, request));
    let (mut io, _) = listener.accept().await.unwrap();
    assert!(io.read(&mut [0; 1024]).await.unwrap() > 0);
    io.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
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
        text.contains(&format!("server.port = {}", origin.port())),
        "{text}"
    );
    assert!(!text.contains("topsecret"), "{text}");
}
