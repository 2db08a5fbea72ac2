//! The shell's part in virtual time: it does what the core says, in the order in which the shell
//! does it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::events::Manner;
use super::link::{Cut, Link, OpenLink};
use super::wire::{Side, Wire};
use super::{Flag, MAX_ROUNDS, World};
use crate::engine::core::action::Action;
use crate::engine::core::call::{Outcome, RuntimeTag};
use crate::engine::core::permits::Refused;
use crate::engine::core::pipeline::Pipeline;
use crate::engine::core::scheduler::{Rerouted, Submitted};
use crate::engine::core::ticket::{History, Ticket};
use crate::error::{Error, Kind};
use crate::event::CloseReason;

/// The shortest time that a driver sets its timer for.
const MIN_SLEEP: Duration = Duration::from_millis(1);

impl World {
    /// What the shell does when it gives back the lock of an endpoint.
    pub(super) fn unlock(&mut self, site: usize) {
        let here = &mut self.sites[site];
        if here.scheduler.poll_decline() {
            self.permits.decline(here.member);
        }
        while let Some(action) = here.scheduler.poll_action() {
            match action {
                Action::Wake(waker) => waker.wake(),
                Action::Fail(mut ticket, error) => ticket.fail(&error),
                Action::Discard(ticket) => drop(ticket),
                Action::Log(_) => {}
            }
        }
    }

    /// Hands in a request, and says why it is refused.
    pub(super) fn submit(&mut self, site: usize, ticket: Ticket<Wire>) -> Result<(), Error> {
        let now = self.now;
        let submitted = self.sites[site].scheduler.handle_submit(ticket, true, now);
        self.unlock(site);
        match submitted {
            Ok(Submitted::Handed(waker)) => {
                waker.into_iter().for_each(Waker::wake);
                Ok(())
            }
            Ok(Submitted::Queued) => {
                self.grow(site);
                Ok(())
            }
            Err(refusal) => {
                refusal.ticket.withdraw();
                Err(refusal.error)
            }
        }
    }

    pub(super) fn grow(&mut self, site: usize) {
        let now = self.now;
        let mut evict = false;
        while self.sites[site].scheduler.poll_opening(now) {
            let here = &mut self.sites[site];
            let poor = here.scheduler.live() == 0;
            match self.permits.acquire(here.member, poor) {
                Ok(()) => {
                    let id = here.scheduler.handle_permit(now);
                    let name = here.scheduler.name(id);
                    let uid = self.next_uid;
                    self.next_uid += 1;
                    self.check_pause(site);
                    self.links.push(Link {
                        uid,
                        site,
                        id,
                        name,
                        began: now,
                        open: None,
                    });
                }
                Err(refused) => {
                    evict = refused == Refused::Anew;
                    here.scheduler.handle_refusal();
                }
            }
        }
        let look = self.sites[site].scheduler.poll_timeout(now);
        self.unlock(site);
        if evict {
            self.evict();
        }
        let planned = &mut self.sites[site].next_look;
        *planned = match (*planned, look) {
            (Some(planned), Some(look)) => Some(planned.min(look)),
            (planned, look) => planned.or(look),
        };
    }

    /// The watchdog looks after the queue.
    pub(super) fn tend(&mut self, site: usize) {
        let now = self.now;
        let here = &mut self.sites[site];
        here.next_look = None;
        here.scheduler.handle_timeout(now);
        let waiting = here.scheduler.waiting() > 0;
        self.unlock(site);
        if waiting {
            self.grow(site);
        }
    }

    pub(super) fn release(&mut self) {
        self.permits.release();
        while let Some(member) = self.permits.poll_freed() {
            let found = self.sites.iter().position(|s| s.member == member);
            let site = found.unwrap();
            let here = &mut self.sites[site];
            here.scheduler.handle_permit_freed();
            if here.scheduler.poll_opening(self.now) {
                self.unlock(site);
                self.grow(site);
            } else {
                self.permits.decline(member);
                self.unlock(site);
            }
        }
        self.settle();
    }

    pub(super) fn settle(&mut self) {
        if self.permits.is_wanted() {
            self.evict();
        }
    }

    fn evict(&mut self) {
        let demand = self.permits.demand();
        let sites = self.sites.iter_mut();
        let holdings: Vec<_> = sites.map(|s| s.scheduler.holdings()).collect();
        if let Some(site) = demand.choose(&holdings) {
            self.sites[site].scheduler.handle_eviction();
            self.unlock(site);
        }
    }

    /// A connection that was being opened is open.
    pub(super) fn dialed(&mut self, link: usize, manner: Manner) {
        let now = self.now;
        let (window, rtt) = (self.window(), self.rtt());
        let link = &mut self.links[link];
        let side = Arc::new(std::sync::Mutex::new(Side::default()));
        let wire = Wire {
            uid: link.uid,
            side: side.clone(),
        };
        let (site, id) = (link.site, link.id);
        link.open = Some(OpenLink {
            pipeline: Pipeline::new(wire, now),
            side,
            manner,
            timer: now + self.sites[site].config.idle_timeout,
            flag: Flag::raised(),
            window,
            sent: Default::default(),
            arrived: Default::default(),
            cut: None,
            cut_seen: false,
            mute: false,
            answers: Default::default(),
            progress: now,
            wrote: now,
            large: false,
        });
        self.sites[site].refused = None;
        self.sites[site].scheduler.handle_opened(id, rtt);
        self.unlock(site);
        self.grow(site);
    }

