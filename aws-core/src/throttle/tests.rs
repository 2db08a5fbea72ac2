//! The throttle as its callers see it, in virtual time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use super::gate::LIMIT_LIFETIME;
use super::*;

const MS: Duration = Duration::from_millis(1);

fn origin(host: &str) -> Origin {
    Origin::parse(&format!("http://{host}")).unwrap()
}

fn caller(limit: Duration) -> Caller {
    let since = Instant::now();
    let deadline = since + limit;
    Caller {
        since,
        deadline,
        is_usual: true,
    }
}

/// A throttle that has heard a refusal of server `a` by a client that had sent it ten requests a second.
async fn limited() -> Throttle {
    let throttle = Throttle::new();
    for _ in 0..10 {
        throttle.sent_free(&origin("a"), Instant::now());
        tokio::time::sleep(100 * MS).await;
    }
    throttle.refused(&origin("a"), Instant::now());
    throttle
}

/// The turns that are there at once.
fn at_once(throttle: &Throttle) -> Vec<Turn> {
    let ask = || throttle.ask(&origin("a"), caller(60_000 * MS));
    let turns = std::iter::from_fn(|| match ask() {
        Asked::Turn(turn) => Some(turn),
        _ => None,
    });
    turns.take(1000).collect()
}

fn wait(throttle: &Throttle) -> Waiting {
    match throttle.ask(&origin("a"), caller(60_000 * MS)) {
        Asked::Wait(waiting) => waiting,
        _ => panic!("it need not wait"),
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_server_that_refused_is_limited_and_not_for_ever() {
    let throttle = limited().await;
    let other = throttle.ask(&origin("b"), caller(MS));
    assert!(matches!(other, Asked::Free));
    let turns = at_once(&throttle);
    assert_eq!(turns.len(), 4, "a small burst");
    tokio::time::sleep(LIMIT_LIFETIME).await;
    let same = throttle.ask(&origin("a"), caller(MS));
    assert!(matches!(same, Asked::Free));
    assert!(!throttle.any.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn the_first_rate_is_what_this_server_was_sent() {
    let throttle = Throttle::new();
    for i in 0..10_000 {
        throttle.sent_free(&origin("busy"), Instant::now());
        if i % 100 == 0 {
            throttle.sent_free(&origin("a"), Instant::now());
        }
        tokio::time::sleep(MS).await;
    }
    throttle.refused(&origin("a"), Instant::now());
    let _burst = at_once(&throttle);
    let start = Instant::now();
    for _ in 0..10 {
        let turn = wait(&throttle).await.unwrap();
        turn.sent();
        turn.ended(Ended::Served);
    }
    let took = start.elapsed();
    assert!(took > 300 * MS, "{took:?} for ten turns");
}

#[tokio::test(start_paused = true)]
async fn a_turn_too_late_is_none() {
    let throttle = limited().await;
    let turns = at_once(&throttle);
    let late = throttle.ask(&origin("a"), caller(10 * MS));
    assert!(matches!(late, Asked::Late));
    let in_time = throttle.ask(&origin("a"), caller(180 * MS));
    let Asked::Wait(in_time) = in_time else {
        panic!("it need not wait");
    };
    for turn in turns {
        turn.sent();
        tokio::time::sleep(200 * MS).await;
        turn.ended(Ended::Served);
    }
    assert!(in_time.await.is_none(), "it did not ask in time");
    // An answer takes 200 ms now, for which no more than half of the time is kept.
    let _burst = at_once(&throttle);
    let late = throttle.ask(&origin("a"), caller(180 * MS));
    assert!(matches!(late, Asked::Late));
    let slow = throttle.ask(&origin("a"), caller(1000 * MS));
    assert!(!matches!(slow, Asked::Late));
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_is_given_back() {
    let throttle = limited().await;
    let mut turns = at_once(&throttle);
    assert!(at_once(&throttle).is_empty());
    drop(turns.pop());
    let again = at_once(&throttle);
    assert_eq!(again.len(), 1, "one that was not used");
    let sent = turns.pop().unwrap();
    sent.sent();
    drop(sent);
    assert!(at_once(&throttle).is_empty(), "it was used");
    // Twenty leave the line: the next has its turn as if they had never been there.
    let lines: Vec<_> = (0..20).map(|_| wait(&throttle)).collect();
    drop(lines);
    let start = Instant::now();
    assert!(wait(&throttle).await.is_some());
    assert!(start.elapsed() < 200 * MS, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_when_another_leaves() {
    let throttle = Arc::new(limited().await);
    let turns = at_once(&throttle);
    let first = wait(&throttle);
    let second = tokio::spawn(wait(&throttle));
    tokio::task::yield_now().await;
    let start = Instant::now();
    drop(first);
    drop(turns);
    assert!(second.await.unwrap().is_some());
    assert!(start.elapsed().is_zero(), "{:?}", start.elapsed());
}

struct Bad;

impl std::task::Wake for Bad {
    fn wake(self: Arc<Self>) {
        panic!("a bad waker");
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_keeps_no_other_from_its_turn() {
    let throttle = limited().await;
    let turns = at_once(&throttle);
    let (mut bad, mut good) = (wait(&throttle), wait(&throttle));
    let poll = |waiting: &mut Waiting, waker: &Waker| {
        let polled = Pin::new(waiting).poll(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
    };
    poll(&mut bad, &Arc::new(Bad).into());
    let woken = Arc::new(Woken::default());
    poll(&mut good, &woken.clone().into());
    // Turns for both, by way of callers who have nothing to do with them.
    drop(turns);
    assert!(woken.0.load(Ordering::SeqCst));
    assert!(good.await.is_some());
    assert!(bad.await.is_some());
}

#[tokio::test(start_paused = true)]
async fn turns_come_in_the_order_of_calls() {
    let throttle = limited().await;
    let _burst = at_once(&throttle);
    let order = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..10)
        .map(|i| {
            let (waiting, order) = (wait(&throttle), order.clone());
            tokio::spawn(async move {
                let turn = waiting.await.unwrap();
                order.lock().unwrap().push(i);
                turn.ended(Ended::Served);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_number_of_servers_is_bounded() {
    let throttle = Throttle::new();
    for i in 0..MAX_SERVERS + 10 {
        throttle.refused(&origin(&format!("h{i}")), Instant::now());
        tokio::time::advance(MS).await;
    }
    assert_eq!(throttle.lock().len(), MAX_SERVERS);
    let is_free = |i: usize| {
        let asked = throttle.ask(&origin(&format!("h{i}")), caller(60_000 * MS));
        matches!(asked, Asked::Free)
    };
    assert!(is_free(9) && !is_free(10) && !is_free(MAX_SERVERS));
}
