//! Collections of garbage, as publishers see them: which of them may have removed a content that a publisher counts on.
//!
//! *Problem:* A publisher reuses a content that no release has had for weeks; a collection that has read the manifests
//! before the new one was there removes it. S3 has no removal under the condition that nobody wants it. *Decision:* Each
//! announces itself before it looks at the other, so that one of the two sees the other (as in Dekker's algorithm, on a
//! store whose reads see all writes that were answered). A collection writes `sweeps/N`, reads the manifests, removes, and
//! writes `sweeps/N.done`. A publisher looks at `sweeps/`, finds out what lacks and puts it, claims its manifest, and looks
//! at `sweeps/` again. If that is as before and nothing is under way, no collection has begun since, and one that begins later
//! reads the manifest. Otherwise it waits until none is under way, looks at the contents again, and puts what lacks, before
//! any pointer names the release. A collection that was killed counts as under way for an [hour](ENDS_AFTER): it ends
//! itself after half of that by its own clocks ([`SWEEP_TIME`]); a request that is a quarter of an hour late on its way is
//! refused by the store because of its date; the last quarter is for clocks that differ, which the store does not allow to be
//! more. Whoever does not want to wait for that tells it to stop by `sweeps/N.stop`, and writes `sweeps/N.done` for it when
//! nothing of it can be under way any more; it looks before each removal whether it is still open
//! ([`gc`](super::gc)). *Cost:* Two listings of one page for each publishing, and two small objects for each collection. *What remains:* A
//! store that does not look at the dates of requests, and delivers one later than that.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::store::App;
use crate::error::Result;
use crate::step::Steps;

/// How long a collection removes anything, by its own clock.
pub(crate) const SWEEP_TIME: Duration = Duration::from_secs(30 * 60);
/// How long after its beginning nothing that a collection has sent can arrive any more.
pub(crate) const ENDS_AFTER: Duration = Duration::from_secs(60 * 60);

/// The first pause while one is under way, and the longest.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(100);
pub(super) const LAST_LOOK: Duration = Duration::from_secs(5);

/// Which collections there were at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sweeps {
    /// The number of the last one that has begun; 0 if there was none.
    pub(crate) last: u64,
    /// Those that may be under way, the one that may be so longest at the end.
    pub(crate) open: Vec<Waiting>,
    /// The numbers of those that were told to stop.
    stopped: Vec<u64>,
}

/// A collection of garbage whose end is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// Its number: it has begun by `sweeps/NUMBER.json`.
    pub sweep: u64,
    /// When it counts as ended at the latest, if it says nothing.
    pub until: SystemTime,
}

/// Who is told of waiting; nobody by default.
#[derive(Clone, Default)]
pub(crate) struct Waits(Option<WaitListener>);

type WaitListener = Arc<dyn Fn(Waiting) + Send + Sync>;

impl Waits {
    pub(crate) fn new(told: impl Fn(Waiting) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waits").field(&self.0.is_some()).finish()
    }
}

impl Sweeps {
    /// From the numbers and times of those that have begun, and the numbers of those that have ended, and were told to stop.
    fn of(
        begun: &[(u64, Option<SystemTime>)],
        ended: &[u64],
        stopped: Vec<u64>,
        now: SystemTime,
    ) -> Self {
        let open = begun.iter().filter(|(number, _)| !ended.contains(number));
        // A store that does not say when one began: it has just begun.
        let open = open.map(|(sweep, at)| Waiting {
            sweep: *sweep,
            until: at.unwrap_or(now) + ENDS_AFTER,
        });
        let mut open: Vec<Waiting> = open.filter(|open| open.until > now).collect();
        open.sort_unstable_by_key(|open| open.until);
        Self {
            last: begun.iter().map(|(number, _)| *number).max().unwrap_or(0),
            open,
            stopped,
        }
    }

    /// The one that may be under way longest, if any may.
    pub(crate) fn longest(&self) -> Option<Waiting> {
        self.open.last().copied()
    }

