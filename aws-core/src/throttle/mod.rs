//! Slowing down when a server says so: one rate for each server, kept by all tasks of a client.
//!
//! ```text
//!              first refusal                       a minute without a refusal
//!   free ───────────────────────► limited by a rate ────────────────────────► free
//!                                   ▲          │
//!                                   └──────────┘
//!                      a refusal of what was sent since the
//!                      last cut cuts the rate, time raises it
//! ```
//!
//! A server is **free** until it first refuses a request with 429, 503 or a code that says the same. Nothing waits and
//! no lock is taken then; what is sent is counted, so that the first rate is near what it was.
//!
//! A server that is **limited** has a [`Limiter`]: a line of callers who get turns at a rate. All that is decided is
//! decided there, without a clock, a timer or a task. What is here is thin: it keeps a limiter for each server, wakes
//! those whom the limiter names, and gives back what is dropped. There is no task of its own, since a client may be
//! used on several runtimes: each caller's own poll moves the line for all.
//!
//! The rate is cut to 0.85 of what it was, towards what was served if that is less, and not below half at once. It
//! comes back within some two seconds to what it was and then grows beyond, slowly at first. A refusal of what was sent
//! before a cut does not count. What is counted is what is sent and what is served, not who asks. [`Rate`] says more.
//!
//! [`Limiter`]: limiter::Limiter
//! [`Rate`]: rate::Rate

mod limiter;
mod meter;
mod patience;
mod rate;
#[cfg(test)]
mod testing;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pipeline_pool::Origin;
use tokio::time::{Instant, Sleep, sleep_until};

pub(crate) use self::limiter::Ended;
use self::limiter::{Limiter, Ticket, Told};
use self::meter::Meter;

/// How long after the last refusal a server is free again.
const FORGET: Duration = Duration::from_secs(60);
/// The most servers that are limited at a time; of more, the one that refused longest ago is free again.
const MAX_SERVERS: usize = 1000;
/// How many meters count what is sent to free servers; servers that share one by chance begin at too high a rate.
const METERS: usize = 32;

/// The rates of a client.
#[derive(Debug)]
pub(crate) struct Throttle {
    start: Instant,
    free: [Meter; METERS],
    /// Whether any server is limited.
    any: AtomicBool,
    limited: Mutex<HashMap<Origin, Arc<Gate>>>,
}

/// What a caller is told who wants to send a request.
pub(crate) enum Asked {
    /// The server is free.
    Free,
    /// It has its turn.
    Turn(Turn),
    /// It has to wait for its turn.
    Wait(Waiting),
    /// Its turn would be too late.
    Late,
}

