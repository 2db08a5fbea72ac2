//! How a run of the world ends.

use std::task::Waker;
use std::time::Duration;

use super::World;
use super::events::{Happening, Manner};
use super::link::Cut;

/// What is left at the end of a run is done within this time, when all servers answer.
const LAST_TIME: Duration = Duration::from_secs(8);

impl World {
    /// From now on all goes well: connections open, servers answer, readers read, sources give.
    pub(super) fn heal(&mut self) {
        self.healed = true;
        for record in &self.records {
            let Some(source) = &record.source else {
                continue;
            };
            let mut source = source.lock().unwrap();
            source.ready = source.left;
            source.waker.take().into_iter().for_each(Waker::wake);
        }
        for link in 0..self.links.len() {
            let Some(open) = &mut self.links[link].open else {
                continue;
            };
            open.window = usize::MAX / 2;
            open.manner = Manner::AtOnce;
            open.answers.clear();
            if open.mute {
                open.cut.get_or_insert(Cut::Closed);
            }
            {
                let mut side = open.side();
                side.paused = false;
                side.reader.take().into_iter().for_each(Waker::wake);
            }
            open.deliver(usize::MAX);
            open.flag.raise();
        }
        let steps = LAST_TIME.as_millis() / 20;
        for _ in 0..steps {
            while let Some(link) = self.nth_opening(0) {
                self.dialed(link, Manner::AtOnce);
            }
            self.step(Happening::Pass(20));
            if self.violation.is_some() || self.records.iter().all(|r| r.caller.is_none()) {
                break;
            }
        }
        self.check_over();
    }

    /// All endpoints are given up: callers hear of it at once.
    pub(super) fn abort(&mut self) {
        for site in 0..self.sites.len() {
            self.sites[site].aborted = true;
            self.sites[site].scheduler.handle_abort();
            self.unlock(site);
        }
        self.run();
        self.check_over();
    }

    /// All endpoints are closed: every connection ends, and all permits come back.
    pub(super) fn close(&mut self) {
        for site in 0..self.sites.len() {
            self.sites[site].scheduler.handle_retirement(true);
            self.unlock(site);
        }
        self.run();
        while let Some(link) = self.nth_opening(0) {
            self.dialed(link, Manner::AtOnce);
            self.run();
        }
        // Answers that nobody waits for are under way still.
        self.pass(LAST_TIME);
        let extra = self.extra.len();
        if self.violation.is_none() && (self.links.len(), self.permits.used().0) != (0, extra) {
            self.fail(format!("{} connections are left", self.links.len()));
        }
    }
}
