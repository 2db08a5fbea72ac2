//! Where a download is until it is whole.

use std::io;
use std::path::{Path, PathBuf};

use aws_core::Result;
use tokio::fs::File;

use super::resume_state::{self, ResumeState};
use crate::file::{Temporary, failed, sync_folder};

/// The text of a state is no longer than this.
const MAX_STATE: u64 = 64 << 10;

/// Where the bytes are until they are all there.
pub(super) enum Destination {
    Once(Temporary),
    Resumable {
        data: PathBuf,
        state: PathBuf,
        next_state: PathBuf,
    },
}

impl Destination {
    /// A file that goes unless it is finished.
    pub(super) async fn once(target: &Path, size: u64) -> Result<Self> {
        let temporary = Temporary::beside(target)?;
        if let Some(file) = &temporary.file {
            file.set_len(size)
                .await
                .map_err(|e| failed("write", target, e))?;
        }
        Ok(Self::Once(temporary))
    }

    /// A file that stays, with what is in it of the object that is wanted.
    pub(super) async fn resume(target: &Path, fresh: ResumeState) -> Result<(Self, ResumeState)> {
        if target.file_name().is_none() {
            let cause = io::Error::new(io::ErrorKind::InvalidInput, "it names no file");
            return Err(failed("write", target, cause));
        }
        let data = resume_state::partial(target);
        let state = resume_state::state(target);
        let io = |e| failed("write", &data, e);
        let found = read_state(&state).await;
        let found = found.filter(|found| found.etag == fresh.etag && found.size == fresh.size);
        let length = tokio::fs::metadata(&data).await.map(|found| found.len());
        let (noted, new) = match found {
            Some(found) if length.is_ok_and(|length| length == fresh.size) => (found, false),
            _ => (fresh, true),
        };
        if new {
            // Of another object, perhaps: what was noted must not outlast what it was about.
            let _none = tokio::fs::remove_file(&state).await;
            let file = File::create(&data).await.map_err(io)?;
            file.set_len(noted.size).await.map_err(io)?;
        }
        let destination = Self::Resumable {
            next_state: resume_state::next_state(target),
            state,
            data,
        };
        Ok((destination, noted))
    }

    pub(super) fn data(&self) -> &Path {
        match self {
            Self::Once(temporary) => temporary.path(),
            Self::Resumable { data, .. } => data,
        }
    }

    /// Notes what is there, if that is for later.
    pub(super) async fn note(&self, noted: &ResumeState) -> Result<()> {
        let Self::Resumable {
            state, next_state, ..
        } = self
        else {
            return Ok(());
        };
        let write = async {
            tokio::fs::write(next_state, noted.to_text()).await?;
            tokio::fs::rename(next_state, state).await
        };
        write.await.map_err(|e| failed("write", state, e))
    }

    /// Puts the file in the place of the target.
    pub(super) async fn finish(self, target: &Path, sync: bool) -> Result<()> {
        match self {
            Self::Once(temporary) => temporary.rename(sync).await,
            Self::Resumable {
                data,
                state,
                next_state,
            } => {
                let rename = async {
                    if sync {
                        File::open(&data).await?.sync_all().await?;
                    }
                    tokio::fs::rename(&data, target).await
                };
                rename.await.map_err(|e| failed("write", target, e))?;
                let _already_gone = tokio::fs::remove_file(&state).await;
                let _seldom_there = tokio::fs::remove_file(&next_state).await;
                if sync {
                    sync_folder(target).await?;
                }
                Ok(())
            }
        }
    }

    /// Removes the file, so that nothing is left.
    pub(super) async fn forget(self) {
        if let Self::Resumable {
            data,
            state,
            next_state,
        } = self
        {
            let _already_gone = tokio::fs::remove_file(&state).await;
            let _seldom_there = tokio::fs::remove_file(&next_state).await;
            let _already_gone = tokio::fs::remove_file(&data).await;
        }
    }
}

async fn read_state(path: &Path) -> Option<ResumeState> {
    let found = tokio::fs::metadata(path).await.ok()?;
    if found.len() > MAX_STATE {
        return None;
    }
    ResumeState::parse(&tokio::fs::read_to_string(path).await.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program may end between the two steps of noting what is there.
    #[tokio::test]
    async fn no_note_is_left_of_what_is_whole_or_given_up() {
        let folder = format!("s3-destination-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let target = folder.join("film");
        for (whole, left) in [(false, 0), (true, 1)] {
            let fresh = ResumeState::new("\"x\"".to_owned(), 7, 100);
            let (destination, noted) = Destination::resume(&target, fresh).await.unwrap();
            destination.note(&noted).await.unwrap();
            std::fs::write(resume_state::next_state(&target), "half of a n").unwrap();
            if whole {
                destination.finish(&target, false).await.unwrap();
            } else {
                destination.forget().await;
            }
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), left);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
