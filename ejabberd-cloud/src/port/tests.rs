//! A port over a pipe in memory, in virtual time.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{DuplexStream, duplex};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;

const LIMITS: Limits = Limits {
    calls: 4,
    deadline: Duration::from_secs(15),
    frame: 1 << 16,
    answer: 1 << 16,
    bytes: 1 << 17,
};

/// Does `{echo, Term}`, `{wait, Milliseconds}`, `{hold}` until a gate opens, `{grow, Bytes}`, `{panic}`.
#[derive(Default)]
struct Toy {
    under_way: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
    gate: Notify,
}

impl Handler for Toy {
    async fn call(&self, request: Term) -> Result<Term, Kind> {
        let now = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let Term::Tuple(mut terms) = request else {
            return Err(Kind::Invalid);
        };
        let argument = (terms.len() > 1).then(|| terms.remove(1));
        let done = match (&terms[0], argument) {
            (Term::Atom(name), Some(term)) if name.as_str() == "echo" => Ok(term),
            (Term::Atom(name), Some(Term::Int(ms))) if name.as_str() == "wait" => {
                sleep(Duration::from_millis(ms.unsigned_abs())).await;
                Ok(Term::Int(ms))
            }
            (Term::Atom(name), Some(Term::Int(size))) if name.as_str() == "grow" => {
                Ok(Term::binary(vec![0; size.unsigned_abs() as usize]))
            }
            (Term::Atom(name), None) if name.as_str() == "hold" => {
                self.gate.notified().await;
                Ok(Term::atom("held"))
            }
            (Term::Atom(name), None) if name.as_str() == "panic" => panic!("on purpose"),
            _ => Err(Kind::Invalid),
        };
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        self.done.fetch_add(1, Ordering::Relaxed);
        done
    }
}

/// The parent's end of a port.
struct Parent {
    to: DuplexStream,
    from: DuplexStream,
    toy: Arc<Toy>,
    served: JoinHandle<Result<(), PortError>>,
}

fn port(limits: Limits, pipe: usize) -> Parent {
    let (to, input) = duplex(pipe);
    let (output, from) = duplex(pipe);
    let toy = Arc::new(Toy::default());
    let served = tokio::spawn(serve(input, output, Arc::clone(&toy), limits));
    Parent {
        to,
        from,
        toy,
        served,
    }
}

