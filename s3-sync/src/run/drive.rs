//! The task of the runtime that has the requests under way.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use super::ledger::{Later, Ledger, Settled};
use super::moves::{Did, Done, Mover};
use super::outlet::{Note, Outlet, Pace};
use super::readers::{self, start_thread};
use super::report::{Action, Event, Listener, Report};
use super::task::{Direction, Task, TaskStep};
use crate::error::{Error, Kind, Result};
use crate::plan::compare::is_guess;
use crate::plan::guard::Counts;
use crate::plan::price;
use crate::record::Record;
use crate::tree::Met;

/// How many batches wait for them, and for the requests.
const BATCHES: usize = 4;
/// How often the progress is told, and after how many files.
const TICK: std::time::Duration = std::time::Duration::from_millis(200);
const TELL_EVERY: u64 = 64;

/// What is common to the phases of a run.
pub(crate) struct Drive<'l> {
    pub(crate) mover: Mover,
    pub(crate) concurrency: usize,
    pub(crate) read_only: bool,
    pub(crate) report: Report,
    pub(crate) counts: Counts,
    pub(crate) listener: &'l mut Listener<'l>,
    /// Whether the index would be another than the one that was read.
    pub(crate) index_changed: bool,
    pub(crate) state_changed: bool,
    /// What is to be moved or deleted after all else.
    pub(crate) later: Later,
    pub(crate) has_last: bool,
    /// Whether no file or object of the source was met, left out or not.
    pub(crate) source_is_empty: bool,
    /// What could not be moved since something is in the way that may be deleted.
    pub(crate) blocked: Vec<(Task, Error)>,
    told: u64,
}

impl<'l> Drive<'l> {
    pub(crate) fn new(
        mover: Mover,
        concurrency: usize,
        read_only: bool,
        listener: &'l mut Listener<'l>,
    ) -> Result<Self> {
        Ok(Self {
            mover,
            concurrency,
            read_only,
            report: Report::default(),
            counts: Counts::default(),
            listener,
            index_changed: false,
            state_changed: false,
            later: Later::new().map_err(|cause| spooling(&cause))?,
            has_last: false,
            source_is_empty: true,
            blocked: Vec::new(),
            told: 0,
        })
    }