    /// A connection cannot be opened.
    pub(super) fn dial_failed(&mut self, link: usize, exhausted: bool) {
        let now = self.now;
        let Link { site, id, .. } = self.links.remove(link);
        let error = Error::new(Kind::Connect, "refused");
        self.release();
        let open = self
            .links
            .iter()
            .any(|l| l.site == site && l.open.is_some());
        let here = &mut self.sites[site];
        if !open {
            here.refused = Some(now);
        }
        here.failed = Some(now);
        here.scheduler
            .handle_open_failed(id, &error, exhausted, now);
        self.unlock(site);
        self.settle();
        self.grow(site);
    }

    /// Has everything done that can be done at this instant.
    pub(super) fn run(&mut self) {
        for _ in 0..MAX_ROUNDS {
            if self.violation.is_some() {
                return;
            }
            let woken = self.links.iter().position(|link| {
                let open = link.open.as_ref();
                open.is_some_and(|o| o.flag.is_raised() || o.is_readable() || o.timer <= self.now)
            });
            if let Some(link) = woken {
                self.drive(link);
                continue;
            }
            let sites = 0..self.sites.len();
            let mut due = sites.filter(|s| self.sites[*s].next_look.is_some_and(|l| l <= self.now));
            if let Some(site) = due.next() {
                self.tend(site);
                continue;
            }
            let called = self
                .records
                .iter()
                .position(|r| r.caller.is_some() && r.flag.is_raised());
            match called {
                Some(id) => self.call_back(id),
                None => return,
            }
        }
        self.fail("nothing comes to rest".into());
    }

    /// A driver is polled.
    fn drive(&mut self, link: usize) {
        let flag = self.open(link).flag.clone();
        flag.lower();
        let waker = Waker::from(flag);
        let mut cx = Context::from_waker(&waker);
        if let Err(cause) = self.advance(link, &mut cx) {
            self.finish(link, &cause, true);
        }
    }

    fn advance(&mut self, link: usize, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.sites[self.links[link].site].aborted {
            return Err(Error::new(Kind::Shutdown, "the pool was closed"));
        }
        loop {
            self.read(link, cx)?;
            self.sync(link, cx)?;
            let now = self.now;
            let open = self.open(link);
            if open.pipeline.begins_once() && open.cut.is_some() && open.sent.is_empty() {
                return Err(Error::new(
                    Kind::Closed,
                    "it was closed before it was used again",
                ));
            }
            let was_empty = open.pipeline.out().is_empty();
            open.pipeline.fill(now);
            self.look_at_encoded(link, was_empty);
            let encoded = match self.open(link).pipeline.poll_encode(cx) {
                Poll::Ready(result) => result.map(|()| true)?,
                Poll::Pending => false,
            };
            let blocked = self.write(link, cx)?;
            let pipeline = &mut self.open(link).pipeline;
            let encode_more = encoded && pipeline.is_encoding();
            let write_more = !blocked && (encode_more || pipeline.can_fill());
            if !pipeline.has_done() && !write_more {
                break;
            }
        }
        self.arm(link)
    }

