//! What the S3 half keeps in a folder, where it is given one.
//!
//! *Problem:* What was acknowledged must outlive a kill, and a body of gigabytes must not be written again because a tag
//! of its object changes or a journal is folded. *Decision:* The journal and its snapshots are those of
//! [`disk`](crate::disk), and their records are small: each sets or removes one bucket, version, upload or part. A body of
//! more than [`INLINE_MAX`](body::INLINE_MAX) bytes, and every part of an upload, is a file of its own in `bodies/`, which
//! is written once, before the record that names it. Copies and completed uploads name the files that are there. A file is
//! removed once no object and no read has it, and the record that let go of it is safe; files that nothing names are
//! removed at the next start. *Cost:* What is in memory is what records hold, so a start reads no large body; a request that
//! reads one holds the bytes it asks for in memory. What a record names and is not there keeps the emulator from
//! starting: a loss of power without `fsync` can leave such a folder.
//!
//! ```text
//! DIR/lock   DIR/journal-N   DIR/snapshot-N   as in every folder
//! DIR/bodies/NUMBER                           one body or part
//! ```

pub(in crate::s3) mod body;
mod code;
pub(in crate::s3) mod record;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use s3s::{S3Error, S3Result, s3_error};

use self::body::{Bodies, Body, Dead, INLINE_MAX};
use self::record::S3Record;
use crate::disk::{self, DiskOptions, Lost};
use crate::s3::model::store::Bucket;

pub(in crate::s3) type Buckets = BTreeMap<String, Arc<Bucket>>;

/// All that is kept.
#[derive(Debug, Default)]
pub(in crate::s3) struct Kept {
    pub(in crate::s3) buckets: RwLock<Buckets>,
    bodies: Option<Arc<Bodies>>,
}

/// Where changes are written down, and where large bodies are.
#[derive(Debug)]
pub(in crate::s3) struct Keeping {
    journal: disk::Journal<Kept>,
    bodies: Option<Arc<Bodies>>,
}

impl Keeping {
    /// Reads the folder, or keeps nothing where there is none.
    pub(in crate::s3) fn open(disk: Option<&DiskOptions>) -> io::Result<(Self, Arc<Kept>)> {
        let Some(options) = disk else {
            return Ok((Self::none(), Arc::default()));
        };
        let bodies = Arc::new(Bodies::open(&options.dir, options.fsync)?);
        let kept = Arc::new(Kept {
            buckets: RwLock::default(),
            bodies: Some(Arc::clone(&bodies)),
        });
        // It takes the folder's lock; before that, nothing may be removed.
        let journal = disk::Journal::open(options, &kept)?;
        bodies.settle()?;
        let bodies = Some(bodies);
        Ok((Self { journal, bodies }, kept))
    }

    /// Makes one that keeps nothing.
    pub(in crate::s3) const fn none() -> Self {
        Self {
            journal: disk::Journal::none(),
            bodies: None,
        }
    }

    /// Writes a change down, before it is made; on return it outlives the process.
    pub(in crate::s3) fn write(&self, record: &S3Record<'_>) -> S3Result<()> {
        self.journal.append(record).map_err(lost)?;
        Ok(())
    }

    /// Keeps a body in memory, or in a file of its own. `apart` says that it is a part of an upload: the parts of an object
    /// stand in one record, which they must not fill.
    pub(in crate::s3) async fn body(&self, bytes: Bytes, apart: bool) -> S3Result<Body> {
        let Some(bodies) = &self.bodies else {
            return Ok(Body::from(bytes));
        };
        if bytes.is_empty() || !apart && bytes.len() <= INLINE_MAX {
            return Ok(Body::from(bytes));
        }
        let bodies = Arc::clone(bodies);
        let written = tokio::task::spawn_blocking(move || bodies.write(&bytes));
        let written = written.await.map_err(|_| internal())?;
        written.map_err(|_| internal())
    }

    /// Returns once all that was written down is as safe as was asked for, and removes files that nothing needs.
    pub(in crate::s3) async fn settle(&self) -> S3Result<()> {
        let dead = self.bodies.as_ref().map(Dead::of);
        // Whatever let go of those files is written down by now.
        let last = self.journal.last();
        self.journal.wait(last).await.map_err(lost)?;
        if let Some(dead) = dead {
            dead.remove();
        }
        Ok(())
    }

    /// Returns the number that identifiers of uploads begin from: where uploads of earlier processes may be left, one that
    /// those have not come to.
    pub(in crate::s3) fn first_id(&self) -> u64 {
        match self.bodies {
            None => 1,
            // Random keys are all that the standard library has of chance.
            Some(_) => RandomState::new().build_hasher().finish(),
        }
    }
}

fn lost(_: Lost) -> S3Error {
    internal()
}

fn internal() -> S3Error {
    s3_error!(
        InternalError,
        "We encountered an internal error. Please try again."
    )
}

#[cfg(test)]
mod tests;
