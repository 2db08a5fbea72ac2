//! Reading the files of a tree, and storing the contents that lack.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use s3_client::Source;
use tokio::task::spawn_blocking;

use super::content::{self, FileContent};
use super::scan::Found;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::release::manifest::FileEntry;
use crate::release::store::{App, Created, created, pause};
use crate::step::Steps;

/// How often a put is sent whose answer is lost.
const MAX_LOST: u32 = 5;

/// Stores contents that are not in the store yet.
pub(super) struct Sender {
    app: App,
    concurrency: usize,
    steps: Steps,
    /// What the store has, and what is being stored, with the size of each.
    there: Mutex<HashMap<Digest, u64>>,
    sent: AtomicU64,
    sent_bytes: AtomicU64,
}

impl Sender {
    pub(super) fn new(app: &App, concurrency: usize, steps: Steps) -> Self {
        Self {
            app: app.clone(),
            concurrency,
            steps,
            there: Mutex::default(),
            sent: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
        }
    }

    /// How many contents were sent, and how many bytes they had.
    pub(super) fn sent(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.sent), read(&self.sent_bytes))
    }

    /// Finds out which contents are in the store.
    pub(super) async fn look(&self) -> Result<()> {
        let mut objects = self
            .app
            .bucket
            .list()
            .prefix(self.app.layout.blobs())
            .objects();
        let mut there = HashMap::new();
        while let Some(object) = objects.try_next().await? {
            let digest = self.app.layout.blob_of(&object.key);
            there.extend(digest.map(|digest| (digest, object.size)));
        }
        *self.there() = there;
        Ok(())
    }

    /// Reads each file, and stores those whose content is not there.
    pub(super) async fn send(&self, found: &[Found]) -> Result<Vec<FileEntry>> {
        let files = stream::iter(found.iter().cloned());
        let entries = files
            .map(|found| self.file(found))
            .buffered(self.concurrency);
        entries.try_collect().await
    }

    async fn file(&self, found: Found) -> Result<FileEntry> {
        let path = found.file.clone();
        let read = spawn_blocking(move || content::read(&path)).await;
        let content =
            read.map_err(|error| Error::new(Kind::File, &found.path, error.to_string()))??;
        let was = self.there().insert(content.digest, content.size);
        if was != Some(content.size) {
            // What has another size than its name demands was stored by nobody who looked at it.
            self.put(&found, &content, was.is_some()).await?;
        }
        Ok(FileEntry {
            path: found.path,
            digest: content.digest,
            size: content.size,
            mode: found.mode,
        })
    }

    async fn put(&self, found: &Found, content: &FileContent, mend: bool) -> Result<()> {
        let key = self.app.layout.blob(&content.digest);
        let mut tries = 0;
        loop {
            self.steps.tell("put", &key);
            let source = match &content.bytes {
                Some(bytes) => Source::from(bytes.clone()),
                None => {
                    let stream = content::stream(&found.file, content.size, content.digest)?;
                    Source::stream(content.size, stream)
                }
            };
            let put = self.app.bucket.put(&key, source);
            let put = if mend { put } else { put.if_none_match_any() };
            match created(put.send().await.map(drop)) {
                Ok(Created::Done) => {
                    self.sent.fetch_add(1, Ordering::Relaxed);
                    self.sent_bytes.fetch_add(content.size, Ordering::Relaxed);
                    return Ok(());
                }
                // Whoever stored it: it is the content of this name.
                Ok(Created::Taken) => return Ok(()),
                Ok(Created::Lost(error)) => {
                    tries += 1;
                    if tries == MAX_LOST {
                        return Err(error);
                    }
                    tokio::time::sleep(pause(tries)).await;
                }
                Err(error) if is_of_body(&error) => return Err(content::changed(&found.file)),
                Err(error) => return Err(error),
            }
        }
    }

    fn there(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, u64>> {
        self.there
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn is_of_body(error: &Error) -> bool {
    error
        .store()
        .is_some_and(|error| error.kind() == s3_client::Kind::Body)
}
