//! The task of the runtime that has the requests under way.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::content::FileReader;
use super::ledger::{Ledger, Settled};
use super::moves::{Did, Done, Mover};
use super::outlet::{Note, Outlet, Pace};
use super::report::{Action, Event, Listener, Report};
use super::task::{Direction, Task, TaskStep};
use crate::error::{Error, Kind, Result};
use crate::plan::guard::Counts;
use crate::record::{Record, Writer};
use crate::tree::Met;

/// How many threads read files.
const READERS: usize = 2;
/// How many batches wait for them, and for the requests.
const BATCHES: usize = 4;
/// After so many files the progress is told.
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
    /// What is to be deleted.
    pub(crate) deletes: Writer,
    /// What is to be moved after all else.
    pub(crate) last: Writer,
    pub(crate) has_last: bool,
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
        let spool = || {
            tempfile::tempfile()
                .map(Writer::new)
                .map_err(|cause| spooling(&cause))
        };
        Ok(Self {
            mover,
            concurrency,
            read_only,
            report: Report::default(),
            counts: Counts::default(),
            listener,
            index_changed: false,
            state_changed: false,
            deletes: spool()?,
            last: spool()?,
            has_last: false,
            blocked: Vec::new(),
            told: 0,
        })
    }

    /// Does what a thread makes tasks of, to the end; the records are in the order of keys.
    pub(crate) async fn pipeline(
        &mut self,
        reader: impl Fn() -> FileReader,
        gather: impl FnOnce(Outlet) + Send + 'static,
    ) -> Result<std::fs::File> {
        let pace = Arc::new(Pace::default());
        let _over = Over(pace.clone());
        let (ready, mut taken) = mpsc::channel(BATCHES);
        let (notes, mut noted) = mpsc::unbounded_channel();
        let (batches, waiting) = sync_channel::<Vec<Task>>(BATCHES);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..READERS {
            let (waiting, ready, mut reader) = (waiting.clone(), ready.clone(), reader());
            start("s3-sync reads", move || {
                loop {
                    let batch = waiting
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .recv();
                    let Ok(mut batch) = batch else { return };
                    batch.iter_mut().for_each(|task| reader.prepare(task));
                    if ready.blocking_send(batch).is_err() {
                        return;
                    }
                }
            })?;
        }
        drop(ready);
        drop(waiting);
        let outlet = Outlet::new(batches, notes, pace.clone());
        start("s3-sync compares", move || gather(outlet))?;

        let mut ledger = Ledger::new().map_err(|cause| spooling(&cause))?;
        let mut running = FuturesUnordered::new();
        let mut queue = VecDeque::new();
        let (mut open, mut listening) = (true, true);
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
                // Before what has ended, so that there is always something under way.
                batch = taken.recv(), if open && running.len() < self.concurrency => match batch {
                    Some(batch) => queue.extend(batch),
                    None => open = false,
                },
                Some(done) = running.next(), if !running.is_empty() => self.end(done, &mut ledger)?,
            }
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
        let report = self.report.clone();
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
                price.puts += 1;
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
        if !matches!(task.step, TaskStep::Pass) {
            self.counts.source += u64::from(in_source);
            self.counts.target += u64::from(in_target);
        }
        let settled = match &task.step {
            TaskStep::Same => {
                self.report.same += 1;
                self.level(&task)
            }
            TaskStep::Pass => task.unchanged(direction),
            TaskStep::Keep => {
                self.report.kept += 1;
                task.unchanged(direction)
            }
            TaskStep::Delete => {
                self.counts.deletes += 1;
                let record = task.to_delete(direction);
                self.deletes
                    .add(&record)
                    .map_err(|cause| spooling(&cause))?;
                None
            }
            TaskStep::Last => {
                self.has_last = true;
                let record = task.to_repeat();
                self.last.add(&record).map_err(|cause| spooling(&cause))?;
                self.expect(&task);
                None
            }
            TaskStep::Failed(error) => {
                let error = error.clone();
                self.fail(&error)?;
                task.unchanged(direction)
            }
            TaskStep::Move if self.read_only => {
                self.would_move(&task)?;
                task.unchanged(direction)
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
                task.file_record(&object.etag)
            }
            Direction::Down => task.file_record(""),
        };
        self.state_changed |= task.has_news();
        if let (Some(record), Some(object), Direction::Up) =
            (&record, &task.object, self.mover.direction)
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
                self.level(&task)
            }
            Did::Moved(record) => {
                self.index_changed = true;
                self.state_changed |= task.has_news();
                self.did(direction.action(), &task.key, task.size(direction))?;
                record
            }
            Did::Differs if self.mover.verify => {
                self.report.different += 1;
                self.tell(Event::Differs {
                    key: &task.key,
                    what: "content",
                })?;
                task.unchanged(direction)
            }
            Did::Differs => {
                self.would_move(&task)?;
                task.unchanged(direction)
            }
            Did::InTheWay(error) => {
                let settled = task.unchanged(direction);
                self.blocked.push((task, error));
                settled
            }
            Did::Failed(error) => {
                self.fail(&error)?;
                task.unchanged(direction)
            }
        };
        self.settle(number, settled, ledger)
    }

    fn settle(&mut self, number: u64, record: Option<Record>, ledger: &mut Ledger) -> Result<()> {
        let settled = match record {
            Some(record) => Settled::Known(record),
            None => Settled::Nothing,
        };
        ledger
            .settle(number, settled)
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

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work);
    match thread {
        Ok(_runs) => Ok(()),
        Err(cause) => Err(Error::new(
            Kind::File,
            "",
            format!("cannot start a thread: {cause}"),
        )),
    }
}

pub(crate) fn spooling(cause: &std::io::Error) -> Error {
    Error::file("write", &std::env::temp_dir(), cause)
}
