//! The core of the pool with callers that send one request after another, as the shell would run it
//! on a runtime with one thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::cost::{POOL, crowding};
use super::exchange::{Exchange, FRAME, Question};
use super::figures::Figures;
use super::server::Number;
use super::simulation::{Client, Out};
use crate::engine::config::Config;
use crate::engine::core::action::Action;
use crate::engine::core::call::{Caller, Order, Outcome};
use crate::engine::core::connection::ConnId;
use crate::engine::core::depth::{Setting, TrialOutcome};
use crate::engine::core::pipeline::Pipeline;
use crate::engine::core::scheduler::{Rerouted, Scheduler, Submitted};
use crate::error::{Error, Kind};

/// The shortest time that a driver sets its timer for.
const MIN_SLEEP: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
enum Task {
    Driver(usize),
    /// What begins to open a connection.
    Opening(usize),
    Caller(usize),
}

/// Tasks that were woken, in the order in which that happened.
type Woken = Arc<Mutex<VecDeque<Task>>>;

/// Wakes a task, once until it runs.
struct Bell {
    task: Task,
    rung: AtomicBool,
    woken: Woken,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if !self.rung.swap(true, Relaxed) {
            self.woken.lock().unwrap().push_back(self.task);
        }
    }
}

struct Link {
    pipeline: Pipeline<Exchange>,
    /// What has arrived and was not read.
    arrived: Vec<Number>,
    /// When the driver's timer rings.
    timer: Duration,
    bell: Arc<Bell>,
}

struct Sender {
    caller: Caller<Exchange>,
    since: Duration,
    bell: Arc<Bell>,
}

/// The pool, and the tasks that use it.
pub(super) struct Pooled {
    config: Config,
    scheduler: Scheduler<Exchange>,
    /// The connections by their places.
    links: Vec<Option<Link>>,
    senders: Vec<Option<Sender>>,
    woken: Woken,
    /// The instant that the clock of the simulation begins at.
    start: Instant,
    sent: u32,
    /// Requests that were written and whose replies were not read.
    in_flight: usize,
    now: Duration,
    /// How trials came out, and when.
    trials: Vec<(Duration, TrialOutcome)>,
    setting: Setting,
    figures: Figures,
}

impl Pooled {
    pub(super) fn new(config: Config, tasks: usize) -> Self {
        let start = Instant::now();
        let woken = Woken::default();
        woken.lock().unwrap().extend((0..tasks).map(Task::Caller));
        let scheduler = Scheduler::new(&config, start);
        Self {
            scheduler,
            config,
            links: Vec::new(),
            senders: (0..tasks).map(|_| None).collect(),
            woken,
            start,
            sent: 0,
            in_flight: 0,
            now: Duration::ZERO,
            trials: Vec::new(),
            setting: Setting::new(1, 1),
            figures: Figures::default(),
        }
    }

    /// How trials came out, and when.
    pub(super) fn trials(&self) -> &[(Duration, TrialOutcome)] {
        &self.trials
    }

    /// What is set or learnt.
    pub(super) fn setting(&self) -> Setting {
        self.setting
    }

    /// The connections there are.
    pub(super) fn sockets(&self) -> usize {
        self.scheduler.live()
    }

    fn bell(&self, task: Task) -> Arc<Bell> {
        Arc::new(Bell {
            task,
            rung: AtomicBool::new(false),
            woken: self.woken.clone(),
        })
    }

    /// What the shell does when it gives back the lock.
    fn unlock(&mut self) {
        while let Some(action) = self.scheduler.poll_action() {
            match action {
                Action::Wake(waker) => waker.wake(),
                Action::Fail(mut ticket, error) => ticket.fail(&error),
                Action::Discard(ticket) => drop(ticket),
                Action::Log(outcome) => self.trials.push((self.now, *outcome)),
            }
        }
    }

    fn grow(&mut self, now: Duration, out: &mut Out) {
        while self.scheduler.poll_opening(self.start + now) {
            let ConnId(place) = self.scheduler.handle_permit(self.start + now);
            out.openings.push(place);
        }
        self.unlock();
    }

    /// A caller hears of its reply, and sends its next request.
    fn call(&mut self, task: usize, now: Duration, out: &mut Out) -> Duration {
        let bell = match &mut self.senders[task] {
            None => self.bell(Task::Caller(task)),
            Some(sender) => {
                sender.bell.rung.store(false, Relaxed);
                let waker = Waker::from(sender.bell.clone());
                match sender.caller.poll(&mut Context::from_waker(&waker)) {
                    Poll::Pending => return Duration::ZERO,
                    Poll::Ready(Outcome::Done(Ok(_))) => self.figures.note(now - sender.since),
                    Poll::Ready(Outcome::Done(Err(error))) => panic!("{error}"),
                    Poll::Ready(Outcome::Again(..)) => panic!("no runtime ends here"),
                }
                sender.bell.clone()
            }
        };
        let at = self.start + now;
        let mut caller = Caller::new(Question(self.sent), at);
        let order = Order {
            seq: u64::from(self.sent),
            since: at,
            deadline: at + self.config.timeout,
            bound: None,
        };
        self.sent += 1;
        let ticket = caller.hand_in(order, &Waker::from(bell.clone())).unwrap();
        let submitted = self.scheduler.handle_submit(ticket, true, at);
        match submitted {
            Ok(Submitted::Handed(waker)) => waker.into_iter().for_each(Waker::wake),
            Ok(Submitted::Queued) => self.grow(now, out),
            Err(refusal) => panic!("{}", refusal.error),
        }
        self.unlock();
        self.senders[task] = Some(Sender {
            caller,
            since: now,
            bell,
        });
        POOL.request
    }

