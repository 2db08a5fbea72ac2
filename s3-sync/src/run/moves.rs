//! What is done with single tasks: a file or an object becomes the other, or is read to be compared.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::content::SMALL;
use super::folder::{Making, Obstacle};
use super::store::Store;
use super::task::{Direction, ObjectSide, Task, TaskStep};
use super::under_way::UnderWay;
use super::writing::FolderWriter;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::record::Record;
use crate::tree::Tree;

/// How many large files are moved at once: each has several requests under way.
const LARGE: usize = 8;
/// How many bytes of a large object are written at once.
const PIECE: usize = 1 << 20;
/// The permissions of a file of which nobody has told any, before the process's mask.
const USUAL_MODE: u32 = 0o666;

/// Does what tasks say.
#[derive(Clone)]
pub(crate) struct Mover {
    pub(crate) direction: Direction,
    pub(crate) tree: Tree,
    /// The prefix of the store; in a copy, that of the target.
    pub(crate) store: Store,
    /// In a copy, the prefix of the source.
    pub(crate) from: Option<Store>,
    /// Who writes files, where files are written.
    pub(crate) writer: Option<FolderWriter>,
    pub(crate) verify: bool,
    pub(crate) read_only: bool,
    pub(crate) large: Arc<Semaphore>,
    pub(crate) under_way: UnderWay,
}

/// A task that has ended.
pub(crate) struct Done {
    pub(crate) task: Task,
    pub(crate) did: Did,
}

/// What became of it.
pub(crate) enum Did {
    Same,
    /// The target has it, and this is known of it.
    Moved(Option<Record>),
    /// It is not the same, and is moved after all else.
    Later,
    /// It is not the same, and stays so.
    Differs,
    /// Something is in the way that may be deleted.
    InTheWay(Error),
    Failed(Error),
}

impl From<Result<Did, Obstacle>> for Did {
    fn from(done: Result<Did, Obstacle>) -> Self {
        match done {
            Ok(did) => did,
            Err(Obstacle::InTheWay(error)) => Self::InTheWay(error),
            Err(Obstacle::Failed(error)) => Self::Failed(error),
        }
    }
}

impl Mover {
    pub(crate) fn large() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(LARGE))
    }

    /// Begins a task.
    pub(crate) fn start(&self, mut task: Task) -> Pin<Box<dyn Future<Output = Done> + Send>> {
        let mover = self.clone();
        Box::pin(async move {
            let did = mover.perform(&mut task).await;
            Done { task, did }
        })
    }

    async fn perform(&self, task: &mut Task) -> Did {
        let done = match (self.direction, &task.step) {
            (Direction::Copy, TaskStep::Verify) => self.verify_objects(task).await,
            (_, TaskStep::Verify) => self.compare(task).await.map(known),
            (_, TaskStep::ReadObject) if self.read_only => self.compare(task).await.map(known),
            (Direction::Up, TaskStep::ReadObject) => match self.compare(task).await {
                Ok(true) => Ok(Did::Same),
                Ok(false) if task.last => Ok(Did::Later),
                Ok(false) => self.upload(task).await,
                Err(error) => Err(error),
            },
            // The reader has found that it differs.
            (_, TaskStep::Move) if self.read_only => Ok(Did::Differs),
            (Direction::Up, TaskStep::Move) => self.upload(task).await,
            (Direction::Copy, TaskStep::Move) => self.copy(task).await,
            (Direction::Down, TaskStep::Move | TaskStep::ReadObject) => {
                return self.download(task).await.into();
            }
            (_, TaskStep::Failed(error)) => Err(error.clone()),
            (_, TaskStep::Same) => Ok(Did::Same),
            (_, step) => Err(Error::new(
                Kind::Content,
                &*task.key,
                format!("this is no step for the store: {step:?}"),
            )),
        };
        done.unwrap_or_else(Did::Failed)
    }

    async fn permit(&self, size: u64) -> Option<tokio::sync::OwnedSemaphorePermit> {
        match size > SMALL {
            true => self.large.clone().acquire_owned().await.ok(),
            false => None,
        }
    }

    async fn upload(&self, task: &mut Task) -> Result<Did> {
        let _permit = self.permit(task.size(Direction::Up)).await;
        let portion = self.under_way.begin();
        let etag = self.store.upload(&self.tree, task, portion).await?;
        Ok(Did::Moved(task.file_record(&etag)))
    }

    async fn copy(&self, task: &Task) -> Result<Did> {
        let (Some(from), Some(source)) = (&self.from, &task.from) else {
            return Err(nothing(task));
        };
        let etag = self.store.copy(from, source).await?;
        let record = source.record().map(|record| Record { etag, ..record });
        Ok(Did::Moved(record))
    }

    async fn download(&self, task: &Task) -> Result<Did, Obstacle> {
        let (Some(writer), Some(object)) = (&self.writer, &task.object) else {
            return Err(Obstacle::Failed(nothing(task)));
        };
        let making = Making {
            mtime: object.mtime(),
            mode: object.told.map_or(USUAL_MODE, |told| told.mode),
            replaces: task.file.is_some(),
        };
        if object.size <= SMALL {
            let content = self.store.fetch(object).await.map_err(Obstacle::Failed)?;
            writer.write(object, making, content).await?;
            return Ok(Did::Moved(None));
        }
        let _permit = self.permit(object.size).await;
        let mut file = writer.begin(&object.key, making).await?;
        let (portion, mut fetched) = (self.under_way.begin(), 0);
        let mut gathered = Vec::with_capacity(PIECE);
        let failed = Obstacle::Failed;
        let mut reading = self.store.read(object).await.map_err(failed)?;
        while let Some(piece) = reading.next().await.map_err(failed)? {
            gathered.extend_from_slice(&piece);
            fetched += piece.len() as u64;
            portion.reach(fetched);
            if gathered.len() >= PIECE {
                let full = std::mem::replace(&mut gathered, Vec::with_capacity(PIECE));
                file.push(full).await.map_err(failed)?;
            }
        }
        file.push(gathered).await.map_err(failed)?;
        reading.finish(object).map_err(failed)?;
        file.finish().await?;
        Ok(Did::Moved(None))
    }

    /// Reads an object; whether it has what the file was found to have.
    async fn compare(&self, task: &Task) -> Result<bool> {
        let object = task.object.as_ref().ok_or_else(|| nothing(task))?;
        let sums = task.file.as_ref().and_then(|file| file.sums);
        let sums = sums.ok_or_else(|| nothing(task))?;
        let found = read(&self.store, object).await?;
        Ok(sums.sha == found)
    }

    async fn verify_objects(&self, task: &Task) -> Result<Did> {
        let (Some(from), Some(source), Some(target)) = (&self.from, &task.from, &task.object)
        else {
            return Err(nothing(task));
        };
        let source = read(from, source).await?;
        let target = read(&self.store, target).await?;
        Ok(known(source == target))
    }
}

async fn read(store: &Store, object: &ObjectSide) -> Result<Digest> {
    let mut reading = store.read(object).await?;
    while reading.next().await?.is_some() {}
    reading.finish(object)
}

fn known(same: bool) -> Did {
    match same {
        true => Did::Same,
        false => Did::Differs,
    }
}

fn nothing(task: &Task) -> Error {
    Error::new(Kind::Content, &*task.key, "there is nothing to be read")
}
