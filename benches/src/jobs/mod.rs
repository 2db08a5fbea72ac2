//! Long jobs that are measured whole, one after another: a listing to its end, a large object to a file, one in parts.
//!
//! A closed loop that is cut off at an instant would count the job that is under way then with none of its work or
//! all of it, and a job may take a second. So the processor's time is taken between the first byte of one job and
//! the last of another. What is counted are keys of listings and MiB of objects.

mod ours;
#[cfg(feature = "peers")]
mod theirs;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use clap::ValueEnum;

use crate::BoxError;
use crate::client::{Which, Work};
use crate::clients::Session;
use crate::load::{Meter, Sample};

/// What is done instead of small requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Job {
    /// All keys of the bucket are listed, page after page.
    List,
    /// The object is fetched into a file.
    Down,
    /// An object is stored in parts of 8 MiB, four at a time, from memory.
    Up,
}

impl Job {
    /// How many items of so many keys or bytes a figure is given for.
    fn items(self, size: usize) -> f64 {
        match self {
            Self::List => size as f64,
            Self::Down | Self::Up => size as f64 / MIB,
        }
    }
}

const MIB: f64 = (1 << 20) as f64;
/// The parts of an object that goes up.
const PART: usize = 8 << 20;
/// How many of them, or how many ranges of one that comes down, are under way at once.
const PARALLEL: usize = 4;

/// Runs a client's jobs in this process.
///
/// # Errors
/// When the client cannot be made, or does not know the job.
pub fn run(which: Which, job: Job, work: &Work) -> Result<Sample, BoxError> {
    let (work, meter) = (work.clone(), Arc::new(Meter::new(work.body)?));
    work.clone().in_runtime(async move {
        match which {
            Which::S3 => measure(job, ours::Jobs::new(job, &work)?, &work, &meter).await,
            #[cfg(feature = "peers")]
            Which::ObjectStore | Which::ObjectStoreSigned => {
                let keys = (which == Which::ObjectStoreSigned).then(|| work.keys());
                let jobs = theirs::Jobs::new(job, &work, keys.as_ref())?;
                measure(job, jobs, &work, &meter).await
            }
            _ => Err("only the S3 client and object_store have this job".into()),
        }
    })
}

/// One job that is not measured, and then as many as begin within the time.
async fn measure<S: Session>(
    job: Job,
    mut session: S,
    work: &Work,
    meter: &Meter,
) -> Result<Sample, BoxError> {
    session.get().await?;
    let mut sample = meter.one_after_another(&mut session, work.time).await?;
    let items = job.items(work.body);
    sample.rate *= items;
    sample.cpu_us /= items;
    Ok(sample)
}

/// A file of this process that is removed when this is dropped.
struct Target(PathBuf);

impl Target {
    fn new() -> Self {
        let name = format!("bench-object-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // There is none unless the job was to fetch one.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What goes up, in pieces of which all are the same memory.
fn pieces(size: usize) -> Vec<Bytes> {
    let part = Bytes::from(vec![b'x'; PART.min(size)]);
    let whole = size / PART;
    let mut pieces = vec![part.clone(); whole];
    if size > whole * PART {
        pieces.push(part.slice(..size - whole * PART));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_the_size_in_all() {
        for size in [1, PART - 1, PART, 3 * PART + 5] {
            let lens: Vec<usize> = pieces(size).iter().map(Bytes::len).collect();
            assert_eq!(lens.iter().sum::<usize>(), size);
            assert!(lens.iter().all(|&len| len > 0 && len <= PART), "{lens:?}");
        }
    }
}
