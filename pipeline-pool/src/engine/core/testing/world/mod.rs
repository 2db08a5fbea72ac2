//! A world in virtual time around the core: endpoints that share a cap, callers, and servers that
//! answer in order, at once, late, never and wrongly, that refuse, close and reset.
//!
//! Events are drawn from a seed. After each of them everything is done that can be done at that
//! instant, by [`host`], which takes the shell's part: a driver or a caller is polled only when it
//! was woken, so that a wake-up that is lost is seen. Then [`checks`] looks at the whole from
//! outside:
//!
//! - a caller hears of its own reply, once; of a failure with the truth about what was sent; and in
//!   any case before its deadline;
//! - a request that may run once is written to one connection only, and what goes alone is alone;
//! - there are never more sockets than the caps allow;
//! - nobody waits while there is room: connections are opened up to the cap, and filled up to the
//!   depth, and idle ones give way to other endpoints;
//! - connections are given up when their time is over, and not before;
//! - at the end, when all servers answer, everybody is served; or all is given up, and everybody hears
//!   of it at once; then every connection ends, and all permits come back.
//!
//! A run that fails is shrunk to the few events that it takes, and named by its seed:
//! `WORLD_SEED=7 cargo test -p pipeline-pool --lib world` runs that one alone, and
//! `WORLD_RUNS=100000` more of them.

mod checks;
mod endings;
mod events;
mod host;
mod link;
mod model;
mod run;
mod wire;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use self::events::{Happening, Manner, Plan, Wish};
use self::link::{Cut, Link};
use self::model::Record;
use self::wire::{Errand, Frame, NOBODY, Source, Wire};
use crate::engine::config::Config;
use crate::engine::core::call::{Caller, Order};
use crate::engine::core::permits::{MemberId, Permits};
use crate::engine::core::scheduler::Scheduler;
use crate::protocol::Treatment;

/// More rounds than this at one instant are no progress.
const MAX_ROUNDS: usize = 2000;

/// Notes that somebody was woken.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Flag {
    fn raised() -> Arc<Self> {
        let flag = Arc::new(Self::default());
        flag.raise();
        flag
    }

    fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn lower(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.raise();
    }
}

/// One endpoint.
struct Site {
    scheduler: Scheduler<Wire>,
    config: Config,
    member: MemberId,
    /// When the watchdog looks.
    next_look: Option<Instant>,
    /// When a connection was refused while none was open, if none could be opened since.
    refused: Option<Instant>,
    /// When a connection ended that had not answered, if none has answered since.
    dud: Option<Instant>,
    /// When either happened last.
    failed: Option<Instant>,
    /// Every connection is to end now.
    aborted: bool,
}

struct World {
    plan: Plan,
    now: Instant,
    permits: Permits,
    sites: Vec<Site>,
    links: Vec<Link>,
    /// The endpoints of the sockets beside those of connections being opened.
    extra: Vec<usize>,
    records: Vec<Record>,
    /// Connections on which a server has sent what nobody asked for.
    forged: HashSet<usize>,
    next_uid: usize,
    /// All servers answer, and all sockets take what is written.
    healed: bool,
    violation: Option<String>,
}

impl World {
    fn new(plan: Plan) -> Self {
        let now = Instant::now();
        let config = Config {
            max_connections: plan.max_connections,
            usual_connections: plan.usual_connections,
            narrow_connections: plan.narrow_connections,
            max_total: plan.max_total,
            max_opening: plan.max_opening,
            max_depth: plan.max_depth,
            fixed_depth: plan.fixed_depth,
            max_waiters: plan.max_waiters,
            wait_timeout: Duration::from_millis(plan.wait_timeout_ms),
            hedge: plan.hedge,
            max_age: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(4),
            write_timeout: Duration::from_secs(2),
            first_byte_timeout: Duration::from_secs(3),
            body_timeout: Duration::from_secs(3),
            ..Config::default()
        };
        let mut permits = Permits::new(plan.max_total);
        let sites = (0..plan.sites).map(|_| Site {
            scheduler: Scheduler::new(&config, now),
            config: config.clone(),
            member: permits.add_member(),
            next_look: None,
            refused: None,
            dud: None,
            failed: None,
            aborted: false,
        });
        Self {
            plan,
            now,
            sites: sites.collect(),
            permits,
            links: Vec::new(),
            extra: Vec::new(),
            records: Vec::new(),
            forged: HashSet::new(),
            next_uid: 0,
            healed: false,
            violation: None,
        }
    }

    fn fail(&mut self, why: String) {
        self.violation.get_or_insert(why);
    }

    fn check(&mut self, told: Result<(), String>) {
        if let Err(why) = told {
            self.fail(why);
        }
    }

