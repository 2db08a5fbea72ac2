//! The threads that read files for tasks.
//!
//! *Problem:* A panic while one file is read would end a thread, and with it the batch that the thread has: its files would
//! count neither as moved nor as failed. *Decision:* A panic is caught for each task, which then fails with the name of its
//! file, so that nothing is deleted and the run does not end well. *Cost:* None that can be measured.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::task::{Task, TaskStep};
use crate::error::{Error, Kind, Result};

/// How many threads read files.
const READERS: usize = 2;

/// Starts the threads. Each has `prepare` made once, runs it for every task of a batch, and hands the batch on.
pub(crate) fn start<P>(
    prepare: impl Fn() -> P,
    waiting: Receiver<Vec<Task>>,
    ready: mpsc::Sender<Vec<Task>>,
) -> Result<()>
where
    P: FnMut(&mut Task) + Send + 'static,
{
    let waiting = Arc::new(Mutex::new(waiting));
    for _ in 0..READERS {
        let (waiting, ready, mut prepare) = (waiting.clone(), ready.clone(), prepare());
        start_thread("s3-sync reads", move || {
            loop {
                let batch = waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .recv();
                let Ok(mut batch) = batch else { return };
                batch
                    .iter_mut()
                    .for_each(|task| guarded(task, &mut prepare));
                if ready.blocking_send(batch).is_err() {
                    return;
                }
            }
        })?;
    }
    Ok(())
}

/// Prepares a task; a panic is its failure.
fn guarded(task: &mut Task, prepare: &mut impl FnMut(&mut Task)) {
    // What a panic leaves half done of the task is replaced, and a reader keeps nothing from one file to the next.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| prepare(task))) {
        let what = format!(
            "a defect of this program broke off the reading of the file: {}",
            words(&*panic)
        );
        task.content = None;
        task.step = TaskStep::Failed(Error::new(Kind::Defect, &*task.key, what));
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it does not say why")
}

/// Starts a thread of this name.
pub(crate) fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
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