    /// A driver reads, reports and writes.
    fn drive(&mut self, place: usize, now: Duration, out: &mut Out) -> Duration {
        let at = self.start + now;
        let Some(mut link) = self.links[place].take() else {
            return Duration::ZERO;
        };
        link.bell.rung.store(false, Relaxed);
        let waker = Waker::from(link.bell.clone());
        let mut took = Duration::ZERO;
        loop {
            if !link.arrived.is_empty() {
                took += POOL.read + crowding(self.in_flight) * link.arrived.len() as u32;
                self.in_flight -= link.arrived.len();
                for number in link.arrived.drain(..) {
                    let input = link.pipeline.input();
                    input.extend_from_slice(&number.to_be_bytes());
                }
                link.pipeline.handle_input(at).unwrap();
            }
            let reported =
                self.scheduler
                    .handle_report(ConnId(place), &mut link.pipeline, false, at);
            drop(self.scheduler.handle_rest(ConnId(place), &waker, false));
            let rerouted = match reported {
                Ok(rerouted) => rerouted,
                Err(cause) => {
                    self.end(place, link, &cause, now, out);
                    return took;
                }
            };
            self.unlock();
            link.pipeline.wake_told();
            self.figures.hedges += rerouted.hedged as u64;
            if rerouted != Rerouted::default() {
                self.grow(now, out);
            }
            link.pipeline.fill(at);
            if let Some(bytes) = link.pipeline.out().single().filter(|b| !b.is_empty()) {
                let frames = bytes.chunks_exact(FRAME);
                let written = frames.map(|f| Number::from_be_bytes(f.try_into().unwrap()));
                let written: Vec<_> = written.collect();
                self.in_flight += written.len();
                out.written.push((place, written));
                took += POOL.write;
                let n = bytes.len();
                link.pipeline.handle_written(n, at);
            }
            if !link.pipeline.has_done() && !link.pipeline.can_fill() {
                break;
            }
        }
        let armed = self.start + link.timer;
        let soonest = link.pipeline.take_soonest(&self.config);
        if soonest.is_some_and(|s| s < armed) || armed <= at {
            if let Err(cause) = link.pipeline.handle_timeout(at, &self.config) {
                self.end(place, link, &cause, now, out);
                return took;
            }
            let next = link.pipeline.next_timeout(at, &self.config);
            let next = next.unwrap_or(at + self.config.idle_timeout);
            link.timer = next.max(at + MIN_SLEEP) - self.start;
            out.timers.push((place, link.timer));
        }
        self.links[place] = Some(link);
        self.look();
        took
    }

    /// A connection ends that is needed no more.
    fn end(&mut self, place: usize, mut link: Link, cause: &Error, now: Duration, out: &mut Out) {
        assert!(
            cause.kind() == Kind::Closed && link.pipeline.is_idle(),
            "{cause}"
        );
        let ending = link.pipeline.close(cause, &self.config);
        self.scheduler
            .handle_ended(ConnId(place), ending, self.start + now);
        link.pipeline.wake_told();
        self.grow(now, out);
        self.look();
    }

    /// Takes note of what has been learnt.
    fn look(&mut self) {
        let setting = self.scheduler.depth().learnt();
        if self.setting != setting {
            self.setting = setting;
            self.figures.changes += 1;
        }
    }
}

impl Client for Pooled {
    fn handle_opened(&mut self, place: usize, now: Duration) {
        let at = self.start + now;
        let bell = self.bell(Task::Driver(place));
        if place >= self.links.len() {
            self.links.resize_with(place + 1, || None);
        }
        self.links[place] = Some(Link {
            pipeline: Pipeline::new(Exchange, at),
            arrived: Vec::new(),
            timer: now + self.config.idle_timeout,
            bell: bell.clone(),
        });
        self.scheduler.handle_opened(ConnId(place), None);
        bell.wake();
        let mut out = Out::default();
        self.grow(now, &mut out);
        // A connection opens at once what follows from it, as a task that opens one does.
        let mut woken = self.woken.lock().unwrap();
        woken.extend(out.openings.into_iter().map(Task::Opening));
    }

    fn handle_arrival(&mut self, place: usize, replies: &[Number]) {
        if let Some(link) = &mut self.links[place] {
            link.arrived.extend_from_slice(replies);
            link.bell.clone().wake();
        }
    }

    fn handle_timer(&mut self, place: usize, at: Duration) {
        if let Some(link) = self.links[place].as_ref().filter(|l| l.timer <= at) {
            link.bell.clone().wake();
        }
    }

    fn turn(&mut self, now: Duration, out: &mut Out) -> Option<Duration> {
        let task = self.woken.lock().unwrap().pop_front()?;
        self.now = now;
        Some(match task {
            Task::Driver(place) => self.drive(place, now, out),
            Task::Caller(task) => self.call(task, now, out),
            Task::Opening(place) => {
                out.openings.push(place);
                Duration::ZERO
            }
        })
    }

    fn take_figures(&mut self) -> Figures {
        std::mem::take(&mut self.figures)
    }
}