    /// What a socket takes at first.
    fn window(&self) -> usize {
        match self.plan.open_windows || self.healed {
            true => usize::MAX / 2,
            false => 12,
        }
    }

    fn rtt(&self) -> Option<Duration> {
        (self.plan.max_depth == 8).then(|| Duration::from_millis(20))
    }

    /// The n-th open connection, if there is one.
    fn nth_open(&self, n: usize) -> Option<usize> {
        let open = |link: &usize| self.links[*link].open.is_some();
        let all: Vec<_> = (0..self.links.len()).filter(open).collect();
        all.get(n.checked_rem(all.len())?).copied()
    }

    /// The n-th connection that is being opened, if there is one.
    fn nth_opening(&self, n: usize) -> Option<usize> {
        let opening = |link: &usize| self.links[*link].open.is_none();
        let all: Vec<_> = (0..self.links.len()).filter(opening).collect();
        all.get(n.checked_rem(all.len())?).copied()
    }

    /// One more event, and all that follows from it at this instant.
    fn step(&mut self, event: Happening) {
        self.apply(event);
        self.run();
        self.serve();
        self.run();
        self.check_rest();
    }

    fn apply(&mut self, event: Happening) -> Option<()> {
        match event {
            Happening::Submit(site, wish) => self.hand_in(site % self.sites.len(), wish),
            Happening::Cancel(n) => {
                let mut waiting = self.records.iter_mut().filter(|r| r.caller.is_some());
                let count = waiting.by_ref().count();
                let n = n.checked_rem(count)?;
                let id = (0..self.records.len())
                    .filter(|id| self.records[*id].caller.is_some())
                    .nth(n)?;
                drop(self.records[id].caller.take());
                let site = self.records[id].site;
                self.sites[site].scheduler.handle_gone_caller(id as u64);
                self.unlock(site);
            }
            Happening::Dialed(n, manner) => self.dialed(self.nth_opening(n)?, manner),
            Happening::Refused(n) => self.dial_failed(self.nth_opening(n)?, false),
            Happening::Exhausted(n) => self.dial_failed(self.nth_opening(n)?, true),
            Happening::Race(n) => {
                let site = self.links[self.nth_opening(n)?].site;
                let wanted = self.permits.is_wanted();
                if self.sites[site].scheduler.has_room() && self.permits.acquire_extra() {
                    self.sites[site].scheduler.handle_extra_socket();
                    self.extra.push(site);
                    if wanted {
                        self.fail("a race gets a permit that an endpoint waits for".into());
                    }
                }
            }
            Happening::Raced(n) => {
                let site = self.extra.remove(n.checked_rem(self.extra.len())?);
                self.sites[site].scheduler.handle_extra_closed();
                self.unlock(site);
                self.release();
                self.grow(site);
            }
            Happening::Widen(n, width) => {
                let site = n % self.sites.len();
                self.sites[site].scheduler.teach_width(width);
                self.unlock(site);
                self.grow(site);
            }
            Happening::Drop(n) => self.drop_task(self.nth_open(n)?),
            Happening::Feed(n, pieces) => self.with_source(n, |source| source.ready += pieces),
            Happening::FailSource(n) => self.with_source(n, |source| source.failed = true),
            Happening::Pass(ms) => self.pass(Duration::from_millis(ms)),
            Happening::Accept(n, _)
            | Happening::Answer(n, _)
            | Happening::AnswerLast(n)
            | Happening::AnswerEarly(n)
            | Happening::Large(n)
            | Happening::Interim(n)
            | Happening::Unasked(n)
            | Happening::Garbage(n)
            | Happening::Deliver(n, _)
            | Happening::Close(n)
            | Happening::Reset(n)
            | Happening::Pause(n)
            | Happening::Desert(n) => self.apply_to_link(self.nth_open(n)?, event)?,
        }
        Some(())
    }

