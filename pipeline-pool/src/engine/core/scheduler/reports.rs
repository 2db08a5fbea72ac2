//! A connection reports what is done, and takes what there is to do.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Instant;

use super::{Rerouted, Scheduler};
use crate::engine::core::connection::{ConnId, Report};
use crate::engine::core::depth::{Load, Setting, Width};
use crate::engine::core::pipeline::Pipeline;
use crate::engine::core::ticket::Ticket;
use crate::error::{Error, Kind};
use crate::event::CloseReason;
use crate::protocol::Protocol;

impl<P: Protocol> Scheduler<P> {
    /// A connection reports: what of its pipeline is done, late or in the way. Its pipeline gets
    /// what it was handed, and from the queue what it has room for. `expired` says that the
    /// connection is too old to be kept.
    ///
    /// # Errors
    /// When the connection is to be closed, as it has nothing left to do and is not to be kept.
    pub(crate) fn handle_report(
        &mut self,
        id: ConnId,
        pipeline: &mut Pipeline<P>,
        expired: bool,
        now: Instant,
    ) -> Result<Rerouted, Error> {
        let (report, back) = pipeline.report(expired, now);
        let mut rerouted = Rerouted {
            moved: back.len(),
            ..Rerouted::default()
        };
        let cap = self.growth.cap();
        for ticket in back {
            self.put_back(ticket, now);
        }
        rerouted.moved += self.take_report(id, report, pipeline.queued(), now)?;
        if self.hedges.is_on() {
            self.hedges.earn(report.sample.heard);
            if report.stuck {
                // Where all connections wait for late replies, a copy would wait as well.
                let useful = self.growth.has_room() || self.connections.are_some_in_order();
                let most = if useful { self.hedges.available() } else { 0 };
                let copies = pipeline.hedge(most, now);
                rerouted.hedged = copies.len();
                self.hedges.spend(rerouted.hedged);
                for copy in copies {
                    self.put_back(copy, now);
                }
            }
        }
        rerouted.widened = self.growth.cap() > cap;
        pipeline.set_marks(self.depth.marks());
        if rerouted != Rerouted::default() {
            self.hand_out();
        }
        Ok(rerouted)
    }

    /// Takes in a report. Gives back how many requests went back to the queue.
    pub(super) fn take_report(
        &mut self,
        id: ConnId,
        report: Report,
        queue: &mut VecDeque<Ticket<P>>,
        now: Instant,
    ) -> Result<usize, Error> {
        let setting = self.depth.setting();
        let moved = self.account(id, report, queue, now);
        self.follow(id, setting);
        moved
    }

    /// Ranks a connection that has reported. Where another setting is in use than the one before,
    /// all have more room, or less, and what waits need not wait for their next reports.
    pub(super) fn follow(&mut self, id: ConnId, before: Setting) {
        if self.depth.setting() == before {
            self.rank(id);
        } else {
            self.apply_width();
            if [before.width, self.depth.setting().width].contains(&Width::Wide) {
                // Hardly one of so many is full, which would measure its pace anew: those that have met
                // a late reply at another setting would have the fewest requests for ever.
                self.connections.forget_paces();
            }
            self.rank_all();
            self.hand_out();
        }
    }

    /// Has there be as many connections as the setting in use wants. Those that are too many close when
    /// what they have is done.
    pub(super) fn apply_width(&mut self) {
        let surplus = self.growth.set_width(self.depth.setting().width);
        let leaving = self.owed + self.connections.closing();
        for _ in leaving..surplus {
            self.handle_eviction();
        }
    }

    fn account(
        &mut self,
        id: ConnId,
        report: Report,
        queue: &mut VecDeque<Ticket<P>>,
        now: Instant,
    ) -> Result<usize, Error> {
        let load = self.load();
        let Some(connection) = self.connections.get(id) else {
            return Err(Error::new(Kind::Shutdown, "the connection was given up"));
        };
        let was_busy = connection.load() > 0;
        if self.connections.note(id, &report) == Some(true) {
            self.growth.answered();
        }
        let Some(connection) = self.connections.get(id) else {
            return Ok(0);
        };
        let sample = report.sample;
        if sample.replies > 0 {
            self.away = self.away.saturating_add(sample.replies as usize);
            connection.measure(sample.replies, now);
            let latency = sample.latency / sample.replies as u32;
            self.depth.start(connection.rtt(), latency);
            self.depth.observe(&sample, load, now);
            if let Some(outcome) = self.depth.take_outcome() {
                self.actions.log(outcome);
            }
        }
        let mut moved = 0;
        if report.streaming || report.stuck {
            let back = connection.take_back();
            moved = back.len();
            back.into_iter()
                .for_each(|ticket| self.put_back(ticket, now));
        }
        let Some(connection) = self.connections.get(id) else {
            return Ok(moved);
        };
        connection.deliver(queue);
        connection.reopen();
        // RFC 9112, 9.3.2: nothing is pipelined before the server has answered.
        let depth = match connection.is_proven() {
            true => self.depth.setting().depth,
            false => 1,
        };
        while connection.has_room(depth) {
            let Some(ticket) = self.queue.pop(&mut self.actions) else {
                break;
            };
            self.served += 1;
            connection.pull(ticket.is_alone());
            queue.push_back(ticket);
        }
        connection.note_fullness(depth, sample.replies, now);
        if connection.load() > 0 {
            return Ok(moved);
        }
        if self.retired || !connection.is_kept() {
            connection.close();
            let reason = match report.expired {
                true => CloseReason::Age,
                false => CloseReason::Yielded,
            };
            return Err(Error::new(Kind::Closed, "the connection is not kept").because(reason));
        }
        if connection.is_free() {
            self.connections.mark_idle(id, was_busy, now);
        }
        Ok(moved)
    }

    pub(super) fn load(&self) -> Load {
        let may_grow = self.growth.has_room() && !self.starved;
        Load {
            connections: self.live(),
            opening: self.growth.opening(),
            stuck: self.connections.stuck(),
            waiting: if may_grow { 0 } else { self.queue.len() },
            can_widen: self.growth.can_widen(),
            narrow: self.narrow(),
        }
    }

    /// The connections that there may be where a narrow setting is in use. There are none where large messages would hold more
    /// than half of them, as what is small would wait until these end, nor where the line has no room for what the
    /// usual connections hold, as requests would be refused.
    fn narrow(&self) -> usize {
        let narrow = self.growth.narrow();
        let held = 2 * self.connections.streaming() > narrow;
        let most = self.queue.len() + self.live() * self.depth.setting().depth;
        match held || most > self.max_waiters {
            true => 0,
            false => narrow,
        }
    }

    /// The driver of a connection rests until this waker is woken, or looks again by itself if it is
    /// `awake`. Gives back a waker that is of no use any more, to be dropped once nothing is locked.
    #[must_use]
    pub(crate) fn handle_rest(&mut self, id: ConnId, waker: &Waker, awake: bool) -> Option<Waker> {
        self.connections.get(id)?.rest(waker, awake)
    }
}
