//! Copying a release to where a plain web server finds it: a file under each path.
//!
//! *Problem:* `blobs/` has contents and no names, so that it cannot be served as a site. *Decision:* The store copies each
//! content to `TARGET/NUMBER/PATH` by itself. Nobody is sent there before all are there: the server's own pointer, such as an
//! origin path or a redirection, is changed afterwards by who has called this, in one place. What is there of an earlier
//! call that was killed is not copied again. *Cost:* One copy for each file, and the space of the site once more.

use std::collections::HashMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use s3_client::Bucket;

use super::layout::Channel;
use super::manifest::{Bounds, FileEntry, Manifest};
use super::pointer::{Place, Pointers};
use super::store::App;
use crate::error::{Error, Kind, Result};
use crate::filter::{Rules, media_type};
use crate::step::{Step, Steps};
use crate::url::Url;

/// How many copies are under way at once.
const COPIES: usize = 64;

/// A request to copy a release; made by [`App::expand`].
#[derive(Clone, Debug)]
#[must_use = "nothing is copied until send() is awaited"]
pub struct Expand {
    pointers: Pointers,
    release: Option<u64>,
    bucket: Bucket,
    target: Url,
    content_type: Rules,
    cache_control: Rules,
    content_encoding: Rules,
}

/// A release that is there file by file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expanded {
    /// Its number.
    pub release: u64,
    /// Where its files are.
    pub url: Url,
    /// How many files it has.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many of the files were copied; the others were there.
    pub copied: u64,
}

/// An object as it was listed: its size, and its tag in quotes.
type Object = (u64, Option<String>);

impl App {
    /// Copies a release, file by file, to the folder of its number below a prefix of a bucket of the same store.
    pub fn expand(&self, target: &Url) -> Expand {
        Expand {
            pointers: Pointers::of(self),
            release: None,
            bucket: self.bucket.client().bucket(target.bucket()),
            target: target.clone(),
            content_type: Rules::default(),
            cache_control: Rules::default(),
            content_encoding: Rules::default(),
        }
    }
}

impl Expand {
    /// The number of the release. Defaults to that of the current one.
    pub fn release(mut self, number: u64) -> Self {
        self.release = Some(number);
        self
    }

    /// Which pointer names the current one. Defaults to that of all nodes.
    pub fn channel(mut self, channel: Channel) -> Self {
        self.pointers.channel = channel;
        self
    }

    /// Where the pointer is. Defaults to the bucket.
    pub fn place(mut self, place: Place) -> Self {
        self.pointers.place = place;
        self
    }

    /// The media types of paths, where they are not to be those of their suffixes.
    pub fn content_type(mut self, rules: Rules) -> Self {
        self.content_type = rules;
        self
    }

    /// `Cache-Control` by paths. Defaults to none.
    pub fn cache_control(mut self, rules: Rules) -> Self {
        self.cache_control = rules;
        self
    }

    /// `Content-Encoding` by paths. Defaults to none.
    pub fn content_encoding(mut self, rules: Rules) -> Self {
        self.content_encoding = rules;
        self
    }