    /// What happens at the server's end of a connection, or on the way from it.
    fn apply_to_link(&mut self, link: usize, event: Happening) -> Option<()> {
        let uid = self.links[link].uid;
        let open = self.open(link);
        let mut answered = Vec::new();
        match event {
            Happening::Accept(_, n) => {
                open.window = open.window.saturating_add(n);
                open.flag.raise();
            }
            Happening::Answer(_, n) => {
                answered.extend((0..n).map_while(|_| open.answer(Frame::Whole, false)));
            }
            Happening::AnswerLast(_) => answered.extend(open.answer(Frame::Last, false)),
            Happening::AnswerEarly(_) => answered.extend(open.answer(Frame::Whole, true)),
            Happening::Large(_) if open.large => answered.extend(open.answer(Frame::End, true)),
            Happening::Large(_) => answered.extend(open.answer(Frame::Open, false)),
            Happening::Interim(_) => drop(open.answer(Frame::Interim, false)),
            Happening::Unasked(_) if !open.large && open.cut.is_none() => {
                Frame::Whole.write(NOBODY, &mut open.sent);
                self.forged.insert(uid);
            }
            Happening::Garbage(_) if open.cut.is_none() => open.sent.extend_from_slice(b"?"),
            Happening::Deliver(_, n) => open.deliver(n),
            Happening::Close(_) => {
                open.cut.get_or_insert(Cut::Closed);
            }
            Happening::Reset(_) => open.cut = Some(Cut::Reset),
            Happening::Pause(_) | Happening::Desert(_) => {
                let mut side = open.side();
                if !side.open {
                    return None;
                }
                side.deserted |= matches!(event, Happening::Desert(_));
                side.paused =
                    matches!(event, Happening::Pause(_)) && !side.paused && !side.deserted;
                side.reader.take().into_iter().for_each(Waker::wake);
            }
            _ => return None,
        }
        for id in answered {
            self.records[usize::from(id)].answered = true;
        }
        self.deliver_if_whole(link);
        Some(())
    }

    fn deliver_if_whole(&mut self, link: usize) {
        if self.plan.whole_delivery || self.healed {
            self.open(link).deliver(usize::MAX);
        }
    }

    fn with_source(&mut self, n: usize, change: impl FnOnce(&mut Source)) {
        let waiting = self.records.iter().filter(|r| r.caller.is_some());
        let sources: Vec<_> = waiting.filter_map(|r| r.source.clone()).collect();
        let Some(n) = n.checked_rem(sources.len()) else {
            return;
        };
        let mut source = sources[n].lock().unwrap();
        change(&mut source);
        source.waker.take().into_iter().for_each(Waker::wake);
    }

    /// A caller hands in a request.
    fn hand_in(&mut self, site: usize, wish: Wish) {
        let id = self.records.len();
        let mut open = self.links.iter().filter(|l| l.open.is_some());
        let bound = open
            .find(|l| l.site == site && wish.bound)
            .map(|link| link.name);
        let deadline = self.now + Duration::from_millis(wish.timeout_ms);
        let source = wish.pieces.map(|left| {
            Arc::new(Mutex::new(Source {
                left,
                ready: if self.healed { left } else { 0 },
                ..Source::default()
            }))
        });
        let errand = Errand {
            id: id as u16,
            treatment: Treatment {
                repeatable: wish.repeatable,
                alone: wish.alone,
            },
            source: source.clone(),
        };
        let flag = Arc::new(Flag::default());
        let mut caller = Caller::new(errand, self.now);
        let order = Order {
            seq: id as u64,
            since: self.now,
            deadline,
            bound,
        };
        let ticket = caller.hand_in(order, &Waker::from(flag.clone())).unwrap();
        self.records.push(Record {
            site,
            wish,
            bound,
            submitted: self.now,
            deadline,
            caller: Some(caller),
            flag,
            source,
            encoded: Vec::new(),
            touched: Vec::new(),
            whole: false,
            answered: false,
            barred: false,
            outcome: None,
        });
        if let Err(error) = self.submit(site, ticket) {
            let record = &mut self.records[id];
            record.caller = None;
            let told = record.note_failure(&error, false);
            self.check(told.map_err(|why| format!("request {id}: {why}")));
        }
    }

    /// Servers answer that do so by themselves.
    fn serve(&mut self) {
        let now = self.now;
        for link in 0..self.links.len() {
            let healed = self.healed;
            let Some(open) = &mut self.links[link].open else {
                continue;
            };
            let mut answered = Vec::new();
            match open.manner {
                Manner::AtOnce => {
                    answered.extend(std::iter::from_fn(|| open.answer(Frame::Whole, false)));
                }
                Manner::After(ms) => {
                    open.note_arrivals(now + Duration::from_millis(ms));
                    while open.answers.front().is_some_and(|(at, _)| *at <= now) {
                        open.answers.pop_front();
                        answered.extend(open.answer(Frame::Whole, false));
                    }
                }
                Manner::Silent => {}
            }
            if healed && open.large {
                answered.extend(open.answer(Frame::End, true));
            }
            for id in answered {
                self.records[usize::from(id)].answered = true;
            }
            self.deliver_if_whole(link);
        }
    }

    /// Time passes, timer by timer.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut stalled = 0;
        while self.violation.is_none() {
            let Some(at) = self.next_timer().filter(|at| *at <= end) else {
                break;
            };
            stalled = if at > self.now { 0 } else { stalled + 1 };
            if stalled > MAX_ROUNDS {
                self.fail("a timer rings for ever".into());
            }
            self.now = self.now.max(at);
            self.run();
            self.serve();
            self.run();
            self.check_rest();
        }
        self.now = end;
    }
}