    /// Whether this one may be under way.
    pub(crate) fn is_open(&self, number: u64) -> bool {
        self.open.iter().any(|open| open.sweep == number)
    }

    /// Whether this one may go on: it is open, and was not told to stop.
    pub(crate) fn goes_on(&self, number: u64) -> bool {
        self.is_open(number) && !self.stopped.contains(&number)
    }

    /// Whether no collection can have missed a manifest that was stored between these two looks.
    pub(crate) fn none_between(before: &Self, after: &Self) -> bool {
        before.open.is_empty() && after.open.is_empty() && before.last == after.last
    }

    /// Waits until none is under way, and tells it before each pause.
    pub(crate) async fn quiet(app: &App, steps: &Steps, waits: &Waits) -> Result<Self> {
        let mut pause = FIRST_LOOK;
        loop {
            let sweeps = Self::look(app).await?;
            let Some(open) = sweeps.longest() else {
                return Ok(sweeps);
            };
            steps.tell("wait for", &app.layout.sweep(open.sweep));
            if let Some(told) = &waits.0 {
                told(open);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_LOOK);
        }
    }

    /// Asks the store, by one listing.
    pub(crate) async fn look(app: &App) -> Result<Self> {
        let layout = &app.layout;
        let (mut begun, mut ended, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
        let mut objects = app.bucket.list().prefix(layout.sweeps()).objects();
        while let Some(object) = objects.try_next().await? {
            if let Some(number) = layout.sweep_of(&object.key) {
                begun.push((number, object.last_modified));
            } else if let Some(number) = layout.sweep_end_of(&object.key) {
                ended.push(number);
            } else if let Some(number) = layout.sweep_stop_of(&object.key) {
                stopped.push(number);
            }
        }
        Ok(Self::of(&begun, &ended, stopped, SystemTime::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_under_way_until_it_has_ended_or_its_hour_is_over() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let ago = |minutes: u64| Some(now - Duration::from_secs(60 * minutes));
        let of = |begun: &[_], ended: &[_]| Sweeps::of(begun, ended, Vec::new(), now);
        let none = of(&[], &[]);
        assert_eq!(none, Sweeps::default());
        let ended = of(&[(6, ago(90)), (7, ago(10))], &[7]);
        assert_eq!((ended.last, ended.longest()), (7, None));
        let open = of(&[(9, ago(40)), (7, ago(59)), (8, ago(10))], &[8]);
        let waiting = |sweep, minutes: u64| Waiting {
            sweep,
            until: now + Duration::from_secs(60 * minutes),
        };
        assert_eq!(open.last, 9);
        assert_eq!(open.open, [waiting(7, 1), waiting(9, 20)]);
        assert_eq!(open.longest(), Some(waiting(9, 20)));
        assert!(of(&[(7, None)], &[]).longest().is_some());

        assert!(Sweeps::none_between(&none, &none) && Sweeps::none_between(&ended, &ended));
        // One has begun and ended in between; one is under way before, or after.
        assert!(!Sweeps::none_between(&none, &ended));
        let over = of(&[(9, ago(40))], &[9]);
        assert!(!Sweeps::none_between(&open, &over) && !Sweeps::none_between(&over, &open));
    }

    #[test]
    fn a_collection_goes_on_while_it_is_open_and_not_told_to_stop() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let ago = |minutes: u64| Some(now - Duration::from_secs(60 * minutes));
        let begun = [(5, ago(60)), (6, ago(5)), (7, ago(5)), (8, ago(5))];
        let sweeps = Sweeps::of(&begun, &[6], vec![6, 7], now);
        assert_eq!([6, 7, 8].map(|of| sweeps.is_open(of)), [false, true, true]);
        // Its hour is over; it has ended; it is to stop; it goes on; what it has announced is gone.
        let goes_on = [5, 6, 7, 8, 4].map(|of| sweeps.goes_on(of));
        assert_eq!(goes_on, [false, false, false, true, false]);
    }
}