    fn read(&mut self, link: usize, cx: &mut Context<'_>) -> Result<(), Error> {
        let now = self.now;
        let open = self.open(link);
        loop {
            match open.pipeline.poll_ready(cx, now) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    open.progress = now;
                    return Ok(());
                }
            }
            if !open.arrived.is_empty() {
                open.progress = now;
                let bytes = open.arrived.split();
                open.pipeline.input().extend_from_slice(&bytes);
            } else if open.sent.is_empty() && open.cut == Some(Cut::Closed) && !open.cut_seen {
                open.cut_seen = true;
                open.pipeline.handle_eof();
            } else if open.cut == Some(Cut::Reset) {
                let lost = Error::new(Kind::Closed, "reset");
                return Err(lost.with_source(std::io::Error::other("reset")));
            } else {
                return Ok(());
            }
            open.pipeline.handle_input(now)?;
        }
    }

    fn sync(&mut self, link: usize, cx: &mut Context<'_>) -> Result<(), Error> {
        let now = self.now;
        let Link {
            site,
            id,
            ref mut open,
            began,
            ..
        } = self.links[link];
        let open = open.as_mut().unwrap();
        let here = &mut self.sites[site];
        if open.pipeline.replies() > 0 {
            here.dud = None;
        }
        let expired = now.saturating_duration_since(began) >= here.config.max_age;
        let report = here
            .scheduler
            .handle_report(id, &mut open.pipeline, expired, now);
        let rest = here.scheduler.handle_rest(id, cx.waker(), false);
        drop(rest);
        self.unlock(site);
        let rerouted = report?;
        self.open(link).pipeline.wake_told();
        if rerouted != Rerouted::default() {
            self.grow(site);
        }
        if self.open(link).pipeline.is_idle() {
            self.settle();
        }
        Ok(())
    }

    fn write(&mut self, link: usize, cx: &mut Context<'_>) -> Result<bool, Error> {
        let now = self.now;
        let open = self.open(link);
        let n = open.pipeline.out().len().min(open.window);
        if n > 0 && open.cut == Some(Cut::Reset) {
            let lost = Error::new(Kind::Closed, "reset");
            return Err(lost.with_source(std::io::Error::other("reset")));
        }
        if n > 0 {
            open.window -= n;
            if open.side().begins_to_wait() {
                open.progress = now;
            }
            open.wrote = now;
            open.pipeline.handle_written(n, now);
            self.note_written(link, n);
        }
        let open = self.open(link);
        let blocked = !open.pipeline.out().is_empty();
        if blocked {
            open.pipeline.watch(cx);
        }
        Ok(blocked)
    }

    fn arm(&mut self, link: usize) -> Result<(), Error> {
        let now = self.now;
        let Link {
            site, ref mut open, ..
        } = self.links[link];
        let (open, config) = (open.as_mut().unwrap(), &self.sites[site].config);
        let soonest = open.pipeline.take_soonest(config);
        if soonest.is_none_or(|s| s >= open.timer) && open.timer > now {
            return Ok(());
        }
        open.pipeline.handle_timeout(now, config)?;
        let next = open.pipeline.next_timeout(now, config);
        let next = next.unwrap_or(now + config.idle_timeout);
        open.timer = next.max(now + MIN_SLEEP);
        Ok(())
    }

    /// A connection ends. Without its runtime (`in_runtime`) what can be sent again goes back to its
    /// callers.
    pub(super) fn finish(&mut self, link: usize, cause: &Error, in_runtime: bool) {
        let now = self.now;
        self.check_end(link, cause);
        let Link { site, id, open, .. } = self.links.remove(link);
        let mut open = open.unwrap();
        let ending = open.pipeline.close(cause, &self.sites[site].config);
        self.release();
        let here = &mut self.sites[site];
        if in_runtime {
            if ending.dud {
                here.dud = Some(now);
                here.failed = Some(now);
            }
            here.scheduler.handle_ended(id, ending, now);
            self.unlock(site);
            self.settle();
            self.grow(site);
        } else {
            let mail = here.scheduler.handle_dropped(id, now);
            let waiting = here.scheduler.take_queue();
            let all = ending.again.into_iter().chain(mail).chain(waiting);
            all.for_each(|ticket| ticket.bounce(Some(RuntimeTag(1))));
            self.unlock(site);
            self.settle();
        }
        open.pipeline.wake_told();
    }

    /// A runtime drops the task of a connection.
    pub(super) fn drop_task(&mut self, link: usize) {
        let gone = Error::new(Kind::Closed, "the runtime is gone");
        self.finish(link, &gone.because(CloseReason::Shutdown), false);
    }

    /// A caller is polled after it was woken.
    fn call_back(&mut self, id: usize) {
        let hedging = self.plan.hedge > 0.0;
        let record = &mut self.records[id];
        record.flag.lower();
        let waker = Waker::from(record.flag.clone());
        let polled = record
            .caller
            .as_mut()
            .unwrap()
            .poll(&mut Context::from_waker(&waker));
        let told = match polled {
            Poll::Pending => return,
            Poll::Ready(Outcome::Again(history, _)) => return self.hand_in_again(id, history),
            Poll::Ready(Outcome::Done(Ok(reply))) => {
                let forged = self.forged.contains(&reply.on);
                record.note_reply(id, &reply, forged)
            }
            Poll::Ready(Outcome::Done(Err(error))) => record.note_failure(&error, hedging),
        };
        record.caller = None;
        if let Err(why) = told {
            self.fail(format!("request {id}: {why}"));
        }
        self.check_told_in_time(id);
    }

    fn hand_in_again(&mut self, id: usize, history: History) {
        let record = &mut self.records[id];
        let site = record.site;
        let waker = Waker::from(record.flag.clone());
        let caller = record.caller.as_mut().unwrap();
        let Some(ticket) = caller.hand_in_again(history, &waker) else {
            return self.fail(format!("request {id} was not given back"));
        };
        let sent = ticket.history().sent;
        if let Err(error) = self.submit(site, ticket) {
            let hedging = self.plan.hedge > 0.0;
            let record = &mut self.records[id];
            record.caller = None;
            let told = record.note_failure(&error.with_sent(sent), hedging);
            if let Err(why) = told {
                self.fail(format!("request {id}: {why}"));
            }
        }
    }

    pub(super) fn open(&mut self, link: usize) -> &mut OpenLink {
        self.links[link].open.as_mut().unwrap()
    }

    /// The next instant at which something is due.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        let opens = self.links.iter().filter_map(|link| link.open.as_ref());
        let timers = opens.clone().map(|open| open.timer);
        let answers = opens.filter_map(|open| open.answers.front().map(|(at, _)| *at));
        let looks = self.sites.iter().filter_map(|site| site.next_look);
        timers.chain(answers).chain(looks).min()
    }
}
