//! The objects, in S3.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use s3_client::{Bucket, Error, ObjectHead, S3Client};

use crate::Failure;
use crate::phase::Tally;
use crate::source::{Content, Entry, MAX_SIZE, printable};

/// A path longer than this leaves too little of the 2 KB that metadata may have; the key says it anyway.
const MAX_PATH: usize = 1500;

/// A bucket, or a part of one.
pub(crate) struct Store {
    bucket: Bucket,
    /// Whether it is this run that makes the bucket.
    ours: bool,
    made: AtomicBool,
    prefix: String,
}

impl Store {
    pub(crate) fn new(s3: &S3Client, bucket: &str, ours: bool, prefix: String) -> Self {
        Self {
            bucket: s3.bucket(bucket),
            ours,
            made: AtomicBool::new(false),
            prefix,
        }
    }

    /// Makes the bucket, or checks that the one to use is there.
    pub(crate) async fn open(&self, tally: &Tally) -> Result<(), Failure> {
        if self.ours {
            tally.time(self.bucket.create().send(), |_| 0).await?;
            self.made.store(true, Ordering::Relaxed);
            return Ok(());
        }
        match tally.time(self.bucket.head_bucket().send(), |_| 0).await {
            // The answer to HEAD has no words of its own.
            Err(error) if error.is_not_found() => Err(Failure(format!(
                "there is no bucket {}: {error}",
                printable(self.bucket.name())
            ))),
            other => other.map(drop).map_err(Failure::from),
        }
    }

    pub(crate) async fn close(&self, tally: &Tally) -> Result<(), Failure> {
        if self.made.load(Ordering::Relaxed) {
            tally
                .time(self.bucket.delete_bucket().send(), |_| 0)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn put(
        &self,
        name: &str,
        content: &Content,
        tally: &Tally,
    ) -> Result<(), Failure> {
        let entry = &content.entry;
        let mut put = self
            .bucket
            .put(self.key(name), content.bytes.clone())
            .metadata("md5", &*entry.md5)
            .metadata("mtime", entry.mtime.to_string());
        let path = ascii(name);
        if path.len() <= MAX_PATH {
            put = put.metadata("path", path);
        }
        let stored = tally.time(put.send(), |_| entry.size).await;
        stored.map(drop).map_err(|error| about(name, &error))
    }

    /// The bytes of an object, and what its metadata says; nothing if that is not all there, or
    /// speaks of another path.
    pub(crate) async fn get(
        &self,
        name: &str,
        tally: &Tally,
    ) -> Result<(Bytes, Option<Entry>), Failure> {
        let request = async {
            let object = self.bucket.get(self.key(name)).send().await?;
            let limit = usize::try_from(MAX_SIZE).unwrap_or(usize::MAX);
            Ok((object.body.bytes(limit).await?, object.head))
        };
        let fetched = tally.time(request, |(bytes, _)| bytes.len() as u64).await;
        let (bytes, head) = fetched.map_err(|error: Error| about(name, &error))?;
        let path = ascii(name);
        let right = path.len() > MAX_PATH || head.metadata("path") == Some(&path);
        let entry = entry_of(&head, bytes.len() as u64).filter(|_| right);
        Ok((bytes, entry))
    }

    pub(crate) async fn delete(&self, name: &str, tally: &Tally) -> Result<(), Failure> {
        let deleted = tally
            .time(self.bucket.delete(self.key(name)).send(), |_| 0)
            .await;
        deleted.map(drop).map_err(|error| about(name, &error))
    }

    fn key(&self, name: &str) -> String {
        [&self.prefix, name].concat()
    }
}

fn entry_of(head: &ObjectHead, size: u64) -> Option<Entry> {
    Some(Entry {
        size,
        md5: head.metadata("md5")?.to_owned(),
        mtime: head.metadata("mtime")?.parse().ok()?,
    })
}

/// The error with the key, which it does not name.
fn about(name: &str, error: &Error) -> Failure {
    Failure(format!("{}: {error}", printable(name)))
}

/// A name as metadata can carry it, in printable ASCII: the rest, and %, as %XX.
fn ascii(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'%' => text.push(byte.into()),
            _ => {
                // Writing to a String does not fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bucket {}", self.bucket.name())?;
        if !self.prefix.is_empty() {
            write!(f, " below {}", self.prefix)?;
        }
        Ok(())
    }
}