    /// Does what a thread makes tasks of, to the end; the records are in the order of keys.
    pub(crate) async fn pipeline<P>(
        &mut self,
        prepare: impl Fn() -> P,
        gather: impl FnOnce(Outlet) + Send + 'static,
    ) -> Result<std::fs::File>
    where
        P: FnMut(&mut Task) + Send + 'static,
    {
        let pace = Arc::new(Pace::default());
        let _over = Over(pace.clone());
        let (ready, mut taken) = mpsc::channel(BATCHES);
        let (notes, mut noted) = mpsc::unbounded_channel();
        let (batches, waiting) = sync_channel::<Vec<Task>>(BATCHES);
        readers::start(prepare, waiting, ready)?;
        let outlet = Outlet::new(batches, notes, pace.clone());
        let (end, ended) = oneshot::channel();
        start_thread("s3-sync compares", move || {
            gather(outlet);
            let _nobody_waits = end.send(());
        })?;

        let mut ledger = Ledger::new().map_err(|cause| spooling(&cause))?;
        let mut running = FuturesUnordered::new();
        let mut queue = VecDeque::new();
        let (mut open, mut listening) = (true, true);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            while running.len() < self.concurrency
                && let Some(task) = queue.pop_front()
            {
                if let Some(task) = self.begin(task, &mut ledger)? {
                    running.push(self.mover.start(task));
                }
            }
            pace.set(ledger.first());
            if running.is_empty() && !open && !listening {
                break;
            }
            tokio::select! {
                biased;
                note = noted.recv(), if listening => match note {
                    Some(note) => self.note(note)?,
                    None => listening = false,
                },
                _ = ticks.tick() => self.progress()?,
                // Before what has ended, so that there is always something under way.
                batch = taken.recv(), if open && running.len() < self.concurrency => match batch {
                    Some(batch) => queue.extend(batch),
                    None => open = false,
                },
                Some(done) = running.next(), if !running.is_empty() => self.end(done, &mut ledger)?,
            }
        }
        // That no more tasks come is their end only if the comparison has come to its own.
        if ended.await.is_err() {
            let what = "a defect of this program broke off the comparison";
            return Err(Error::new(Kind::Defect, "", what));
        }
        self.progress()?;
        ledger.finish().map_err(|cause| spooling(&cause))
    }

    fn tell(&mut self, event: Event<'_>) -> Result<()> {
        match (self.listener)(event) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::new(Kind::Stopped, "", "it was broken off")),
        }
    }

    fn progress(&mut self) -> Result<()> {
        let mut report = self.report.clone();
        report.bytes += self.mover.under_way.bytes();
        self.tell(Event::Progress(&report))
    }

    pub(crate) fn fail(&mut self, error: &Error) -> Result<()> {
        self.report.failed += 1;
        self.counts.failures += 1;
        self.tell(Event::Failed(error))
    }

    pub(crate) fn did(&mut self, action: Action, key: &str, size: u64) -> Result<()> {
        let report = &mut self.report;
        match action {
            Action::Delete => report.deleted += 1,
            _ => {
                report.moved += 1;
                report.bytes += size;
            }
        }
        let price = &mut report.price;
        match action {
            Action::Upload => {
                price.puts += price::puts(size);
                price.bytes_up += size;
            }
            Action::Copy => price.puts += 1,
            Action::Download => {
                price.gets += 1;
                price.bytes_down += size;
            }
            Action::Delete => {}
        }
        self.tell(Event::Did { action, key, size })?;
        self.told += 1;
        match self.told.is_multiple_of(TELL_EVERY) {
            true => self.progress(),
            false => Ok(()),
        }
    }

    pub(crate) fn warn(&mut self, warning: &str) -> Result<()> {
        self.tell(Event::Warning(warning))
    }

    fn note(&mut self, note: Note) -> Result<()> {
        match note {
            Note::Met(Met::Failed(error)) => self.fail(&error),
            Note::Met(Met::Skipped(skipped)) => {
                self.report.skipped += 1;
                self.tell(Event::Skipped(&skipped))
            }
            Note::Warning(warning) => self.warn(&warning),
            Note::Fatal(error) => Err(error),
            Note::Ended { index, state } => {
                self.index_changed |= index;
                self.state_changed |= state;
                Ok(())
            }
        }
    }

    /// Counts a task, and settles it if nothing is to be asked of the store.
    fn begin(&mut self, task: Task, ledger: &mut Ledger) -> Result<Option<Task>> {
        let direction = self.mover.direction;
        let number = task.number;
        self.report.seen += 1;
        let (in_source, in_target) = task.sides(direction);
        self.source_is_empty &= !in_source;
        if !matches!(task.step, TaskStep::Pass) {
            self.counts.source += u64::from(in_source);
            self.counts.target += u64::from(in_target);
        }
        let settled = match &task.step {
            TaskStep::Same => {
                self.report.same += 1;
                self.level(&task).into()
            }
            TaskStep::Pass => task.unchanged(direction).into(),
            TaskStep::Keep if self.mover.verify => {
                self.would_move(&task)?;
                task.unchanged(direction).into()
            }
            TaskStep::Keep => {
                self.report.kept += 1;
                task.unchanged(direction).into()
            }
            TaskStep::Delete => {
                self.counts.deletes += 1;
                Settled::Delete(task.to_delete(direction))
            }
            TaskStep::Last => {
                self.has_last = true;
                self.expect(&task);
                Settled::Last(task.to_repeat())
            }
            TaskStep::Failed(error) => {
                let error = error.clone();
                self.fail(&error)?;
                task.unchanged(direction).into()
            }
            TaskStep::Move if self.read_only => {
                self.would_move(&task)?;
                task.unchanged(direction).into()
            }
            TaskStep::Move | TaskStep::ReadFile(_) | TaskStep::ReadObject | TaskStep::Verify => {
                self.expect(&task);
                return Ok(Some(task));
            }
        };
        self.settle(number, settled, ledger)?;
        Ok(None)
    }

    fn expect(&mut self, task: &Task) {
        self.report.to_move += 1;
        self.report.bytes_to_move += task.size(self.mover.direction);
    }

    fn would_move(&mut self, task: &Task) -> Result<()> {
        let direction = self.mover.direction;
        if self.mover.verify {
            self.report.different += 1;
            let what = match task.sides(direction) {
                (true, true) => "size",
                (true, false) => "only in the source",
                (false, _) => "only in the target",
            };
            let key = &*task.key;
            return self.tell(Event::Differs { key, what });
        }
        self.did(direction.action(), &task.key, task.size(direction))
    }

    /// What is known of a key that is the same on both sides.
    fn level(&mut self, task: &Task) -> Option<Record> {
        let record = match self.mover.direction {
            Direction::Copy => return task.unchanged(Direction::Copy),
            Direction::Up => {
                let object = task.object.as_ref()?;
                // Others read the index, and must not take a guess for knowledge: what has no tag is not written there.
                let etag = match is_guess(&object.facts(), self.mover.store.options.trust) {
                    true => "",
                    false => &object.etag,
                };
                task.file_record(etag)
            }
            Direction::Down => task.file_record(""),
        };
        self.state_changed |= task.has_news();
        if let (Some(record), Some(object), Direction::Up) =
            (&record, &task.object, self.mover.direction)
            && !record.etag.is_empty()
        {
            self.index_changed |= object.record().is_none_or(|old| {
                (old.sha, old.stamp.mtime, old.mode)
                    != (record.sha, record.stamp.mtime, record.mode)
            });
        }
        record
    }

    fn end(&mut self, done: Done, ledger: &mut Ledger) -> Result<()> {
        let Done { task, did } = done;
        let direction = self.mover.direction;
        let number = task.number;
        let settled = match did {
            Did::Same => {
                self.report.same += 1;
                self.level(&task).into()
            }
            Did::Later => {
                self.has_last = true;
                Settled::Last(task.to_repeat())
            }
            Did::Moved(record) => {
                self.index_changed = true;
                self.state_changed |= task.has_news();
                self.did(direction.action(), &task.key, task.size(direction))?;
                record.into()
            }
            Did::Differs if self.mover.verify => {
                self.report.different += 1;
                self.tell(Event::Differs {
                    key: &task.key,
                    what: "content",
                })?;
                task.unchanged(direction).into()
            }
            Did::Differs => {
                self.would_move(&task)?;
                task.unchanged(direction).into()
            }
            Did::InTheWay(error) => {
                let settled = task.unchanged(direction).into();
                self.blocked.push((task, error));
                settled
            }
            // Nobody writes any more, and what is still to come would be fetched in vain.
            Did::Failed(error) if error.kind() == Kind::Defect => {
                return Err(error.or_about(&task.key));
            }
            Did::Failed(error) => {
                self.fail(&error.or_about(&task.key))?;
                task.unchanged(direction).into()
            }
        };
        self.settle(number, settled, ledger)
    }

    fn settle(&mut self, number: u64, settled: Settled, ledger: &mut Ledger) -> Result<()> {
        ledger
            .settle(number, settled, &mut self.later)
            .map_err(|cause| spooling(&cause))
    }
}

