//! What must hold, looked at from outside the core.

use std::time::Duration;

use super::World;
use super::link::Link;
use super::model::SLACK;
use crate::error::{Error, Kind};

/// The shortest pause after a refusal while no connection is open.
const REFUSAL_PAUSE: Duration = Duration::from_millis(20);
/// The shortest pause after a connection that ended before it had answered.
const DUD_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_millis(1280);

impl World {
    /// Requests have been encoded on a connection; `was_empty` says that nothing was to be written
    /// before.
    pub(super) fn look_at_encoded(&mut self, link: usize, was_empty: bool) {
        let now = self.now;
        let uid = self.links[link].uid;
        let open = self.open(link);
        let encoded: Vec<_> = {
            let mut side = open.side.lock().unwrap();
            let from = side.looked_at;
            if side.flight.len() > from && from == 0 {
                open.progress = now;
            }
            if side.flight.len() > from && was_empty {
                open.wrote = now;
            }
            side.looked_at = side.flight.len();
            let new = side.flight.iter_mut().skip(from);
            new.map(|outgoing| {
                outgoing.sent_at = Some(now);
                outgoing.id
            })
            .collect()
        };
        for id in encoded.into_iter().map(usize::from) {
            let told = self.records[id].note_encoded(uid, now);
            self.check(told.map_err(|why| format!("request {id}: {why}")));
        }
    }

    /// So many bytes were written to a connection.
    pub(super) fn note_written(&mut self, link: usize, mut n: usize) {
        let hedging = self.plan.hedge > 0.0;
        let (uid, name) = (self.links[link].uid, self.links[link].name);
        let side = self.open(link).side.clone();
        let mut side = side.lock().unwrap();
        let proven = side.replies > 0;
        if let [only] = side.flight.make_contiguous() {
            only.sent_at = Some(self.now);
        }
        let mut alone_before = false;
        for i in 0..side.flight.len() {
            let outgoing = &mut side.flight[i];
            let id = usize::from(outgoing.id);
            let part = n.min(outgoing.len - outgoing.written);
            n -= part;
            let first = part > 0 && outgoing.written == 0;
            outgoing.written += part;
            let arrived = outgoing.has_arrived();
            let record = &mut self.records[id];
            // A second copy of a request goes beside the first, and is no replay.
            let replayed = !hedging && !record.touched.is_empty() && record.touched != [uid];
            let alone = record.wish.alone || replayed;
            record.whole |= arrived;
            if first {
                let told = record.note_touched(uid, name, hedging);
                self.check(told.map_err(|why| format!("request {id}: {why}")));
                if i > 0 && (alone || alone_before) {
                    self.fail(format!("request {id}: one that goes alone is not alone"));
                }
                if i > 0 && !proven {
                    self.fail(format!("request {id} is pipelined before the first answer"));
                }
            }
            alone_before |= alone;
        }
    }

    /// A connection begins to be opened.
    pub(super) fn check_pause(&mut self, site: usize) {
        let here = &self.sites[site];
        let since = |at: Option<_>| at.map(|at| self.now.saturating_duration_since(at));
        if since(here.refused).is_some_and(|since| since < REFUSAL_PAUSE) {
            self.fail("nothing waits after a refusal".into());
        } else if since(here.dud).is_some_and(|since| since < DUD_PAUSE) {
            self.fail("nothing waits after a connection that did not answer".into());
        }
    }

    /// A connection ends for this cause.
    pub(super) fn check_end(&mut self, link: usize, cause: &Error) {
        let now = self.now;
        let hedging = self.plan.hedge > 0.0;
        let Link { site, ref open, .. } = self.links[link];
        let open = open.as_ref().unwrap();
        let config = &self.sites[site].config;
        let (since, limit) = match cause.detail() {
            text if text.contains("write_timeout") => (open.wrote, config.write_timeout),
            "an answer that nobody waits for came too slowly" => (open.progress, Duration::ZERO),
            text if text.contains("first_byte_timeout") => {
                (open.progress, config.first_byte_timeout)
            }
            _ => (open.progress, config.body_timeout),
        };
        let silent = now.saturating_duration_since(since);
        let early = cause.kind() == Kind::Timeout && silent < limit;
        let first = open.side().flight.front().map(|f| (f.id, f.written));
        let grieved = matches!(cause.kind(), Kind::Timeout | Kind::Protocol);
        if early {
            self.fail(format!("it is given up after {silent:?}: {cause}"));
        }
        if let Some((id, written)) = first
            && grieved
            && written > 0
            && !hedging
        {
            self.records[usize::from(id)].barred = true;
        }
    }

