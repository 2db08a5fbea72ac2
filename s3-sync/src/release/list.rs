//! Which releases there are.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::layout::Channel;
use super::manifest::{Bounds, Manifest};
use super::pointer::{Place, Pointers};
use super::store::App;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};

/// How many manifests are read at once.
const READS: usize = 8;

/// A release that is in the store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListedRelease {
    /// Its number.
    pub number: u64,
    /// What its manifest tells, or why that cannot be read.
    pub about: Result<AboutRelease>,
    /// The channels whose nodes shall run it.
    pub current: Vec<Channel>,
}

/// What a manifest tells of its release.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AboutRelease {
    /// The digest of the manifest, which the pointer names.
    pub manifest: Digest,
    /// The release that was current when this one was made.
    pub parent: Option<u64>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// What its publisher says of it.
    pub note: String,
    /// How many files it has.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

impl AboutRelease {
    fn of(manifest: &Manifest, digest: Digest) -> Self {
        Self {
            manifest: digest,
            parent: manifest.parent,
            created: manifest.created,
            note: manifest.note.clone(),
            files: manifest.files.len() as u64,
            bytes: manifest.bytes(),
        }
    }
}

impl App {
    /// The last of the releases and those that pointers name, in the order of their numbers: one request for each, a listing, and
    /// a few for the pointers. Of pointers in SimpleDB those are looked at that are of these channels; of those in the bucket, all.
    ///
    /// # Errors
    /// As the store says. A manifest that cannot be read, or that a pointer names and that is not there, is told with its release.
    pub async fn releases(
        &self,
        last: usize,
        place: &Place,
        channels: &[Channel],
    ) -> Result<Vec<ListedRelease>> {
        let mut current = self.current(place, channels).await?;
        let keys = self.keys(self.layout.releases(), None).await?;
        let mut numbers: Vec<u64> = keys
            .iter()
            .filter_map(|key| self.layout.release_of(key))
            .collect();
        // Numbers of more than six digits are not in the order of their keys.
        numbers.sort_unstable();
        let first = numbers.len().saturating_sub(last);
        let named = &current.keys().copied().collect::<BTreeSet<u64>>();
        let mut wanted = named.clone();
        wanted.extend(numbers.split_off(first));
        let reads = stream::iter(wanted).map(|number| async move {
            let read = self.manifest(number, &Bounds::none()).await;
            match read {
                Ok(Some((manifest, digest, _))) => {
                    Ok(Some((number, Ok(AboutRelease::of(&manifest, digest)))))
                }
                Ok(None) if named.contains(&number) => {
                    let what = "a pointer names it, and it is not there";
                    let about = self.layout.release(number);
                    Ok(Some((number, Err(Error::new(Kind::Content, about, what)))))
                }
                // A collection has removed it since it was listed.
                Ok(None) => Ok(None),
                Err(error) if error.kind() == Kind::Content => Ok(Some((number, Err(error)))),
                Err(error) => Err(error),
            }
        });
        let reads = reads.buffered(READS);
        let found: Vec<Option<(u64, Result<AboutRelease, Error>)>> = reads.try_collect().await?;
        let listed = found.into_iter().flatten();
        Ok(listed
            .map(|(number, about)| ListedRelease {
                number,
                about,
                current: current.remove(&number).unwrap_or_default(),
            })
            .collect())
    }

    /// The channels by the releases that their pointers name.
    async fn current(
        &self,
        place: &Place,
        channels: &[Channel],
    ) -> Result<BTreeMap<u64, Vec<Channel>>> {
        let mut all = match place {
            Place::Bucket => self.channels().await?,
            Place::SimpleDb { .. } => vec![Channel::main()],
        };
        all.extend(
            channels
                .iter()
                .filter(|channel| !all.contains(channel))
                .cloned()
                .collect::<Vec<_>>(),
        );
        let mut current: BTreeMap<u64, Vec<Channel>> = BTreeMap::new();
        for channel in all {
            let pointers = Pointers {
                place: place.clone(),
                channel: channel.clone(),
                ..Pointers::of(self)
            };
            if let Some(last) = pointers.last(None).await? {
                current
                    .entry(last.target.release)
                    .or_default()
                    .push(channel);
            }
        }
        Ok(current)
    }
}
