//! What makes another attempt possible: that nothing has run, and that there is something to send.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use aws_core::Idempotency::{Once, Repeatable};
use aws_core::operation::{Answer, Attempt};
use aws_core::{Class, Credentials, Dispatch, Error, Idempotency, Kind, Operation, RetryConfig};
use pipeline_pool::{HttpPool, Kind as Pool, Origin, Request, Sent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::common::{Do, Script, Step, Toy};
use crate::{BUSY, EXPIRED, SLOW_DOWN, slow};

#[tokio::test(start_paused = true)]
async fn once_operations_whose_answer_has_begun_are_not_repeated() {
    // Whatever the transport says of it.
    for (kind, same) in [
        (Pool::Closed, Kind::Closed),
        (Pool::Timeout, Kind::Timeout),
        (Pool::Protocol, Kind::Protocol),
        (Pool::Shutdown, Kind::Shutdown),
    ] {
        let script = Script::new([Step::Cut(kind)]);
        let dispatch = script.dispatch(RetryConfig::new());
        let error = dispatch.call(&Toy, &Do::new(Once)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts(), script.count()),
            (same, 1, 1)
        );
        assert!(error.may_have_been_sent(), "{error:?}");
    }
    let script = Script::new([Step::Cut(Pool::Closed)]);
    let dispatch = script.dispatch(RetryConfig::new());
    let outcome = dispatch.call(&Toy, &Do::new(Repeatable)).await;
    assert_eq!((outcome.unwrap().as_str(), script.count()), ("done", 2));
}

/// Answers each request with the beginning of a large body; counts them.
async fn cutting() -> (Origin, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    tokio::spawn(async move {
        while let Ok((mut io, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(io.read_u8().await.unwrap());
            }
            count.fetch_add(1, SeqCst);
            let begun = [
                b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n",
                &[b'x'; 70_000][..],
            ];
            io.write_all(&begun.concat()).await.unwrap();
        }
    });
    (Origin::parse(&origin).unwrap(), runs)
}

async fn once(origin: &Origin, watched: bool) -> Error {
    let mut builder = Dispatch::builder();
    builder.transport(HttpPool::new());
    builder.credentials(Credentials::new("id", "topsecret"));
    if watched {
        builder.on_attempt(|_| {});
    }
    let dispatch = builder.build().unwrap();
    let mut op = Do::new(Once);
    op.origin = origin.clone();
    dispatch.call(&Toy, &op).await.unwrap_err()
}

#[tokio::test]
async fn an_answer_that_breaks_off_on_the_wire_is_not_asked_for_again() {
    let (origin, runs) = cutting().await;
    for watched in [false, true] {
        let error = once(&origin, watched).await;
        assert_eq!((error.kind(), error.attempts()), (Kind::Closed, 1));
        assert!(error.may_have_been_sent());
        assert_eq!(runs.swap(0, SeqCst), 1, "it ran once");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_been_read_from_a_stream_is_not_sent_again() {
    for step in [
        Step::Lost(Pool::Connect, Sent::No),
        Step::Lost(Pool::Closed, Sent::All),
        BUSY,
        SLOW_DOWN,
        EXPIRED,
        Step::Answer(417, &[], ""),
        Step::Answer(307, &[("Location", "http://elsewhere.example:82")], ""),
    ] {
        let script = Script::new([step]);
        let mut op = Do::new(Repeatable);
        op.consumed = true;
        op.follows = Some("http://elsewhere.example:82");
        let dispatch = script.dispatch(RetryConfig::new());
        let error = dispatch.call(&Toy, &op).await.unwrap_err();
        assert_eq!((error.attempts(), script.count()), (1, 1), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expectation_that_was_refused_is_given_up() {
    let refused = || Step::Answer(417, &[], "");
    let script = Script::new([refused()]);
    let mut op = Do::new(Once);
    op.expect = Some(Duration::from_secs(1));
    let dispatch = script.dispatch(RetryConfig::none());
    assert_eq!(dispatch.call(&Toy, &op).await.unwrap(), "done");
    assert_eq!(script.seen.lock().unwrap().expects, [true, false]);
    // A server that refuses what was not asked of it is not asked a third time.
    let script = Script::new([refused(), refused()]);
    let dispatch = script.dispatch(RetryConfig::new());
    let error = dispatch.call(&Toy, &op).await.unwrap_err();
    assert_eq!((error.status(), error.class()), (Some(417), Class::Other));
    assert_eq!(script.seen.lock().unwrap().expects, [true, false]);
}

/// As [`Do`], with an answer that is handed on as it comes.
struct Watch(Do);

impl Operation for Watch {
    type Service = Toy;
    type Output = Answer;
    const NAME: &'static str = "Watch";
    const STREAMS: bool = true;

    fn idempotency(&self) -> Idempotency {
        Repeatable
    }

    fn origin(&self) -> &Origin {
        self.0.origin()
    }

    fn resource(&self) -> Option<&Arc<str>> {
        None
    }

    fn request(&self, service: &Toy, attempt: &Attempt<'_>) -> Result<Request, Error> {
        self.0.request(service, attempt)
    }

    fn parse(&self, _: &Toy, answer: Answer) -> Result<Answer, Error> {
        Ok(answer)
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_handed_on_before_its_end() {
    let script = Script::new([Step::Stuck(200)]);
    let dispatch = script.dispatch(RetryConfig::none());
    let start = Instant::now();
    let answer = dispatch
        .call(&Toy, &Watch(Do::new(Repeatable)))
        .await
        .unwrap();
    assert!(answer.body.as_whole().is_none() && start.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn what_succeeds_at_once_refills_the_stock_of_repeats() {
    let done = || Step::Answer(200, &[], "done");
    let repeated = || [BUSY, done()];
    let at_once = (0..40).map(|_| done());
    let script = Script::new(repeated().into_iter().chain(at_once).chain(repeated()));
    let client = script.dispatch(slow().budget(1));
    for number in 0..42 {
        let outcome = client.call(&Toy, &Do::new(Repeatable)).await;
        assert!(outcome.is_ok(), "{number}");
    }
}
