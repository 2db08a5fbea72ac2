//! One depth compared with another: which of the two is the better one, once that is clear.

use super::sample::Window;
use super::tail::Tail;
use super::tuning::Tuning;

/// Which other depth is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// The trial uses twice the usual depth.
    Up,
    /// Half of the usual one.
    Down,
}

/// How a trial came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TrialOutcome {
    /// The usual depth.
    pub(crate) depth: usize,
    pub(crate) trial: Trial,
    /// The depth tried is the better one.
    pub(crate) better: bool,
    /// Replies per second and connection at the depth tried.
    pub(crate) tried_rate: f64,
    /// Replies per second and connection at the usual depth.
    pub(crate) usual_rate: f64,
}

/// What is measured during a trial.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// The connection that tries another depth.
    pub(super) tried: Window,
    /// The others, or the time before the trial when there are no others.
    pub(super) control: Window,
}

impl Comparison {
    /// Whether the depth tried is the better one, once that is clear; when `overdue`, as far as can
    /// be told.
    pub(super) fn verdict(
        &self,
        trial: Trial,
        tail: &Tail,
        overdue: bool,
        tuning: &Tuning,
    ) -> Option<bool> {
        let (tried, control) = (&self.tried, &self.control);
        let both_have = |replies| tried.replies >= replies && control.replies >= replies;
        if !both_have(tuning.clear_replies) {
            return None;
        }
        let ratio = tried.rate() / control.rate();
        let known = tail.is_known(tuning);
        let few = !known || !both_have(tuning.enough_replies);
        let has_tail = control.late.max(tried.late).max(tail.late()) >= tuning.tail_late;
        let unclear = tuning.unclear_ratios.contains(&ratio);
        if few && !overdue && (has_tail || !known || unclear) {
            return None;
        }
        // The deeper side of the comparison is held to what the shallower one shows.
        let (deep, shallow) = match trial {
            Trial::Up => (tried, control),
            Trial::Down => (control, tried),
        };
        let expected = control.late_share() * tried.replies as f64;
        // What is plain early on need not wait for the full evidence.
        let late = tried.late as f64;
        let plain = trial == Trial::Up
            && (tried.late >= tuning.worse_tail_late && late > tuning.worse_tail_factor * expected
                || expected >= tuning.same_tail_expected && late <= expected);
        let evidence = expected >= tuning.tail_expected || tried.replies >= tuning.tail_replies;
        if has_tail && !(plain || evidence || overdue) {
            return None;
        }
        let worse = has_tail
            && deep.late >= tuning.tail_late
            && deep.late_share() > tuning.tail_tolerance * shallow.late_share();
        Some(match trial {
            Trial::Up => ratio >= tuning.min_gain && !worse,
            Trial::Down => ratio >= 1.0 / tuning.min_gain || worse,
        })
    }

    /// Begins to measure anew.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}
