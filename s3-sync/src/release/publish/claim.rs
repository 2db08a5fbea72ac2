//! Claiming the number of a release, by a create-only put of its manifest.
//!
//! *Problem:* A store that does not know `If-None-Match` stores the second manifest of a number over the first, and says
//! nothing. *Decision:* The same put is sent once more after the claim, and has to be refused. *Cost:* One request.

use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::release::manifest::{Bounds, Manifest};
use crate::release::store::{App, Created, pause};
use crate::step::Steps;

/// How often the put of one number is sent whose answer is lost.
const MAX_LOST: u32 = 5;
/// How many numbers are tried that others take.
const MAX_TAKEN: u32 = 1000;

/// Stores a manifest under the next free number, which it is given, and returns its digest.
///
/// A put whose answer is lost is settled by reading: the manifest has a random name of its publishing in it.
pub(super) async fn claim(app: &App, manifest: &mut Manifest, steps: &Steps) -> Result<Digest> {
    let keys = app.keys(app.layout.releases(), None).await?;
    let last = keys
        .iter()
        .filter_map(|key| app.layout.release_of(key))
        .max();
    manifest.number = last.unwrap_or(0);
    for _ in 0..MAX_TAKEN {
        manifest.number = manifest.number.checked_add(1).ok_or_else(|| {
            let what = "this number is the last that there is, and the next release has none";
            Error::new(Kind::Content, app.layout.release(u64::MAX), what)
        })?;
        if let Some(digest) = claim_this(app, manifest, steps).await? {
            return Ok(digest);
        }
    }
    let about = app.layout.releases();
    Err(Error::new(
        Kind::Guard,
        about,
        "others take every number that is tried",
    ))
}

/// Nothing if the number is somebody else's.
async fn claim_this(app: &App, manifest: &Manifest, steps: &Steps) -> Result<Option<Digest>> {
    let key = app.layout.release(manifest.number);
    let (bytes, digest) = manifest.encode()?;
    let bytes = bytes::Bytes::from(bytes);
    let mut lost = None;
    for tries in 0..MAX_LOST {
        steps.tell("claim", &key);
        match app.create(&key, bytes.clone()).await? {
            Created::Done => return is_refused(app, &key, bytes).await.map(|()| Some(digest)),
            Created::Taken if lost.is_none() => return Ok(None),
            Created::Taken => {}
            Created::Lost(error) => {
                lost = Some(error);
                tokio::time::sleep(pause(tries)).await;
            }
        }
        match app.read(&key, everything()).await? {
            Some(found) => return Ok((found == bytes).then_some(digest)),
            None => continue,
        }
    }
    Err(lost.unwrap_or_else(|| Error::new(Kind::Content, key, "it comes and goes")))
}

/// Whether a second put is refused, which changes nothing where it is not.
async fn is_refused(app: &App, key: &str, bytes: bytes::Bytes) -> Result<()> {
    match app.create(key, bytes).await? {
        Created::Taken | Created::Lost(_) => Ok(()),
        Created::Done => {
            let what = "the store has taken a second object of this key: it does not know If-None-Match on puts, without which two \
                        publishers may overwrite each other";
            Err(Error::new(Kind::Guard, key, what))
        }
    }
}

fn everything() -> usize {
    Bounds::none().manifest_bytes()
}