    /// A caller has just heard what came of its request.
    pub(super) fn check_told_in_time(&mut self, id: usize) {
        let record = &self.records[id];
        let waited = self.now.saturating_duration_since(record.submitted);
        let wait_timeout = self.sites[record.site].config.wait_timeout;
        let may_wait = wait_timeout.min(record.deadline - record.submitted);
        let in_time = record.deadline + SLACK >= self.now;
        if !in_time {
            self.fail(format!(
                "request {id}: its caller hears of it after its deadline"
            ));
        }
        if let Some(Err((Kind::WaitTimeout, _))) = self.records[id].outcome
            && waited < may_wait
        {
            self.fail(format!("request {id}: it has waited for {waited:?} only"));
        }
    }

    /// What holds whenever nothing more can be done at an instant.
    pub(super) fn check_rest(&mut self) {
        if self.violation.is_none() {
            let told = self
                .check_sockets()
                .and_then(|()| self.check_callers())
                .and_then(|()| self.check_links())
                .and_then(|()| self.check_room());
            self.check(told);
        }
    }

    fn check_sockets(&self) -> Result<(), String> {
        for (s, site) in self.sites.iter().enumerate() {
            let links = self.links.iter().filter(|l| l.site == s).count();
            let sockets = links + self.extra.iter().filter(|e| **e == s).count();
            if site.scheduler.live() != links {
                return Err(format!(
                    "{links} connections, and {} are known",
                    site.scheduler.live()
                ));
            }
            let links = self.links.iter().filter(|l| l.site == s);
            if links.filter(|l| l.open.is_none()).count() > site.config.max_opening {
                return Err("too many connections are opened at once".into());
            }
            if sockets > site.config.max_connections {
                return Err(format!("{sockets} sockets, over the cap of an endpoint"));
            }
        }
        let sockets = self.links.len() + self.extra.len();
        let (used, _) = self.permits.used();
        if used != sockets || sockets > self.plan.max_total {
            return Err(format!("{sockets} sockets, {used} permits in use"));
        }
        Ok(())
    }

    fn check_callers(&self) -> Result<(), String> {
        for (id, record) in self.records.iter().enumerate() {
            if record.caller.is_some() && record.deadline + SLACK < self.now {
                return Err(format!(
                    "request {id}: its caller has not heard of it in time"
                ));
            }
        }
        for site in &self.sites {
            let queue = site.scheduler.queue();
            let late = queue.iter().map(|t| t.order().seq).find(|seq| {
                let until = queue.leave_by(*seq);
                until.is_some_and(|until| until + SLACK < self.now)
            });
            if let Some(seq) = late {
                return Err(format!("request {seq}: it waits for longer than it may"));
            }
        }
        Ok(())
    }

    fn check_links(&mut self) -> Result<(), String> {
        let now = self.now;
        for link in &mut self.links {
            let Some(open) = &mut link.open else { continue };
            let config = &self.sites[link.site].config;
            let (is_open, paused) = {
                let side = open.side();
                (side.open, side.open && side.paused)
            };
            let queued = open.pipeline.queued().len();
            if is_open && queued > 0 {
                return Err(format!("{queued} requests wait behind a large answer"));
            }
            let mut since = open.progress;
            let waits_for_caller = open.pipeline.is_encoding() && open.pipeline.out().is_empty();
            let limit = if paused || waits_for_caller {
                continue;
            } else if open.pipeline.is_idle() {
                config.idle_timeout
            } else if is_open {
                config.body_timeout
            } else if !open.pipeline.out().is_empty() {
                since = open.wrote;
                config.write_timeout
            } else {
                config.first_byte_timeout
            };
            let silent = now.saturating_duration_since(since);
            if silent > limit + SLACK {
                return Err(format!(
                    "nothing has happened for {silent:?} on {}",
                    link.uid
                ));
            }
        }
        Ok(())
    }