/// Who asks for a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// When the call was begun.
    pub(crate) since: Instant,
    pub(crate) deadline: Instant,
    /// Whether the time of the answer can be compared with that of others: no large body, no long work.
    pub(crate) is_usual: bool,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            free: Default::default(),
            any: AtomicBool::new(false),
            limited: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, Arc<Gate>>> {
        self.limited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meter(&self, origin: &Origin) -> &Meter {
        let mut hash = KnownHash(0);
        origin.hash(&mut hash);
        &self.free[hash.finish() as usize % METERS]
    }

    /// Asks for a turn at this server.
    pub(crate) fn ask(&self, origin: &Origin, caller: Caller) -> Asked {
        if !self.any.load(Ordering::Relaxed) {
            return Asked::Free;
        }
        self.ask_gate(origin, caller)
    }

    #[cold]
    fn ask_gate(&self, origin: &Origin, caller: Caller) -> Asked {
        let now = Instant::now();
        let mut limited = self.lock();
        let Some(gate) = limited.get(origin).cloned() else {
            return Asked::Free;
        };
        if gate.is_over(now) {
            // The turns of those who still wait there are long due.
            limited.remove(origin);
            self.any.store(!limited.is_empty(), Ordering::Relaxed);
            return Asked::Free;
        }
        drop(limited);
        let Caller {
            since, deadline, ..
        } = caller;
        let join = |limiter: &mut Limiter| {
            limiter.join(since.into_std(), deadline.into_std(), now.into_std())
        };
        let Some(ticket) = gate.change(now, join) else {
            return Asked::Late;
        };
        let mut waiting = Waiting(Box::new(InLine {
            gate,
            ticket: Some(ticket),
            caller,
            timer: None,
        }));
        match waiting.0.told(None) {
            Told::Turn => Asked::Turn(waiting.0.turn()),
            Told::Wait(_) => Asked::Wait(waiting),
            Told::Late => Asked::Late,
        }
    }

    /// Counts a request that is sent to a free server.
    pub(crate) fn sent_free(&self, origin: &Origin, now: Instant) {
        let age = now.saturating_duration_since(self.start);
        self.meter(origin).count(age);
    }

    /// Hears that a server refused a request that was begun at `begun`, and had no turn.
    pub(crate) fn refused(&self, origin: &Origin, begun: Instant) {
        let now = Instant::now();
        let mut limited = self.lock();
        if limited.len() >= MAX_SERVERS && !limited.contains_key(origin) {
            let last = |(_, gate): &(&Origin, &Arc<Gate>)| gate.last_cut();
            let oldest = limited.iter().min_by_key(last).map(|(o, _)| o.clone());
            oldest.and_then(|oldest| limited.remove(&oldest));
        }
        match limited.entry(origin.clone()) {
            Entry::Occupied(known) => {
                let gate = known.get().clone();
                drop(limited);
                let begun = begun.into_std();
                gate.change(now, |limiter| limiter.refused(begun, now.into_std()));
            }
            Entry::Vacant(entry) => {
                let sent = self.meter(origin).copy();
                let limiter = Limiter::new(sent, self.start.into_std(), now.into_std());
                entry.insert(Arc::new(Gate::new(limiter)));
                self.any.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Takes the hash that an [`Origin`] has at hand as it is.
struct KnownHash(u64);

impl Hasher for KnownHash {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The limiter of a server, and those who are to be woken.
struct Gate(Mutex<Line>);

struct Line {
    limiter: Limiter,
    wakers: HashMap<Ticket, Waker>,
}

impl Gate {
    fn new(limiter: Limiter) -> Self {
        Self(Mutex::new(Line {
            limiter,
            wakers: HashMap::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_cut(&self) -> std::time::Instant {
        self.lock().limiter.last_cut()
    }

    fn is_over(&self, now: Instant) -> bool {
        let since = now.into_std().saturating_duration_since(self.last_cut());
        since >= FORGET
    }

    /// Changes something, grants the turns that are due then, and wakes those who have to hear of it.
    fn change<T>(&self, now: Instant, change: impl FnOnce(&mut Limiter) -> T) -> T {
        self.change_line(now, |line| change(&mut line.limiter))
    }

    fn change_line<T>(&self, now: Instant, change: impl FnOnce(&mut Line) -> T) -> T {
        let mut due = Vec::new();
        let mut line = self.lock();
        line.limiter.advance(now.into_std(), &mut due);
        let done = change(&mut line);
        line.limiter.advance(now.into_std(), &mut due);
        let wakers = due.iter().filter_map(|ticket| line.wakers.remove(ticket));
        let wakers: Vec<Waker> = wakers.collect();
        drop(line);
        // Wakers are foreign code: none is called or dropped under the lock, and one that panics keeps no other from
        // being woken. The panic has been reported by then.
        for waker in wakers {
            let _panic = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
        done
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").field(&self.lock().limiter).finish()
    }
}

/// A place in line, and the future of the turn; nothing if it became too late for that. Dropping it leaves the line.
pub(crate) struct Waiting(Box<InLine>);

struct InLine {
    gate: Arc<Gate>,
    /// Nothing when it is in line no more.
    ticket: Option<Ticket>,
    caller: Caller,
    timer: Option<Pin<Box<Sleep>>>,
}

impl InLine {
    /// What the limiter says now; who has to wait is woken by `waker`.
    fn told(&mut self, waker: Option<&Waker>) -> Told {
        let Some(ticket) = self.ticket else {
            return Told::Late;
        };
        let now = Instant::now();
        // What is not put in stays out here, and is dropped with nothing locked.
        let mut waker = waker.cloned();
        let (told, _old) = self.gate.change_line(now, |line| {
            let told = line.limiter.ask(ticket, now.into_std());
            let old = match told {
                Told::Wait(_) => waker.take().and_then(|w| line.wakers.insert(ticket, w)),
                Told::Turn | Told::Late => line.wakers.remove(&ticket),
            };
            (told, old)
        });
        if !matches!(told, Told::Wait(_)) {
            self.ticket = None;
        }
        told
    }

    fn turn(&self) -> Turn {
        Turn(Box::new(Held {
            gate: self.gate.clone(),
            caller: self.caller,
            begun: Instant::now(),
            sent: AtomicBool::new(false),
            ended: false,
        }))
    }
}

impl Future for Waiting {
    type Output = Option<Turn>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Turn>> {
        let line = &mut *self.0;
        loop {
            let until = match line.told(Some(cx.waker())) {
                Told::Turn => return Poll::Ready(Some(line.turn())),
                Told::Late => return Poll::Ready(None),
                Told::Wait(until) => Instant::from_std(until),
            };
            let timer = line
                .timer
                .get_or_insert_with(|| Box::pin(sleep_until(until)));
            timer.as_mut().reset(until);
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else {
            return;
        };
        let now = Instant::now();
        let _waker = self.gate.change_line(now, |line| {
            line.limiter.leave(ticket, now.into_std());
            line.wakers.remove(&ticket)
        });
    }
}

/// The right to send one request. Dropped before that it goes to the next in line; dropped after that, it counts as a
/// caller who did not wait for the answer.
pub(crate) struct Turn(Box<Held>);

struct Held {
    gate: Arc<Gate>,
    caller: Caller,
    begun: Instant,
    sent: AtomicBool,
    ended: bool,
}

impl Turn {
    /// Hears that the request is sent.
    pub(crate) fn sent(&self) {
        self.0.sent.store(true, Ordering::Relaxed);
        let now = Instant::now();
        self.0
            .gate
            .change(now, |limiter| limiter.sent(now.into_std()));
    }

    /// Hears how the request has ended.
    pub(crate) fn ended(mut self, ended: Ended) {
        self.0.end(ended);
    }
}

impl Held {
    fn end(&mut self, ended: Ended) {
        self.ended = true;
        let (now, caller, begun) = (Instant::now(), self.caller, self.begun);
        let sent = *self.sent.get_mut();
        self.gate.change(now, |limiter| {
            if !sent {
                return limiter.give_back();
            }
            let (since, begun, now) = (caller.since.into_std(), begun.into_std(), now.into_std());
            limiter.ended(ended, since, begun, caller.is_usual, now);
        });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Ended::GaveUp);
        }
    }
}

#[cfg(test)]
mod tests {
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
        tokio::time::sleep(FORGET).await;
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
}
