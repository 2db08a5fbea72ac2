//! One setting compared with another: which of the two is the better one for callers.

use super::sample::Window;
use super::setting::{Setting, Width};
use super::tuning::Tuning;

/// Which other setting is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// The trial uses more connections than are usual.
    Wide,
    /// The trial uses a few times the usual depth.
    Deeper,
    /// The trial uses half of the usual depth.
    Shallower,
    /// A connection gets a few times as many requests before another one is used.
    Packed,
    /// A connection gets a part of them.
    Spread,
    /// The trial uses fewer connections than are usual, as deep as they may be.
    Narrow,
    /// The trial uses the usual number of connections, while a narrow setting is in use.
    BackToUsual,
}

impl Trial {
    /// All trials, in the order in which they are made.
    pub(super) const ALL: [Self; 7] = [
        Self::Wide,
        Self::Deeper,
        Self::Shallower,
        Self::Packed,
        Self::Spread,
        Self::Narrow,
        Self::BackToUsual,
    ];

    /// Whether a late reply holds up more requests by it than now.
    pub(super) fn is_upward(self) -> bool {
        matches!(self, Self::Deeper | Self::Packed | Self::Narrow)
    }

    /// Whether connections are opened for it.
    pub(super) fn opens(self) -> bool {
        matches!(self, Self::Wide | Self::BackToUsual)
    }

    /// Whether replies per second decide, and not the response time.
    pub(super) fn is_of_rate(self) -> bool {
        matches!(self, Self::Narrow | Self::BackToUsual)
    }

    /// How often this setting and the usual one take turns at most. Connections that were opened for a
    /// trial, or closed, are not closed and opened again for another turn of it.
    pub(super) fn most_turns(self, tuning: &Tuning) -> u32 {
        match self {
            Self::Wide | Self::Narrow | Self::BackToUsual => 1,
            _ => tuning.most_turns,
        }
    }

    /// What is tried where this is in use, and connections have so many requests each.
    pub(super) fn of(self, now: Setting, load: f64, max: usize, tuning: &Tuning) -> Setting {
        let Setting { depth, pack, .. } = now;
        match self {
            Self::Wide => now.with(Width::Wide),
            Self::Narrow => Setting {
                depth: max,
                width: Width::Narrow,
                ..now
            },
            Self::BackToUsual => now.with(Width::Usual),
            Self::Deeper => Setting {
                depth: (depth * tuning.steps_up).min(max),
                ..now
            },
            Self::Shallower => Setting {
                depth: (depth / 2).max(1),
                pack: pack.min((depth / 2).max(1)),
                ..now
            },
            Self::Packed => {
                let pack = (pack.max(load.round() as usize) * tuning.steps_up).min(max);
                Setting {
                    depth: depth.max(pack),
                    pack,
                    ..now
                }
            }
            Self::Spread => Setting {
                pack: (pack / tuning.steps_up).max(1),
                ..now
            },
        }
    }

    /// Whether what was tried is better for callers than what is usual, once that is clear; after
    /// the `last` turn in any case.
    pub(super) fn verdict(
        self,
        usual: &Window,
        tried: &Window,
        last: bool,
        tuning: &Tuning,
    ) -> Option<bool> {
        let gain = match self.is_of_rate() {
            // The usual setting has its turn first.
            true if tried.heard == 0 => return None,
            true => tried.rate_without_pauses() / usual.rate_without_pauses().max(1e-9),
            false => usual.response() / tried.response().max(1e-9),
        };
        let (deep, shallow) = match self.is_upward() {
            true => (tried, usual),
            false => (usual, tried),
        };
        let longer_tail = has_longer_tail(deep, shallow, tuning);
        let needed = match (self, longer_tail) {
            (Self::Wide, _) | (Self::Deeper, false) => tuning.min_gain,
            (Self::Deeper, true) => tuning.min_gain_for_tail,
            (Self::Packed | Self::Narrow, false) => tuning.min_gain,
            (Self::Packed | Self::Narrow, true) => f64::INFINITY,
            (Self::Shallower | Self::Spread | Self::BackToUsual, false) => tuning.max_loss,
            (Self::Shallower, true) => tuning.max_loss_for_tail,
            (Self::Spread | Self::BackToUsual, true) => 0.0,
        };
        let clear = gain > needed * tuning.clear_gain || gain < needed * tuning.clear_miss;
        (clear || last).then_some(gain >= needed)
    }
}

/// Whether the 99th percentile is that of a slow caller where requests stand behind one another, and
/// is not where they do not.
fn has_longer_tail(deep: &Window, shallow: &Window, tuning: &Tuning) -> bool {
    let share = &tuning.tail_shares;
    deep.slow >= tuning.tail_slow
        && deep.slow_share() > share.start
        && shallow.slow_share() < share.end
        && deep.slow_share() > tuning.tail_tolerance * shallow.slow_share()
}

/// How a trial came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TrialOutcome {
    /// The setting that was in use before the trial.
    pub(crate) present: Setting,
    /// The setting that was tried.
    pub(crate) tried: Setting,
    /// The setting tried is the better one, and is in use from now on.
    pub(crate) better: bool,
    /// The mean response time with the setting in use before, in seconds.
    pub(crate) present_response: f64,
    /// The mean response time with the setting tried, in seconds.
    pub(crate) tried_response: f64,
    /// Replies per second with the setting in use before, without the time in which all callers paused.
    pub(crate) present_rate: f64,
    /// The same with the setting tried.
    pub(crate) tried_rate: f64,
}