    /// Nobody waits while there is room, and nothing is idle while somebody waits.
    fn check_room(&mut self) -> Result<(), String> {
        let now = self.now;
        let free = self.plan.max_total - self.permits.used().0;
        let wanted = self.permits.is_wanted();
        if free > 0 && wanted {
            return Err("a permit is free, and an endpoint waits for one".into());
        }
        let holdings: Vec<_> = self
            .sites
            .iter_mut()
            .map(|s| s.scheduler.holdings())
            .collect();
        let leaving: usize = holdings.iter().map(|h| h.leaving).sum();
        for s in 0..self.sites.len() {
            let links = || self.links.iter().filter(|l| l.site == s);
            let opening = links().filter(|l| l.open.is_none()).count();
            let extra = self.extra.iter().filter(|e| **e == s).count();
            let sockets = links().count() + extra;
            let idle = links().any(|l| {
                let open = l.open.as_ref();
                open.is_some_and(|o| o.pipeline.is_idle() && o.cut.is_none())
            });
            let site = &mut self.sites[s];
            let waiting = site.scheduler.queue().iter();
            let waiting = waiting.filter(|t| !t.is_abandoned()).count();
            if idle && waiting > 0 {
                return Err(format!("{waiting} requests wait, and a connection is idle"));
            }
            if idle && wanted && leaving == 0 {
                return Err("an endpoint waits, and an idle connection does not give way".into());
            }
            if waiting == 0 {
                continue;
            }
            let failed = site.failed.map(|at| now.saturating_duration_since(at));
            let room = site.scheduler.cap().saturating_sub(sockets).min(free);
            let turns = site.config.max_opening.saturating_sub(opening);
            let missing = waiting.saturating_sub(opening).min(room).min(turns);
            let paused = failed.is_some_and(|since| since <= LONGEST_PAUSE);
            if sockets == 0 && free == 0 && leaving == 0 && !paused {
                return Err("an endpoint has no connection, and none gives way to it".into());
            }
            if missing > 0 && !paused {
                return Err(format!(
                    "{waiting} requests wait, and {missing} more could be opened"
                ));
            }
            if missing > 0 && site.next_look.is_none_or(|look| look > now + LONGEST_PAUSE) {
                return Err("a pause has no end".into());
            }
        }
        self.check_depth()
    }

    /// At the cap, connections are as deep as they may be before a request waits.
    fn check_depth(&mut self) -> Result<(), String> {
        if !self.plan.fixed_depth {
            return Ok(());
        }
        let free = self.plan.max_total - self.permits.used().0;
        for s in 0..self.sites.len() {
            let site = &self.sites[s];
            let Some(first) = site.scheduler.queue().iter().find(|t| !t.is_abandoned()) else {
                continue;
            };
            let links = self.links.iter().filter(|l| l.site == s);
            let opening = links.clone().filter(|l| l.open.is_none()).count();
            let is_full = links.count() >= site.scheduler.cap();
            // While a connection is being opened, those who wait do so for that.
            let failed = site.failed.map(|at| self.now.saturating_duration_since(at));
            let paused = failed.is_some_and(|since| since <= LONGEST_PAUSE);
            let is_starved = free == 0 && !paused;
            if first.is_alone() || opening > 0 || !(is_full || is_starved) {
                continue;
            }
            let late_after = site.scheduler.depth().late_after();
            for link in self.links.iter_mut().filter(|l| l.site == s) {
                let Some(open) = &mut link.open else { continue };
                let queued = open.pipeline.queued().len();
                let side = open.side();
                let records = side.flight.iter().map(|f| &self.records[usize::from(f.id)]);
                let alone = records.clone().any(|r| r.wish.alone || r.touched.len() > 1);
                let sent_at = side.flight.front().and_then(|f| f.sent_at);
                let late = sent_at
                    .zip(late_after)
                    .is_some_and(|(sent_at, late)| sent_at + late <= self.now);
                let takes = side.replies > 0 && !alone && !late && !side.open && queued == 0;
                if takes
                    && site.scheduler.is_ready(link.id)
                    && side.flight.len() < self.plan.max_depth
                {
                    return Err(format!("a request waits, and {} is not full", link.uid));
                }
            }
        }
        Ok(())
    }

    /// The end of a run: everything was answered and closed.
    pub(super) fn check_over(&mut self) {
        if let Some(id) = self.records.iter().position(|r| r.caller.is_some()) {
            self.fail(format!(
                "request {id}: it starves though all servers answer"
            ));
        }
    }
}
