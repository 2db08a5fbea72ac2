//! The thread that writes small files, and large ones piece by piece.
//!
//! *Problem:* A change of thread for every system call costs more than a small file does. *Decision:* One thread has the open
//! folders; it is given whole contents, checks their digest, writes them and answers. *Cost:* One file system call after another:
//! enough for tens of thousands of small files a second where the disk does not wait.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::folder::{Folder, Making, NewFile, Obstacle};
use super::store::check_digest;
use super::task::ObjectSide;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};

/// How many orders may wait.
const WAITING: usize = 256;

type Answer<T> = oneshot::Sender<Result<T, Obstacle>>;

enum Order {
    /// A file of this content.
    Write(Box<ObjectSide>, Making, Bytes, Answer<Digest>),
    /// A file whose content comes later.
    Begin(String, Making, Answer<NewFile>),
    /// It has its content.
    Finish(NewFile, Making, Answer<()>),
    /// It will never have it.
    Drop(NewFile),
    /// A file goes.
    Delete(String, Answer<()>),
}

/// Has files written.
#[derive(Clone)]
pub(crate) struct FolderWriter {
    orders: SyncSender<Order>,
    _thread: Arc<Thread>,
}

/// Waits for the thread when nobody has orders for it any more.
struct Thread(Option<JoinHandle<()>>);

impl FolderWriter {
    /// Starts the thread.
    pub(crate) fn start(folder: Folder) -> Result<Self> {
        let (orders, taken) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("s3-sync writes".to_owned());
        let thread = thread.spawn(move || work(folder, &taken));
        let thread = thread.map_err(|cause| {
            Error::new(Kind::File, "", format!("cannot start a thread: {cause}"))
        })?;
        Ok(Self {
            orders,
            _thread: Arc::new(Thread(Some(thread))),
        })
    }

    async fn order<T>(&self, order: impl FnOnce(Answer<T>) -> Order) -> Result<T, Obstacle> {
        let (answer, answered) = oneshot::channel();
        let gone = || {
            Obstacle::Failed(Error::new(
                Kind::Defect,
                "",
                "a defect of this program has ended the thread that writes",
            ))
        };
        // There are fewer tasks than may wait, so that this does not block.
        self.orders.send(order(answer)).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Makes a file of this content, which must be that of the object; the answer is its digest.
    pub(crate) async fn write(
        &self,
        object: &ObjectSide,
        making: Making,
        content: Bytes,
    ) -> Result<Digest, Obstacle> {
        let object = Box::new(object.clone());
        self.order(|answer| Order::Write(object, making, content, answer))
            .await
    }

    /// Begins a file whose content comes piece by piece.
    pub(crate) async fn begin(&self, key: &str, making: Making) -> Result<Piecewise, Obstacle> {
        let key = key.to_owned();
        let file = self
            .order(|answer| Order::Begin(key, making, answer))
            .await?;
        let clone = file.file.try_clone();
        let mut piecewise = Piecewise {
            path: file.path().to_owned(),
            writer: self.clone(),
            file: Some(file),
            data: None,
            making,
            at: 0,
        };
        match clone {
            Ok(data) => {
                piecewise.data = Some(Arc::new(data));
                Ok(piecewise)
            }
            Err(cause) => Err(Obstacle::Failed(Error::file(
                "write",
                &piecewise.path,
                &cause,
            ))),
        }
    }

    /// Removes a file.
    pub(crate) async fn delete(&self, key: &str) -> Result<()> {
        let key = key.to_owned();
        let deleted = self.order(|answer| Order::Delete(key.clone(), answer));
        match deleted.await {
            Ok(()) => Ok(()),
            Err(Obstacle::InTheWay(error) | Obstacle::Failed(error)) => Err(error.or_about(&key)),
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // The last sender has been dropped before this, so that it ends: what has been begun is then whole or removed.
        if let Some(thread) = self.0.take() {
            let _ended = thread.join();
        }
    }
}

/// A file that gets its content piece by piece. It is removed unless it is finished.
pub(crate) struct Piecewise {
    writer: FolderWriter,
    file: Option<NewFile>,
    data: Option<Arc<std::fs::File>>,
    /// Where it will be.
    path: PathBuf,
    making: Making,
    at: u64,
}

impl Piecewise {
    /// Puts bytes behind those before.
    pub(crate) async fn push(&mut self, bytes: Vec<u8>) -> Result<()> {
        let Some(data) = self.data.clone() else {
            return Ok(());
        };
        let (at, path) = (self.at, self.path.clone());
        self.at += bytes.len() as u64;
        super::store::blocking(move || {
            let wrote = data.write_all_at(&bytes, at);
            wrote.map_err(|cause| Error::file("write", &path, &cause))
        })
        .await
    }

    /// Gives it its name.
    pub(crate) async fn finish(mut self) -> Result<(), Obstacle> {
        let making = self.making;
        let writer = self.writer.clone();
        match self.file.take() {
            Some(file) => {
                writer
                    .order(|answer| Order::Finish(file, making, answer))
                    .await
            }
            None => Ok(()),
        }
    }
}

impl Drop for Piecewise {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let _has_ended = self.writer.orders.send(Order::Drop(file));
        }
    }
}

/// How many answers are held back at most while there are orders: an answer wakes the runtime, which costs a system call, and
/// one that follows at once does not.
const HELD: usize = 16;

fn work(mut folder: Folder, orders: &Receiver<Order>) {
    let mut held = Vec::with_capacity(HELD);
    loop {
        let order = match held.len() {
            0 => orders.recv().ok(),
            1..HELD => orders.try_recv().ok(),
            _ => None,
        };
        match order {
            Some(order) => held.extend(obey(&mut folder, order)),
            None if held.is_empty() => return,
            // That nobody waits for an answer is no reason not to have done it.
            None => held.drain(..).for_each(|(answer, made)| {
                let _unheard = Answer::send(answer, made);
            }),
        }
    }
}

type Held = (Answer<Digest>, Result<Digest, Obstacle>);

/// Does one thing; the answer to a small file is not sent yet.
fn obey(folder: &mut Folder, order: Order) -> Option<Held> {
    match order {
        Order::Write(object, making, content, answer) => {
            let sha = Digest::of(&content);
            let made = check_digest(&object, sha).map_err(Obstacle::Failed);
            let made = made.and_then(|()| folder.write(&object.key, &content, making));
            return Some((answer, made.map(|()| sha)));
        }
        Order::Begin(key, making, answer) => {
            let begun = folder.begin_apart(&key, making);
            if let Err(Ok(file)) = answer.send(begun) {
                folder.remove(&file);
            }
        }
        Order::Finish(file, making, answer) => {
            let _unheard = answer.send(folder.finish(file, making));
        }
        Order::Drop(file) => folder.remove(&file),
        Order::Delete(key, answer) => {
            let deleted = folder.delete(&key).map_err(Obstacle::Failed);
            let _unheard = answer.send(deleted);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is when the thread has panicked.
    #[tokio::test]
    async fn a_delete_that_nobody_does_any_more_names_its_file() {
        let (orders, _) = sync_channel(WAITING);
        let writer = FolderWriter {
            orders,
            _thread: Arc::new(Thread(None)),
        };
        let error = writer.delete("a/b").await.unwrap_err();
        assert_eq!((error.kind(), error.about()), (Kind::Defect, "a/b"));
    }
}