/// Lets those go that wait for the run, when it is over.
struct Over(Arc<Pace>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.set(u64::MAX);
    }
}

pub(crate) fn spooling(cause: &std::io::Error) -> Error {
    Error::file("write", &std::env::temp_dir(), cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::options::Options;
    use crate::run::store::Store;
    use crate::step::Steps;
    use crate::tree::Tree;
    use s3_client::{Credentials, S3Client};

    fn mover() -> Mover {
        let client = S3Client::builder()
            .endpoint("http://127.0.0.1:1")
            .credentials(Credentials::new("key", "secret"))
            .build();
        Mover {
            direction: Direction::Up,
            tree: Tree::new(std::path::Path::new("")),
            store: Store {
                bucket: client.unwrap().bucket("bucket"),
                url: "s3://bucket/p".parse().unwrap(),
                options: Arc::new(Options::default()),
                steps: Steps::default(),
            },
            from: None,
            writer: None,
            verify: false,
            read_only: false,
            large: Mover::large(),
            under_way: Default::default(),
        }
    }

    #[tokio::test]
    async fn a_comparison_that_breaks_off_is_no_end() {
        let mut listener = |_: Event<'_>| ControlFlow::Continue(());
        let mut drive = Drive::new(mover(), 1, false, &mut listener).unwrap();
        let idle = || |_: &mut Task| ();
        let ended = drive.pipeline(idle, |mut outlet| {
            outlet.flush();
        });
        assert!(ended.await.is_ok());
        let broken = drive.pipeline(idle, |_outlet| panic!("on purpose"));
        assert_eq!(broken.await.unwrap_err().kind(), Kind::Defect);
    }

    #[tokio::test]
    async fn a_panic_while_a_file_is_read_fails_with_its_name_and_nothing_is_lost() {
        let mut failed = Vec::new();
        let mut listener = |event: Event<'_>| {
            if let Event::Failed(error) = event {
                failed.push((error.kind(), error.to_string()));
            }
            ControlFlow::Continue(())
        };
        let mut drive = Drive::new(mover(), 1, false, &mut listener).unwrap();
        let panics = || {
            |task: &mut Task| match &*task.key {
                "0070" => panic!("on purpose"),
                "0170" => panic!("on purpose, in {}", task.key),
                _ => {}
            }
        };
        // Several batches, more than there are threads.
        let done = drive.pipeline(panics, |mut outlet| {
            for number in 0..300 {
                let record = Record::of_key(&format!("{number:04}"));
                let mut task = Task::repeated(record, Direction::Up);
                task.step = TaskStep::Same;
                assert!(outlet.send(task));
            }
            outlet.flush();
        });
        done.await.unwrap();
        let (report, failures) = (drive.report.clone(), drive.counts.failures);
        drop(drive);
        assert_eq!((report.seen, report.same, report.failed), (300, 298, 2));
        // The guard that deletes nothing after a failure counts them.
        assert_eq!(failures, 2);
        failed.sort_unstable_by(|a, b| a.1.cmp(&b.1));
        let [(kind, first), (_, second)] = &failed[..] else {
            panic!("{failed:?}");
        };
        assert_eq!(*kind, Kind::Defect);
        assert!(
            first.starts_with("0070: ") && first.ends_with(": on purpose"),
            "{first}"
        );
        assert!(second.ends_with(": on purpose, in 0170"), "{second}");
    }
}
