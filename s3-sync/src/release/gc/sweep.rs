//! What a collection says of itself in the store: its number, whether it may still remove something, its end, and the end of
//! others that have not said theirs.
//!
//! *Problem:* Whoever takes over cannot see whether the process of the other collection is gone, and one whose machine has slept
//! may wake at any time, when publishers have long counted it as ended. *Decision:* A collection asks before each removal
//! whether it is still open, by the same listing that publishers look at: its announcement has to be there, without an end, not
//! told to stop, and not older than its hour. The answer is good for a short [time](ASKED_FOR), and so is the removal after it,
//! which is sent once. Whoever takes over tells others to stop, and waits for longer than both. *Cost:* One listing for each
//! 1,000 objects that go. *What remains:* A process that sleeps in the instants between this decision and the signature of the
//! removal.

use std::time::{Duration, Instant, SystemTime};

use super::super::store::{App, Created};
use super::super::sweeps::{FIRST_LOOK, LAST_LOOK, SWEEP_TIME, Sweeps};
use crate::error::{Error, Kind, Result};
use crate::step::Steps;

/// How long a removal may follow the question whether it is allowed.
const ASKED_FOR: Duration = Duration::from_secs(30);
/// How long a removal may take up to its answer.
pub(super) const REMOVAL_TIME: Duration = Duration::from_secs(30);
/// The least time after which a collection that was told to stop counts as ended: that of the question and of the removal, and
/// as much again for what is still on its way.
pub(super) const LEAST_TAKE_OVER: Duration = Duration::from_secs(120);

/// A collection that has announced itself.
#[derive(Debug)]
pub(super) struct Sweep {
    app: App,
    steps: Steps,
    number: u64,
    begun: Moment,
}

/// A moment by both clocks of a machine: one of them may stand still while the machine sleeps, and the other may be set.
#[derive(Clone, Copy, Debug)]
struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

/// What a collection does that has asked whether it is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It removes something.
    Remove,
    /// The answer is too old to act on it.
    AskAgain,
    /// Its time is over.
    End,
    /// Another one has taken over.
    Stop,
}

impl Moment {
    fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// How much later another moment is, by the clock that says more.
    fn until(&self, later: &Self) -> Duration {
        let monotonic = later.monotonic.saturating_duration_since(self.monotonic);
        let wall = later.wall.duration_since(self.wall);
        monotonic.max(wall.unwrap_or_default())
    }
}

/// What follows for a collection from the answer to its question.
fn next(begun: &Moment, asked: &Moment, now: &Moment, is_open: bool) -> Next {
    if begun.until(now) >= SWEEP_TIME {
        Next::End
    } else if !is_open {
        Next::Stop
    } else if asked.until(now) >= ASKED_FOR {
        Next::AskAgain
    } else {
        Next::Remove
    }
}

impl Sweep {
    /// Claims the number of a collection, before anything is read that it decides on.
    pub(super) async fn announce(app: &App, steps: &Steps) -> Result<Self> {
        let begun = Moment::now();
        let sweeps = Sweeps::look(app).await?;
        let layout = &app.layout;
        let number = sweeps.last.checked_add(1).ok_or_else(|| {
            let what = "this number is the last that there is, and the next collection has none";
            Error::new(Kind::Content, layout.sweep(sweeps.last), what)
        })?;
        let key = layout.sweep(number);
        let other = |what: String| Err(Error::new(Kind::Guard, &key, what));
        if let Some(open) = sweeps.longest() {
            let left = open.until.duration_since(SystemTime::now());
            let (of, left) = (layout.sweep(open.sweep), left.unwrap_or_default().as_secs());
            return other(format!(
                "another collection is under way, or was killed: {of} counts as ended in {left} s; `release gc --end-only` \
                 ends it"
            ));
        }
        steps.tell("claim", &key);
        match app.create(&key, "{}").await? {
            Created::Done => Ok(Self {
                app: app.clone(),
                steps: steps.clone(),
                number,
                begun,
            }),
            Created::Taken => other("another collection has just begun".to_owned()),
            // It may be there: then it counts as under way for its time.
            Created::Lost(error) => Err(error),
        }
    }