fn call(id: u64, name: &'static str, argument: Option<Term>) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    let terms = std::iter::once(Term::atom(name)).chain(argument).collect();
    etf::encode(&Term::Tuple(terms), &mut body).expect("short");
    framed(&body)
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

fn ok(term: Term) -> Term {
    Term::Tuple(vec![Term::atom("ok"), term])
}

fn error(name: &'static str) -> Term {
    Term::Tuple(vec![Term::atom("error"), Term::atom(name)])
}

impl Parent {
    async fn send(&mut self, bytes: &[u8]) {
        self.to.write_all(bytes).await.expect("a port that reads");
    }

    async fn answer(&mut self) -> (u64, Term) {
        let length = self.from.read_u32().await.expect("an answer");
        let id = self.from.read_u64().await.expect("an id");
        let mut body = vec![0; length as usize - 8];
        self.from
            .read_exact(&mut body)
            .await
            .expect("a whole answer");
        (id, etf::decode(&body.into()).expect("a term"))
    }

    /// Closes standard input, and says how the port ended and what else it wrote.
    async fn end(mut self) -> (Result<(), PortError>, Vec<u8>) {
        drop(self.to);
        let ended = self.served.await.expect("no panic");
        let mut rest = Vec::new();
        self.from.read_to_end(&mut rest).await.expect("the end");
        (ended, rest)
    }
}

#[tokio::test(start_paused = true)]
async fn answers_come_as_they_are_ready() {
    let mut port = port(LIMITS, 1 << 16);
    for (id, ms) in [(1, 300), (2, 100), (3, 200)] {
        port.send(&call(id, "wait", Some(Term::Int(ms)))).await;
    }
    for (id, ms) in [(2, 100), (3, 200), (1, 300)] {
        assert_eq!(port.answer().await, (id, ok(Term::Int(ms))));
    }
    let (ended, rest) = port.end().await;
    assert!(ended.is_ok() && rest.is_empty());
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_calls_at_once_are_all_answered() {
    let limits = Limits {
        calls: 300,
        bytes: 1 << 20,
        ..LIMITS
    };
    let mut port = port(limits, 1 << 20);
    for id in 0..1000 {
        port.send(&call(id, "wait", Some(Term::Int((id as i64 * 7919) % 500))))
            .await;
    }
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        let (id, term) = port.answer().await;
        assert_eq!(term, ok(Term::Int((id as i64 * 7919) % 500)));
        assert!(seen.insert(id), "{id} was answered twice");
    }
    assert_eq!(port.toy.most.load(Ordering::Relaxed), 300);
}

#[tokio::test(start_paused = true)]
async fn while_all_permits_are_taken_nothing_is_read() {
    // A pipe that holds less than one more call.
    let mut port = port(LIMITS, 16);
    for id in 0..4 {
        port.send(&call(id, "hold", None)).await;
    }
    let fifth = call(4, "echo", Some(Term::binary(vec![0; 100])));
    let sent = timeout(Duration::from_secs(1), port.to.write_all(&fifth)).await;
    // The port has read one call ahead at most, and holds it.
    let more = timeout(
        Duration::from_secs(1),
        port.to
            .write_all(&call(5, "echo", Some(Term::binary(vec![0; 100])))),
    )
    .await;
    assert!(sent.is_err() || more.is_err(), "the pipe should be full");
    assert_eq!(port.toy.under_way.load(Ordering::Relaxed), 4);
    assert_eq!(port.toy.done.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_room_for_their_bytes() {
    let limits = Limits {
        calls: 100,
        bytes: 64 << 10,
        ..LIMITS
    };
    let mut port = port(limits, 1 << 20);
    // Each takes two thirds of the room until it is done.
    let large = |id| {
        let mut body = call(id, "wait", Some(Term::Int(1000)));
        let term = Term::Tuple(vec![
            Term::atom("wait"),
            Term::Int(1000),
            Term::binary(vec![0; 42 << 10]),
        ]);
        body.truncate(12);
        etf::encode(&term, &mut body).expect("short");
        framed(&body[4..])
    };
    for id in 0..3 {
        port.send(&large(id)).await;
    }
    for id in 0..3 {
        assert_eq!(port.answer().await, (id, ok(Term::Int(1000))));
    }
    assert_eq!(port.toy.most.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline() {
    let mut port = port(LIMITS, 1 << 16);
    let begun = Instant::now();
    port.send(&call(1, "wait", Some(Term::Int(60_000)))).await;
    assert_eq!(port.answer().await, (1, error("timeout")));
    assert_eq!(begun.elapsed(), LIMITS.deadline);
}

#[tokio::test(start_paused = true)]
async fn the_time_in_which_a_call_waits_for_a_permit_counts() {
    let mut port = port(Limits { calls: 1, ..LIMITS }, 1 << 16);
    let begun = Instant::now();
    port.send(&call(1, "wait", Some(Term::Int(10_000)))).await;
    port.send(&call(2, "wait", Some(Term::Int(10_000)))).await;
    assert_eq!(port.answer().await, (1, ok(Term::Int(10_000))));
    assert_eq!(port.answer().await, (2, error("timeout")));
    assert_eq!(begun.elapsed(), LIMITS.deadline);
}

#[tokio::test(start_paused = true)]
async fn faults_of_one_call_are_its_own() {
    let mut port = port(LIMITS, 1 << 20);
    // Longer than allowed, no term, no call, one that panics, one whose answer is longer than allowed.
    port.send(&call(1, "echo", Some(Term::binary(vec![0; 1 << 16]))))
        .await;
    assert_eq!(port.answer().await, (1, error("too_large")));
    port.send(&framed(&[&2u64.to_be_bytes()[..], &[131, 255]].concat()))
        .await;
    assert_eq!(port.answer().await, (2, error("invalid")));
    port.send(&framed(&3u64.to_be_bytes())).await;
    assert_eq!(port.answer().await, (3, error("invalid")));
    port.send(&call(4, "nonsense", None)).await;
    assert_eq!(port.answer().await, (4, error("invalid")));
    port.send(&call(5, "panic", None)).await;
    assert_eq!(port.answer().await, (5, error("unavailable")));
    port.send(&call(6, "grow", Some(Term::Int(1 << 16)))).await;
    assert_eq!(port.answer().await, (6, error("too_large")));
    // And each has given its permit back.
    for id in 7..20 {
        port.send(&call(id, "echo", Some(Term::Int(7)))).await;
        assert_eq!(port.answer().await, (id, ok(Term::Int(7))));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_under_way_end_after_standard_input() {
    let mut port = port(LIMITS, 1 << 16);
    port.send(&call(1, "wait", Some(Term::Int(1500)))).await;
    port.send(&call(2, "wait", Some(Term::Int(9000)))).await;
    let toy = Arc::clone(&port.toy);
    let begun = Instant::now();
    let (ended, rest) = port.end().await;
    assert!(ended.is_ok());
    assert_eq!(begun.elapsed(), DRAIN);
    assert_eq!(toy.done.load(Ordering::Relaxed), 1);
    assert_eq!(rest.len(), call(1, "ok", Some(Term::Int(1500))).len());
}

#[tokio::test(start_paused = true)]
async fn an_idle_port_ends_at_once() {
    let port = port(LIMITS, 1 << 16);
    let begun = Instant::now();
    let (ended, rest) = port.end().await;
    assert!(ended.is_ok() && rest.is_empty());
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_end_within_a_call_and_a_frame_without_an_id_are_said() {
    let mut first = port(LIMITS, 1 << 16);
    first.send(&call(1, "echo", Some(Term::Int(1)))[..9]).await;
    assert!(matches!(first.end().await.0, Err(PortError::Cut)));

    let mut second = port(LIMITS, 1 << 16);
    second.send(&[0, 0, 0, 3, 1, 2, 3]).await;
    assert!(matches!(
        second.served.await.expect("no panic"),
        Err(PortError::NoId(3))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_parent_that_reads_no_more_is_the_end() {
    let Parent {
        mut to,
        from,
        served,
        ..
    } = port(LIMITS, 1 << 16);
    drop(from);
    to.write_all(&call(1, "echo", Some(Term::Int(1))))
        .await
        .expect("a port that reads");
    assert!(served.await.expect("no panic").is_ok());
}
