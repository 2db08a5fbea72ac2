//! What is worth a trial, and when a width is taken back without one.

use std::time::Instant;

use crate::engine::core::depth::sample::Window;
use crate::engine::core::depth::{DepthControl, Load, Setting, Stage, Trial, Trying, Width};

impl DepthControl {
    /// Chooses what to try where callers get what was `seen`.
    pub(super) fn choose(&mut self, seen: &Window, load: Load, now: Instant) {
        let few = self.tuning.few_stuck * load.connections as f64;
        if self.setting.width == Width::Wide && seen.stuck() < few {
            self.setting.width = Width::Usual;
        }
        let of = |trial: Trial| {
            let per_connection = seen.in_flight() / load.connections.max(1) as f64;
            trial.of(self.setting, per_connection, self.max, self.tuning)
        };
        let worth = |trial: &Trial| {
            !self.wrong[*trial as usize]
                && of(*trial) != self.setting
                && self.is_worth(*trial, of(*trial), seen, load, now)
        };
        let Some(trial) = Trial::ALL.into_iter().find(worth) else {
            return self.rest(seen, now);
        };
        let setting = of(trial);
        self.stage = Stage::Trying(Trying {
            trial,
            setting,
            opened_by: now + self.tuning.longest_turn,
            on: !trial.is_of_rate(),
            turns: 0,
            usual: match trial.is_of_rate() {
                // What was seen may be of too short a time.
                true => Window::default(),
                false => *seen,
            },
            tried: Window::default(),
        });
        self.begin_trial_turn(trial, seen, now);
    }

    fn is_worth(
        &self,
        trial: Trial,
        setting: Setting,
        seen: &Window,
        load: Load,
        now: Instant,
    ) -> bool {
        let tuning = self.tuning;
        let full = (load.connections * self.setting.depth) as f64;
        let quick = seen.rate() >= tuning.min_packed_rate;
        let unproven = self.proven_until.is_none_or(|until| until <= now);
        let used = seen.in_flight() + seen.waiting() > full / 2.0;
        let narrow = self.setting.width == Width::Narrow;
        match trial {
            Trial::Wide => {
                let connections = load.connections as f64;
                let behind = seen.in_flight() + seen.waiting() - connections;
                load.can_widen
                    && !narrow
                    && seen.stuck() > tuning.many_stuck * connections
                    && behind > tuning.min_waiting * connections
            }
            Trial::Deeper => seen.waiting() > tuning.min_waiting * full,
            Trial::Packed => {
                // Where some are slow, about so many times as many would be.
                let times = setting.pack as f64 * load.connections as f64 / seen.in_flight();
                let slow = seen.slow_share() * times.max(1.0);
                quick
                    && !narrow
                    && seen.stuck() <= tuning.many_stuck * load.connections as f64
                    && seen.in_flight() > self.setting.pack as f64
                    && slow <= tuning.tail_shares.start
            }
            // The connections of a narrow setting are always full: it is given up before another depth is tried.
            Trial::Shallower => unproven && used && !narrow,
            Trial::Spread => unproven && quick && !narrow,
            Trial::Narrow => quick && self.is_narrow_worth(seen, load, now),
            Trial::BackToUsual => unproven && narrow,
        }
    }

    /// Whether fewer connections are worth a trial where the cost of each reply is felt.
    fn is_narrow_worth(&self, seen: &Window, load: Load, now: Instant) -> bool {
        let tuning = self.tuning;
        let Setting { depth, pack, width } = self.setting;
        let connections = load.connections as f64;
        let most = (load.narrow * self.max) as f64;
        let full = seen.in_flight() >= connections * depth as f64 / 2.0;
        // A late reply would hold up so many times as large a share of all.
        let slow = seen.slow_share() * connections / load.narrow.max(1) as f64;
        width == Width::Usual
            && most >= tuning.min_narrow
            && (full || pack == self.max)
            && seen.in_flight() >= tuning.narrow_load * most
            && seen.stuck() <= tuning.few_stuck * connections
            && slow <= tuning.tail_shares.start
            && most >= tuning.narrow_rate * seen.rate() * self.quickest
            && self.narrow_not_before.is_none_or(|from| from <= now)
    }

    /// Counts the turns in a row in which nothing is left of what made a narrow setting worth a trial,
    /// after this one in which callers got what was `seen`.
    pub(super) fn count_turns_without_need(&mut self, seen: &Window, load: Load) {
        let tuning = self.tuning;
        let most = (load.narrow * self.setting.depth) as f64;
        let needed = self.setting.width != Width::Narrow
            || load.narrow > 0
                && seen.rate() >= tuning.min_packed_rate
                && seen.in_flight() + seen.waiting() >= most
                && seen.stuck() <= tuning.many_stuck * load.connections as f64;
        self.turns_without_need = if needed {
            0
        } else {
            self.turns_without_need + 1
        };
    }

    /// Requests begin to wait.
    pub(crate) fn note_waiting(&mut self, now: Instant) {
        self.silent_since = Some(now);
    }

    /// When a narrow setting that is in use is to be left, if requests wait and no reply comes until then.
    pub(crate) fn narrow_until(&self) -> Option<Instant> {
        let is_narrow = self.setting().width == Width::Narrow;
        let since = self.silent_since.filter(|_| is_narrow)?;
        Some(since + self.tuning.longest_turn)
    }

    /// Leaves the narrow setting that is in use, as its connections serve nobody.
    pub(crate) fn leave_narrow(&mut self, now: Instant) {
        self.setting.width = Width::Usual;
        self.narrow_not_before = Some(now + self.tuning.narrow_rest);
        self.changed = true;
        self.rest(&Window::default(), now);
    }
}

#[cfg(test)]
mod tests;