    /// Whom to tell of each step before it is done.
    pub fn on_step(mut self, told: impl Fn(Step<'_>) + Send + Sync + 'static) -> Self {
        self.pointers.steps = Steps::new(told);
        self
    }

    /// Copies what lacks. A file that is there with the same content stays as it is, whatever the rules say.
    ///
    /// # Errors
    /// When there is no such release, when it has lost contents, when the folder has an object that is none of its files, and as
    /// the store says. What was copied until then stays, and is not copied again.
    pub async fn send(self) -> Result<Expanded> {
        let manifest = self.manifest().await?;
        let folder = format!("{}{}", self.target, manifest.number);
        let url: Url = folder.parse()?;
        let app = &self.pointers.app;
        let blobs = list(&app.bucket, &app.layout.blobs()).await?;
        let there = list(&self.bucket, url.prefix()).await?;
        let lacking = self.lacking(&manifest, &url, &blobs, &there)?;
        let copied = lacking.len() as u64;
        let copies = stream::iter(lacking.into_iter().map(Ok));
        let url_of = &url;
        copies
            .try_for_each_concurrent(COPIES, |(file, tag)| self.copy(file, tag, url_of))
            .await?;
        Ok(Expanded {
            release: manifest.number,
            files: manifest.files.len() as u64,
            bytes: manifest.bytes(),
            copied,
            url,
        })
    }

    async fn manifest(&self) -> Result<Manifest> {
        let app = &self.pointers.app;
        let (number, named) = match self.release {
            Some(number) => (number, None),
            None => {
                let last = self.pointers.last(None).await?;
                let target = last.ok_or_else(|| self.pointers.nothing())?.target;
                (target.release, Some(target.manifest))
            }
        };
        let key = app.layout.release(number);
        let Some((manifest, digest, _)) = app.manifest(number, &Bounds::none()).await? else {
            return Err(Error::new(Kind::Usage, key, "there is no such release"));
        };
        match named.is_none_or(|named| named == digest) {
            true => Ok(manifest),
            false => {
                let what = "it is not the manifest that the pointer names";
                Err(Error::new(Kind::Content, key, what))
            }
        }
    }

    /// The files that have to be copied, each with the tag of its content.
    fn lacking<'m>(
        &self,
        manifest: &'m Manifest,
        url: &Url,
        blobs: &HashMap<String, Object>,
        there: &HashMap<String, Object>,
    ) -> Result<Vec<(&'m FileEntry, Option<String>)>> {
        let layout = &self.pointers.app.layout;
        let mut lacking = Vec::new();
        let mut known = 0;
        for file in &manifest.files {
            let blob = blobs.get(&layout.blob(&file.digest));
            let Some(blob) = blob.filter(|(size, _)| *size == file.size) else {
                let path = file.path.escape_debug();
                let what = format!("the content of {path} was removed");
                return Err(Error::new(
                    Kind::Content,
                    layout.release(manifest.number),
                    what,
                ));
            };
            let copy = there.get(&url.key(&file.path));
            known += usize::from(copy.is_some());
            if copy != Some(blob) || blob.1.is_none() {
                lacking.push((file, blob.1.clone()));
            }
        }
        if known < there.len() {
            let own = |key: &&String| {
                !manifest
                    .files
                    .iter()
                    .any(|file| url.key(&file.path) == **key)
            };
            let foreign = there.keys().filter(own).min().cloned().unwrap_or_default();
            let what =
                "it is in the folder of the release, and none of its files: nothing is copied";
            return Err(Error::new(Kind::Guard, foreign, what));
        }
        Ok(lacking)
    }

    async fn copy(&self, file: &FileEntry, tag: Option<String>, url: &Url) -> Result<()> {
        let app = &self.pointers.app;
        let (blob, key) = (app.layout.blob(&file.digest), url.key(&file.path));
        self.pointers.steps.tell("copy", &key);
        let copy = self.bucket.copy(blob, key);
        let mut copy = copy.from_bucket(app.bucket.name()).replace_metadata();
        if let Some(tag) = tag {
            copy = copy.from_if_match(tag);
        }
        if let Some(value) = media_type(&self.content_type, &file.path) {
            copy = copy.content_type(value);
        }
        if let Some(value) = self.cache_control.value(&file.path) {
            copy = copy.cache_control(value);
        }
        if let Some(value) = self.content_encoding.value(&file.path) {
            copy = copy.content_encoding(value);
        }
        copy.send().await?;
        Ok(())
    }
}

/// The objects below a prefix by their keys.
async fn list(bucket: &Bucket, prefix: &str) -> Result<HashMap<String, Object>> {
    let objects = bucket.list().prefix(prefix).objects();
    let objects =
        objects.map(|object| object.map(|object| (object.key, (object.size, object.etag))));
    Ok(objects.try_collect().await?)
}