    /// Whether something may be removed at this moment; not when the time is over.
    ///
    /// # Errors
    /// When another collection has taken over.
    pub(super) async fn may_remove(&self) -> Result<bool> {
        loop {
            let asked = Moment::now();
            let is_open = Sweeps::look(&self.app).await?.goes_on(self.number);
            match next(&self.begun, &asked, &Moment::now(), is_open) {
                Next::Remove => return Ok(true),
                Next::AskAgain => {}
                Next::End => return Ok(false),
                Next::Stop => {
                    let what = "another collection has taken over: this one stops";
                    let about = self.app.layout.sweep(self.number);
                    return Err(Error::new(Kind::Guard, about, what));
                }
            }
        }
    }

    /// Says that it has ended, and removes what is there of those before.
    pub(super) async fn end(&self) -> Result<()> {
        let layout = &self.app.layout;
        let key = layout.sweep_end(self.number);
        self.steps.tell("put", &key);
        self.app.put(&key, "{}").await?;
        let keys = self.app.keys(layout.sweeps(), None).await?;
        let first = layout.sweep(self.number);
        let old: Vec<String> = keys
            .into_iter()
            .filter(|other| *other < first && *other < key)
            .collect();
        if !old.is_empty() {
            self.steps.tell("remove", &old[0]);
            self.app.bucket.delete_many(old).send().await?;
        }
        Ok(())
    }
}

/// Tells the collections that have not ended to stop, and says after this time that those have ended which have not said so
/// themselves. One that begins meanwhile is none of them. The answer is the numbers of all that were told.
pub(super) async fn end_others(app: &App, steps: &Steps, after: Duration) -> Result<Vec<u64>> {
    let layout = &app.layout;
    let open = Sweeps::look(app).await?.open;
    let others: Vec<u64> = open.iter().map(|other| other.sweep).collect();
    for number in &others {
        let stop = layout.sweep_stop(*number);
        steps.tell("put", &stop);
        app.put(&stop, "{}").await?;
    }
    let told = Instant::now();
    let (mut left, mut pause) = (others.clone(), FIRST_LOOK);
    while !left.is_empty() {
        let rest = after.saturating_sub(told.elapsed());
        if rest.is_zero() {
            break;
        }
        tokio::time::sleep(pause.min(rest)).await;
        pause = (pause * 2).min(LAST_LOOK);
        let sweeps = Sweeps::look(app).await?;
        left.retain(|number| sweeps.is_open(*number));
    }
    for number in left {
        let end = layout.sweep_end(number);
        steps.tell("put", &end);
        app.put(&end, "{}").await?;
    }
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn later(moment: &Moment, monotonic: Duration, wall: Duration) -> Moment {
        Moment {
            monotonic: moment.monotonic + monotonic,
            wall: moment.wall + wall,
        }
    }

    #[test]
    fn a_collection_removes_something_only_soon_after_it_has_found_itself_open() {
        let begun = Moment::now();
        let asked = later(&begun, SECOND * 60, SECOND * 60);
        let after = |seconds| later(&asked, SECOND * seconds, SECOND * seconds);
        assert_eq!(next(&begun, &asked, &after(29), true), Next::Remove);
        assert_eq!(next(&begun, &asked, &after(30), true), Next::AskAgain);
        for seconds in [0, 29, 30] {
            assert_eq!(next(&begun, &asked, &after(seconds), false), Next::Stop);
        }
        for is_open in [true, false] {
            assert_eq!(next(&begun, &asked, &after(1740), is_open), Next::End);
        }
    }

    /// The clock of a machine that sleeps stands still on Linux, and the other one may be set back.
    #[test]
    fn time_passes_by_the_clock_that_says_more() {
        let begun = Moment::now();
        let woken = later(&begun, SECOND, SECOND * 7200);
        assert_eq!(next(&begun, &begun, &woken, true), Next::End);
        let slept = later(&begun, SECOND, SECOND * 60);
        assert_eq!(next(&begun, &begun, &slept, true), Next::AskAgain);
        let mut set_back = later(&begun, SECOND * 40, Duration::ZERO);
        set_back.wall -= SECOND * 3600;
        assert_eq!(next(&begun, &begun, &set_back, true), Next::AskAgain);
    }

    #[test]
    fn whoever_takes_over_waits_for_longer_than_a_question_and_a_removal() {
        assert!(LEAST_TAKE_OVER >= (ASKED_FOR + REMOVAL_TIME) * 2);
    }
}
